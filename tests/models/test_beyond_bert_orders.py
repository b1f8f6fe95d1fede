"""XLNet: distances without a look-up, what each stream sees, and a memory that is the text before."""

import pytest
import torch

from anncestry.layers.attention.positions import sinusoids
from anncestry.layers.attention.relative_attention import Distances, RelativeAttention, shifted, shifted_naive
from anncestry.models.create import create
from anncestry.protocols import IGNORED
from anncestry.signature import Signature

V, T = 11, 6


def xlnet(task="masked-lm", separator=None, **sizes):
    signature = Signature(task, "tokens", (T,), V if task == "masked-lm" else 3, V, separator=separator)
    model = create("xlnet", signature=signature, width=8, num_heads=2, **sizes).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return model


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (4, 4), (3, 7), (1, 5)])
def test_scores_by_distance_become_scores_by_key(queries, keys):
    scores = torch.randn(2, 3, queries, keys + queries)
    assert torch.equal(shifted(scores, keys), shifted_naive(scores, keys))


def test_distances_from_the_farthest_behind_to_the_farthest_ahead():
    distances = Distances(6)
    for queries, keys in ((2, 3), (80, 90)):
        wanted = torch.stack([sinusoids(1, 6, "concatenated", d)[0] for d in range(keys, -queries, -1)])
        torch.testing.assert_close(distances(queries, keys), wanted)


def test_attention_by_its_formula():
    layer = RelativeAttention(8, 2).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    h, remembered, texts = torch.randn(1, 3, 8).double(), torch.randn(1, 2, 8).double(), [0, 0, 0, 1, 1]
    keys, values = layer.look_up(torch.cat([remembered, h], 1))
    visible = torch.ones(3, 5, dtype=torch.bool).tril(2)
    other = torch.tensor([[[int(texts[2 + i] != texts[j]) for j in range(5)] for i in range(3)]])
    found = layer(h, keys, values, Distances(8)(3, 5).double(), visible[None, None], other)
    wanted = torch.zeros(3, 2, 4).double()
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        u, v, s = layer.content_bias[head], layer.distance_bias[head], layer.segment_bias[head]
        for i in range(3):
            q, scores = layer.query.weight[part] @ h[0, i], []
            for j in range(3 + i):
                r = layer.distance.weight[part] @ sinusoids(1, 8, "concatenated", 2 + i - j)[0].double()
                same = layer.segments[other[0, i, j], head]
                scores.append(((q + u) @ keys[0, head, j] + (q + v) @ r + (q + s) @ same) / 2)
            wanted[i, head] = torch.stack(scores).softmax(0) @ values[0, head, : 3 + i]
    torch.testing.assert_close(found[0], wanted.flatten(1) @ layer.out.weight.T)


def targets_at(tokens, places):
    targets = torch.full_like(tokens, IGNORED)
    targets[:, places] = tokens[:, places]
    return targets


def test_one_predicted_word_sees_all_others():
    model = xlnet(separator=3)
    tokens = torch.randint(V, (2, T))
    whole = model(tokens)
    for place in range(T):
        torch.testing.assert_close(model(tokens, targets=targets_at(tokens, [place])), whole[:, place])


def test_predicted_words_see_those_before_them_in_the_order_and_never_themselves():
    """By perturbation: word b changes what is said at a if and only if it comes first, or is given."""
    model = xlnet()
    tokens = torch.randint(V, (1, T))
    predicted = torch.tensor([[False, True, False, True, True, False]])
    turn = torch.tensor([[0.9, 0.5, 0.1, 0.8, 0.2, 0.3]])  # 4, then 1, then 3
    before = {1: {4}, 3: {1, 4}, 4: set()}
    said = model.two_streams(tokens, predicted, turn)[0]
    for changed in range(T):
        other = tokens.clone()
        other[0, changed] = (other[0, changed] + 1) % V
        moved = (model.two_streams(other, predicted, turn)[0] - said).abs().amax(1) > 1e-9
        for place, seen in before.items():
            assert moved[place] == (changed in seen | {0, 2, 5}), (place, changed)


def test_orders_are_drawn_in_training_alone():
    model = xlnet(dropout=0.0, attention_dropout=0.0)
    tokens = torch.randint(V, (1, T))
    targets = targets_at(tokens, [1, 2, 4])
    assert torch.equal(model(tokens, targets=targets), model(tokens, targets=targets))
    model.train()
    drawn = [model(tokens, targets=targets) for _ in range(8)]
    assert any(not torch.allclose(drawn[0], again) for again in drawn)
    single = targets_at(tokens, [2])
    torch.testing.assert_close(model(tokens, targets=single), model.eval()(tokens, targets=single))


def test_a_word_that_sees_nothing_takes_nothing_in():
    model = xlnet()
    scores = model(torch.tensor([[4], [7]]))
    assert scores.isfinite().all()
    torch.testing.assert_close(scores[0], scores[1])


def test_a_memory_is_seen_as_the_text_in_front():
    """Of one layer: the memory holds what went in, so the second half is as in the whole text."""
    model = xlnet("tagging", num_layers=1)
    tokens = torch.randint(V, (2, T))
    _, memory = model.remember(tokens[:, :4])
    second, _ = model.remember(tokens[:, 4:], memory)
    torch.testing.assert_close(second, model.encode(tokens)[:, 4:])
    lengths = torch.tensor([2, 1])
    ragged, _ = model.remember(tokens[:, 4:], memory, lengths)
    torch.testing.assert_close(ragged[1, 0], model.encode(tokens[1:, :5])[0, 4])


def test_the_last_token_stands_for_the_text():
    model = xlnet("classification")
    tokens, lengths = torch.randint(V, (2, T)), torch.tensor([T, 3])
    x = model.encode(tokens, lengths)
    last = torch.stack([x[0, -1], x[1, 2]])
    torch.testing.assert_close(model(tokens, lengths), model.head(model.pooler.linear(last).tanh()))
    assert not model.asking.requires_grad
    assert xlnet().asking.requires_grad

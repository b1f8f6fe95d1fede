"""What the ledger of the Transformer says and no test of its layers holds."""

import pytest
import torch
from torch import nn

from anncestry.errors import UserError
from anncestry.inference.generation import default_search
from anncestry.models.create import configure, create
from anncestry.signature import Signature

TRANSLATION = Signature("translation", "tokens", (6,), 11, 13, target_len=5)


def example(width=8, **values):
    model = create("transformer", signature=TRANSLATION, width=width, **values)
    return model, *TRANSLATION.example(3)


@pytest.mark.parametrize("first", [0, 3])
def test_positions_begin_where_the_config_says(first):
    model, _, _ = example(first_position=first) if first else example()
    vector = model.positions(0, 1)[0]
    assert torch.equal(vector, create("transformer", signature=TRANSLATION, width=8).positions(first, 1)[0])
    assert (vector[0].item() == 0) == (first == 0)  # the sine of 0


def test_words_and_positions_start_with_like_sizes():
    model, _, _ = example(width=64, dropout=0.0)
    plain, _, _ = example(width=64, dropout=0.0, scale_embeddings=False)
    plain.load_state_dict(model.state_dict())
    tokens = torch.arange(11).unsqueeze(0)
    positions = model.positions(0, 11)
    scaled, unscaled = (
        net.embed_tokens(net.embedding, net.positions, tokens)[0] - positions for net in (model, plain)
    )
    torch.testing.assert_close(scaled, 8 * unscaled, atol=1e-5, rtol=1e-5)
    assert scaled.std().item() == pytest.approx(1, rel=0.1)
    assert positions.square().mean().item() == pytest.approx(0.5)  # of each sine with its cosine


@pytest.mark.parametrize(("values", "drops"), [({}, False), ({"attention_dropout": 0.5}, True),
                                               ({"inner_dropout": 0.5}, True)])  # fmt: skip
def test_only_sums_are_dropped_by_default(values, drops):
    """With `dropout` at 0 there is no other."""
    model, source, targets = example(dropout=0.0, **values)
    first, second = (model.train()(source, targets) for _ in range(2))
    assert torch.equal(first, second) != drops
    assert example()[0].config.dropout == 0.1


def test_queries_keys_and_values_start_as_matrices_of_their_own():
    """Glorot & Bengio's bound is of one d x d matrix: that of all three as one would be smaller."""
    model, _, _ = example(width=64)
    block = model.decoder[0]
    bound = (6 / 128) ** 0.5
    for weight in (block.attention.qkv.weight, block.cross_attention.keys_values.weight,
                   block.cross_attention.query.weight, block.attention.out.weight):  # fmt: skip
        for part in weight.split(64):
            assert 0.98 * bound < part.abs().max() <= bound
    assert not block.feed_forward.inner.bias.any()
    many = create("transformer", input_size=500, output_size=500, hidden_size=64)
    assert many.embedding.weight.std().item() == pytest.approx(1 / 8, rel=0.05)


def test_what_is_added_to_the_variance():
    for values, eps in (({}, 1e-6), ({"norm_eps": 1e-5, "norm": "pre"}, 1e-5)):
        norms = [m for m in example(**values)[0].modules() if isinstance(m, nn.LayerNorm)]
        assert {norm.eps for norm in norms} == {eps}
        assert len(norms) == (10 if not values else 12)


def test_a_source_without_a_word_is_refused():
    model, source, targets = example()
    with pytest.raises(UserError, match=r"lengths: got .*at least 1 step"):
        model(source, targets, torch.tensor([6, 0, 2]))
    scores = model.eval()(source, targets, torch.tensor([6, 1, 2]))
    assert scores.isfinite().all()


def test_a_target_may_be_longer_than_its_source():
    search = default_search(TRANSLATION)
    assert search.limits(2, torch.tensor([6, 40])).tolist() == [6 + 2 * 5 + 20, 40 + 2 * 5 + 20]
    assert (search.beam, search.alpha, search.length_penalty) == (1, 0.6, "gnmt")


def test_it_is_small_by_default():
    config = configure("transformer", {}, signature=TRANSLATION)
    assert (config.num_layers, config.num_heads, config.hidden_size, config.inner_size) == (2, 4, 128, 0)
    inner = create("transformer", signature=TRANSLATION).encoder[0].feed_forward.inner
    assert inner.weight.shape == (512, 128)

"""What is GNMT's own: who waits for the attention, what dropout leaves alone, and the published sizes."""

import pytest
import torch

from anncestry.layers.seq2seq.encoder_decoder import shifted
from anncestry.models.create import create
from anncestry.protocols import Memory
from anncestry.signature import Signature
from anncestry.timeline import find_preset

TRANSLATION = Signature("translation", "tokens", (6,), 11, 13, target_len=5)


def example(**values):
    model = create("gnmt", signature=TRANSLATION, width=8, **values).double()
    return model, *TRANSLATION.example(3)


def of_a_lookup(source, tokens, model):
    """The gradient of the logits of each step with respect to the annotations that the decoder looks up."""
    with torch.no_grad():
        state = model.encode(source)
    parts = state.memory.parts
    annotations = parts.annotations.clone().requires_grad_()
    state = state._replace(memory=Memory(parts._replace(annotations=annotations)))
    logits = model.teacher_force(tokens, state)
    return [torch.autograd.grad(logits[:, t].sum(), annotations, retain_graph=True)[0] for t in range(5)]


def test_the_first_word_is_written_unseen_unless_the_context_is_new():
    for new_context in (False, True):
        model, source, targets = example(new_context=new_context)
        first, second, *_ = of_a_lookup(source, shifted(targets), model)
        assert first.ne(0).any() == new_context
        assert second.ne(0).any()


def test_the_layers_above_the_bottom_decide_nothing_about_the_alignment():
    model, source, targets = example(new_context=True)
    found = []
    for _ in range(2):
        with torch.no_grad():
            state, weights = model.encode(source), []
            for token in shifted(targets).unbind(1):
                logits, state = model.step(token, state)
                weights.append(model.alignment(state))
            found.append((torch.stack(weights), logits))
            for parameter in model.above.parameters():
                parameter.mul_(2)
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.allclose(found[0][1], found[1][1])


def test_a_word_is_aligned_with_the_context_that_it_was_written_with():
    """The bottom layer finds the same in both wirings; the paper's has it read one word later."""
    found = {}
    for new_context in (False, True):
        torch.manual_seed(1)
        model, source, targets = example(new_context=new_context)
        state, weights = model.encode(source), []
        for token in shifted(targets).unbind(1):
            _, state = model.step(token, state)
            weights.append(model.alignment(state))
        found[new_context] = torch.stack(weights)
    assert not found[False][0].any()
    assert torch.equal(found[False][1:], found[True][:-1])
    assert not torch.allclose(found[True][1:], found[True][:-1])


def test_the_decoder_starts_where_the_encoder_has_ended():
    model, source, _ = example(num_layers=4)
    lengths = torch.tensor([6, 2, 4])
    state = model.encode(source, lengths)
    assert len(state.layers) == 4
    for row, length in enumerate(lengths.tolist()):
        alone = model.encode(source[row : row + 1, :length])
        _, back = model.both_ways.back(model.source_embedding(source[row : row + 1, :length]).flip(1))
        torch.testing.assert_close(alone.layers[0], back)
        for one, all_rows in zip(alone.layers, state.layers, strict=True):
            torch.testing.assert_close((one.h[0], one.c[0]), (all_rows.h[row], all_rows.c[row]))


def test_a_shortcut_is_never_dropped():
    """With cells that put out nothing, what the second layer puts out climbs to the readout as it is."""
    model, source, _ = example(num_layers=4, dropout=0.5)
    with torch.no_grad():
        for layer in model.above[1:]:
            layer.cell.weight_ih.zero_()
            layer.cell.weight_hh.zero_()
            layer.cell.bias.zero_()
    model.train()
    state = model.encode(source)
    silent = tuple(type(part)(*(x * 0 for x in part)) for part in state.layers)
    h, context = torch.randn(2, 3, 5, 8).double()
    torch.manual_seed(3)
    top, _ = model.climb(h, context, model.above, silent[1:])
    torch.manual_seed(3)
    second, _ = model.above[0](model.dropout(torch.cat([h, context], dim=-1)), silent[1])
    torch.testing.assert_close(top, second)


@pytest.mark.parametrize(("name", "num_layers"), [("gnmt-4", 4), ("gnmt-8", 8)])
def test_published_sizes(name, num_layers):
    """tensorflow/nmt's variables, as its log of wmt16_gnmt_4_layer.json prints their shapes."""
    V, H = 36_548, 1024

    def lstm(input_size):
        return 4 * H * (input_size + H) + 4 * H

    encoder = 2 * lstm(H) + lstm(2 * H) + (num_layers - 2) * lstm(H)
    attention = 2 * H * H + 2 * H + 1  # of queries and of places; v, its bias and its length
    decoder = num_layers * lstm(2 * H)  # the bottom reads a word and the context, the others one below and it
    expected = 3 * V * H + encoder + attention + decoder
    with torch.device("meta"):
        model = create(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected
    assert find_preset(name).num_parameters == expected
    assert model.bottom.weight_ih.shape == (4 * H, 2 * H)
    assert {tuple(layer.cell.weight_ih.shape) for layer in model.above} == {(4 * H, 2 * H)}

"""What the claims about the Transformer make and measure, against what is known of it."""

import math
from typing import Any

import pytest
import torch

from anncestry.claims.common.toy_strings import num_parameters, strings, strings_of, train, transformer
from anncestry.claims.experiments import (
    attention_vs_recurrence,
    masked_attention_hides,
    path_length_attention,
    post_norm_needs_warmup,
    queries_keys_values_same,
    shared_over_positions,
    trains_at_once_generates_one_by_one,
)
from anncestry.claims.experiments.sequential_steps import blocks
from anncestry.inspection.costs import costs
from anncestry.layers.attention.attention import SelfAttention
from anncestry.layers.attention.positions import sinusoids
from anncestry.layers.recurrent.wirings import unroll_naive
from anncestry.layers.seq2seq.encoder_decoder import shifted
from anncestry.signature import BEGIN


@pytest.mark.parametrize(("n", "d"), [(7, 12), (40, 8)])
def test_operations_are_those_of_the_formulas(n, d):
    counted = {layer: attention_vs_recurrence.counts(layer, n, d) for layer in attention_vs_recurrence.LAYERS}
    assert counted["self-attention"] == {"own": 4 * n * n * d, "all": 4 * n * n * d + 8 * n * d * d}
    assert counted["simple recurrence"] == {"own": 2 * n * d * d, "all": 4 * n * d * d}
    assert counted["LSTM"] == {"own": 8 * n * d * d, "all": 16 * n * d * d}


def test_the_crossings_are_those_of_the_formulas():
    rows = attention_vs_recurrence.measure(0, (4, 8), (4, 8), repeats=0)
    assert attention_vs_recurrence.crossing(rows, "LSTM") == pytest.approx((2, 2))
    assert attention_vs_recurrence.crossing(rows, "simple recurrence") == pytest.approx((0.5, 0))


def test_seconds_are_reported_for_every_layer_and_judged_by_nobody(monkeypatch):
    monkeypatch.setattr(attention_vs_recurrence, "EXAMPLE", (6, 8))
    rows = attention_vs_recurrence.measure(0, (4, 8), (4, 8), repeats=2)
    assert all(row["seconds"] > 0 for row in rows)
    first = attention_vs_recurrence.judge(rows)
    slow = [{**row, "seconds": 9.0 if row["layer"] == "self-attention" else 3.0} for row in rows]
    second = attention_vs_recurrence.judge(slow)
    assert second.verdict is first.verdict
    assert "LSTM takes 0.3 times attention's seconds there, which first loses at n = 0.5 d" in second.because


def test_the_layers_needed_for_a_path_are_those_of_the_formula():
    torch.manual_seed(0)
    assert path_length_attention.layers_needed("encoder", 20, 8) == 1
    for length in (6, 14, 20):
        assert path_length_attention.layers_needed("tcn", length, 8) == blocks(length)


def test_the_encoder_adds_positions_and_runs_its_layers():
    torch.manual_seed(0)
    encoder = path_length_attention.Encoder(8, 2)
    x = torch.randn(1, 5, 8)
    first, second = encoder.layers
    assert torch.equal(encoder(x)[0], second(first(x + sinusoids(5, 8))))


def test_a_model_without_positions_has_none():
    model: Any = transformer(4, 0)
    shared_over_positions.take_positions_away(model)
    tokens = torch.tensor([[5, 5, 5]])
    encoded = shared_over_positions.encoded(model, tokens)
    assert torch.allclose(encoded[:, 0], encoded[:, 2], atol=1e-6)
    told_apart = shared_over_positions.encoded(transformer(4, 0), tokens)
    assert not torch.allclose(told_apart[:, 0], told_apart[:, 2], atol=1e-3)
    train(model, strings_of(4, "reverse", 0, 8), 2, 1e-2)
    assert not model.positions(0, 9).any(), "no step of training brings them back"


def test_the_best_guess_without_order():
    assert shared_over_positions.best_without_order(torch.tensor([[4, 4, 5, 6], [7, 8, 9, 4]])) == 0.375


def test_gradients_of_attention_logits_are_those_of_finite_differences():
    model = transformer(3, 0).double()
    found = masked_attention_hides.gradients(model, 4, 0)
    assert not found.triu(1).any()
    batch = strings(1, 3, "reverse", torch.Generator().manual_seed(0))
    before, after = [], []
    for step, kept in ((-1e-6, before), (1e-6, after)):

        def nudge(module, args, output, step=step):
            changed = output.clone()
            changed[0, 1, 5] += step
            return changed

        hook = model.embedding.register_forward_hook(nudge)
        kept.append(model(batch.inputs, batch.targets)[0].detach())
        hook.remove()
    slope = ((after[0] - before[0]) / 2e-6).abs().amax(1)  # of each step by one feature of the word at 1
    assert (slope <= found[:, 1] + 1e-6).all()
    assert slope[0] == 0
    assert (slope[1:] > 1e-4).all()


def test_a_decoder_without_its_mask_sees_what_comes():
    model = transformer(3, 0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    masked_attention_hides.take_mask_away(model)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert masked_attention_hides.gradients(model, 4, 0).triu(1)[:-1].any(1).all()


def test_a_generator_reads_its_own_best_words():
    model = transformer(4, 0).eval()
    source = strings(2, 4, "copy", torch.Generator().manual_seed(0)).inputs
    with torch.no_grad():
        unread = torch.zeros(2, 5, dtype=torch.int64)
        logits = trains_at_once_generates_one_by_one.Generator(model)(source, unread)
        state, token = model.encode(source), torch.full((2,), BEGIN)
        for t in range(5):
            wanted, state = model.step(token, state)
            assert torch.allclose(logits[:, t], wanted, atol=1e-5)
            token = wanted.argmax(1)


def test_steps_in_sequence_are_those_counted_by_hand():
    rows = trains_at_once_generates_one_by_one.measure(0, (3, 4))
    before, after = rows[:2]
    assert before["forced"] == after["forced"]
    # four products of self-attention, four of cross-attention, two of the feed-forward net, twice; the scores
    assert after["generated"] - before["generated"] == 2 * (4 + 4 + 2) + 1


def test_attention_of_one_matrix_is_that_of_three_equal_ones():
    torch.manual_seed(0)
    same = queries_keys_values_same.SelfAttentionOfOne(8, 2)
    usual = SelfAttention(8, 2)
    usual.qkv.weight.data = same.qkv.weight.detach().repeat(3, 1)
    usual.out = same.out
    x = torch.randn(2, 5, 8)
    assert torch.allclose(same(x, causal=True), usual(x, causal=True), atol=1e-6)


def test_sharing_the_matrices_leaves_one_for_each_attention():
    model, usual = transformer(4, 0), transformer(4, 0)
    queries_keys_values_same.share_matrices(model)
    width, layers = 32, 2 + 2 * 2  # the encoder's, and two of each layer of the decoder
    assert num_parameters(usual) - num_parameters(model) == layers * 2 * width * width
    batch = strings(2, 4, "reverse", torch.Generator().manual_seed(0))
    with torch.no_grad():
        taught = model(batch.inputs, batch.targets)
        state, tokens = model.encode(batch.inputs), shifted(batch.targets)
        for t in range(5):
            scores, state = model.step(tokens[:, t], state)
            assert torch.allclose(scores, taught[:, t], atol=1e-5)
    narrow = transformer(4, 0, inner_size=queries_keys_values_same.NETS[queries_keys_values_same.NARROW])
    assert abs(num_parameters(narrow) - num_parameters(model)) < 0.01 * num_parameters(model)


def test_the_warm_up_is_the_papers():
    def paper(step, width=64, warmup=40):  # steps from 1
        return width**-0.5 * min(step**-0.5, step * warmup**-1.5)

    for step in (0, 7, 39, 40, 200):
        wanted = paper(step + 1) / paper(40)
        assert math.isclose(post_norm_needs_warmup.warmed_up(40, step), wanted)


def test_a_factor_takes_the_place_of_the_cosine():
    def trained(factor):
        model = transformer(3, 0, num_layers=1)
        losses = train(model, strings_of(3, "copy", 0, 8), 3, 1e-2, factor)
        assert len(losses) == 3
        return model.state_dict()

    still, cosine, moved = trained(lambda step: 0.0), trained(None), trained(lambda step: 1.0)
    untouched = transformer(3, 0, num_layers=1).state_dict()
    assert all(torch.equal(still[name], untouched[name]) for name in still)
    assert not torch.equal(cosine["embedding.weight"], moved["embedding.weight"])


def test_recurrence_is_counted_as_the_loop_that_it_is():
    layer = attention_vs_recurrence.build("LSTM", 6)
    x = torch.randn(1, 5, 6)
    loop = attention_vs_recurrence.flops(lambda: unroll_naive(layer.cell, x, layer.initial_state(1)))
    assert attention_vs_recurrence.counts("LSTM", 5, 6)["all"] == loop
    assert costs(path_length_attention.build("lstm", 5, 6, 1)).flops == loop + 2 * 6

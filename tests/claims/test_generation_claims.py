"""The strings that claims about nets that write share, their short training, and how texts are counted."""

import itertools

import pytest
import torch
from torch import nn

from anncestry.claims.common.toy_strings import (
    VOCABULARY,
    build,
    curve,
    new_strings,
    num_parameters,
    share_right,
    strings,
    train,
)
from anncestry.claims.experiments import fixed_context_length, shared_encoder_decoder
from anncestry.claims.experiments.beam_finds_more import figures
from anncestry.claims.experiments.input_need_not_be_a_sequence import _blank
from anncestry.claims.experiments.reversed_source import effect
from anncestry.data.splits.seq2seq import Pairs, Sequences
from anncestry.decoding import Hypothesis
from anncestry.signature import END


class Reader(nn.Module):
    """Writes the source as it is; its state is what is left to write."""

    def __init__(self, written=None):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))
        self.written = written

    def encode(self, source, lengths=None):
        left = source if self.written is None else source[:, : self.written]
        return torch.cat([left, torch.full((len(source), 2), END)], dim=1)

    def step(self, x_t, state):
        return 9.0 * nn.functional.one_hot(state[:, 0], VOCABULARY).float(), state[:, 1:]

    def alignment(self, state):
        return None


def test_strings_are_answered_by_themselves_or_their_reverse():
    random = torch.Generator().manual_seed(0)
    copy, reverse = strings(50, 7, "copy", random), strings(50, 7, "reverse", random)
    assert copy.inputs.unique().tolist() == list(range(END + 1, VOCABULARY))
    assert torch.equal(copy.targets[:, :-1], copy.inputs)
    assert torch.equal(reverse.targets[:, :-1], reverse.inputs.flip(1))
    assert (copy.targets[:, -1] == END).all()
    assert copy.lengths.tolist() == [7] * 50


def test_new_strings_have_every_length_and_are_the_same_for_the_same_seed():
    batches = list(itertools.islice(new_strings(4, "copy", 3), 60))
    assert {batch.inputs.shape[1] for batch in batches} == {1, 2, 3, 4}
    again = next(new_strings(4, "copy", 3))
    assert torch.equal(again.inputs, batches[0].inputs)


def test_the_share_counts_symbols_in_their_place():
    copy, reverse = (strings(400, 5, task, torch.Generator().manual_seed(1)) for task in ("copy", "reverse"))
    assert share_right(Reader(), copy) == 1
    assert share_right(Reader(written=2), copy) == pytest.approx(2 / 5), "what is missing is wrong"
    agree = (reverse.inputs == reverse.inputs.flip(1)).double().mean().item()  # the middle, and chance
    assert share_right(Reader(), reverse) == pytest.approx(agree)


def test_a_curve_has_a_point_for_each_length():
    assert curve(Reader(), "copy", (1, 3), 5, 0) == {1: 1.0, 3: 1.0}


def test_training_learns_to_copy():
    torch.manual_seed(0)
    net = build("seq2seq", 2, hidden_size=24, embed_dim=12, num_layers=1)
    batch = strings(100, 2, "copy", torch.Generator().manual_seed(0))
    assert share_right(net, batch) < 0.5
    train(net, new_strings(2, "copy", 0), 150, 2e-2)
    assert not net.training
    assert share_right(net, batch) > 0.9


def test_nets_that_are_compared_have_about_the_same_number_of_parameters():
    counts = [num_parameters(build(name, 15, **sizes)) for name, sizes in fixed_context_length.NETS.values()]
    assert max(counts) < 1.02 * min(counts)
    sizes = {
        net: num_parameters(
            build("seq2seq", 12, hidden_size=units, embed_dim=32, num_layers=1, share_weights=shared)
        )
        for net, (units, shared) in shared_encoder_decoder.NETS.items()
    }
    two, wide = sizes[shared_encoder_decoder.TWO], sizes[shared_encoder_decoder.WIDE]
    assert abs(two - wide) < 0.02 * two
    assert sizes[shared_encoder_decoder.ONE] < 0.6 * two


def test_ends_are_the_thirds_of_the_lengths_in_training():
    rows = [
        {"net": "RNNsearch", "seed": 0, "length": length, "right": float(length), "trained": length <= 6}
        for length in range(1, 9)
    ]
    assert fixed_context_length.ends(rows, "RNNsearch") == [(1.5, 5.5)]


def test_an_effect_needs_every_seed():
    assert effect([0.1, 0.2]) == "helps with every seed"
    assert effect([-0.1, -0.2]) == "hurts with every seed"
    assert effect([-0.1, 0.2]) == effect([0.0, 0.1]) == "does not do the same with every seed"


def test_texts_of_a_beam_are_compared_with_the_greedy_ones():
    def text(log_prob, *tokens):
        return Hypothesis(tokens, log_prob, log_prob, True)

    wanted = [[4, 5], [6, 7], [8, 9], [4, 4]]
    greedy = [text(-2.0, 4, 4), text(-1.0, 6, 7), text(-1.0, 8, 9), text(-3.0, 4)]
    found = [text(-1.0, 4, 5), text(-1.00001, 6, 7), text(-1.5, 8, 8), text(-3.0, 4, 4, 4)]
    counted = figures(found, greedy, wanted)
    assert {key: counted[key] for key in ("count", "higher", "lower", "gained", "lost")} == {
        "count": 4, "higher": 1, "lower": 1, "gained": 1, "lost": 1,
    }  # fmt: skip
    assert counted["exact"] == 0.5
    assert counted["log_prob"] == pytest.approx((-1.0 - 1.00001 - 1.5 - 3.0) / 4)
    assert counted["characters"] == pytest.approx((1 + 1 + 1 / 2 + 2 / 3) / 4)


def test_a_blank_image_keeps_its_captions():
    targets = Sequences.of([[4, END], [5, END], [6, END]])
    split = Pairs(torch.rand(2, 1, 3, 3) + 1, targets, torch.tensor([0, 0, 1]), (("a", "b"), ("c",)))
    blank = _blank(split)
    assert not blank.sources.any()
    assert split.sources.all()
    assert blank.references == split.references
    assert blank.targets is targets

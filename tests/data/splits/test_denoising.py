"""The split of denoising: noise drawn anew in training, and always the same where it is scored."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.corruption.infilling import TextCorruption
from anncestry.data.splits.dataset import epoch_order
from anncestry.data.splits.denoising import DenoisingPairs
from anncestry.data.splits.seq2seq import Sequences
from anncestry.protocols import IGNORED
from anncestry.signature import END, PAD
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer

MASK, FIRST = 4, 5
TOKENS = ("<pad>", "<unk>", "<s>", "</s>", "<mask>", *(f"Ġ{i}" for i in range(800)))
TOKENIZER = Tokenizer("byte-bpe", TOKENS, Special(0, 1, 2, 3, 3, MASK), "roberta")


def split_of(lengths: list[int]) -> DenoisingPairs:
    """Texts that are told apart by each of their tokens."""
    starts = torch.tensor([0, *lengths]).cumsum(0).tolist()
    rows = [[*range(FIRST + a, FIRST + b), END] for a, b in pairwise(starts)]
    references = tuple((str(row),) for row in range(len(rows)))
    return DenoisingPairs.of(Sequences.of(rows), TextCorruption.of(TOKENIZER), references)


def check(batch, split: DenoisingPairs) -> list[int]:
    """The rows of a batch, each with what noise has left of its own text."""
    rows = {split.targets.row(row)[0]: row for row in range(len(split))}
    found = []
    for inputs, targets, length in zip(
        batch.inputs.tolist(), batch.targets.tolist(), batch.lengths.tolist(), strict=True
    ):
        row = rows[targets[0]]
        text = split.targets.row(row)
        assert targets == text + [IGNORED] * (len(targets) - len(text))
        assert inputs[length - 1] == END
        assert set(inputs[length:]) <= {PAD}
        kept = [token for token in inputs[: length - 1] if token != MASK]
        assert set(kept) <= set(text)
        assert len(kept) == len(text) - 1 - round(0.3 * (len(text) - 1))
        found.append(row)
    return found


LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=40)


@settings(deadline=None, max_examples=40)
@given(lengths=LENGTHS, size=st.integers(1, 9), epoch=st.integers(0, 3))
def test_every_text_comes_once_with_noise_of_its_own(lengths: list[int], size: int, epoch: int) -> None:
    split = split_of(lengths)
    for order in (epoch_order(0, epoch), None):
        batches = list(split.batches(size, order))
        assert len(batches) == split.num_batches(size)
        assert sorted(row for batch in batches for row in check(batch, split)) == list(range(len(lengths)))


def test_noise_is_drawn_anew_for_each_pass_and_repeats_by_its_seed() -> None:
    split = split_of([8] * 40)
    first, second, again = (list(split.batches(40, epoch_order(0, epoch))) for epoch in (0, 1, 0))
    assert torch.equal(first[0].inputs, again[0].inputs)
    of_row = [dict(zip(check(b, split), b.inputs.tolist(), strict=True)) for b in (first[0], second[0])]
    assert sum(of_row[0][row] != of_row[1][row] for row in range(40)) > 20


def test_batches_have_noise_of_their_own() -> None:
    """Whatever texts are in them: no two draw the same masks, in one pass or in several."""
    split = split_of([10] * 32)
    hidden = [batch.inputs == MASK for epoch in (0, 1) for batch in split.batches(16, epoch_order(0, epoch))]
    assert len(hidden) == 4
    for number, masks in enumerate(hidden):
        for other in hidden[:number]:
            assert masks.shape != other.shape or not torch.equal(masks, other)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_what_is_scored_never_changes(size: int) -> None:
    split, same = split_of([5, 9, 3] * 30), split_of([5, 9, 3] * 30)
    whole = Sequences.of([
        row[:length]
        for batch in split.batches(size)
        for row, length in zip(batch.inputs.tolist(), batch.lengths.tolist(), strict=True)
    ])  # fmt: skip
    assert torch.equal(whole.tokens, same.sources.tokens)
    inputs, lengths = split.read_sources(torch.arange(90))
    assert torch.equal(inputs[89, : lengths[89]], torch.tensor(whole.row(89)))


def test_a_pass_goes_on_where_it_stopped() -> None:
    split = split_of([6, 2, 9, 4] * 10)
    whole = list(split.batches(6, epoch_order(3, 1)))
    for batch, other in zip(split.batches(6, epoch_order(3, 1), 3), whole[3:], strict=True):
        assert torch.equal(batch.inputs, other.inputs)


def test_processes_share_every_batch() -> None:
    split = split_of([6, 2, 9, 4, 1] * 5)
    whole = list(split.batches(8, epoch_order(0, 0)))
    parts = [list(split.batches(8, epoch_order(0, 0), part=slice(rank, None, 2))) for rank in (0, 1)]
    for batch, *shares in zip(whole, *parts, strict=True):
        rows = [
            inputs[:length]
            for share in shares
            for inputs, length, targets in zip(
                share.inputs.tolist(), share.lengths.tolist(), share.targets, strict=True
            )
            if (targets != IGNORED).any()
        ]
        wanted = zip(batch.inputs.tolist(), batch.lengths.tolist(), strict=True)
        assert sorted(rows) == sorted(inputs[:length] for inputs, length in wanted)

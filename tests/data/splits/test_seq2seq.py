"""The split of generation tasks: every row once, budgets kept, passes that go on."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.splits.dataset import epoch_order
from anncestry.data.splits.seq2seq import Pairs, Sequences
from anncestry.protocols import IGNORED
from anncestry.signature import END, PAD


def pairs(sizes, batch_tokens=None) -> Pairs:
    """Row i has a source of sizes[i][0] and a target of sizes[i][1] tokens, the first of which are 10 + i."""
    sources = [[10 + i] + [4] * (s - 1) for i, (s, _) in enumerate(sizes)]
    targets = [[10 + i] * (t - 1) + [END] for i, (_, t) in enumerate(sizes)]
    rows = torch.arange(len(sizes))
    references = tuple((str(row),) for row in range(len(sizes)))
    return Pairs(Sequences.of(sources), Sequences.of(targets), rows, references, batch_tokens)


def rows_of(batch) -> list[int]:
    return (batch.inputs[:, 0] - 10).tolist()


SIZES = st.lists(st.tuples(st.integers(1, 12), st.integers(2, 12)), min_size=1, max_size=60)


def test_sequences_lie_one_behind_the_other():
    sequences = Sequences.of([[1, 2, 3], [4], [], [5, 6]])
    assert len(sequences) == 4
    assert sequences.lengths.tolist() == [3, 1, 0, 2]
    assert sequences.row(3) == [5, 6]
    tokens, lengths = sequences.padded(torch.tensor([3, 1]), filler=-1)
    assert tokens.tolist() == [[5, 6], [4, -1]]
    assert lengths.tolist() == [2, 1]


@settings(max_examples=60, deadline=None)
@given(
    sizes=SIZES,
    budget=st.one_of(st.none(), st.integers(10, 80)),
    size=st.integers(1, 9),
    epoch=st.integers(0, 3),
)
def test_every_row_comes_once_and_as_it_is(sizes, budget, size, epoch):
    split = pairs(sizes, budget)
    batches = list(split.batches(size, epoch_order(1, epoch)))
    assert len(batches) == split.num_batches(size)
    assert sorted(row for batch in batches for row in rows_of(batch)) == list(range(len(sizes)))
    for batch in batches:
        assert batch.lengths.max() == batch.inputs.shape[1]
        for row, inputs, targets, length in zip(
            rows_of(batch), batch.inputs.tolist(), batch.targets.tolist(), batch.lengths.tolist(), strict=True
        ):
            assert (length, targets.index(END) + 1) == sizes[row]
            assert inputs[length:] == [PAD] * (len(inputs) - length)
            assert targets[sizes[row][1] :] == [IGNORED] * (len(targets) - sizes[row][1])
        if budget is not None:
            assert len(batch.inputs) == 1 or batch.inputs.numel() + batch.targets.numel() <= budget
        else:
            assert len(batch.inputs) <= size


@settings(max_examples=40, deadline=None)
@given(sizes=SIZES, budget=st.one_of(st.none(), st.integers(10, 60)), start=st.integers(0, 5))
def test_a_pass_goes_on_where_it_stopped(sizes, budget, start):
    split = pairs(sizes, budget)
    whole = [rows_of(batch) for batch in split.batches(4, epoch_order(0, 2))]
    rest = [rows_of(batch) for batch in split.batches(4, epoch_order(0, 2), start)]
    assert rest == whole[start:]


def test_passes_differ_and_repeat():
    split = pairs([(3, 3)] * 40)
    first, second, again = (
        [rows_of(batch) for batch in split.batches(8, epoch_order(0, epoch))] for epoch in (0, 1, 0)
    )
    assert first == again
    assert first != second
    in_order = [row for batch in split.batches(16) for row in rows_of(batch)]
    assert in_order == list(range(40))


@pytest.mark.parametrize("budget", [None, 40])
def test_processes_share_every_batch(budget):
    split = pairs([(i % 9 + 1, i % 7 + 2) for i in range(41)], budget)
    whole = list(split.batches(8, epoch_order(0, 0)))
    parts = [list(split.batches(8, epoch_order(0, 0), part=slice(rank, None, 2))) for rank in (0, 1)]
    for batch, *shares in zip(whole, *parts, strict=True):
        asked = [
            row
            for share in shares
            for row, targets in zip(rows_of(share), share.targets, strict=True)
            if (targets != IGNORED).any()
        ]
        assert Counter(asked) == Counter(rows_of(batch))
        assert all(len(share.inputs) for share in shares)  # a process with nothing asks nothing


def test_a_full_batch_wastes_little():
    sizes = [(i * 7 % 30 + 1, i * 7 % 30 + 2) for i in range(3000)]
    split = pairs(sizes, 1000)
    total = sum(a + b for a, b in sizes)
    batches = list(split.batches(1, epoch_order(0, 0)))
    padded = sum(batch.inputs.numel() + batch.targets.numel() for batch in batches)
    assert total / padded > 0.95
    assert len(batches) < 1.1 * total / 1000


def test_several_answers_share_one_image():
    images = torch.arange(3.0)[:, None, None, None].expand(3, 1, 2, 2)
    targets = Sequences.of([[5, END], [6, 6, END], [7, END], [8, END]])
    of = torch.tensor([0, 0, 1, 2])
    split = Pairs(images, targets, of, (("a", "b"), ("c",), ("d",)), batch_tokens=6)
    assert (len(split), split.num_sources) == (4, 3)
    seen = []
    for batch in split.batches(1, epoch_order(0, 0)):
        assert batch.lengths is None
        assert len(batch.targets) == 1 or batch.targets.numel() <= 6  # images cost nothing
        seen += zip(batch.inputs[:, 0, 0, 0].tolist(), batch.targets[:, 0].tolist(), strict=True)
    assert sorted(seen) == [(0.0, 5), (0.0, 6), (1.0, 7), (2.0, 8)]
    inputs, lengths = split.read_sources(torch.tensor([2, 0]))
    assert inputs[:, 0, 0, 0].tolist() == [2.0, 0.0]
    assert lengths is None

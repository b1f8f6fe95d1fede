"""Splits deal out everything once, in order, and the same to every process."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data import Dataset, Examples, Stream, epoch_order, load_data
from anncestry.data.processors import TextProcessor
from anncestry.signature import Signature


@settings(deadline=None)
@given(
    length=st.integers(2, 300),
    batch_size=st.integers(1, 40),
    window=st.integers(1, 50),
    start=st.integers(0, 9),
)
def test_a_stream_reads_its_text_row_by_row(length: int, batch_size: int, window: int, start: int) -> None:
    stream = Stream(torch.arange(length), window)
    batches = list(stream.batches(batch_size, start=start))
    assert len(batches) == max(0, stream.num_batches(batch_size) - start)
    for index, batch in enumerate(batches):
        torch.testing.assert_close(batch.targets, batch.inputs + 1)  # shifted by one token
        assert batch.continues == (start + index > 0)
        assert batch.inputs.shape[1] <= window
    if batches and start == 0:
        rows = torch.cat([batch.inputs for batch in batches], dim=1)
        read = rows.flatten()
        torch.testing.assert_close(read, torch.arange(len(read)))  # row after row, nothing twice, no gap
        assert len(stream) - 1 - len(read) < batch_size  # what is left out at the end
        assert len(rows) <= batch_size


@settings(deadline=None)
@given(batch_size=st.integers(1, 12), num_parts=st.integers(1, 4))
def test_the_parts_of_a_stream_make_the_global_batch(batch_size: int, num_parts: int) -> None:
    stream = Stream(torch.arange(100), 7)
    whole = list(stream.batches(batch_size))
    parts = [list(stream.batches(batch_size, part=slice(i, None, num_parts))) for i in range(num_parts)]
    for index, batch in enumerate(whole):
        rows = torch.cat([part[index].inputs for part in parts])
        assert sorted(rows.flatten().tolist()) == sorted(batch.inputs.flatten().tolist())


@settings(deadline=None)
@given(
    num_rows=st.integers(1, 60),
    batch_size=st.integers(1, 20),
    num_parts=st.integers(1, 4),
    start=st.integers(0, 3),
    seed=st.none() | st.integers(0, 5),
)
def test_the_parts_of_examples_partition_each_global_batch(
    num_rows: int, batch_size: int, num_parts: int, start: int, seed: int | None
) -> None:
    examples = Examples(torch.arange(float(num_rows))[:, None], torch.arange(num_rows))

    def read(part: slice | None, first: int = start) -> list[list[int]]:
        order = None if seed is None else epoch_order(seed, 3)
        batches = list(examples.batches(batch_size, order, first, part))
        assert all((batch.inputs[:, 0] == batch.targets).all() for batch in batches)
        return [batch.targets.tolist() for batch in batches]

    whole = read(None)
    assert len(whole) == max(0, examples.num_batches(batch_size) - start)
    assert whole == read(None, first=0)[start:]  # resuming goes on with the same order
    share = -(-batch_size // num_parts)
    parts = [read(slice(i * share, (i + 1) * share)) for i in range(num_parts)]
    for index, batch in enumerate(whole):
        assert [row for part in parts for row in part[index]] == batch
    if start == 0:
        assert sorted(row for batch in whole for row in batch) == list(range(num_rows))


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    orders = {
        (s, e): tuple(torch.randperm(50, generator=epoch_order(s, e)).tolist())
        for s in (0, 1)
        for e in (0, 1)
    }
    assert len(set(orders.values())) == 4
    assert orders[1, 1] == tuple(torch.randperm(50, generator=epoch_order(1, 1)).tolist())


def test_the_fingerprint_notices_one_changed_value() -> None:
    dataset = load_data("toy2d:moons")
    assert dataset.fingerprint() == load_data("toy2d:moons").fingerprint()
    assert len(dataset.fingerprint()) == 16
    targets = dataset.test.targets.clone()  # pyright: ignore
    targets[7] = 1 - targets[7]
    changed = dataclasses.replace(dataset, test=Examples(dataset.test.inputs, targets))  # pyright: ignore
    assert changed.fingerprint() != dataset.fingerprint()


@pytest.mark.parametrize("length", [0, 1])
def test_a_stream_without_a_pair_of_tokens_has_no_batches(length: int) -> None:
    assert list(Stream(torch.arange(length), 4).batches(2)) == []


@settings(deadline=None)
@given(
    num_rows=st.integers(1, 80),
    batch_size=st.integers(1, 9),
    start=st.integers(0, 3),
    seed=st.none() | st.integers(0, 3),
)
def test_batches_of_sequences_are_cut_to_their_longest_row(
    num_rows: int, batch_size: int, start: int, seed: int | None
) -> None:
    lengths = torch.randint(1, 12, (num_rows,), generator=torch.Generator().manual_seed(num_rows))
    inputs = torch.where(torch.arange(12) < lengths[:, None], torch.arange(num_rows)[:, None] + 1, 0)
    examples = Examples(inputs, inputs.clone(), lengths)

    def read(first: int) -> list[list[int]]:
        rows = []
        for batch in examples.batches(batch_size, None if seed is None else epoch_order(seed, 1), first):
            assert batch.lengths is not None
            assert batch.inputs.shape[1] == batch.targets.shape[1] == batch.lengths.max()
            assert ((batch.inputs > 0).sum(1) == batch.lengths).all()
            rows.append(batch.inputs[:, 0].tolist())
        return rows

    whole = read(0)
    assert sorted(row for batch in whole for row in batch) == list(range(1, num_rows + 1))
    assert len(whole) == examples.num_batches(batch_size)
    assert read(start) == whole[start:]
    if seed is None:  # the same rows as `unshuffled` says, shortest first
        assert [row - 1 for batch in whole for row in batch] == examples.unshuffled().tolist()
        assert (lengths[examples.unshuffled()].diff() >= 0).all()


def test_shuffled_batches_hold_rows_of_similar_length() -> None:
    lengths = torch.randint(1, 100, (5000,), generator=torch.Generator().manual_seed(0))
    examples = Examples(torch.zeros(5000, 100), torch.zeros(5000, dtype=torch.int64), lengths)
    batches = list(examples.batches(20, epoch_order(0, 0)))
    padded = sum(batch.inputs.numel() for batch in batches)
    assert padded < 1.1 * int(lengths.sum())
    firsts = [int(batch.lengths[0]) for batch in batches if batch.lengths is not None]
    assert firsts[:50] != sorted(firsts[:50])  # short and long batches alternate


def test_long_sequences_are_scored_in_smaller_batches() -> None:
    rows = torch.zeros(10, 512, dtype=torch.int64)
    assert Examples(rows, rows[:, 0]).scored_batch == 256
    assert Examples(rows, rows[:, 0], torch.full((10,), 512)).scored_batch == 32
    assert Examples(rows[:, :40], rows[:, 0], torch.full((10,), 40)).scored_batch == 256


def test_a_stream_of_small_integers_is_the_same_data() -> None:
    for kind in (torch.int8, torch.int16):
        small, large = Stream(torch.arange(100).to(kind), 7), Stream(torch.arange(100), 7)
        pairs = zip(small.batches(3), large.batches(3), strict=True)
        assert all(a.inputs.equal(b.inputs) and a.targets.equal(b.targets) for a, b in pairs)
        made = [
            Dataset(
                "x",
                {},
                Signature("language-model", "tokens", (7,), 100, 100),
                TextProcessor("ab"),
                part,
                part,
                part,
            )
            for part in (small, large)
        ]
        assert made[0].fingerprint() == made[1].fingerprint()

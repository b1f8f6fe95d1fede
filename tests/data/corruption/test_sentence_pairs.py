"""Blocks and pairs of sentences, beside a loop written from the description of BERT's data program."""

from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.corruption.sentence_pairs import (
    full_sentences,
    sentence_pairs,
    truncated_sizes,
    within_documents,
)
from anncestry.data.readers.token_files import TokenFile


def text_of(documents: list[list[int]]) -> TokenFile:
    """A text whose tokens are their places, from the lengths of its lines."""
    lines = np.cumsum([0, *(length for document in documents for length in document)])
    firsts = np.cumsum([0, *map(len, documents)])
    return TokenFile(np.arange(lines[-1]), lines, firsts, torch.zeros(16, dtype=torch.uint8))


def random_text(seed: int, documents: int = 60, longest: int = 14) -> TokenFile:
    random = Random(seed)
    return text_of([
        [random.randint(1, longest) for _ in range(random.randint(1, 12))] for _ in range(documents)
    ])  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=30), room=st.integers(1, 30))
def test_blocks_are_the_text_in_whole_sentences(lengths: list[int], room: int) -> None:
    text = text_of([lengths])
    blocks = full_sentences(text, room)[:, :2].tolist()
    assert [place for first, last in blocks for place in range(first, last)] == list(range(sum(lengths)))
    starts = set(text.lines.tolist())
    for first, last in blocks:
        assert 0 < last - first <= room
        if last not in starts:  # cut inside of a line: one that is longer than a block
            line = int(np.searchsorted(text.lines, last, "right")) - 1
            assert lengths[line] > room
            assert last - first == room
    whole = [last for _, last in blocks]
    for (first, last), after in zip(blocks, [*whole[1:], None], strict=True):
        if after is not None and last in starts:  # the next line had no room
            line = text.lines.tolist().index(last)
            assert last - first + lengths[line] > room


@settings(deadline=None, max_examples=60)
@given(
    documents=st.lists(st.lists(st.integers(1, 20), min_size=1, max_size=8), max_size=10),
    room=st.integers(1, 30),
)
def test_no_block_goes_over_the_border_of_a_document(documents: list[list[int]], room: int) -> None:
    text = text_of(documents)
    wanted, first = [], 0
    for document in documents:  # each as if it were alone
        blocks = full_sentences(text_of([document]), room)[:, :2] + first
        wanted += blocks.tolist()
        first += sum(document)
    assert within_documents(text, room).tolist() == wanted


def naive_truncated(first: int, second: int, room: int) -> tuple[int, int]:
    while first + second > room:
        if first > second:
            first -= 1
        else:
            second -= 1
    return first, second


@given(first=st.integers(1, 60), second=st.integers(1, 60), room=st.integers(2, 60))
def test_truncation_is_that_of_the_naive_loop(first: int, second: int, room: int) -> None:
    assert truncated_sizes(first, second, room) == naive_truncated(first, second, room)


def document_of(text: TokenFile, place: int) -> int:
    line = int(np.searchsorted(text.lines, place, "right")) - 1
    return int(np.searchsorted(text.documents, line, "right")) - 1


@pytest.mark.parametrize("kind", ["next", "order", "three"])
def test_every_pair_is_what_its_relation_says(kind: str) -> None:
    text = random_text(0)
    room = 30
    for a, a_end, b, b_end, relation in sentence_pairs(text, room, kind, 1).tolist():
        assert a < a_end
        assert b < b_end
        assert a_end - a + b_end - b <= room
        same = document_of(text, a) == document_of(text, b)
        assert document_of(text, a) == document_of(text, a_end - 1)
        assert document_of(text, b) == document_of(text, b_end - 1)
        if relation == 0:
            assert same
            assert a_end <= b
        elif relation == 1 and kind != "next":
            assert same
            assert b_end <= a


def test_relations_are_as_likely() -> None:
    text = text_of([[4] * 10 for _ in range(900)])
    assert sentence_pairs(text, 20, "order", 0)[:, 4].mean() == pytest.approx(0.5, abs=0.03)
    plan = sentence_pairs(text, 20, "three", 0)
    chunks = plan[plan[:, 1] - plan[:, 0] + plan[:, 3] - plan[:, 2] >= 12]  # not of one sentence at an end
    counts = np.bincount(chunks[:, 4])
    assert counts[0] / counts[1] == pytest.approx(1, abs=0.15)
    assert 0.33 < counts[2] / counts.sum() < 0.5  # and always where there is but one sentence


def test_more_than_half_of_the_next_sentences_are_random() -> None:
    """A chunk of one sentence always gets a random one, so more than half of all are."""
    text = random_text(3, documents=1500)
    relations = sentence_pairs(text, 30, "next", 0)[:, 4]
    assert 0.52 < relations.mean() < 0.75
    single = text_of([[5]] * 50)
    plan = sentence_pairs(single, 30, "next", 0)
    assert plan[:, 4].tolist() == [1] * 50
    others = [document_of(single, a) != document_of(single, b) for a, _, b, _, _ in plan.tolist()]
    assert sum(others) == 50  # ten tries to find another document


def test_unused_sentences_are_gathered_again() -> None:
    """With a random second text the rest of the chunk is put back: all is a first or a true second text."""
    text = random_text(5)
    plan = sentence_pairs(text, 10**6, "next", 0)  # nothing is truncated, a chunk is a document
    seen = np.zeros(len(text.tokens), np.int64)
    for a, a_end, b, b_end, relation in plan.tolist():
        seen[a:a_end] += 1
        if relation == 0:
            seen[b:b_end] += 1
    assert (seen == 1).all()


def test_a_tenth_of_the_documents_has_a_shorter_target() -> None:
    text = text_of([[1] * 40 for _ in range(3000)])
    plan = sentence_pairs(text, 40, "order", 0)
    short = {document_of(text, row[0]) for row in plan if max(row[1], row[3]) - min(row[0], row[2]) < 40}
    assert len(short) / 3000 == pytest.approx(0.1 * 38 / 39, abs=0.02)


def test_truncation_is_at_both_ends() -> None:
    text = text_of([[40, 40] for _ in range(400)])
    plan = sentence_pairs(text, 50, "order", 0)
    whole = plan[plan[:, 1] - plan[:, 0] + plan[:, 3] - plan[:, 2] == 50]
    fronts = whole[:, 0] % 40
    assert fronts.max() < 15
    assert fronts.mean() == pytest.approx(15 / 2, abs=0.5)  # the first loses 15 tokens, half of them in front


def test_one_sentence_alone_is_cut_for_its_order() -> None:
    plan = sentence_pairs(text_of([[10], [1], [7]]), 30, "order", 0)
    assert [sorted(map(tuple, row[:4].reshape(2, 2).tolist())) for row in plan] == [
        [(0, 5), (5, 10)],
        [(11, 14), (14, 18)],
    ]

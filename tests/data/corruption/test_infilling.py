"""Noise: the paper's statistics, what a mask stands for, and that nothing else is lost."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.corruption.infilling import (
    NOTHING,
    TextCorruption,
    infilled,
    shuffled_sentences,
    span_lengths,
)
from anncestry.errors import UserError
from anncestry.signature import PAD
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer

MASK, WORD = 4, 5  # the first token that is text
TOKENS = (
    "<pad>",
    "<unk>",
    "<s>",
    "</s>",
    "<mask>",
    "Ġa",
    "Ġb",
    "c",
    "Ġd.",
    ".",
    '!"',
    "Ġ...",
    "Ġe,",
    "3",
    ".)",
)
ROLES = Special(pad=0, unknown=1, begin=2, end=3, separator=3, mask=MASK)
TOKENIZER = Tokenizer("byte-bpe", TOKENS, ROLES, "roberta")
ROWS = st.lists(st.integers(1, 60), min_size=1, max_size=12)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def texts(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of which every token is its place, counted from 10 on."""
    sizes = torch.tensor(lengths)
    places = torch.arange(int(sizes.max()))
    return (10 + places).expand(len(lengths), -1).masked_fill(places >= sizes[:, None], PAD), sizes


def spans_of(corrupted: list[int], length: int) -> list[int]:
    """How many tokens are missing behind each mask of a text whose tokens are their places."""
    spans, after = [], 10
    for here, token in enumerate(corrupted):
        if token == MASK:
            following = corrupted[here + 1] if here + 1 < len(corrupted) else 10 + length
            spans.append(following - after)
        after = token + 1
    return spans


def test_the_papers_shares() -> None:
    """30 % of the tokens are taken out, in spans of Poisson(3) of which each is one mask."""
    tokens, lengths = texts([400] * 500)
    corrupted, sizes = infilled(tokens, lengths, MASK, seeded())
    spans = [spans_of(row[:size], 400) for row, size in zip(corrupted.tolist(), sizes.tolist(), strict=True)]
    assert {sum(row) for row in spans} == {120}
    found = torch.tensor([length for row in spans for length in row[:-1]])
    assert found.double().mean().item() == pytest.approx(3, abs=0.08)
    assert found.double().var().item() == pytest.approx(3, abs=0.2)
    for length in range(8):
        share = math.exp(-3) * 3**length / math.factorial(length)
        assert (found == length).double().mean().item() == pytest.approx(share, abs=0.012), length
    everywhere = torch.zeros(410)
    for row, size in zip(corrupted.tolist(), sizes.tolist(), strict=True):
        everywhere[row[:size]] += 1
    kept = everywhere[10:410] / 500
    assert kept.mean().item() == pytest.approx(0.7)
    assert kept[:40].mean().item() == pytest.approx(0.7, abs=0.04)  # the ends are no other places
    assert kept[-40:].mean().item() == pytest.approx(0.7, abs=0.04)


@settings(deadline=None, max_examples=100)
@given(lengths=ROWS, seed=st.integers(0, 10**6))
def test_one_mask_for_each_span_and_all_else_as_it_was(lengths: list[int], seed: int) -> None:
    tokens, sizes = texts(lengths)
    corrupted, corrupted_sizes = infilled(tokens, sizes, MASK, seeded(seed))
    assert corrupted.shape[1] == corrupted_sizes.max()
    for row, size, length in zip(corrupted.tolist(), corrupted_sizes.tolist(), lengths, strict=True):
        text, rest = row[:size], row[size:]
        assert 0 < size <= length  # so no source is longer than its window
        assert set(rest) <= {PAD}
        kept = [token for token in text if token != MASK]
        assert kept == sorted(set(kept))
        assert len(kept) == length - round(0.3 * length)
        assert set(kept) <= set(range(10, 10 + length))
        assert all(pair != (MASK, MASK) for pair in pairwise(text))
        spans = spans_of(text, length)
        assert sum(spans) == round(0.3 * length)  # nothing is missing where there is no mask
    again, _ = infilled(tokens, sizes, MASK, seeded(seed))
    assert torch.equal(again, corrupted)


def test_spans_of_no_length_put_a_mask_in() -> None:
    tokens, lengths = texts([100] * 300)
    corrupted, sizes = infilled(tokens, lengths, MASK, seeded(1))
    empty = [
        0 in spans_of(row[:size], 100) for row, size in zip(corrupted.tolist(), sizes.tolist(), strict=True)
    ]
    assert 0.2 < sum(empty) / 300 < 0.7  # of about 11 spans each is empty with p = 0.05


@settings(deadline=None, max_examples=100)
@given(budgets=st.lists(st.integers(0, 40), min_size=1, max_size=20), seed=st.integers(0, 10**6))
def test_spans_add_up_to_the_budget_and_are_no_more(budgets: list[int], seed: int) -> None:
    spans = span_lengths(torch.tensor(budgets), seeded(seed))
    for row, budget in zip(spans.tolist(), budgets, strict=True):
        lengths = [length for length in row if length != NOTHING]
        assert sum(lengths) == budget
        assert len(lengths) <= budget
        assert all(length >= 0 for length in lengths)


def test_sentences_end_behind_a_full_stop_where_a_word_ends() -> None:
    corruption = TextCorruption.of(TOKENIZER)
    row = ["Ġa", "c", ".", "Ġb", '!"', "Ġa", "Ġ...", "Ġa", ".", "3", "Ġe,", "Ġd.", "Ġa", ".)", "Ġb"]
    #       0    0    0    1    1     2    2       3    3    3    3     3      4    4     5
    tokens = torch.tensor([[TOKENS.index(token) for token in row]])
    assert corruption.sentences(tokens).tolist() == [[0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 3, 4, 4, 5]]
    words = Tokenizer("word-bpe", ("<unk>", "<mask>", "a</w>", "a", ".</w>"), Special(unknown=0, mask=1))
    assert TextCorruption.of(words).sentences(torch.tensor([[3, 4, 2, 4, 4]])).tolist() == [[0, 0, 1, 1, 2]]


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=8), min_size=1, max_size=6),
    seed=st.integers(0, 10**6),
)
def test_shuffled_sentences_are_the_same_sentences(rows: list[list[int]], seed: int) -> None:
    lengths = torch.tensor([sum(row) for row in rows])
    numbers = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for place, row in enumerate(rows):
        numbers[place, : lengths[place]] = torch.arange(len(row)).repeat_interleave(torch.tensor(row))
        numbers[place, lengths[place] :] = len(row) - 1
    order = shuffled_sentences(numbers, lengths, seeded(seed))
    for place, row in enumerate(rows):
        length = int(lengths[place])
        borders = torch.tensor([0, *row]).cumsum(0).tolist()
        whole = {tuple(range(a, b)) for a, b in pairwise(borders)}
        found, here = set(), order[place, :length].tolist()
        while here:  # sentence by sentence: each begins where one began
            sentence = next(s for s in whole if s[0] == here[0])
            assert tuple(here[: len(sentence)]) == sentence
            found.add(sentence)
            here = here[len(sentence) :]
        assert found == whole
        assert order[place, length:].tolist() == list(range(length, numbers.shape[1]))


def test_every_order_of_sentences_is_as_likely() -> None:
    numbers = torch.tensor([[0, 0, 1, 2]]).expand(6000, -1)
    order = shuffled_sentences(numbers, torch.full((6000,), 4), seeded())
    _, counts = order.unique(dim=0, return_counts=True)
    assert len(counts) == 6
    assert counts.max() < 1150
    assert counts.min() > 850


def test_spoilt_texts_have_both_kinds_of_noise() -> None:
    sentence = [TOKENS.index(token) for token in ("Ġa", "Ġb", "c", "Ġe,", "Ġb", "Ġd.")]
    last = [TOKENS.index(token) for token in ("Ġb", "c", "c", ".")]
    tokens = torch.tensor([sentence + last] * 200)
    corrupted, lengths = TextCorruption.of(TOKENIZER).corrupt(tokens, torch.full((200,), 10), seeded())
    assert (corrupted == MASK).any(1).all()
    assert ((corrupted != MASK) & (corrupted != PAD)).sum(1).tolist() == [7] * 200
    assert corrupted.shape[1] == lengths.max() <= 10
    # what stays is in order, or the second sentence is before the first
    in_order = [
        all(token in iter_ for token in row if token not in (MASK, PAD))
        for row in corrupted.tolist()
        for iter_ in [iter(sentence + last)]
    ]
    turned = [
        all(token in iter_ for token in row if token not in (MASK, PAD))
        for row in corrupted.tolist()
        for iter_ in [iter(last + sentence)]
    ]
    assert all(a or b for a, b in zip(in_order, turned, strict=True))
    assert 60 < sum(in_order) < 160


def test_a_tokenizer_without_a_mask_is_reported() -> None:
    with pytest.raises(UserError, match="has no mask token"):
        TextCorruption.of(Tokenizer("byte-bpe", ("a", "b")))

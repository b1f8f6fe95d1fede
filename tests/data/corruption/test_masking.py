"""Masked tokens: how many, which, and what stands in their place; whole words and spans beside naive
twins."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.corruption.masking import (
    KINDS,
    LONGEST_SPAN,
    NGRAM_LENGTHS,
    SPAN_LENGTHS,
    Masking,
    choose_spans,
    choose_words,
    shuffled_trigrams,
)
from anncestry.errors import UserError
from anncestry.protocols import IGNORED
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROLES = Special(pad=0, unknown=1, begin=2, separator=3, end=3, mask=4)
PIECES = tuple(f"w{i}" for i in range(60)) + tuple(f"##p{i}" for i in range(35))
TOKENIZER = Tokenizer("wordpiece", SPECIALS + PIECES, ROLES, "bert")
WORDS = 5  # the first token that is text


def texts(rows: int, length: int, seed: int = 0, padded: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Random texts between special tokens, of which the last ones are shorter."""
    random = torch.Generator().manual_seed(seed)
    tokens = torch.randint(WORDS, len(TOKENIZER), (rows, length), generator=random)
    lengths = torch.full((rows,), length)
    if padded:
        lengths[rows // 2 :] = torch.randint(4, length + 1, (rows - rows // 2,), generator=random)
    tokens[:, 0] = 2
    tokens[torch.arange(rows), lengths - 1] = 3
    return tokens.masked_fill(torch.arange(length) >= lengths[:, None], 0), lengths


def apply(kind: str, tokens: torch.Tensor, lengths: torch.Tensor, seed: int = 0):
    return Masking.of(TOKENIZER, kind).apply(tokens, lengths, torch.Generator().manual_seed(seed))


def budget_of(length: int, share: float = 0.15) -> int:
    return max(1, round(share * length))


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_and_padding_are_never_masked_nor_put_in(kind: str) -> None:
    tokens, lengths = texts(400, 64)
    inputs, targets = apply(kind, tokens, lengths)
    special = tokens < WORDS
    assert (targets[special] == IGNORED).all()
    assert torch.equal(inputs[special], tokens[special])
    asked = targets != IGNORED
    assert torch.equal(targets[asked], tokens[asked])
    assert torch.equal(inputs[~asked], tokens[~asked])
    assert set(inputs[~special].unique().tolist()) <= {4, *range(WORDS, len(TOKENIZER))}


def test_tokens_are_exactly_the_rounded_share() -> None:
    tokens, lengths = texts(300, 50)
    _, targets = apply("tokens", tokens, lengths)
    counts = (targets != IGNORED).sum(1).tolist()
    assert counts == [min(budget_of(n), n - 2) for n in lengths.tolist()]


def test_shares_over_many_tokens() -> None:
    """15 % are chosen; of those 80 % masked, 10 % another word, 10 % as they were."""
    tokens, lengths = texts(1000, 128, padded=False)
    inputs, targets = apply("tokens", tokens, lengths)
    asked = targets != IGNORED
    assert asked.float().mean().item() == pytest.approx(0.15, abs=0.002)
    assert (inputs[asked] == 4).float().mean().item() == pytest.approx(0.8, abs=0.01)
    # one word in 95 is drawn for itself
    same = 0.1 + 0.1 / len(PIECES)
    assert (inputs[asked] == targets[asked]).float().mean().item() == pytest.approx(same, abs=0.01)
    places = asked[:, 1:-1].float().mean(0)
    assert places.min() > 0.1  # every place is as likely
    drawn = inputs[asked & (inputs != 4) & (inputs != tokens)]
    assert len(drawn.unique()) == len(PIECES)


def naive_words(sizes: list[int], order: list[int], budget: int) -> set[int]:
    """Words in an order, each unless it would exceed the budget (Devlin et al.'s code)."""
    chosen: set[int] = set()
    for word in order:
        if sizes[word] <= budget:
            chosen.add(word)
            budget -= sizes[word]
    return chosen


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=25),
    budget=st.integers(1, 20),
    seed=st.integers(0, 9),
)
def test_whole_words_are_those_of_the_naive_loop(sizes: list[int], budget: int, seed: int) -> None:
    numbers = torch.tensor([[word for word, size in enumerate(sizes) for _ in range(size)]])
    free = torch.ones_like(numbers, dtype=torch.bool)
    chosen = choose_words(free, numbers, torch.tensor([budget]), torch.Generator().manual_seed(seed)).chosen
    keys = torch.rand(numbers.shape, generator=torch.Generator().manual_seed(seed))[0, : len(sizes)]
    wanted = naive_words(sizes, keys.argsort().tolist(), budget)
    assert set(numbers[chosen].tolist()) == wanted
    assert int(chosen.sum()) == sum(sizes[word] for word in wanted)


@pytest.mark.parametrize("kind", ["whole-words", "spans", "n-grams"])
def test_words_are_masked_whole_and_within_the_budget(kind: str) -> None:
    tokens, lengths = texts(300, 64)
    _, targets = apply(kind, tokens, lengths)
    asked = targets != IGNORED
    numbers = Masking.of(TOKENIZER, kind).word_numbers(tokens)
    for row, words, length in zip(asked, numbers, lengths.tolist(), strict=True):
        assert int(row.sum()) <= budget_of(length)
        for word in words[row].unique():
            assert row[words == word].all()
    mean = asked[lengths == 64].float().sum(1).mean().item()
    assert mean > 0.85 * budget_of(64)  # little is left over


def test_pieces_are_drawn_for_themselves_and_spans_together() -> None:
    tokens, lengths = texts(500, 64, padded=False)
    for kind, together in (("whole-words", False), ("spans", True)):
        inputs, targets = apply(kind, tokens, lengths)
        numbers = Masking.of(TOKENIZER, kind).word_numbers(tokens)
        mixed = 0
        for row in range(len(tokens)):
            asked = targets[row] != IGNORED
            for word in numbers[row][asked].unique():
                masked = inputs[row][numbers[row] == word] == 4
                mixed += int(masked.any() and not masked.all())
        assert (mixed == 0) is together


def test_spans_have_the_papers_lengths() -> None:
    weights = torch.tensor(SPAN_LENGTHS) / sum(SPAN_LENGTHS)
    lengths = torch.arange(1, LONGEST_SPAN + 1)
    assert (weights * lengths).sum().item() == pytest.approx(3.8, abs=0.01)
    assert [round(w, 2) for w in weights[:3].tolist()] == [0.22, 0.18, 0.14]
    # With room for all, spans are as long as drawn but where they meet what is hidden already.
    numbers = torch.arange(4000).expand(20, -1).contiguous()
    free = torch.ones_like(numbers, dtype=torch.bool)
    choice = choose_spans(
        free, numbers, torch.full((20,), 200), SPAN_LENGTHS, torch.Generator().manual_seed(0)
    )
    assert choice.chosen.sum(1).tolist() == [200] * 20
    assert choice.groups is not None
    sizes = torch.cat([torch.bincount(choice.groups[row][choice.chosen[row]]) for row in range(20)]).float()
    assert sizes.max() <= LONGEST_SPAN
    assert sizes.mean().item() == pytest.approx(3.7, abs=0.2)
    ngrams = choose_spans(
        free, numbers, torch.full((20,), 200), NGRAM_LENGTHS, torch.Generator().manual_seed(0)
    )
    assert ngrams.groups is not None
    sizes = torch.cat([torch.bincount(ngrams.groups[row][ngrams.chosen[row]]) for row in range(20)])
    shares = torch.bincount(sizes)[1:] / len(sizes)
    assert shares.tolist() == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.05)


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=20),
    budget=st.integers(1, 15),
    seed=st.integers(0, 9),
)
def test_spans_stop_only_where_nothing_fits(sizes: list[int], budget: int, seed: int) -> None:
    numbers = torch.tensor([[word for word, size in enumerate(sizes) for _ in range(size)]])
    free = torch.ones_like(numbers, dtype=torch.bool)
    free[numbers == 0] = False
    random = torch.Generator().manual_seed(seed)
    choice = choose_spans(free, numbers, torch.tensor([budget]), SPAN_LENGTHS, random)
    assert not choice.chosen[~free].any()
    left = budget - int(choice.chosen.sum())
    assert left >= 0
    open_words = set(numbers[free & ~choice.chosen].tolist())
    assert all(sizes[word] > left for word in open_words)
    assert choice.groups is not None
    for group in choice.groups[choice.chosen].unique():
        words = numbers[choice.chosen & (choice.groups == group)].unique().tolist()
        assert words == list(range(words[0], words[-1] + 1))  # in one piece


def test_a_span_is_in_one_piece() -> None:
    """It ends before what is hidden already, and before a special token."""
    numbers = torch.arange(40).expand(50, -1).contiguous()
    free = numbers % 13 != 5
    random = torch.Generator().manual_seed(0)
    choice = choose_spans(free, numbers, torch.full((50,), 30), SPAN_LENGTHS, random)
    assert choice.groups is not None
    for chosen, groups in zip(choice.chosen, choice.groups, strict=True):
        for group in groups[chosen].unique():
            words = (chosen & (groups == group)).nonzero().squeeze(1)
            assert int(words[-1] - words[0]) == len(words) - 1


def test_a_permutation_hides_nothing() -> None:
    tokens, lengths = texts(300, 60)
    inputs, targets = apply("permutation", tokens, lengths)
    assert torch.equal(inputs, tokens)
    counts = (targets != IGNORED).sum(1).tolist()
    assert counts == [min(budget_of(n, 1 / 6), n - 2) for n in lengths.tolist()]


def test_word_order_shuffles_trigrams_of_other_tokens() -> None:
    tokens, lengths = texts(500, 128, padded=False)
    _, chosen = apply("tokens", tokens, lengths)
    inputs, targets = apply("word-order", tokens, lengths)
    masked = chosen != IGNORED
    assert torch.equal(targets[masked], chosen[masked])  # the same tokens are masked
    shuffled = (targets != IGNORED) & ~masked
    assert shuffled.sum(1).tolist() == [6] * 500  # 5 % of 128 tokens, in trigrams
    for row in range(0, 500, 50):
        here = shuffled[row]
        assert sorted(inputs[row][here].tolist()) == sorted(tokens[row][here].tolist())
    moved = inputs[shuffled] != tokens[shuffled]
    assert moved.float().mean().item() == pytest.approx(2 / 3, abs=0.05)  # of all six orders
    order, places = shuffled_trigrams(
        torch.zeros(2, 9, dtype=torch.bool), torch.tensor([9, 9]), torch.Generator()
    )
    assert torch.equal(order, torch.arange(9).expand(2, -1))
    assert not places.any()


@pytest.mark.parametrize("kind", KINDS)
def test_masks_hang_on_the_generator_alone(kind: str) -> None:
    tokens, lengths = texts(20, 40)
    first, again, other = (apply(kind, tokens, lengths, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[1], other[1])


def test_the_beginnings_of_words() -> None:
    words = Masking.of(TOKENIZER, "whole-words")
    row = torch.tensor([[2, 5, 65, 66, 6, 3, 65, 0]])  # [CLS] w0 ##p0 ##p1 w1 [SEP] ##p0 [PAD]
    assert words.word_numbers(row).tolist() == [[0, 1, 1, 1, 2, 3, 4, 5]]
    byte_pairs = Tokenizer(
        "byte-bpe", ("<s>", "<pad>", "</s>", "<mask>", "Ġa", "b", "c"),
        Special(pad=1, begin=0, separator=2, end=2, mask=3), "roberta",
    )  # fmt: skip
    row = torch.tensor([[0, 5, 4, 5, 6, 2]])
    assert Masking.of(byte_pairs, "spans").word_numbers(row).tolist() == [[0, 1, 2, 2, 2, 3]]
    pairs = Tokenizer(
        "word-bpe", ("<unk>", "<s>", "</s>", "<mask>", "a", "b</w>"),
        Special(unknown=0, begin=1, separator=2, end=2, mask=3, pad=2), "roberta",
    )  # fmt: skip
    row = torch.tensor([[1, 4, 5, 5, 4, 4, 2]])
    assert Masking.of(pairs, "spans").word_numbers(row).tolist() == [[0, 1, 1, 2, 3, 3, 4]]


def test_what_cannot_be_masked_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"masking: got 'letters'; is no way to mask tokens\. Choices: tokens"
    ):
        Masking.of(TOKENIZER, "letters")
    without = Tokenizer("byte-bpe", ("a", "b"))
    with pytest.raises(UserError, match="has no mask token"):
        Masking.of(without, "tokens")

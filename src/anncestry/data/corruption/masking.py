"""Masked language modelling: which tokens are chosen, drawn anew for every batch, and what replaces them.

* ``tokens``: Devlin et al., 1810.04805: 15 % of a text's length, rounded, at least one.
* ``whole-words``: the same budget, spent on words; one that is too long for what is left is passed over.
* ``spans``: Joshi et al., 1907.10529: runs of whole words, their number from a geometric distribution.
* ``n-grams``: Lan et al., 1909.11942: runs of one to three words, with p ~ 1 / n.
* ``permutation``: Yang et al., 1906.08237: a sixth is predicted, and nothing is masked: the model draws an
  order in which those come last.
* ``word-order``: Wang et al., 1908.04577: ``tokens``, and trigrams of other tokens are shuffled, to be put
  right again.

Of what is chosen 80 % become the mask, 10 % a random word and 10 % stay: each token for itself, or each span.
All rows of a batch are drawn side by side; only runs of words need a loop, of one turn for each run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple

import torch

from anncestry.arrays import Bool, Int, Tensor
from anncestry.errors import require
from anncestry.protocols import IGNORED
from anncestry.tokenizers.subwords import SPACE
from anncestry.tokenizers.tokenizer import Tokenizer
from anncestry.tokenizers.wordpiece import CONTINUES

KINDS = ("tokens", "whole-words", "spans", "n-grams", "permutation", "word-order")
SHARE, PREDICTED_LAST = 0.15, 1 / 6
MASKED, RANDOM = 0.8, 0.1  # the rest stays
LONGEST_SPAN, STOP = 10, 0.2
SPAN_LENGTHS = tuple(STOP * (1 - STOP) ** n for n in range(LONGEST_SPAN))
"""Weights of spans of 1, 2, ... words; 3.8 words on average."""
NGRAM_LENGTHS = (1.0, 1 / 2, 1 / 3)
SHUFFLED = 0.05  # of the tokens stand in a trigram that is shuffled
_ORDERS = torch.tensor(list(permutations(range(3))))


class Choice(NamedTuple):
    """Which tokens are to be predicted.

    Attributes:
        chosen: (B, T).
        groups: (B, T) the number of the span that a chosen token is in, which is replaced as a whole; None:
            each token for itself.
    """

    chosen: Bool[Tensor, "B T"]
    groups: Int[Tensor, "B T"] | None = None


@dataclass(frozen=True)
class Masking:
    """How texts of a tokenizer are masked.

    Attributes:
        kind: one of `KINDS`.
        mask: the mask token.
        special: (V,) tokens that are no text: never masked, and never a random replacement.
        begins, ends: (V,) tokens that begin a word, and those that end one.
    """

    kind: str
    mask: int
    special: Bool[Tensor, "V"]
    begins: Bool[Tensor, "V"]
    ends: Bool[Tensor, "V"]

    @classmethod
    def of(cls, tokenizer: Tokenizer, kind: str) -> "Masking":
        """
        Raises:
            UserError: there is no such kind, or the tokenizer has no mask token.
        """
        require(kind in KINDS, "masking", kind, "is no way to mask tokens", KINDS)
        mask = tokenizer.special.mask
        rule = "has no mask token"
        if mask is None:
            require(kind == "permutation", "tokenizer", tokenizer.kind, rule)
            mask = 0  # never used
        special = torch.zeros(len(tokenizer), dtype=torch.bool)
        special[sorted(tokenizer.special_ids)] = True
        tokens = tokenizer.tokens
        begins, ends = torch.zeros(2, len(tokens), dtype=torch.bool)
        if tokenizer.kind == "wordpiece":
            begins = torch.tensor([not token.startswith(CONTINUES) for token in tokens])
        elif tokenizer.kind == "word-bpe":
            ends = torch.tensor([token.endswith("</w>") for token in tokens])
        else:
            begins = torch.tensor([token.startswith(("Ġ", SPACE)) for token in tokens])
        return cls(kind, mask, special, begins, ends)

    def apply(
        self, tokens: Int[Tensor, "B T"], lengths: Int[Tensor, "B"], random: torch.Generator
    ) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
        """``(inputs, targets)`` of texts between special tokens; nothing is asked at targets of `IGNORED`.

        Args:
            lengths: tokens of each row that are no padding.
        """
        inside = torch.arange(tokens.shape[1]) < lengths[:, None]
        free = inside & ~self.special[tokens]
        share = PREDICTED_LAST if self.kind == "permutation" else SHARE
        budget = (share * lengths.double()).round().long().clamp(min=1)  # half to even, as Python rounds
        choice = self._choose(tokens, free, budget, random)
        targets = tokens.masked_fill(~choice.chosen, IGNORED)
        if self.kind == "permutation":
            return tokens, targets
        inputs = self._replaced(tokens, choice, random)
        if self.kind == "word-order":
            order, moved = shuffled_trigrams(free & ~choice.chosen, lengths, random)
            return inputs.gather(1, order), torch.where(moved, tokens, targets)
        return inputs, targets

    def _choose(
        self,
        tokens: Int[Tensor, "B T"],
        free: Bool[Tensor, "B T"],
        budget: Int[Tensor, "B"],
        random: torch.Generator,
    ) -> Choice:
        if self.kind == "whole-words":
            return choose_words(free, self.word_numbers(tokens), budget, random)
        if self.kind == "spans":
            return choose_spans(free, self.word_numbers(tokens), budget, SPAN_LENGTHS, random)
        if self.kind == "n-grams":
            ngrams = choose_spans(free, self.word_numbers(tokens), budget, NGRAM_LENGTHS, random)
            return Choice(ngrams.chosen)
        return choose_tokens(free, budget, random)

    def word_numbers(self, tokens: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
        """Which word of its row each token belongs to, from 0 on; every special token is one."""
        special = self.special[tokens]
        first = special | self.begins[tokens]
        first[:, 1:] |= special[:, :-1] | self.ends[tokens[:, :-1]]
        first[:, 0] = True
        return first.cumsum(1) - 1

    def _replaced(
        self, tokens: Int[Tensor, "B T"], choice: Choice, random: torch.Generator
    ) -> Int[Tensor, "B T"]:
        """The tokens with masks and random words where they were chosen."""
        fate = torch.rand(tokens.shape, generator=random)
        if choice.groups is not None:
            fate = fate.gather(1, choice.groups)
        words = (~self.special).nonzero().squeeze(1)
        others = words[torch.randint(len(words), tokens.shape, generator=random)]
        masked = choice.chosen & (fate < MASKED)
        random_word = choice.chosen & (fate >= MASKED) & (fate < MASKED + RANDOM)
        return torch.where(random_word, others, tokens).masked_fill_(masked, self.mask)


def choose_tokens(free: Bool[Tensor, "B T"], budget: Int[Tensor, "B"], random: torch.Generator) -> Choice:
    """As many of the free positions as the budget allows, each as likely as the others."""
    order = _random_order(free, random)
    chosen = torch.arange(free.shape[1]) < budget[:, None]
    return Choice(torch.zeros_like(free).scatter_(1, order, chosen) & free)


def choose_words(
    free: Bool[Tensor, "B T"], numbers: Int[Tensor, "B T"], budget: Int[Tensor, "B"], random: torch.Generator
) -> Choice:
    """Words in random order, each unless it is longer than what is left of the budget.

    All words that fit one after the other are taken at once; those that are too long for what is left then,
    and stay so, are passed over; and so on until none was.
    """
    sizes, open_words = _words(free, numbers)
    order = _random_order(open_words, random)
    sizes, left_over = sizes.gather(1, order), open_words.gather(1, order)
    while True:
        used = sizes.mul(left_over).cumsum(1)
        fits = left_over & (used <= budget[:, None])
        left = budget - sizes.mul(fits).sum(1)
        too_long = left_over & ~fits & (sizes > left[:, None])
        if not too_long.any():
            break
        left_over = left_over & ~too_long
    chosen = torch.zeros_like(free).scatter_(1, order, fits)
    return Choice(chosen.gather(1, numbers))


def choose_spans(
    free: Bool[Tensor, "B T"],
    numbers: Int[Tensor, "B T"],
    budget: Int[Tensor, "B"],
    weights: Sequence[float],
    random: torch.Generator,
) -> Choice:
    """Runs of whole words, one after the other, until no word fits into what is left of the budget.

    A span begins at any word that is still open and fits, and ends before what is chosen already, before a
    special token, and where the budget does.

    Args:
        weights: of runs of 1, 2, ... words.
    """
    sizes, open_words = _words(free, numbers)
    positions, left = torch.arange(free.shape[1]), budget[:, None].clone()
    groups = torch.full_like(numbers, -1)
    drawn = torch.multinomial(
        torch.tensor(weights), free.numel(), replacement=True, generator=random
    ).view_as(numbers)
    for turn in range(free.shape[1]):
        may_begin = open_words & (sizes <= left)
        if not may_begin.any():
            break
        first = torch.rand(free.shape, generator=random).masked_fill_(~may_begin, -1).argmax(1, keepdim=True)
        closed = (~open_words).cumsum(1)
        span = open_words & (positions >= first) & (positions <= first + drawn[:, turn : turn + 1])
        span &= (closed == closed.gather(1, first)) & may_begin.any(1, keepdim=True)
        span &= sizes.mul(span).cumsum(1) <= left
        groups[span] = turn
        left -= sizes.mul(span).sum(1, keepdim=True)
        open_words = open_words & ~span
    groups = groups.gather(1, numbers)
    return Choice(groups >= 0, groups.clamp(min=0))


def shuffled_trigrams(
    free: Bool[Tensor, "B T"], lengths: Int[Tensor, "B"], random: torch.Generator
) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """``(order, moved)``: from which position each gets its token, and which were shuffled."""
    batch_size, length = free.shape
    order = torch.arange(length).expand(batch_size, length).clone()
    moved = torch.zeros_like(free)
    wanted = (SHUFFLED / 3 * lengths.double()).round().long()
    for turn in range(int(wanted.max())):
        open_positions = free & ~moved
        begins = torch.zeros_like(free)
        begins[:, : length - 2] = open_positions[:, :-2] & open_positions[:, 1:-1] & open_positions[:, 2:]
        begins &= (turn < wanted)[:, None]
        rows = begins.any(1).nonzero().squeeze(1)
        keys = torch.rand(free.shape, generator=random).masked_fill_(~begins, -1)
        first = keys.argmax(1, keepdim=True)[rows]
        turned = _ORDERS[torch.randint(len(_ORDERS), (batch_size,), generator=random)][rows]
        order[rows[:, None], first + torch.arange(3)] = first + turned
        moved[rows[:, None], first + torch.arange(3)] = True
    return order, moved


def _random_order(first: Bool[Tensor, "B T"], random: torch.Generator) -> Int[Tensor, "B T"]:
    """All positions of each row in random order, those that ``first`` marks before the others."""
    return torch.rand(first.shape, generator=random).masked_fill_(~first, 2.0).argsort(1)


def _words(
    free: Bool[Tensor, "B T"], numbers: Int[Tensor, "B T"]
) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """``(sizes, free)`` of words: column j is the j-th word of its row."""
    sizes = torch.zeros_like(numbers).scatter_add_(1, numbers, free.long())
    return sizes, sizes > 0

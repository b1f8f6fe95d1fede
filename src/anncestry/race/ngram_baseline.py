"""The n-gram language model a neural one has to beat: interpolated Kneser-Ney with modified discounts.

Papers: R. Kneser & H. Ney, "Improved backing-off for m-gram language modeling", ICASSP (1995);
S. Chen & J. Goodman, "An empirical study of smoothing techniques", Computer Speech & Language 13 (1999).

    p(w | h) = max(c(hw) - D(c(hw)), 0) / c(h) + gamma(h) p(w | h')

h' is h without its oldest token, and gamma gives away exactly what the discounts D took. Only the longest
h counts occurrences; the shorter ones count the different tokens that were seen before hw. Below the
shortest h is the uniform distribution.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anncestry.errors import require

Tokens = np.ndarray  # (N,) int64


@dataclass(frozen=True)
class _Table:
    """Counts of the pairs (context, next token) of one context length.

    Attributes:
        keys: (P,) sorted, context * vocabulary + token.
        counts: (P,).
        totals: (C,) the sum of the counts after each context.
        reserved: (C,) the share of each context's probability that its discounts free: gamma(h).
        discounts: (4,) what a count of 0, 1, 2, and 3 or more gives up.
    """

    keys: np.ndarray
    counts: np.ndarray
    totals: np.ndarray
    reserved: np.ndarray
    discounts: np.ndarray

    @classmethod
    def of(cls, pairs: np.ndarray, num_contexts: int, vocab_size: int) -> "_Table":
        keys, counts = np.unique(pairs, return_counts=True)
        discounts = _discounts(counts)
        contexts = keys // vocab_size
        totals = np.bincount(contexts, counts, num_contexts)
        freed = np.bincount(contexts, discounts[np.minimum(counts, 3)], num_contexts)
        return cls(keys, counts, totals, freed / np.maximum(totals, 1), discounts)

    def refine(self, contexts: np.ndarray, tokens: Tokens, vocab_size: int, lower: np.ndarray) -> np.ndarray:
        """p(token | context) given p(token | shorter context); an unseen context (-1) keeps the latter."""
        known = contexts >= 0
        contexts = np.where(known, contexts, 0)
        wanted = contexts * vocab_size + tokens
        indices = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        counts = np.where(self.keys[indices] == wanted, self.counts[indices], 0)
        totals = self.totals[contexts]
        kept = (counts - self.discounts[np.minimum(counts, 3)]) / np.maximum(totals, 1)
        return np.where(known & (totals > 0), kept + self.reserved[contexts] * lower, lower)


@dataclass(frozen=True)
class _Level:
    """One context length: how to number contexts, and the two ways of counting after them."""

    extensions: np.ndarray  # (C,) sorted, shorter context * vocabulary + the token before it
    occurrences: _Table
    continuations: _Table


class KneserNey:
    """An interpolated Kneser-Ney model over tokens 0 to ``vocab_size - 1``.

    Args:
        tokens: (N,) the training text.
        vocab_size: V.
        validation: (M,) the text that the order is chosen on; longer contexts are tried until they stop
            helping.
        max_order: the longest n-gram: a context of ``max_order - 1`` tokens and the next one.

    Attributes:
        order: the chosen n.
    """

    def __init__(self, tokens: Tokens, vocab_size: int, validation: Tokens, max_order: int = 10) -> None:
        require(
            len(tokens) > max_order, "tokens", len(tokens), f"an n-gram model needs more than {max_order}"
        )
        self.vocab_size = vocab_size
        self.levels: list[_Level] = []
        self.order = 0
        contexts = np.zeros(len(tokens), np.int64)  # the context before each token; the empty one is number 0
        extensions = np.zeros(1, np.int64)
        asked = _Asked.of(validation, vocab_size)
        best = -np.inf
        for length in range(max_order):
            pairs = contexts[length:] * vocab_size + tokens[length:]
            # Contexts one longer: number them by (context, the token before it).
            longer = contexts[length + 1 :] * vocab_size + tokens[: len(tokens) - length - 1]
            longer_extensions, longer_contexts = np.unique(longer, return_inverse=True)
            following = np.unique(longer_contexts * vocab_size + tokens[length + 1 :])
            parents = longer_extensions[following // vocab_size] // vocab_size
            continued = parents * vocab_size + following % vocab_size
            num_contexts = len(extensions)
            level = _Level(
                extensions,
                _Table.of(pairs, num_contexts, vocab_size),
                _Table.of(continued, num_contexts, vocab_size),
            )
            score = np.log(asked.top(level)).mean()
            if score <= best:
                break
            best, self.order = score, length + 1
            self.levels.append(level)
            asked.descend(level)
            extensions = longer_extensions
            contexts = np.concatenate([np.zeros(length + 1, np.int64), longer_contexts])

    def log_probabilities(self, tokens: Tokens) -> np.ndarray:
        """(N - 1,) natural logarithms of p(token | the tokens before it), from the second token on."""
        asked = _Asked.of(tokens, self.vocab_size)
        for level in self.levels[:-1]:
            asked.descend(level)
        return np.log(asked.top(self.levels[-1]))

    def distribution(self, context: Tokens) -> np.ndarray:
        """(V,) the probabilities of every next token after ``context``, which may be empty."""
        asked = _Asked(
            np.arange(self.vocab_size),
            lambda distance: np.full(self.vocab_size, context[-distance] if distance <= len(context) else -1),
            self.vocab_size,
        )
        for level in self.levels[:-1]:
            asked.descend(level)
        return asked.top(self.levels[-1])


class _Asked:
    """Tokens whose probability is wanted, seen through longer and longer contexts.

    Args:
        tokens: (N,) the tokens.
        before: the token so many positions before each of them, (N,); -1 where there is none.
    """

    def __init__(self, tokens: Tokens, before: Callable[[int], Tokens], vocab_size: int) -> None:
        self.tokens, self.before, self.vocab_size = tokens, before, vocab_size
        self.length = 0
        self.contexts = np.zeros(len(tokens), np.int64)
        self.probabilities = np.full(len(tokens), 1 / vocab_size)

    @classmethod
    def of(cls, text: Tokens, vocab_size: int) -> "_Asked":
        """Every token of a text but the first."""
        return cls(
            text[1:],
            lambda distance: np.concatenate([np.full(distance - 1, -1), text[: len(text) - distance]]),
            vocab_size,
        )

    def _lengthened(self, level: _Level) -> np.ndarray:
        """The numbers of the contexts of this level, -1 for those never seen or not that long."""
        if self.length == 0:
            return self.contexts
        before = self.before(self.length)
        wanted = self.contexts * self.vocab_size + before
        indices = np.minimum(np.searchsorted(level.extensions, wanted), len(level.extensions) - 1)
        known = (self.contexts >= 0) & (before >= 0) & (level.extensions[indices] == wanted)
        return np.where(known, indices, -1)

    def top(self, level: _Level) -> np.ndarray:
        """The probabilities if this level were the longest: it counts occurrences."""
        contexts = self._lengthened(level)
        return level.occurrences.refine(contexts, self.tokens, self.vocab_size, self.probabilities)

    def descend(self, level: _Level) -> None:
        """Go on to longer contexts: this level counts continuations."""
        self.contexts = self._lengthened(level)
        table = level.continuations
        self.probabilities = table.refine(self.contexts, self.tokens, self.vocab_size, self.probabilities)
        self.length += 1


def _discounts(counts: np.ndarray) -> np.ndarray:
    """(4,) the discounts of Chen & Goodman for counts 0, 1, 2, 3 and more, from the counts of counts.

    Where a small table lacks the needed counts of counts, half a count is taken from each.
    """
    n1, n2, n3, n4 = (np.count_nonzero(counts == count) for count in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = n1 / (n1 + 2 * n2)
    estimates = [1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3]
    return np.array(
        [0.0, *(float(np.clip(value, 0.05, most - 0.05)) for most, value in enumerate(estimates, 1))]
    )


def unigram_log_probabilities(tokens: Tokens, vocab_size: int) -> np.ndarray:
    """(V,) natural logarithms of the share of each token in the text, with one of each added."""
    counts = np.bincount(tokens, minlength=vocab_size) + 1
    return np.log(counts / counts.sum())

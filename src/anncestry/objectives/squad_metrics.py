"""How good answers in words are: SQuAD's exact match and F1 (Rajpurkar et al., 1606.05250, section 6.1).

Answers are compared in lower case, without punctuation, without articles, and with single blanks; a question
may have several right answers, of which the most similar one counts. No answer is right where there is none
(1806.03822).
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(answer: str) -> str:
    """What is compared of an answer."""
    bare = answer.lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def exact_match(given: str, right: str) -> float:
    """1 where both are the same, else 0."""
    return float(normalise(given) == normalise(right))


def word_f1(given: str, right: str) -> float:
    """The harmonic mean of the share of words that are right and the share of right words that are given."""
    words, wanted = normalise(given).split(), normalise(right).split()
    if not words or not wanted:
        return float(words == wanted)
    common = (Counter(words) & Counter(wanted)).total()
    return 2 * common / (len(words) + len(wanted))


def reading_figures(given: Sequence[str], right: Sequence[Sequence[str]]) -> dict[str, float]:
    """The means over all questions.

    Args:
        given: an answer to each question, empty for none.
        right: the right answers to each; none where there is none.

    Returns:
        ``exact_match`` and ``f1``, both at most 1 (the script of SQuAD prints 100 times as much).
    """
    exact = total = 0.0
    for answer, wanted in zip(given, right, strict=True):
        # as the script of SQuAD 2.0: an answer of which nothing is left is none
        known = [text for text in wanted if normalise(text)] or [""]
        exact += max(exact_match(answer, text) for text in known)
        total += max(word_f1(answer, text) for text in known)
    return {"exact_match": exact / len(given), "f1": total / len(given)}

"""Generated texts compared with references: exact matches, BLEU and chrF.

Texts are compared as a reader sees them, by sacrebleu (Post, 1804.08771); its signature says how.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from anncestry.signature import UNKNOWN
from anncestry.tokenizers.vocabulary import SPECIAL, normalise, split_words

_UNREADABLE = "\u2047"  # an unknown word in what is scored: one token for every tokeniser


@dataclass(frozen=True)
class TextScores:
    """What was generated for a split, and how good it is.

    Attributes:
        texts: (M,) one for each source.
        right: (M,) whether it is one of the references.
        figures: ``exact`` (the share that is right), ``bleu`` and ``chrf`` of 100; of lower-cased data also
            ``bleu_tokenised``: of words and punctuation marks cut as our vocabularies cut them.
        signatures: of sacrebleu, for each of its figures.
        groups: ``exact`` of each kind of source, where there are kinds.
    """

    texts: list[str]
    right: list[bool]
    figures: dict[str, float]
    signatures: dict[str, str]
    groups: dict[str, float] = field(default_factory=dict)


def compare_texts(
    texts: Sequence[str],
    references: Sequence[tuple[str, ...]],
    lowercase: bool = False,
    groups: Sequence[str] = (),
) -> TextScores:
    """Exact matches, BLEU and chrF.

    Args:
        texts: (M,).
        references: (M,) one or several for each text.
        lowercase: whether capitals do not count.
        groups: (M,) a name for each kind of source, or empty.
    """
    plain = [normalise(text.replace(SPECIAL[UNKNOWN], _UNREADABLE), lowercase) for text in texts]
    wanted = [[normalise(text, lowercase) for text in row] for row in references]
    right = [text in row for text, row in zip(plain, wanted, strict=True)]
    figures, signatures = {"exact": sum(right) / len(right)}, {}
    columns = _columns(wanted)
    for name, metric in _metrics(lowercase).items():
        cut = _tokenised if name == "bleu_tokenised" else str
        scored = metric.corpus_score(
            [cut(text) for text in plain],
            [[None if t is None else cut(t) for t in column] for column in columns],
        )
        figures[name], signatures[name] = scored.score, str(metric.get_signature())
    of_group: dict[str, list[bool]] = {}
    for group, match in zip(groups, right, strict=False):
        of_group.setdefault(group, []).append(match)
    shares = {group: sum(of_group[group]) / len(of_group[group]) for group in sorted(of_group)}
    return TextScores(list(texts), right, figures, signatures, shares)


def _columns(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """The first reference of each text, the second, ...; None where a text has fewer."""
    most = max(map(len, references))
    return [[row[i] if i < len(row) else None for row in references] for i in range(most)]


def _metrics(lowercase: bool) -> dict[str, Any]:
    from sacrebleu.metrics import BLEU, CHRF

    metrics: dict[str, Any] = {
        "bleu": BLEU(lowercase=lowercase, force=True),
        "chrf": CHRF(lowercase=lowercase),
    }
    if lowercase:
        metrics["bleu_tokenised"] = BLEU(lowercase=True, tokenize="none", force=True)
    return metrics


@functools.lru_cache(maxsize=100_000)
def _tokenised(text: str) -> str:
    return " ".join(split_words(text))

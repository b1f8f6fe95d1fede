"""How pieces of words are learnt from texts: byte-pair encoding by the `tokenizers` library."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

_LONG_WORD = re.compile(r"\S{2000}(?=\S)")


def learner(rules: dict[str, Any], options: dict[str, str]) -> Any:
    """Something that splits texts and has no tokens yet."""
    from tokenizers import Tokenizer as Backend

    empty = {"type": "BPE", "vocab": {}, "merges": [], **options}
    return Backend.from_str(json.dumps({"version": "1.0", "added_tokens": [], **rules, "model": empty}))


def train(
    backend: Any, texts: Iterable[str], size: int, first: list[str], alphabet: list[str], **options: Any
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """``(tokens, merges)`` of byte-pair encoding over words as ``backend`` splits them.

    Args:
        first: the tokens that every vocabulary begins with.
        alphabet: the characters that count; others are left out.
    """
    from tokenizers import trainers

    trainer = trainers.BpeTrainer(  # pyright: ignore[reportCallIssue]
        vocab_size=size,
        special_tokens=first,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
        **options,
    )
    backend.train_from_iterator((part for text in texts for part in _in_parts(text)), trainer)
    learnt = json.loads(backend.to_str())["model"]
    tokens = sorted(learnt["vocab"], key=learnt["vocab"].__getitem__)
    return tuple(tokens), tuple((one, other) for one, other in learnt["merges"])


def _in_parts(text: str) -> Iterator[str]:
    """A text, cut within words of thousands of characters: what learning costs grows with their square."""
    start = 0
    for found in _LONG_WORD.finditer(text):
        yield text[start : found.end()]
        start = found.end()
    if start < len(text):
        yield text[start:]

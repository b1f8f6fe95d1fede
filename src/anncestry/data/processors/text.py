"""Text as characters, or as words."""

import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.processors.given import Given, content_of
from anncestry.errors import UserError
from anncestry.user_files import whole_characters

CHUNK = 2**22  # characters that are looked up together, which take 16 bytes each for the time being


def code_points(text: str) -> np.ndarray:
    """(len(text),) uint32."""
    return np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype="<u4")


def characters_of(text: str) -> str:
    """The different characters of a text, sorted."""
    seen = np.zeros(sys.maxunicode + 1, dtype=bool)
    for first in range(0, len(text), CHUNK):
        seen[code_points(text[first : first + CHUNK])] = True
    return "".join(map(chr, np.flatnonzero(seen)))


@dataclass(frozen=True)
class TextProcessor:
    """Between text and tokens, one token a character.

    Attributes:
        vocabulary: the characters of the training part, sorted; a token is a position in it.
    """

    vocabulary: str | tuple[str, ...]

    kind = "text"
    unit = "character"

    @property
    def end_of_text(self) -> int | None:
        """The token that ended each text which a model learnt from; None where none did."""
        return None

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """None: the targets are characters."""
        return None

    def encode(self, text: str) -> Int[Tensor, "T"]:
        """The tokens of a text.

        Raises:
            UserError: a character is not in the vocabulary.
        """
        tokens = self.lookup(text)
        if len(tokens) and tokens.min() < 0:
            at = int((tokens < 0).argmax())
            rule = f"the character {text[at]!r} at position {at} is not in the training text"
            raise UserError(
                "text", text[max(0, at - 20) : at + 20], rule, [repr(c) for c in self.vocabulary[:200]]
            )
        return torch.from_numpy(tokens).long()

    def lookup(self, text: str) -> np.ndarray:
        """The token of each character, -1 where it is not in the vocabulary: the smallest integers that hold
        them, (len(text),)."""
        known = code_points("".join(self.vocabulary))
        kind = np.min_scalar_type(-max(1, len(known)))
        table = np.full(int(known[-1]) + 2, -1, kind)  # the last entry stands for all larger code points
        table[known] = np.arange(len(known))
        tokens = np.empty(len(text), kind)
        for first in range(0, len(text), CHUNK):
            points = code_points(text[first : first + CHUNK])
            tokens[first : first + CHUNK] = table[np.minimum(points, len(table) - 1)]
        return tokens

    def decode_tokens(self, tokens: Int[Tensor, "T"]) -> str:
        """The text of tokens."""
        return "".join(self.vocabulary[token] for token in tokens.tolist())

    def read(self, source: Given) -> tuple[list[str], Int[Tensor, "1 T"]]:
        """A text, or all of a file (`Path`)."""
        if isinstance(source, Path):
            name, text = content_of(source)
            label = Path(name).name
        elif isinstance(source, str) and source:
            text = whole_characters(source)
            label = text
        else:
            raise UserError("input", source, "must be a text, or a file with one")
        return [label], self.encode(text)[None]

    def decode(self, outputs: Float[Tensor, "B ... V"]) -> list[dict[str, Any]]:
        """``{"next": {character: probability}}`` for each row: the five most probable next characters.

        Args:
            outputs: logits (B, V), or (B, T, V), of which the last step counts.
        """
        last = outputs if outputs.dim() == 2 else outputs[:, -1]
        best = last.detach().float().softmax(dim=-1).topk(min(5, len(self.vocabulary)))
        rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [{"next": {self.vocabulary[t]: p for t, p in zip(ts, ps, strict=True)}} for ts, ps in rows]

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "TextProcessor":
        return cls(**fields)


UNKNOWN, END_OF_LINE = "<unk>", "<eos>"


def split_words(text: str) -> list[str]:
    """What stands between blanks, and `END_OF_LINE` for every line end."""
    return text.replace("\n", f" {END_OF_LINE} ").split()


@dataclass(frozen=True)
class WordTextProcessor(TextProcessor):
    """Between text and tokens, one token a word between blanks or a line end.

    Attributes:
        vocabulary: the words of the training part, the most frequent first; the others are ``<unk>``.
    """

    vocabulary: tuple[str, ...]

    kind = "text-words"
    unit = "word"

    @classmethod
    def learn(cls, text: str, vocab_size: int | None = None) -> "WordTextProcessor":
        """The vocabulary of a text.

        A text that marks its own unknown words (``<unk>``) keeps all others. Of one that does not, words
        that occur once become unknown ones, so that the model learns what to make of those.

        Args:
            vocab_size: keep only so many words, ``<unk>`` among them.
        """
        counts = Counter(split_words(text))
        if UNKNOWN not in counts:
            counts = Counter({word: count for word, count in counts.items() if count > 1})
            counts[UNKNOWN] = 0
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        kept = [word for word in ranked if word != UNKNOWN]
        kept = kept if vocab_size is None else kept[: max(1, vocab_size - 1)]
        return cls((UNKNOWN, *kept))

    def lookup(self, text: str) -> np.ndarray:
        index = {word: token for token, word in enumerate(self.vocabulary)}
        unknown = index[UNKNOWN]
        return np.array([index.get(word, unknown) for word in split_words(text)], dtype=np.int64)

    def decode_tokens(self, tokens: Int[Tensor, "T"]) -> str:
        words = (self.vocabulary[token] for token in tokens.tolist())
        return " ".join(words).replace(f" {END_OF_LINE} ", "\n").replace(f" {END_OF_LINE}", "\n")

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "WordTextProcessor":
        return cls(tuple(fields["vocabulary"]))

"""From texts to texts: the vocabularies of both sides."""

import codecs
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.processors.given import STANDARD_INPUT, given_texts, label_of
from anncestry.data.processors.sentences import pad
from anncestry.data.splits.seq2seq import Sequences
from anncestry.errors import UserError
from anncestry.signature import END, PAD
from anncestry.tokenizers.target_vocabulary import TargetTokenizer
from anncestry.tokenizers.vocabulary import Vocabulary
from anncestry.user_files import existing_file, read_bytes, split_lines

Words = Vocabulary | TargetTokenizer


class GivenInput(NamedTuple):
    """One input that a person gave.

    Attributes:
        label: the line itself, or the name of a file.
        value: what a model reads of it: tokens, or an image (C, H, W); None where there is nothing to read.
        note: what a person should know of it: that it was cut, or why it cannot be read.
    """

    label: str
    value: list[int] | Tensor | None
    note: str = ""


def encode_targets(vocabulary: Words, texts: Sequence[str]) -> list[list[int]]:
    """The target tokens of texts: each with its end."""
    return [[*row, END] for row in vocabulary.encode_all(texts)]


def texts_of(vocabulary: Words, outputs: Float[Tensor, "B T V"]) -> list[str]:
    """The texts of the likeliest token of each step."""
    return [vocabulary.decode(row) for row in outputs.argmax(-1).tolist()]


@dataclass(frozen=True)
class TranslationProcessor:
    """Reads lines of the source language, generates lines of the target language.

    Attributes:
        source, target: the vocabularies; the same one where they are joint.
        max_tokens: what is longer is cut.
        source_end: whether a source ends with `END` as a target does.
    """

    source: Words
    target: Words
    max_tokens: int
    source_end: bool = False

    kind = "translation"
    reads_lists = True

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """None: the targets are tokens."""
        return None

    def cut(self, texts: Sequence[str]) -> list[list[int]]:
        """The source tokens of texts that a person gave."""
        return self.source.encode_all(texts)

    def whole(self, row: Sequence[int]) -> list[int]:
        """The tokens of a source as a model reads them: cut to ``max_tokens``, with an end if it has one."""
        return [*row[: self.max_tokens], *([END] if self.source_end else [])]

    def read_each(self, source: Any) -> list[GivenInput]:
        """The lines of a file (`Path`), a text, or several (`given_texts`), in their order.

        A blank line stays a blank one, and a line that cannot be read says why: no other is lost by it.
        """
        if isinstance(source, list):
            return [given for one in source for given in self.read_each(one)]
        if not isinstance(source, Path):
            return self._given([label_of(text).encode() for text in given_texts(source)])
        data = sys.stdin.buffer.read() if source == STANDARD_INPUT else read_bytes(existing_file(source))
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise UserError(
                "input", str(source), "must be UTF-8 text; it is UTF-16", hint="Save it as UTF-8."
            )
        return self._given(split_lines(data.removeprefix(codecs.BOM_UTF8)))

    def _given(self, lines: Sequence[bytes]) -> list[GivenInput]:
        texts, notes = [], []
        for line in lines:
            try:
                texts.append(line.decode())
                notes.append("")
            except UnicodeDecodeError as error:
                texts.append("")
                notes.append(f"is no UTF-8: the byte 0x{line[error.start]:02x} at position {error.start}")
        given = []
        for line, text, row, note in zip(lines, texts, self.cut(texts), notes, strict=True):
            if len(row) > self.max_tokens:
                note = f"only its first {self.max_tokens} of {len(row)} tokens were read"
            tokens = self.whole(row) if row and text.strip() else None
            given.append(GivenInput(line.decode(errors="replace"), tokens, note))
        return given

    def read(self, source: Any) -> tuple[list[str], Int[Tensor, "N S"]]:
        """The lines that hold something, padded; see `read_each`."""
        given = [item for item in self.read_each(source) if item.value is not None]
        if not given:
            raise UserError("input", str(source), "must be a text, or a file with one on each line")
        return [item.label for item in given], self.batch([item.value for item in given])[0]

    def batch(self, values: Sequence[Any]) -> tuple[Int[Tensor, "N S"], Int[Tensor, "N"]]:
        """``(inputs, lengths)`` of the values that `read_each` gave."""
        return pad(values, PAD)

    def lengths_of(self, inputs: Int[Tensor, "N S"]) -> Int[Tensor, "N"]:
        """How many tokens of each row are no padding."""
        return (inputs != PAD).sum(1)

    def sequences(self, texts: Sequence[str]) -> Sequences:
        """The source tokens of texts, each `whole`."""
        return Sequences.of([self.whole(row) for row in self.cut(texts)])

    def decode(self, outputs: Float[Tensor, "B T V"]) -> list[dict[str, Any]]:
        """``{"translation": ...}`` of the likeliest token of each step."""
        return [{"translation": text} for text in texts_of(self.target, outputs)]

    def to_json(self) -> dict[str, Any]:
        joint = self.source is self.target or self.source == self.target
        target = None if joint else self.target.to_json()
        fields = {"source": self.source.to_json(), "target": target, "max_tokens": self.max_tokens}
        return {"kind": self.kind, **fields} | ({"source_end": True} if self.source_end else {})

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "TranslationProcessor":
        source = Vocabulary.from_json(fields["source"])
        target = source if fields["target"] is None else Vocabulary.from_json(fields["target"])
        return cls(source, target, fields["max_tokens"], fields.get("source_end", False))

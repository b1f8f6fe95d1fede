"""Texts as words that are spelt: a split that keeps how each distinct word is written once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from anncestry.arrays import Int, Tensor
from anncestry.data.splits.dataset import Examples
from anncestry.protocols import Batch
from anncestry.signature import BEGIN_TEXT, BEGIN_WORD, END_TEXT, END_WORD, FILLER

NUM_CHARS = 50
"""Characters of a word with its two marks, unless told: the authors' choice."""
NO_WORD, TEXT_BEGINS, TEXT_ENDS = range(3)
"""The first rows of every spelling."""


def spell(word: str, num_chars: int = NUM_CHARS) -> list[int]:
    """The characters of a word: its UTF-8 bytes, as many as fit, between two marks, filled up."""
    written = [byte + 1 for byte in word.encode("utf-8", errors="surrogatepass")[: num_chars - 2]]
    return _filled([BEGIN_WORD, *written, END_WORD], num_chars)


def _filled(characters: list[int], num_chars: int) -> list[int]:
    return characters + [FILLER] * (num_chars - len(characters))


class Speller:
    """Numbers words as it meets them, and knows how each is written.

    Args:
        num_chars: C.
    """

    def __init__(self, num_chars: int = NUM_CHARS) -> None:
        self.num_chars = num_chars
        self._places: dict[str, int] = {}

    def places(self, words: Iterable[str]) -> list[int]:
        """The row of each word in `spelling`."""
        first, places = TEXT_ENDS + 1, self._places
        return [places.setdefault(word, first + len(places)) for word in words]

    def spelling(self) -> Int[Tensor, "W C"]:
        """How every word so far is written, int16: no word, the marks of a text's ends, then the words."""
        C = self.num_chars
        marks = [_filled([BEGIN_WORD, kind, END_WORD], C) for kind in (BEGIN_TEXT, END_TEXT)]
        rows = [[NO_WORD] * C, *marks, *(spell(word, C) for word in self._places)]
        return torch.tensor(rows, dtype=torch.int16)


def spelt(sentences: Sequence[Sequence[str]], num_chars: int) -> tuple[Int[Tensor, "N T C"], Tensor]:
    """``(inputs, lengths)``: sentences as characters, 0 beyond the end of each."""
    speller = Speller(num_chars)
    rows = [torch.tensor(speller.places(sentence)) for sentence in sentences]
    places = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=NO_WORD)
    return speller.spelling()[places].long(), torch.tensor([len(row) for row in rows])


@dataclass(frozen=True)
class Spelt:
    """Examples whose words become characters batch by batch: written out they would take 50 times the memory.

    Attributes:
        rows: inputs (N, T), places in ``spelling``.
        spelling: (W, C) int16.
    """

    rows: Examples
    spelling: Int[Tensor, "W C"]

    scored_batch = 32

    def __len__(self) -> int:
        return len(self.rows)

    def num_batches(self, batch_size: int) -> int:
        return self.rows.num_batches(batch_size)

    def batches(
        self, batch_size: int, order: torch.Generator | None = None, start: int = 0, part: slice | None = None
    ) -> Iterator[Batch]:
        for batch in self.rows.batches(batch_size, order, start, part):
            yield batch._replace(inputs=self.spelling[batch.inputs].long())

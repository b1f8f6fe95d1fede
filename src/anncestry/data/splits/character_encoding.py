"""The character encoding of words: a split that keeps the characters of each distinct word once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from anncestry.arrays import Int, Tensor
from anncestry.data.splits.dataset import Examples
from anncestry.protocols import Batch
from anncestry.signature import BEGIN_TEXT, BEGIN_WORD, END_TEXT, END_WORD, FILLER

NUM_CHARS = 50
"""Characters of a word with its two marks; default: the authors' choice."""
NO_WORD, TEXT_BEGINS, TEXT_ENDS = range(3)
"""The first rows of every table of characters."""


def encode_word(word: str, num_chars: int = NUM_CHARS) -> list[int]:
    """The characters of a word: its UTF-8 bytes, as many as fit, between two marks, padded."""
    written = [byte + 1 for byte in word.encode("utf-8", errors="surrogatepass")[: num_chars - 2]]
    return _padded([BEGIN_WORD, *written, END_WORD], num_chars)


def _padded(characters: list[int], num_chars: int) -> list[int]:
    return characters + [FILLER] * (num_chars - len(characters))


class CharacterEncoder:
    """Numbers words as it meets them, and keeps the characters of each.

    Args:
        num_chars: C.
    """

    def __init__(self, num_chars: int = NUM_CHARS) -> None:
        self.num_chars = num_chars
        self._indices: dict[str, int] = {}

    def indices(self, words: Iterable[str]) -> list[int]:
        """The row of each word in `characters`."""
        first, indices = TEXT_ENDS + 1, self._indices
        return [indices.setdefault(word, first + len(indices)) for word in words]

    def characters(self) -> Int[Tensor, "words characters"]:
        """The characters of every word so far, int16: no word, the marks of a text's ends, then the words."""
        C = self.num_chars
        marks = [_padded([BEGIN_WORD, kind, END_WORD], C) for kind in (BEGIN_TEXT, END_TEXT)]
        rows = [[NO_WORD] * C, *marks, *(encode_word(word, C) for word in self._indices)]
        return torch.tensor(rows, dtype=torch.int16)


def encode_characters(
    sentences: Sequence[Sequence[str]], num_chars: int
) -> tuple[Int[Tensor, "N T characters"], Tensor]:
    """``(inputs, lengths)``: sentences as characters, 0 beyond the end of each."""
    encoder = CharacterEncoder(num_chars)
    rows = [torch.tensor(encoder.indices(sentence)) for sentence in sentences]
    indices = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=NO_WORD)
    return encoder.characters()[indices].long(), torch.tensor([len(row) for row in rows])


@dataclass(frozen=True)
class CharacterSplit:
    """Examples whose words become characters batch by batch: all written out would take 50 times the memory.

    Attributes:
        rows: inputs (N, T), indices of rows of ``characters``.
        characters: (W, C) int16.
    """

    rows: Examples
    characters: Int[Tensor, "words characters"]

    scored_batch = 32

    def __len__(self) -> int:
        return len(self.rows)

    def num_batches(self, batch_size: int) -> int:
        return self.rows.num_batches(batch_size)

    def batches(
        self, batch_size: int, order: torch.Generator | None = None, start: int = 0, part: slice | None = None
    ) -> Iterator[Batch]:
        for batch in self.rows.batches(batch_size, order, start, part):
            yield batch._replace(inputs=self.characters[batch.inputs].long())

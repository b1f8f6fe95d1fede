"""Tokenizers of pre-trained models: between a text and the token ids that GPT, BERT and their kin were
trained on.

The ids are the published ones, and special tokens stand wherever the published files have them. That is the
difference from `anncestry.tokenizers.vocabulary`: those begin with four special tokens of our own.

* ``wordpiece``: BERT, DistilBERT, ELECTRA (`anncestry.tokenizers.wordpiece`).
* ``byte-bpe``: GPT-2, RoBERTa, BART: byte-pair encoding of bytes; ``word-bpe``: GPT: of the characters of
  words (`anncestry.tokenizers.bpe`).
* ``unigram``: ALBERT, XLNet, CamemBERT: SentencePiece's (`anncestry.tokenizers.unigram`).

``encode`` reads a text as a text: a ``[SEP]`` that somebody typed is five characters, as in the programs of
the papers. With ``special=True`` it is the special token, as transformers reads it; so one asks for a masked
word. Tokens that were added to a vocabulary (``[E1]``, which marks a name) are read as such either way.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from anncestry.tokenizers.library import build
from anncestry.tokenizers.spec import TokenizerSpec
from anncestry.user_files import whole_characters


class Tokenizer(TokenizerSpec):
    """What cuts texts as a pre-trained model knows them, by the `tokenizers` library."""

    @functools.cached_property
    def _backend(self) -> Any:
        return build(self, read_special=False)

    @functools.cached_property
    def _special_backend(self) -> Any:
        return build(self, read_special=True)

    def encode(self, text: str, special: bool = False) -> list[int]:
        """The ids of a text, without special tokens round it.

        Args:
            special: whether special tokens that are written in the text (``[MASK]``) are read as such.
        """
        return self.encode_all([text], special)[0]

    def encode_all(self, texts: Sequence[str], special: bool = False) -> list[list[int]]:
        """`encode` for each of many texts, at once."""
        backend = self._special_backend if special else self._backend
        found = backend.encode_batch_fast(list(map(whole_characters, texts)), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def encode_words(self, words: Sequence[str], special: bool = False) -> list[list[int]]:
        """The pieces of each word of a sentence that is already split.

        A word is cut as if a blank stood before it; one of which nothing is left is unknown, so that every
        word has a piece, where there is an unknown token.
        """
        blank = " " if self.kind == "byte-bpe" and not self.prefix_space else ""
        unknown = [] if self.special.unknown is None else [self.special.unknown]
        return [ids or unknown.copy() for ids in self.encode_all([blank + word for word in words], special)]

    def encode_with_offsets(
        self, text: str, special: bool = False
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """The ids of a text, and from which character to which each was read.

        No span begins or ends with a blank. Pieces that share a character (the bytes of an emoji) share its
        span.
        """
        backend = self._special_backend if special else self._backend
        found = backend.encode(whole_characters(text), add_special_tokens=False)
        return found.ids, [_without_blanks(text, *span) for span in found.offsets]

    def decode(self, ids: Iterable[int], keep_special: bool = False) -> str:
        """The text of ids; exact for byte-bpe but for what normalisation of the rules changed."""
        left_out = frozenset() if keep_special else self.special_ids
        return self._special_backend.decode([i for i in ids if i not in left_out], skip_special_tokens=False)


def _without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end

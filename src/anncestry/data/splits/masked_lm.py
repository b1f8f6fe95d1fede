"""The split of pre-training: blocks of a text with masked tokens.

The text lies in token files. A batch is gathered from them where it is wanted, and its masks are drawn anew;
where nothing is shuffled both are always the same.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from anncestry.arrays import Int, Tensor
from anncestry.data.corruption.masking import Masking
from anncestry.data.corruption.sentence_pairs import full_sentences, sentence_pairs
from anncestry.data.readers.token_files import TokenFile
from anncestry.errors import UserError, require
from anncestry.protocols import IGNORED, Batch
from anncestry.tokenizers.spec import packed_parts
from anncestry.tokenizers.tokenizer import Tokenizer

SCORED_SEED = 12345  # of masks and pairs that are scored
DRAWN_TOGETHER = 64
"""Rows whose masks are drawn from one seed where they are scored, whatever the size of a batch."""
SEEDS = 2**62
_Rows = tuple[Tensor, Tensor, Tensor]  # inputs and targets (B, T), and lengths (B,)


@dataclass(frozen=True, eq=False)
class MaskedBlocks:
    """A text in blocks, for masked language models.

    A shuffled pass draws its pairs anew and always has as many blocks as the pairs that are scored.

    Attributes:
        text: its tokens.
        masking: how tokens are masked.
        pairs: which sentences stand together (`anncestry.data.corruption.sentence_pairs`).
        layout: the special tokens of an input, and "A" and "B" where its texts stand.
        window: T, the longest block, special tokens among them.
        filler: the token beyond the end of a block.
    """

    text: TokenFile
    masking: Masking
    pairs: str
    layout: tuple[int | str, ...]
    window: int
    filler: int

    scored_batch = 128

    @classmethod
    def of(
        cls, text: TokenFile, tokenizer: Tokenizer, masking: str, pairs: str, window: int
    ) -> "MaskedBlocks":
        """
        Raises:
            UserError: the window has no room for words, or the tokenizer does not put a token before pairs.
        """
        names = packed_parts(tokenizer.template)[pairs != "none"]
        layout = tuple(n if n in ("A", "B") else getattr(tokenizer.special, n) for n in names)
        rule = f"has no room for words beside {len(layout)} special tokens and texts"
        require(window > len(layout) + 1, "window", window, rule)
        if pairs != "none" and layout[0] == "A":
            rule = f"is asked at the first token, where the template {tokenizer.template} has a word"
            raise UserError("pairs", pairs, rule, ["none"])
        filler = tokenizer.special.pad or 0
        return cls(text, Masking.of(tokenizer, masking), pairs, layout, window, filler)

    def __len__(self) -> int:
        """Blocks."""
        return len(self._scored_plan)

    @property
    def room(self) -> int:
        """Words of a block."""
        return self.window - sum(not isinstance(part, str) for part in self.layout)

    @functools.cached_property
    def _scored_plan(self) -> np.ndarray:
        return self._plan(SCORED_SEED)

    def _plan(self, seed: int) -> np.ndarray:
        if self.pairs == "none":
            return full_sentences(self.text, self.room)
        return sentence_pairs(self.text, self.room, self.pairs, seed)

    def _shuffled_plan(self, order: torch.Generator) -> np.ndarray:
        """As many rows as are scored, from a plan of its own."""
        seed = int(torch.randint(SEEDS, (), generator=order))
        plan = self._scored_plan if self.pairs == "none" else self._plan(seed)
        rows = torch.randperm(len(plan), generator=order).numpy()
        return plan[np.resize(rows, len(self))]

    def num_batches(self, batch_size: int) -> int:
        return -(-len(self) // batch_size)

    def batches(
        self, batch_size: int, order: torch.Generator | None = None, start: int = 0, part: slice | None = None
    ) -> Iterator[Batch]:
        if order is None:
            plan, seed = self._scored_plan, None
        else:
            plan = self._shuffled_plan(order)
            seed = int(torch.randint(SEEDS, (), generator=order))
        for index in range(start, self.num_batches(batch_size)):
            rows = range(index * batch_size, min((index + 1) * batch_size, len(plan)))
            if seed is None:
                yield _part_of(self._scored_rows(rows), part)
            else:
                random = torch.Generator().manual_seed(seed + index)
                yield _part_of(self._masked(plan[rows.start : rows.stop], random), part)

    def _scored_rows(self, rows: range) -> _Rows:
        """Rows with the masks that they always have."""
        first, last = rows.start // DRAWN_TOGETHER, (rows.stop - 1) // DRAWN_TOGETHER
        groups = []
        for group in range(first, last + 1):
            random = torch.Generator().manual_seed(SCORED_SEED + group)
            at = group * DRAWN_TOGETHER
            groups.append(self._masked(self._scored_plan[at : at + DRAWN_TOGETHER], random))
        begin = rows.start - first * DRAWN_TOGETHER
        joined = [torch.cat(tensors)[begin : begin + len(rows)] for tensors in zip(*groups, strict=True)]
        return joined[0], joined[1], joined[2]

    def _masked(self, plan: np.ndarray, random: torch.Generator) -> _Rows:
        """Inputs and targets, both (B, T), and lengths (B,) of some rows of a plan."""
        tokens, lengths = self.gather(plan)
        inputs, targets = self.masking.apply(tokens, lengths, random)
        if self.pairs != "none":
            targets[:, 0] = torch.from_numpy(plan[:, 4])
        return inputs, targets, lengths

    def gather(self, plan: np.ndarray) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B"]]:
        """The texts of some rows of a plan between special tokens, and the length of each."""
        spans = torch.from_numpy(plan)
        texts = {"A": (spans[:, 0], spans[:, 1]), "B": (spans[:, 2], spans[:, 3])}
        positions = torch.arange(self.window)
        tokens = torch.full((len(plan), self.window), self.filler)
        source, is_text = torch.zeros_like(tokens), torch.zeros_like(tokens, dtype=torch.bool)
        at = torch.zeros(len(plan), 1, dtype=torch.int64)
        for name in self.layout:
            if not isinstance(name, str):
                tokens.scatter_(1, at, name)
                at = at + 1
                continue
            begin, end = (position[:, None] for position in texts[name])
            inside = (positions >= at) & (positions < at + end - begin)
            source = torch.where(inside, begin + positions - at, source)
            is_text |= inside
            at = at + end - begin
        words = self.text.tokens[source[is_text].numpy()]
        tokens[is_text] = torch.from_numpy(words.astype(np.int64))
        return tokens, at.squeeze(1)


def _part_of(whole: _Rows, part: slice | None) -> Batch:
    """The rows of a process, cut to the longest; one of which nothing is asked where none is left for it."""
    inputs, targets, lengths = whole if part is None else tuple(tensor[part] for tensor in whole)
    if not len(inputs):
        inputs, lengths = whole[0][:1], whole[2][:1]
        targets = torch.full_like(inputs, IGNORED)
    longest = int(lengths.max())
    ragged = bool((lengths < longest).any())
    return Batch(inputs[:, :longest], targets[:, :longest], lengths=lengths if ragged else None)

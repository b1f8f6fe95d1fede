"""The split of denoising: texts, and the same corrupted.

The corruption of a shuffled pass is drawn anew for every batch. Where nothing is shuffled it is always the
same, so that figures repeat.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from anncestry.arrays import Int, Tensor
from anncestry.data.corruption.infilling import TextCorruption
from anncestry.data.splits.masked_lm import DRAWN_TOGETHER, SCORED_SEED, SEEDS
from anncestry.data.splits.seq2seq import Pairs, Sequences
from anncestry.protocols import Batch
from anncestry.signature import END, PAD


@dataclass(frozen=True)
class DenoisingPairs(Pairs):
    """Texts as targets, and as sources the corrupted texts that are scored.

    Attributes:
        corruption: how sources are made.
    """

    corruption: TextCorruption = field(kw_only=True)

    @classmethod
    def of(
        cls, targets: Sequences, corruption: TextCorruption, references: Sequence[tuple[str, ...]]
    ) -> "DenoisingPairs":
        """
        Args:
            targets: (N, T) texts, each with its end.
            references: (N,) the same texts, to be read.
        """
        whole = torch.arange(len(targets))
        parts = []
        for number, rows in enumerate(whole.split(DRAWN_TOGETHER)):
            random = torch.Generator().manual_seed(SCORED_SEED + number)
            parts.append(_corrupted(targets, rows, corruption, random))
        tokens = torch.cat([part.tokens for part in parts])
        lengths = torch.cat([part.lengths for part in parts])
        starts = torch.nn.functional.pad(lengths.cumsum(0), (1, 0))
        return cls(Sequences(tokens, starts), targets, whole, references, corruption=corruption)

    def batches(
        self, batch_size: int, order: torch.Generator | None = None, start: int = 0, part: slice | None = None
    ) -> Iterator[Batch]:
        if order is None:
            yield from super().batches(batch_size, None, start, part)
            return
        batches = self._rows(batch_size, order)
        seed = int(torch.randint(SEEDS, (), generator=order))
        for number, rows in enumerate(map(torch.from_numpy, batches[start:]), start):
            random = torch.Generator().manual_seed(seed + number)
            sources = _corrupted(self.targets, rows, self.corruption, random)
            targets = Sequences.of_padded(*self.targets.padded(rows, PAD))
            here = torch.arange(len(rows))
            yield Pairs(sources, targets, here, ((),) * len(rows))._batch(here, part)


def _corrupted(
    texts: Sequences, rows: Int[Tensor, "B"], corruption: TextCorruption, random: torch.Generator
) -> Sequences:
    """Some of the texts, corrupted, each with its end."""
    tokens, lengths = texts.padded(rows, PAD)
    corrupted, lengths = corruption.corrupt(tokens, lengths - 1, random)
    ended = torch.nn.functional.pad(corrupted, (0, 1), value=PAD).scatter_(1, lengths[:, None], END)
    return Sequences.of_padded(ended, lengths + 1)

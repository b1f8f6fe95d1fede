"""The split of generation tasks: sources, and one or several target texts of each.

Sequences lie one behind the other without padding; a batch is padded to its longest. What is counted is the
row: a source with one of its targets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.splits.dataset import POOL
from anncestry.protocols import IGNORED, Batch
from anncestry.signature import PAD


@dataclass(frozen=True)
class Sequences:
    """Lists of tokens of different lengths.

    Attributes:
        tokens: (all of them,) int64.
        starts: (N + 1,) where each begins, and where the last one ends.
    """

    tokens: Int[Tensor, "A"]
    starts: Int[Tensor, "N1"]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> "Sequences":
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        flat = np.fromiter((token for row in rows for token in row), np.int64, int(lengths.sum()))
        return cls(torch.from_numpy(flat), torch.from_numpy(np.concatenate([[0], lengths.cumsum()])))

    @classmethod
    def of_padded(cls, tokens: Int[Tensor, "N T"], lengths: Int[Tensor, "N"]) -> "Sequences":
        """What `padded` undoes."""
        inside = torch.arange(tokens.shape[1]) < lengths[:, None]
        return cls(tokens[inside], nn.functional.pad(lengths.cumsum(0), (1, 0)))

    def __len__(self) -> int:
        return self.starts.shape[0] - 1

    @property
    def lengths(self) -> Int[Tensor, "N"]:
        return self.starts.diff()

    def row(self, index: int) -> list[int]:
        """The tokens of one."""
        return self.tokens[self.starts[index] : self.starts[index + 1]].tolist()

    def padded(self, rows: Int[Tensor, "B"], filler: int) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B"]]:
        """``(tokens, lengths)`` of some of them, padded to the longest."""
        first = self.starts[rows]
        lengths = self.starts[rows + 1] - first
        positions = torch.arange(int(lengths.max()))
        outside = positions >= lengths[:, None]
        at = (first[:, None] + positions).masked_fill_(outside, 0)
        return self.tokens[at].masked_fill_(outside, filler), lengths


@dataclass(frozen=True)
class Pairs:
    """Sources with their target texts.

    A shuffled batch holds rows of similar length. Without ``batch_tokens`` it has ``batch_size`` rows: rows
    are drawn at random, sorted by length within pools of 50 batches, and the batches of a pool mixed. With
    it, all rows are sorted by length, those of the same lengths in random order, a batch takes as many as
    the budget allows, and all batches are mixed: so every pass has equally many.

    Attributes:
        sources: (M, S) lists of tokens, or images (M, C, H, W).
        targets: (N, T) lists of tokens, each with its end.
        source_of: (N,) the source of each target; several may share one.
        references: (M,) the target texts of each source, as they were given: what metrics compare with.
        batch_tokens: how many tokens of sources and targets, with their padding, a batch has at most (of
            images only the targets count); a longer row is a batch of its own. None counts rows.
        groups: (M,) a name for a kind of source, to be scored apart (the language of a date); or empty.
    """

    sources: Sequences | Float[Tensor, "M C H W"]
    targets: Sequences
    source_of: Int[Tensor, "N"]
    references: Sequence[tuple[str, ...]]
    batch_tokens: int | None = None
    groups: tuple[str, ...] = ()

    scored_batch = 128

    def __post_init__(self) -> None:
        assert len(self.sources) == len(self.references)
        assert len(self.targets) == len(self.source_of)
        assert len(self.groups) in (0, len(self.references))

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def num_sources(self) -> int:
        return len(self.references)

    def read_sources(self, rows: Int[Tensor, "B"]) -> tuple[Tensor, Int[Tensor, "B"] | None]:
        """``(inputs, lengths)`` of some sources; lengths are None for images."""
        if isinstance(self.sources, Sequences):
            return self.sources.padded(rows, PAD)
        return self.sources.index_select(0, rows), None

    def _sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) the tokens of each row's source (0 of an image) and of its target."""
        targets = self.targets.lengths.numpy()
        if isinstance(self.sources, Sequences):
            return self.sources.lengths[self.source_of].numpy(), targets
        return np.zeros_like(targets), targets

    def num_batches(self, batch_size: int) -> int:
        if self.batch_tokens is None:
            return -(-len(self) // batch_size)
        return len(self._by_budget(np.arange(len(self)), self.batch_tokens))

    def batches(
        self, batch_size: int, order: torch.Generator | None = None, start: int = 0, part: slice | None = None
    ) -> Iterator[Batch]:
        for rows in self._rows(batch_size, order)[start:]:
            yield self._batch(torch.from_numpy(rows), part)

    def _rows(self, batch_size: int, order: torch.Generator | None) -> list[np.ndarray]:
        """The rows of each batch of a pass."""
        if order is None:
            return [np.arange(a, min(a + batch_size, len(self))) for a in range(0, len(self), batch_size)]
        shuffled = torch.randperm(len(self), generator=order).numpy()
        if self.batch_tokens is not None:
            batches = self._by_budget(shuffled, self.batch_tokens)
            return [batches[i] for i in torch.randperm(len(batches), generator=order).tolist()]
        sources, targets = self._sizes()
        batches = []
        for first in range(0, len(shuffled), POOL * batch_size):
            pool = shuffled[first : first + POOL * batch_size]
            pool = pool[np.lexsort((sources[pool], targets[pool]))]
            cut = [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
            batches += [cut[i] for i in torch.randperm(len(cut), generator=order).tolist()]
        return batches

    def _by_budget(self, rows: np.ndarray, budget: int) -> list[np.ndarray]:
        """All rows, sorted by length (which keeps the order of equal ones) and cut by the budget."""
        sources, targets = self._sizes()
        rows = rows[np.lexsort((sources[rows], targets[rows]))]
        batches, first, longest_source = [], 0, 0
        for at, (source, target) in enumerate(
            zip(sources[rows].tolist(), targets[rows].tolist(), strict=True)
        ):
            longest_source = max(longest_source, source)
            if at > first and (at + 1 - first) * (longest_source + target) > budget:
                batches.append(rows[first:at])
                first, longest_source = at, source
        return [*batches, rows[first:]]

    def _batch(self, rows: Int[Tensor, "B"], part: slice | None) -> Batch:
        mine = rows if part is None else rows[part]
        # A process for which nothing is left takes a row and asks nothing about it.
        chosen = mine if len(mine) else rows[:1]
        inputs, lengths = self.read_sources(self.source_of[chosen])
        targets, _ = self.targets.padded(chosen, IGNORED)
        if not len(mine):
            targets.fill_(IGNORED)
        return Batch(inputs, targets, lengths=lengths)

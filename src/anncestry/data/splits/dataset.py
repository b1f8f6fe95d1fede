"""What a data source hands to training: splits that yield batches, and the processor that reads inputs.

Every split is in memory and yields `Batch`es. The order of an epoch is drawn from (seed, epoch) alone,
so a resumed run sees what it would have seen. With several processes each takes its slice of the same
global batch.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.errors import UserError, require
from anncestry.protocols import Batch
from anncestry.signature import Signature

POOL = 50  # batches over which sequences are sorted by length, so that a batch holds similar ones
STREAM_LENGTH = 100_000  # tokens of a text that are scored in one go
SCORED_ROWS, SCORED_STEPS = 256, 2**14  # of a batch that is scored: so many rows, or steps with padding


class Split(Protocol):
    """A part of a data set, dealt out in batches."""

    @property
    def scored_batch(self) -> int:
        """The batch size it is scored with."""
        ...

    def __len__(self) -> int:
        """Examples, or tokens of a text."""
        ...

    def num_batches(self, batch_size: int) -> int:
        """Batches in one pass."""
        ...

    def batches(
        self, batch_size: int, order: torch.Generator | None = None, start: int = 0, part: slice | None = None
    ) -> Iterator[Batch]:
        """One pass.

        Args:
            batch_size: examples (or parallel streams of a text) in one global batch.
            order: shuffles the pass; None goes through it in an order that is always the same.
            start: the batch to begin with (a resumed pass).
            part: the rows of each global batch that this process takes; None takes all.
        """
        ...


def epoch_order(seed: int, epoch: int) -> torch.Generator:
    """The generator that shuffles one epoch, whatever happened before it."""
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)


@dataclass(frozen=True)
class Examples:
    """Inputs and targets, one row each.

    With lengths a batch is cut to its longest row and holds rows of similar length: for a shuffled pass rows
    are drawn at random, sorted by length within pools of 50 batches, and the batches of a pool mixed; else
    all rows are sorted by length (`unshuffled`).

    Attributes:
        inputs: (N, \\*shape) float32 or int64.
        targets: (N,) int64, (N, K) float32, or one for every step: (N, T) int64 or (N, T, K) float32.
        lengths: (N,) int64 where rows are sequences of different lengths, padded to T; else None.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None = None

    @property
    def scored_batch(self) -> int:
        """Fewer rows where sequences are long: what is computed with them has to fit in memory."""
        longest = 1 if self.lengths is None else max(1, self.inputs.shape[1])
        return max(1, min(SCORED_ROWS, SCORED_STEPS // longest))

    def __len__(self) -> int:
        return self.inputs.shape[0]

    def num_batches(self, batch_size: int) -> int:
        return -(-len(self) // batch_size)

    def batches(
        self, batch_size: int, order: torch.Generator | None = None, start: int = 0, part: slice | None = None
    ) -> Iterator[Batch]:
        if self.lengths is not None:
            for rows in self._batches_by_length(batch_size, order)[start:]:
                yield self._padded(rows if part is None else rows[part])
            return
        rows = None if order is None else torch.randperm(len(self), generator=order)
        for first in range(start * batch_size, len(self), batch_size):
            if rows is None:
                here = slice(first, first + batch_size)
                inputs, targets = self.inputs[here], self.targets[here]
                yield Batch(inputs, targets) if part is None else Batch(inputs[part], targets[part])
            else:
                chosen = rows[first : first + batch_size]
                chosen = chosen if part is None else chosen[part]
                yield Batch(self.inputs.index_select(0, chosen), self.targets.index_select(0, chosen))

    def unshuffled(self) -> Int[Tensor, "N"]:
        """The rows in the order of a pass that is not shuffled."""
        return torch.arange(len(self)) if self.lengths is None else self.lengths.argsort(stable=True)

    def _batches_by_length(self, batch_size: int, order: torch.Generator | None) -> list[Tensor]:
        assert self.lengths is not None
        if order is None:
            return list(self.unshuffled().split(batch_size))
        batches: list[Tensor] = []
        for pool in torch.randperm(len(self), generator=order).split(POOL * batch_size):
            sorted_pool = pool[self.lengths[pool].argsort(stable=True)].split(batch_size)
            batches += [sorted_pool[i] for i in torch.randperm(len(sorted_pool), generator=order).tolist()]
        return batches

    def _padded(self, rows: Tensor) -> Batch:
        assert self.lengths is not None
        inputs, targets, lengths = (
            t.index_select(0, rows) for t in (self.inputs, self.targets, self.lengths)
        )
        longest = int(lengths.max())
        every_step = targets.dim() == 3 or (targets.dim() == 2 and not targets.is_floating_point())
        return Batch(inputs[:, :longest], targets[:, :longest] if every_step else targets, lengths=lengths)


@dataclass(frozen=True)
class Stream:
    """One long text, cut into parallel streams that are read side by side, window after window.

    Each row of a batch goes on where the same row of the batch before ended, so a recurrent state can be
    carried (truncated back-propagation through time). A pass is never shuffled. What does not fill a
    whole window of every stream is read in a last, shorter window; up to ``batch_size - 1`` tokens at
    the very end are left out.

    Attributes:
        tokens: (N,) integers of any size; batches are of int64.
        window: T, tokens in one window.
    """

    tokens: Int[Tensor, "N"]
    window: int

    def __len__(self) -> int:
        return self.tokens.shape[0]

    @property
    def scored_batch(self) -> int:
        """One stream, so that only its first token is without a context; several for a very long text."""
        return max(1, len(self) // STREAM_LENGTH)

    def _streams(self, batch_size: int) -> Int[Tensor, "B S"]:
        rows = max(1, min(batch_size, (len(self) - 1) // 2))
        length = (len(self) - 1) // rows
        return torch.stack([self.tokens[row * length : (row + 1) * length + 1] for row in range(rows)])

    def num_batches(self, batch_size: int) -> int:
        rows = max(1, min(batch_size, (len(self) - 1) // 2))
        return -(-((len(self) - 1) // rows) // self.window)

    def batches(
        self, batch_size: int, order: torch.Generator | None = None, start: int = 0, part: slice | None = None
    ) -> Iterator[Batch]:
        streams = self._streams(batch_size)
        streams = streams if part is None else streams[part]
        length = streams.shape[1] - 1
        for first in range(start * self.window, length, self.window):
            read = streams[:, first : min(first + self.window, length) + 1].long()
            yield Batch(read[:, :-1], read[:, 1:], continues=first > 0)


@dataclass(frozen=True)
class ParallelStreams:
    """A text that was cut into parallel streams beforehand, of which this split has a part each.

    The batch size is the number of the streams. A pass goes on where the last one ended: the state is
    never reset, not even between passes (char-rnn's practice).

    Attributes:
        tokens: (B, S + 1) int64; each row's windows follow each other.
        window: T, tokens in one window.
    """

    tokens: Int[Tensor, "B S"]
    window: int

    def __len__(self) -> int:
        return self.tokens.shape[0] * (self.tokens.shape[1] - 1)

    @property
    def scored_batch(self) -> int:
        """All streams side by side."""
        return self.tokens.shape[0]

    def num_batches(self, batch_size: int) -> int:
        return -(-(self.tokens.shape[1] - 1) // self.window)

    def batches(
        self, batch_size: int, order: torch.Generator | None = None, start: int = 0, part: slice | None = None
    ) -> Iterator[Batch]:
        rule = "must be the number of streams that the text was cut into"
        require(batch_size == len(self.tokens), "batch_size", batch_size, rule, [len(self.tokens)])
        streams = self.tokens if part is None else self.tokens[part]
        length = streams.shape[1] - 1
        for first in range(start * self.window, length, self.window):
            last = min(first + self.window, length)
            yield Batch(streams[:, first:last], streams[:, first + 1 : last + 1], continues=True)


class Processor(Protocol):
    """Between a person's files and a model's tensors, both ways; saved in the run folder.

    It holds whatever was learnt from the training split: column names, means and deviations, classes,
    the vocabulary.
    """

    kind: str

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make it again."""
        ...

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Processor": ...

    def read(self, source: Any) -> tuple[list[str], Tensor]:
        """Inputs from what a person gave: a `str` is an input typed out, a `Path` is a file; see
        `anncestry.data.processors.given`.

        Returns:
            ``(labels, inputs)``: a name for each input (row number, file name) and (N, \\*shape).
        """
        ...

    def decode(self, outputs: Float[Tensor, "B K"]) -> list[dict[str, Any]]:
        """One prediction per row: ``{"class": ..., "score": ...}``, or the target values in their units."""
        ...

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """Standard deviation of each real-valued target, or None."""
        ...


@dataclass(frozen=True)
class Dataset:
    """A learning problem with its data.

    Attributes:
        name: what opens it again, paths made absolute.
        options: the options it was opened with (``DataOptions`` as a dictionary).
        signature: what it asks of a model.
        processor: reads new inputs the same way.
        train, validation, test: the splits.
        classes: names of the classes, for classification.
        source: the file or folder read, or None for embedded data.
        notes: what a person should know: rows left out, how it was split.
        held_out: examples of another kind than all that is trained on, to be scored apart; or None.
    """

    name: str
    options: dict[str, Any]
    signature: Signature
    processor: Processor
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...] = ()
    source: Path | None = None
    notes: tuple[str, ...] = ()
    held_out: Split | None = None

    def split(self, name: str) -> Split:
        """``train``, ``validation``, ``test`` or ``held-out``.

        Raises:
            UserError: nothing is held out.
        """
        found = getattr(self, name.replace("-", "_"))
        if found is None:
            raise UserError("split", name, f"nothing is held out of {self.name}", self.scored_splits())
        return found

    def scored_splits(self) -> tuple[str, ...]:
        """The names of the splits that are not trained on."""
        return ("validation", "test", *(("held-out",) if self.held_out is not None else ()))

    def whole(self) -> "Whole":
        """All of its parts, to be scored."""
        parts = (self.train, self.validation, self.test, self.held_out)
        return Whole(tuple(part for part in parts if part is not None), self.notes)

    def fingerprint(self) -> str:
        """A checksum of the training inputs and targets: whether the data are still the same."""
        digest = hashlib.blake2b(digest_size=8)
        for split in (self.train, self.validation, self.test):
            for tensor in _tensors(split):
                digest.update(str(tuple(tensor.shape)).encode())
                if isinstance(split, Stream):  # however small its integers are
                    for piece in tensor.split(STREAM_LENGTH):
                        digest.update(piece.long().numpy().data)
                else:
                    digest.update(tensor.flatten().numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Whole:
    """Data that are scored and not trained on: all of them, with nothing split off, however few they are.

    Attributes:
        parts: as the files have them; scored together.
        notes: what a person should know: rows left out, say.
    """

    parts: tuple[Split, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Examples, or tokens of a text."""
        return sum(map(len, self.parts))


def _tensors(part: Any) -> Iterator[Tensor]:
    """All tensors of a split, those of its parts among them."""
    for value in vars(part).values():
        if isinstance(value, Tensor):
            yield value
        elif is_dataclass(value):
            yield from _tensors(value)

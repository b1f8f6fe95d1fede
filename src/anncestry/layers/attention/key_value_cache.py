"""Keys and values of what has been generated so far, which a Transformer's decoder attends to.

Several hypotheses that follow one source write side by side into the same positions, and each keeps a row of
marks that say which positions lie behind it. So a hypothesis that takes over another one's past copies its
marks, and no keys and values are ever copied for it: all queries of a source attend to all its positions, at
once, through the marks. Memory is bounded by 2 L h d numbers for each position; a source has one position
for each token of its prompt, and one for each hypothesis at every step after it.
"""

from collections.abc import Iterator

import torch

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.engine.native.cache_attention import smallest_type
from anncestry.engine.weight_cache import wants_int8

GROWTH = 1.5  # of the room for positions, where it is used up


class _Room:
    """Preallocated memory (L, 2, N, h, P, d), of which some positions are filled."""

    def __init__(self, numbers: Float[Tensor, "L 2 N h P d"], filled: int = 0) -> None:
        self.numbers, self.filled = numbers, filled

    def enlarged(self, filled: int, positions: int) -> "_Room":
        """Another one with the first ``filled`` positions of this, and room for ``positions``."""
        shape = list(self.numbers.shape)
        shape[4] = positions
        numbers = self.numbers.new_empty(shape)
        numbers[..., :filled, :] = self.numbers[..., :filled, :]
        return _Room(numbers, filled)


class KeyValueCache:
    """A value: what is written after it was made does not change what it holds.

    Args:
        room: memory that may be shared with what was made from this.
        positions: how many of its positions belong to this.
        marks: (R, P) the positions that lie behind each hypothesis; None where there is one hypothesis for
            each source, behind which lie all of them.
        length: tokens behind each hypothesis.
    """

    def __init__(
        self, room: _Room, positions: int = 0, marks: Bool[Tensor, "R P"] | None = None, length: int = 0
    ) -> None:
        self._room, self._positions, self._marks, self.length = room, positions, marks, length

    @classmethod
    def empty(
        cls, num_layers: int, num_heads: int, head_size: int, like: Tensor, positions: int = 32
    ) -> "KeyValueCache":
        """For the first token of every source; ``like`` is a tensor with a row for each.

        Where products are of 8-bit integers, keys and values are kept in bfloat16 if they can be: reading
        them is what takes longer the more there are, and they lose less by it than by those products.
        """
        narrow = like.device.type == "cpu" and wants_int8()
        dtype = smallest_type(like.dtype, head_size) if narrow else like.dtype
        sizes = (num_layers, 2, like.shape[0], num_heads, positions, head_size)
        return cls(_Room(like.new_empty(sizes, dtype=dtype)))

    @property
    def num_sources(self) -> int:
        """N."""
        return self._room.numbers.shape[2]

    def extended(self, rows: int, num_tokens: int = 1) -> "KeyValueCache":
        """With room for the next token of each of ``rows`` hypotheses, or the next few where each source has
        one hypothesis."""
        beam = rows // self.num_sources
        assert num_tokens == 1 or beam == 1, "several hypotheses go on by one token"
        new = beam * num_tokens
        positions, room = self._positions + new, self._room
        if room.filled != self._positions or positions > room.numbers.shape[4]:
            # used up, or another continuation has written here
            room = room.enlarged(self._positions, max(positions, int(GROWTH * positions) + 8))
        room.filled = positions
        marks = self._marks
        if beam > 1 and marks is None:
            marks = self._all_marks(rows)
        if marks is not None:
            own = torch.eye(beam, dtype=torch.bool, device=marks.device).repeat(rows // beam, 1)
            marks = torch.cat([marks, own], dim=1)
        return KeyValueCache(room, positions, marks, self.length + num_tokens)

    def _all_marks(self, rows: int) -> Bool[Tensor, "R P"]:
        return torch.ones(rows, self._positions, dtype=torch.bool, device=self._room.numbers.device)

    def write(
        self, layer: int, keys: Float[Tensor, "N h T d"], values: Float[Tensor, "N h T d"]
    ) -> tuple[Float[Tensor, "N h P d"], Float[Tensor, "N h P d"]]:
        """Fill the newest positions of a layer; all its keys and values."""
        if keys.requires_grad:  # what the backward pass has kept must not be written to
            self._room.numbers = self._room.numbers.clone()
        new = slice(self._positions - keys.shape[2], self._positions)
        mine = self._room.numbers[layer]
        mine[0, :, :, new], mine[1, :, :, new] = keys, values
        return mine[0, :, :, : self._positions], mine[1, :, :, : self._positions]

    def layer(self, layer: int) -> tuple[Float[Tensor, "N h P d"], Float[Tensor, "N h P d"]]:
        """The keys and values of a layer, where they lie; the newest may not be written yet."""
        mine = self._room.numbers[layer]
        return mine[0, :, :, : self._positions], mine[1, :, :, : self._positions]

    def mask(self, num_queries: int) -> Bool[Tensor, "N 1 #T P"] | None:
        """Which positions each of the newest queries sees; None where all see all."""
        if self._marks is not None:
            return self._marks.view(self.num_sources, 1, -1, self._positions)
        if num_queries == 1:
            return None
        order = torch.ones(num_queries, self._positions, dtype=torch.bool, device=self._room.numbers.device)
        return order.tril(self._positions - num_queries).expand(self.num_sources, 1, -1, -1)

    def begins_with(self, num_queries: int) -> bool:
        """Whether nothing lies behind the newest positions, so that their own order says which see which."""
        return self._marks is None and self._positions == num_queries

    def side_by_side(self, num_sources: int) -> "KeyValueCache":
        """The same of texts that were read one by one, as hypotheses that follow so many sources."""
        rows = self.num_sources
        if rows == num_sources:
            return self
        assert self._marks is None, "each row was one text"
        numbers, beam = self._room.numbers[..., : self._positions, :], rows // num_sources
        numbers = numbers.unflatten(2, (num_sources, beam)).transpose(3, 4).flatten(4, 5)
        own = torch.eye(beam, dtype=torch.bool, device=numbers.device)
        marks = own.repeat_interleave(self._positions, dim=1).repeat(num_sources, 1)
        return KeyValueCache(
            _Room(numbers, beam * self._positions), beam * self._positions, marks, self.length
        )

    def reordered(self, rows: Int[Tensor, "R"], sources: Int[Tensor, "M"] | None = None) -> "KeyValueCache":
        """As `anncestry.protocols.reorder_state` asks: of other rows, and of these sources alone."""
        room, marks = self._room, self._marks
        if sources is not None:
            kept = room.numbers[..., : self._positions, :].index_select(2, sources)
            room = _Room(kept, self._positions)
        if marks is not None:
            marks = marks.index_select(0, rows)
        elif len(rows) != room.numbers.shape[2]:
            marks = self._all_marks(len(rows))
        return KeyValueCache(room, self._positions, marks, self.length)

    def __iter__(self) -> Iterator[Tensor]:
        """What it holds, a row for each source: what `anncestry.protocols.flatten_state` shows."""
        yield self._room.numbers[..., : self._positions, :].movedim(2, 0)
        if self._marks is not None:
            yield self._marks.view(self.num_sources, -1, self._positions)

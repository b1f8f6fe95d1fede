"""What the hypotheses of a search wrote, and how those that ended are read back."""

from typing import NamedTuple

import torch

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.decoding.hypothesis import Hypothesis
from anncestry.protocols import map_state

FIRST_ROOM = 32  # steps


class Ended(NamedTuple):
    """Texts that ended: finished, or cut. A score of minus infinity marks an empty place.

    Attributes:
        log_prob: log P, of the end too.
        length: |Y|, in which the end counts.
        place: which hypothesis wrote the last token.
        finished: whether the end was written.
    """

    score: Float[Tensor, "N k"]
    log_prob: Float[Tensor, "N k"]
    length: Int[Tensor, "N k"]
    place: Int[Tensor, "N k"]
    finished: Bool[Tensor, "N k"]

    @classmethod
    def empty(cls, num_sources: int, size: int, like: Tensor) -> "Ended":
        """Nothing has ended; the numbers are of the type and on the device of ``like``."""
        score = like.new_full((num_sources, size), -torch.inf)
        zeros = torch.zeros_like(score, dtype=torch.long)
        return cls(score, score, zeros, zeros, zeros.bool())

    def best(self, count: int) -> "Ended":
        """The first ``count`` of each source, which are the best where they are in order."""
        return map_state(lambda part: part[:, :count], self)

    def leaving(self, sources: Int[Tensor, "M"], last: "Ended", rows: Int[Tensor, "G"]) -> "Ended":
        """With the ``rows`` of ``last`` put where the sources have their place."""
        places = sources[rows]
        return map_state(lambda whole, part: whole.index_copy(0, places, part[rows]), self, last)


class Trace:
    """Which token each hypothesis wrote at each step, and which hypothesis it went on from.

    Hypotheses change places without what they wrote: `hypotheses` reads it backwards, once. The tables have
    the steps on axis 0 and grow as they fill up.
    """

    def __init__(self, num_sources: int, beam: int, device: torch.device) -> None:
        self.tokens = torch.zeros(FIRST_ROOM, num_sources, beam, dtype=torch.long, device=device)
        self.parents = torch.zeros_like(self.tokens)
        self.weights: Tensor | None = None

    def write(
        self, step: int, sources: Int[Tensor, "M"], tokens: Int[Tensor, "M k"], parents: Int[Tensor, "M k"]
    ) -> None:
        """Keep a step (the first is 0) of the sources that are left."""
        if step == len(self.tokens):
            self.tokens, self.parents = _doubled(self.tokens), _doubled(self.parents)
        self.tokens[step].index_copy_(0, sources, tokens)
        self.parents[step].index_copy_(0, sources, parents)

    def look(self, step: int, sources: Int[Tensor, "M"], weights: Float[Tensor, "M k S"]) -> None:
        """Keep how the hypotheses looked at their source before they wrote at this step."""
        if self.weights is None:
            shape = (FIRST_ROOM, *self.tokens.shape[1:], weights.shape[-1])
            self.weights = torch.zeros(shape, dtype=weights.dtype, device=weights.device)
        if step == len(self.weights):
            self.weights = _doubled(self.weights)
        self.weights[step, :, : weights.shape[1]].index_copy_(0, sources, weights)

    def hypotheses(self, ended: Ended, lengths: Int[Tensor, "N"] | None = None) -> list[list[Hypothesis]]:
        """The texts of every source.

        Args:
            lengths: of the sources; alignments are cut to them.
        """
        counts = ended.length - ended.finished.long()
        places, tokens, weights = ended.place, [], []
        for step in reversed(range(int(ended.length.max()))):
            tokens.append(self.tokens[step].gather(1, places))
            places = torch.where(step < counts, self.parents[step].gather(1, places), places)
            if self.weights is not None:  # the end was written by the hypothesis of the last token itself
                seen = places.unsqueeze(-1).expand(-1, -1, self.weights.shape[-1])
                weights.append(self.weights[step].gather(1, seen))
        shape = (*counts.shape, 0)
        written = torch.stack(tokens[::-1], -1).tolist() if tokens else counts.new_zeros(shape).tolist()
        looked = torch.stack(weights[::-1], 2) if weights else None  # (N, k, T, S)
        num_seen = lengths.tolist() if lengths is not None else [None] * len(written)
        columns = (ended.score, ended.log_prob, counts, ended.finished)
        found = []
        for n, rows in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            found.append([])
            for i, (score, log_prob, count, finished) in enumerate(zip(*rows, strict=True)):
                if score == -torch.inf:
                    continue
                seen = None if looked is None else looked[n, i, : count + finished, : num_seen[n]].clone()
                found[n].append(Hypothesis(tuple(written[n][i][:count]), score, log_prob, finished, seen))
        return found


def _doubled(table: Tensor) -> Tensor:
    return torch.cat([table, torch.zeros_like(table)])

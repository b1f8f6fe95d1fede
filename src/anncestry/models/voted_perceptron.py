"""The voted perceptron: every weight vector there ever was votes, as often as it was right.

Paper: Y. Freund & R. Schapire, "Large margin classification using the perceptron algorithm", Machine
Learning 37 (1999), figure 1.

With v_k the weights after the k-th mistake and c_k the examples they survived (their own first one
among them), the prediction is the class with the most votes: sum_k c_k [argmax_j (v_k)_j · x = class].

Differs from the perceptron: the weights that it predicts with, as in the averaged perceptron; here the mean
is taken after the threshold, so the prediction is no longer linear in x.

Departures from the paper: the multiclass rule of `anncestry.models.perceptron` where the paper trains
one against the rest; no kernel (the stored examples would allow one); a limit to what is stored.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import torch

from anncestry.arrays import Float, Tensor
from anncestry.layers.online import BLOCK_SIZE
from anncestry.models.perceptron import Perceptron, PerceptronConfig
from anncestry.rules import at_least
from anncestry.signature import Signature

_CHUNK = 1 << 18  # numbers held at once while voting: they stay in the processor's cache


@dataclass(frozen=True, kw_only=True)
class VotedPerceptronConfig(PerceptronConfig):
    """Sizes, and a limit.

    Attributes:
        max_vectors: how many weight vectors may vote; each costs the memory of one example. When they are
            full the oldest quarter of them, made when least was known, lose their votes. What is learnt is
            never affected.
    """

    max_vectors: Annotated[int, at_least(4 * BLOCK_SIZE)] = 10_000  # a quarter holds a block's mistakes

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; for large inputs ``max_vectors`` keeps the examples within 64 MB."""
        fitting = (64 << 20) // (4 * signature.num_features)
        fields = {"max_vectors": min(cls.max_vectors, max(4 * BLOCK_SIZE, fitting))}
        return super().for_signature(signature, width=width, **{**fields, **overrides})


class VotedPerceptron(Perceptron):
    """A perceptron that keeps its mistakes.

    The vectors are not stored: v_k is ``start`` (K, D + 1) plus the first k corrections, and a correction
    is one mistaken example (``examples``), the class it was added to (``right``) and the one it was
    taken from (``wrong``). ``survived`` holds c_k. The first ``num_vectors`` rows are in use.
    """

    def __init__(self, config: VotedPerceptronConfig) -> None:
        super().__init__(config)
        rows = config.max_vectors
        self.register_buffer("start", torch.zeros_like(self.weight))
        self.register_buffer("examples", self.weight.new_zeros(rows, self.weight.shape[1] - 1))
        for name in ("right", "wrong", "survived"):
            self.register_buffer(name, torch.zeros(rows, dtype=torch.int64))
        self.register_buffer("num_vectors", torch.zeros((), dtype=torch.int64))
        self.start: Tensor
        self.examples: Tensor
        self.right: Tensor
        self.wrong: Tensor
        self.survived: Tensor
        self.num_vectors: Tensor

    def correct(self, x, changes, mistaken):
        super().correct(x, changes, mistaken)
        if self.num_vectors + len(mistaken) > len(self.examples):
            self._forget(len(self.examples) // 4)
        before = int(self.num_vectors)
        new = slice(before, before + len(mistaken))
        bounds = torch.tensor([*mistaken, len(x)], device=x.device)
        if before:  # the latest vector lived on until this block's first mistake
            self.survived[before - 1] += bounds[0]
        self.survived[new] = bounds.diff()
        self.examples[new] = x[mistaken]
        self.right[new] = changes[mistaken].argmax(1)
        self.wrong[new] = changes[mistaken].argmin(1)
        self.num_vectors.add_(len(mistaken))

    def _changes(self, part: slice) -> Float[Tensor, "M K"]:
        """What each mistake of a part added to the units, in multiples of its example."""
        zeros = self.start.new_zeros(part.stop - part.start, self.start.shape[0])
        return zeros.scatter_(1, self.right[part, None], 1.0).scatter_(1, self.wrong[part, None], -1.0)

    def _forget(self, count: int) -> None:
        """Take the votes of the ``count`` oldest vectors away; ``start`` becomes the last of them."""
        changes = self._changes(slice(0, count))
        self.start[:, :-1] += changes.t() @ self.examples[:count]
        self.start[:, -1] += changes.sum(0)
        for rows in (self.examples, self.right, self.wrong, self.survived):
            rows[:-count] = rows[count:].clone()
        self.num_vectors.sub_(count)

    def forward(self, x: Float[Tensor, "B ..."]) -> Float[Tensor, "B K"]:
        """The share of the votes that each class gets; all zero before anything was learnt."""
        x = self.flatten(x)
        # a compiled graph does not know how many vectors there are; those beyond have survived nothing
        compiled, batch_size, num_classes = torch.compiler.is_compiling(), x.shape[0], self.weight.shape[0]
        end = len(self.examples) if compiled else int(self.num_vectors)
        votes = x.new_zeros(batch_size, num_classes)
        scores = torch.nn.functional.linear(x, self.start[:, :-1], self.start[:, -1]).t()  # (K, B)
        rows = end if compiled else max(1, _CHUNK // max(1, batch_size * num_classes))
        for first in range(0, end, rows):
            part = slice(first, min(first + rows, end))
            moved = (x @ self.examples[part].t() + 1).unsqueeze(0)  # (1, B, M)
            # contiguous, or the products with it come out strided, and slow to add up
            changes = self._changes(part).t().contiguous()
            path = (moved * changes.unsqueeze(1)).cumsum_(2).add_(scores.unsqueeze(2))  # (K, B, M)
            survived = self.survived[part].to(x.dtype)
            winners = path.max(0).indices  # ten times as quick as argmax over a leading axis
            votes.scatter_add_(1, winners, survived.expand(batch_size, -1))
            scores = path[:, :, -1].clone()
        return votes / votes.sum(1, keepdim=True).clamp(min=1)

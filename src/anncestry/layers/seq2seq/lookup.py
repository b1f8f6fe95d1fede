"""Products with a source inside the loop of a decoder: its gradient is computed once, behind the loop.

At each step of a decoder a few weights meet the whole source. Its gradient is a sum over the steps, and
autograd would make each term, as large as the source, and add it up. Here the steps note what they
contribute, and one product makes the sum when the last of them is known. Values and gradients are the plain
ones' to rounding; a graph made so cannot be differentiated twice.

Shapes are those of `anncestry.layers.seq2seq.alignment`.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from anncestry.arrays import Float, Tensor
from anncestry.layers.recurrent.contributions import Contributions


def collects(*tensors: Tensor) -> bool:
    """Whether there are gradients to collect, and no one else decides what a product is."""
    device = tensors[0].device.type
    if device == "meta" or torch.is_autocast_enabled(device) or torch._C._are_functorch_transforms_active():
        return False
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


class _Sum(torch.autograd.Function):
    """Makes a token that every step takes, so that autograd comes back here after the last of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, notes: Contributions) -> Tensor:
        ctx.notes = notes
        return values.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor):
        pairs = ctx.notes.take()
        if not pairs:
            return None, None
        weights, gradients = (torch.cat(part, dim=1) for part in zip(*pairs, strict=True))
        return torch.bmm(weights.transpose(1, 2), gradients), None


class _Look(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, weights: Tensor, values: Tensor, added: Tensor | None, token: Tensor, notes: Contributions
    ):
        ctx.save_for_backward(weights, values)
        ctx.notes, ctx.has_added = notes, added is not None
        return torch.bmm(weights, values) if added is None else torch.baddbmm(added, weights, values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor):
        weights, values = ctx.saved_tensors
        ctx.notes.add(weights, gradient)
        of_weights = torch.bmm(gradient, values.transpose(1, 2))
        return of_weights, None, gradient if ctx.has_added else None, None, None


class Lookup:
    """``added + weights values`` for one source and the weights of many steps.

    Args:
        values: (N, S, D).
    """

    def __init__(self, values: Float[Tensor, "N S D"]) -> None:
        self.values, self.notes = values, Contributions()
        self.token = _Sum.apply(values, self.notes) if collects(values) else None

    def __call__(
        self, weights: Float[Tensor, "N k S"], added: Float[Tensor, "N k D"] | None = None
    ) -> Float[Tensor, "N k D"]:
        if self.token is not None:
            return _Look.apply(weights, self.values, added, self.token, self.notes)  # pyright: ignore
        if added is None:
            return torch.bmm(weights, self.values)
        return torch.baddbmm(added, weights, self.values)


# ---- v . tanh(q + key) ----------------------------------------------------------------------------------


def additive_scores(
    query: Float[Tensor, "N k A"], keys: Float[Tensor, "N S A"], v: Float[Tensor, "A"]
) -> Float[Tensor, "N k S"]:
    """The score of every position for every query."""
    return (query.unsqueeze(2) + keys.unsqueeze(1)).tanh() @ v


class _Total:
    """The gradients of keys and v, added up in the backward pass that is under way."""

    def __init__(self) -> None:
        self.task, self.of_keys, self.of_v = -1, None, None

    def add(self, of_keys: Tensor, of_v: Tensor) -> None:
        task = torch._C._current_graph_task_id()
        if task != self.task or self.of_keys is None or self.of_v is None:
            self.task, self.of_keys, self.of_v = task, of_keys, of_v
        else:
            self.of_keys += of_keys
            self.of_v += of_v

    def take(self) -> tuple[Tensor | None, Tensor | None]:
        current = self.task == torch._C._current_graph_task_id()
        found = (self.of_keys, self.of_v) if current else (None, None)
        self.task, self.of_keys, self.of_v = -1, None, None
        return found


class _AdditiveSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, keys: Tensor, v: Tensor, total: _Total) -> Tensor:
        ctx.total = total
        return keys.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor):
        return *ctx.total.take(), None


class _AdditiveScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, keys: Tensor, v: Tensor, token: Tensor, total: _Total):
        hidden = (query.unsqueeze(2) + keys.unsqueeze(1)).tanh_()  # (N, k, S, A)
        ctx.save_for_backward(hidden, v)
        ctx.total = total
        return hidden @ v

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor):
        hidden, v = ctx.saved_tensors
        of_v = gradient.reshape(1, -1) @ hidden.flatten(0, 2)
        of_sums = torch.ops.aten.tanh_backward(gradient.unsqueeze(3) * v, hidden)
        of_keys = of_sums.squeeze(1) if of_sums.shape[1] == 1 else of_sums.sum(1)
        of_query = of_sums.sum(2)
        ctx.total.add(of_keys, of_v.squeeze(0))
        return of_query, None, None, None, None


class AdditiveLookup:
    """`additive_scores` for one source and the queries of many steps.

    Args:
        keys: (N, S, A).
        v: (A,).
    """

    def __init__(self, keys: Float[Tensor, "N S A"], v: Float[Tensor, "A"]) -> None:
        self.keys, self.v, self.total = keys, v, _Total()
        self.token = _AdditiveSum.apply(keys, v, self.total) if collects(keys, v) else None

    def __call__(self, query: Float[Tensor, "N k A"]) -> Float[Tensor, "N k S"]:
        if self.token is None:
            return additive_scores(query, self.keys, self.v)
        return _AdditiveScores.apply(query, self.keys, self.v, self.token, self.total)  # pyright: ignore

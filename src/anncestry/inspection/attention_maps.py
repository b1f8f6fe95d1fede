"""The attention weights of the heads of any layer, computed again for whoever asks.

While a net runs, attention goes through kernels that never form these weights. What goes into the attention
of the layers asked for is caught during one ordinary pass, and their weights alone are computed from it.

Shapes: h heads, T queries, S keys, as in `anncestry.layers.attention.attention`. Layers and
heads are counted from 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.errors import UserError, require
from anncestry.layers.attention.attention import Attention, CrossAttention
from anncestry.protocols import outputs_of


@dataclass(frozen=True, kw_only=True)
class AttentionMaps:
    """How much each query of a layer attends to each key.

    Attributes:
        name: of the attention in the model.
        stack: the stack of layers it is in: ``encoder`` or ``decoder``.
        layer: of that stack.
        cross: whether it attends to another sequence than its own.
        heads: which of its heads these are.
        weights: (h, T, S), each row of sum 1.
    """

    name: str
    stack: str
    layer: int
    cross: bool
    heads: tuple[int, ...]
    weights: Float[Tensor, "h T S"]


def attention_maps(
    model: nn.Module,
    source: Int[Tensor, "1 S"],
    targets: Int[Tensor, "1 T"] | None = None,
    layers: Sequence[int] = (),
    head: int | None = None,
) -> list[AttentionMaps]:
    """The weights in evaluation mode, in the order in which the model computes them.

    Args:
        model: it is left as it was.
        source: one text.
        targets: of an encoder-decoder, the tokens generated for it: query t is that of the position at which
            target t is generated, and its newest key is target t - 1 (`BEGIN` for the first).
        layers: of every stack that has so many; default: all.
        head: one of them; default: all.

    Raises:
        UserError: the model has no attention, there is no such layer or head, or there is more than one text.
    """
    if source.dim() != 2 or len(source) != 1 or not source.shape[1]:
        raise UserError("source", tuple(source.shape), "must be one text, (1, S)")
    modules = attention_modules(model)
    known = sorted({layer for _, layer, _ in modules.values()})
    for layer in layers:
        require(layer in known, "layer", layer, "there is no such layer", known)
    wanted = {name: found for name, found in modules.items() if not layers or found[1] in layers}
    counts = [module.num_heads for _, _, module in wanted.values()]
    if head is not None:
        require(1 <= head <= max(counts), "head", head, "there is no such head", range(1, max(counts) + 1))
    found = []
    with _caught({name: module for name, (_, _, module) in wanted.items()}) as inputs, _evaluating(model):
        outputs_of(model, source, targets=targets)
        for name, (positional, named) in inputs.items():
            stack, layer, module = wanted[name]
            heads = range(1, module.num_heads + 1) if head is None else [head]
            weights = module.weights(*positional, **named)[0, [number - 1 for number in heads]]
            cross = isinstance(module, CrossAttention)
            found.append(
                AttentionMaps(
                    name=name, stack=stack, layer=layer, cross=cross, heads=tuple(heads), weights=weights
                )
            )
    return found


def attention_modules(model: nn.Module) -> dict[str, tuple[str, int, Attention]]:
    """Stack, layer and module of each attention of several heads, by its name in the model.

    Raises:
        UserError: there is none.
    """
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, Attention):
            stack, number = _position(name)
            found[name] = (stack, number + 1, module)
    if not found:
        raise UserError("model", type(model).__name__, "has no attention of several heads")
    return found


def has_heads(model: nn.Module) -> bool:
    """Whether a model has attention of several heads."""
    return any(isinstance(module, Attention) for module in model.modules())


def _position(name: str) -> tuple[str, int]:
    """The stack that a name says, and the position there: ``encoder.0.attention`` is at 0 in ``encoder``."""
    parts = name.split(".")
    at = next((at for at, part in enumerate(parts) if part.isdecimal()), None)
    return ("", 0) if at is None else (".".join(parts[:at]), int(parts[at]))


@contextmanager
def _caught(modules: Mapping[str, Attention]) -> Iterator[dict[str, tuple[tuple, dict[str, Any]]]]:
    """What these modules are called with, by name: arguments by position, and by name."""
    inputs: dict[str, tuple[tuple, dict[str, Any]]] = {}

    def hook(name: str):
        def before_call(module: nn.Module, positional: tuple, named: dict[str, Any]) -> None:
            inputs[name] = (positional, named)

        return before_call

    handles = [
        module.register_forward_pre_hook(hook(name), with_kwargs=True) for name, module in modules.items()
    ]
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """In evaluation mode, without gradients; every module's mode is put back."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def effective_keys(weights: Float[Tensor, "h T S"]) -> Float[Tensor, "h"]:
    """To how many keys a head attends: the perplexity of its attention weights, the mean over queries.

    1 where each query attends to a single key, S where each attends to all alike.
    """
    return torch.special.entr(weights).sum(-1).exp().mean(-1)


def favourite_key(weights: Float[Tensor, "T S"]) -> tuple[int, float]:
    """The key that gets most of a head's attention weight over all queries, and its share of it."""
    share, key = weights.mean(0).max(0)
    return int(key), float(share)


def favourite_offset(weights: Float[Tensor, "T T"]) -> tuple[int, float]:
    """How many positions ahead (back where negative) a head attends to most, and the mean weight there.

    Of the offsets that at least half of the queries have.
    """
    num_positions = len(weights)
    offsets = range(-(num_positions // 2), num_positions // 2 + 1)
    means = {offset: float(weights.diagonal(offset).mean()) for offset in offsets}
    best = max(means, key=lambda offset: (means[offset], -abs(offset)))
    return best, means[best]

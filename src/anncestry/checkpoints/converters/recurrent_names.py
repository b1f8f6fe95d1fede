"""What the converters of recurrent networks share: the weights of each cell, and their names in our wirings.

The names are those of ``Stacked`` layers: ``layers.0.cell.weight_ih`` under ``Unrolled(cell)``,
``layers.0.ahead.cell.weight_ih`` and ``layers.0.back.cell.weight_ih`` under ``Bidirectional``.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from anncestry.checkpoints.store import some_of
from anncestry.errors import UserError

CELLS = {1: "rnn", 3: "gru", 4: "lstm"}  # by the number of gates
_NAME = re.compile(r"layers\.([0-9]{1,4})\.(?:(ahead|back)\.)?cell\.(weight_ih|weight_hh|bias|bias_hn)")


class CellWeights(NamedTuple):
    """The weights of one cell, gates in our order (i, f, g, o; r, z, n).

    Attributes:
        weight_ih: (G, D).
        weight_hh: (G, H).
        bias: (G,), the sum of what others keep as two.
        bias_hn: (H,), the GRU candidate's recurrent bias; None for the other cells.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias: Tensor
    bias_hn: Tensor | None = None


Layers = list[tuple[CellWeights, ...]]  # per layer one cell, or two: ahead and back


class RecurrentSizes(NamedTuple):
    """What weights alone show. The activation of an ``rnn`` they do not.

    Attributes:
        cell: ``rnn``, ``gru`` or ``lstm``.
    """

    cell: str
    input_size: int
    hidden_size: int
    num_layers: int
    bidirectional: bool


def measure(layers: Layers, source: str = "checkpoint") -> RecurrentSizes:
    """The sizes of stacked recurrent layers.

    Raises:
        UserError: a shape is impossible, or the layers are not one stack of equal cells.
    """
    if not layers:
        raise UserError(source, "0 layers", "holds no recurrent layer")
    first = layers[0][0]
    hidden_size = first.weight_hh.shape[-1] if first.weight_hh.ndim else 0
    gates = first.weight_hh.shape[0] // hidden_size if hidden_size else 0
    if gates not in CELLS:
        rule = "the recurrent weights of an RNN, GRU or LSTM have the shape (H, H), (3H, H) or (4H, H)"
        raise UserError(source, tuple(first.weight_hh.shape), rule)
    directions = len(layers[0])
    input_size = first.weight_ih.shape[-1] if first.weight_ih.ndim else 0
    expected_input = input_size
    for depth, cells in enumerate(layers):
        if len(cells) != directions:
            raise UserError(source, f"layer {depth}", "either all layers are bidirectional or none is")
        for cell in cells:
            shapes = {
                "weight_ih": (gates * hidden_size, expected_input),
                "weight_hh": (gates * hidden_size, hidden_size),
                "bias": (gates * hidden_size,),
                "bias_hn": (hidden_size,) if CELLS[gates] == "gru" else None,
            }
            for name, tensor in cell._asdict().items():
                found = None if tensor is None else tuple(tensor.shape)
                if found != shapes[name]:
                    rule = f"{name} must have the shape {shapes[name]} in a stack of equal layers"
                    raise UserError(source, f"layer {depth}: {found}", rule)
        expected_input = directions * hidden_size
    return RecurrentSizes(CELLS[gates], input_size, hidden_size, len(layers), directions == 2)


def named_cells(layers: Layers) -> Iterator[tuple[str, CellWeights]]:
    """Every cell with the beginning of its names: ``layers.0.cell.``, or ``layers.0.ahead.cell.``."""
    for depth, cells in enumerate(layers):
        for cell, way in zip(cells, ("ahead.", "back.") if len(cells) == 2 else ("",), strict=True):
            yield f"layers.{depth}.{way}cell.", cell


def to_state(layers: Layers) -> dict[str, Tensor]:
    """The state dict of ``Stacked`` layers."""
    return {
        prefix + name: tensor
        for prefix, cell in named_cells(layers)
        for name, tensor in zip(CellWeights._fields, cell, strict=True)
        if tensor is not None
    }


def from_state(state: Mapping[str, Tensor], source: str = "checkpoint") -> Layers:
    """The weights of each cell, from the state dict of ``Stacked`` layers.

    Raises:
        UserError: a name is foreign, a tensor or a layer is missing.
    """
    unexpected = [name for name in state if not _NAME.fullmatch(name)]
    if unexpected:
        raise UserError(source, some_of(unexpected), "these are not weights of stacked recurrent layers")
    found = {(int(match[1]), match[2] or "") for name in state if (match := _NAME.fullmatch(name))}
    layers: Layers = []
    for depth in range(len({depth for depth, _ in found})):
        ways = ("ahead", "back") if (depth, "ahead") in found else ("",)
        cells = []
        for way in ways:
            prefix = f"layers.{depth}.{way + '.' if way else ''}cell."
            parts = {name: state[prefix + name] for name in CellWeights._fields if prefix + name in state}
            missing = [prefix + name for name in ("weight_ih", "weight_hh", "bias") if name not in parts]
            if missing:
                raise UserError(source, f"{len(state)} tensors", f"missing: {some_of(missing)}")
            cells.append(CellWeights(**parts))
        layers.append(tuple(cells))
    if len(found) != sum(map(len, layers)):
        raise UserError(source, f"{len(found)} cells", "mixes one-way and bidirectional names in one layer")
    return layers


def join_biases(cell: str, bias_ih: Tensor, bias_hh: Tensor) -> tuple[Tensor, Tensor | None]:
    """Our ``(bias, bias_hn)`` from the two vectors (G,) that others keep. Only their sum counts, but for the
    GRU's candidate, whose recurrent bias stands behind the reset gate."""
    if cell != "gru":
        return bias_ih + bias_hh, None
    inner = 2 * (bias_hh.shape[0] // 3)  # r and z
    return torch.cat([bias_ih[:inner] + bias_hh[:inner], bias_ih[inner:]]), bias_hh[inner:].clone()


def split_biases(cell: CellWeights) -> tuple[Tensor, Tensor]:
    """The two vectors (G,) that others keep: ours, and zeros but for the GRU's candidate."""
    bias_hh = torch.zeros_like(cell.bias)
    if cell.bias_hn is not None:
        bias_hh[-cell.bias_hn.shape[0] :] = cell.bias_hn
    return cell.bias, bias_hh

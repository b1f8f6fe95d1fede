"""Keras' ``SimpleRNN``, ``LSTM`` and ``GRU`` weights and ours, alone, stacked or under ``Bidirectional``.

Keras stores matrices transposed, as kernel (D, G) and recurrent_kernel (H, G). Its LSTM gates are i, f, c, o,
which is our i, f, g, o; its GRU gates are z, r, h, ours r, z, n. The activations are not in the weights: ours
are Keras' defaults, tanh and sigmoid (before 2.3 the default was a hard sigmoid: another function).

Arrays are named ``<layer>/kernel``, ``<layer>/recurrent_kernel`` and ``<layer>/bias``, in a bidirectional
layer ``<layer>/forward/kernel`` ... ``<layer>/backward/bias``, and stand in the order of
``model.get_weights()``: ``model.set_weights(list(to_keras(state).values()))``.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from anncestry.checkpoints.converters.recurrent_names import (
    CELLS,
    CellWeights,
    Layers,
    from_state,
    join_biases,
    measure,
    split_biases,
    to_state,
)
from anncestry.checkpoints.store import some_of
from anncestry.errors import UserError

_PARTS = ("kernel", "recurrent_kernel", "bias")
_WAYS = ("forward", "backward")


def from_keras(arrays: Mapping[str, np.ndarray], source: str = "checkpoint") -> dict[str, Tensor]:
    """The state dict of ``Stacked`` layers from named arrays, the lowest layer first.

    Layers that are not recurrent (those without a ``recurrent_kernel``) are passed over.

    Raises:
        UserError: a GRU was made with ``reset_after=False`` or without a bias; the shapes are not those of
            one stack of equal layers.
    """
    cells: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        place, _, part = name.rpartition("/")
        cells.setdefault(place, {})[part] = array
    layers: dict[str, dict[str, CellWeights]] = {}
    for place, parts in cells.items():
        if "recurrent_kernel" not in parts:
            continue
        layer, _, way = place.rpartition("/") if place.endswith(_WAYS) else (place, "", "forward")
        layers.setdefault(layer, {})[way] = _our_cell(parts, f"{source}: {place}")
    stacked: Layers = []
    for layer, ways in layers.items():
        if "forward" not in ways:
            raise UserError(source, layer, "has a backward half alone; a layer reads forwards, or both ways")
        stacked.append(tuple(ways[way] for way in _WAYS if way in ways))
    measure(stacked, source)
    return to_state(stacked)


def _our_cell(parts: Mapping[str, np.ndarray], source: str) -> CellWeights:
    if not {"kernel", "recurrent_kernel"} <= set(parts) <= set(_PARTS):
        raise UserError(source, some_of(parts), "a recurrent layer has kernel, recurrent_kernel and bias")
    kernel, recurrent = parts["kernel"], parts["recurrent_kernel"]
    hidden_size, rows = recurrent.shape if recurrent.ndim == 2 else (0, 0)
    cell = CELLS.get(rows // max(hidden_size, 1))
    if cell is None or rows % hidden_size or kernel.ndim != 2 or kernel.shape[1] != rows:
        shapes = ", ".join(f"{part} {array.shape}" for part, array in parts.items())
        rule = "the kernels have the shapes (D, G) and (H, G), where G is H, 3H or 4H"
        raise UserError(source, shapes, rule)
    tensors = {part: _tensor(array, f"{source}/{part}") for part, array in parts.items()}
    if cell != "rnn" and "bias" in tensors and tensors["bias"].shape == (2 * rows,):
        tensors = _from_cudnn(cell, tensors)
    weight_ih, weight_hh = tensors["kernel"].T, tensors["recurrent_kernel"].T  # (G, D), (G, H)
    bias = tensors.get("bias")
    if cell == "gru":
        if bias is None or bias.shape != (2, rows):
            found = "no bias" if bias is None else f"bias {tuple(bias.shape)}"
            rule = (
                f"a GRU's bias must have the shape (2, 3H) = (2, {rows}), made with reset_after=True, or "
                "(6H,) of a CuDNNGRU; reset_after=False is another function, which is not computed here"
            )
            raise UserError(source, found, rule)
        weight_ih, weight_hh = _swap_gates(weight_ih), _swap_gates(weight_hh)
        joined = join_biases(cell, _swap_gates(bias[0]), _swap_gates(bias[1]))
        return CellWeights(weight_ih.contiguous(), weight_hh.contiguous(), *joined)
    bias = weight_hh.new_zeros(rows) if bias is None else bias
    return CellWeights(weight_ih.contiguous(), weight_hh.contiguous(), bias)


def _from_cudnn(cell: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``CuDNNLSTM`` and ``CuDNNGRU`` as Keras itself reads them into LSTM and GRU.

    Their kernels hold the memory of cuDNN's matrices, (H, D) and (H, H) for each gate; their two biases stand
    one behind the other.
    """
    kernel, recurrent, bias = (tensors[part] for part in _PARTS)
    input_size, hidden_size = kernel.shape[0], recurrent.shape[0]
    gates = kernel.shape[1] // hidden_size
    kernels = [part.reshape(hidden_size, input_size).T for part in kernel.chunk(gates, 1)]
    recurrents = [part.T for part in recurrent.chunk(gates, 1)]
    biases = bias.view(2, -1)
    joined = biases if cell == "gru" else biases.sum(0)
    return dict(zip(_PARTS, (torch.cat(kernels, 1), torch.cat(recurrents, 1), joined), strict=True))


def _tensor(array: np.ndarray, source: str) -> Tensor:
    if array.dtype.kind != "f" or array.dtype.itemsize not in (2, 4, 8):
        raise UserError(source, str(array.dtype), "weights are float16, float32 or float64")
    return torch.from_numpy(array.astype(np.float32, order="C"))


def _swap_gates(rows: Tensor) -> Tensor:
    """(3H, ...) z, r, h -> r, z, h, and the same back again."""
    first, second, candidate = rows.chunk(3)
    return torch.cat([second, first, candidate])


def to_keras(state: Mapping[str, Tensor], source: str = "model") -> dict[str, np.ndarray]:
    """Named arrays of Keras layers (GRU: ``reset_after=True``) from the state dict of ``Stacked`` layers.

    Raises:
        UserError: the state is not that of one stack of equal recurrent layers.
    """
    layers = from_state(state, source)
    sizes = measure(layers, source)
    keras_class = {"rnn": "simple_rnn", "gru": "gru", "lstm": "lstm"}[sizes.cell]
    arrays = {}
    for depth, cells in enumerate(layers):
        layer = ("bidirectional" if sizes.bidirectional else keras_class) + (f"_{depth}" if depth else "")
        for cell, way in zip(cells, _WAYS, strict=False):
            place = f"{layer}/{way}" if sizes.bidirectional else layer
            tensors = [cell.weight_ih, cell.weight_hh, cell.bias]
            if sizes.cell == "gru":
                both = torch.stack([_swap_gates(bias) for bias in split_biases(cell)])
                tensors = [_swap_gates(cell.weight_ih), _swap_gates(cell.weight_hh), both]
            for part, tensor in zip(_PARTS, tensors, strict=True):
                tensor = tensor if part == "bias" else tensor.T
                arrays[f"{place}/{part}"] = tensor.detach().cpu().numpy().copy()
    return arrays

"""``torch.nn.RNN``, ``LSTM`` and ``GRU``: their state dicts and ours.

Gate orders are the same (i, f, g, o; r, z, n). PyTorch keeps two bias vectors per cell where we keep their
sum; on the way back the second one is zero, so the function stays and their values do not.
"""

from collections.abc import Mapping

from torch import Tensor

from anncestry.checkpoints.converters.recurrent_names import (
    CELLS,
    CellWeights,
    from_state,
    join_biases,
    measure,
    named_cells,
    split_biases,
)
from anncestry.checkpoints.rename import KeyMap
from anncestry.checkpoints.store import some_of
from anncestry.errors import UserError

_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
ONE_WAY = KeyMap({f"{part}_l{{k}}": f"layers.{{k}}.cell.{part}" for part in _PARTS})
BOTH_WAYS = KeyMap(
    {f"{part}_l{{k}}": f"layers.{{k}}.ahead.cell.{part}" for part in _PARTS}
    | {f"{part}_l{{k}}_reverse": f"layers.{{k}}.back.cell.{part}" for part in _PARTS}
)


def from_torch(tensors: Mapping[str, Tensor], source: str = "checkpoint") -> dict[str, Tensor]:
    """The state dict of ``Stacked`` layers from that of a ``torch.nn.RNN``, ``LSTM`` or ``GRU``.

    Any ``num_layers``, one or both directions, with or without biases (ours are zero then). Whether an RNN
    has tanh or relu units is not in its weights.

    Raises:
        UserError: the module projects its outputs (``proj_size``); a name is foreign or missing; the shapes
            are not those of one stack.
    """
    if any(name.startswith("weight_hr_") for name in tensors):
        raise UserError(source, "weight_hr_l0", "an LSTM with proj_size projects its outputs; ours does not")
    names = BOTH_WAYS if any(name.endswith("_reverse") for name in tensors) else ONE_WAY
    renamed, unmatched = names.apply(tensors)
    if unmatched:
        raise UserError(source, some_of(unmatched), "torch.nn.RNN, LSTM and GRU have no such weights")
    state: dict[str, Tensor] = {}
    for prefix in dict.fromkeys(name.rpartition(".")[0] + "." for name in renamed):
        parts = {part: renamed[prefix + part] for part in _PARTS if prefix + part in renamed}
        cell = _cell(parts, prefix, source)
        state |= {prefix + name: tensor for name, tensor in cell._asdict().items() if tensor is not None}
    measure(from_state(state, source), source)
    return state


def _cell(parts: dict[str, Tensor], prefix: str, source: str) -> CellWeights:
    if set(parts) not in ({"weight_ih", "weight_hh"}, set(_PARTS)):
        rule = "a cell has weight_ih and weight_hh, and bias_ih and bias_hh or no bias"
        raise UserError(source, f"{prefix} with {some_of(parts)}", rule)
    weight_ih, weight_hh = parts["weight_ih"], parts["weight_hh"]
    rows, hidden_size = weight_hh.shape if weight_hh.ndim == 2 else (0, 0)
    cell = CELLS.get(rows // max(hidden_size, 1))
    biases = [parts.get(name, weight_hh.new_zeros(rows)) for name in ("bias_ih", "bias_hh")]
    if cell is None or any(bias.shape != (rows,) for bias in biases):
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in parts.items())
        rule = "weight_hh must have the shape (G, H) with G = H, 3H or 4H, and each bias (G,)"
        raise UserError(source, f"{prefix} with {shapes}", rule)
    return CellWeights(weight_ih, weight_hh, *join_biases(cell, *biases))


def to_torch(state: Mapping[str, Tensor], source: str = "model") -> dict[str, Tensor]:
    """The state dict of a ``torch.nn.RNN``, ``LSTM`` or ``GRU`` from that of ``Stacked`` layers.

    Raises:
        UserError: the state is not that of one stack of equal recurrent layers.
    """
    layers = from_state(state, source)
    names = BOTH_WAYS if measure(layers, source).bidirectional else ONE_WAY
    theirs = {}
    for prefix, cell in named_cells(layers):
        parts = (cell.weight_ih, cell.weight_hh, *split_biases(cell))
        theirs |= {prefix + part: tensor for part, tensor in zip(_PARTS, parts, strict=True)}
    return names.reverse().apply(theirs).tensors

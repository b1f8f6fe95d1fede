"""Inside recurrent cells while they read: hidden states, memory cells and gates, step by step."""

from dataclasses import dataclass

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import UserError
from anncestry.layers.recurrent.cell_variants import PeepholeLSTMCell
from anncestry.layers.recurrent.cells import Cell, GRUCell, LSTMCell
from anncestry.layers.recurrent.dilated import Dilated, Skip
from anncestry.layers.recurrent.recurrence import recur
from anncestry.layers.recurrent.sequence_network import SequenceNetwork
from anncestry.layers.recurrent.temporal import TemporalBlock
from anncestry.layers.recurrent.wirings import Unrolled
from anncestry.protocols import State


@dataclass(frozen=True)
class Trace:
    """One layer while it reads one sequence.

    Attributes:
        name: of the layer in the model.
        values: ``h`` and, as far as the cell has them, ``c`` and its gates (i, f, g, o or r, z, n): (T, H).
    """

    name: str
    values: dict[str, Float[Tensor, "T H"]]


def gates(cell: Cell, projected_t: Tensor, state: State) -> dict[str, Float[Tensor, "B H"]]:
    """The gates of one step, by their names; none for a cell that has none or is not known here."""
    if isinstance(cell, LSTMCell):
        i, f, g, o = recur(state.h, cell.weight_hh, projected_t).chunk(4, dim=-1)
        return {"i": i.sigmoid(), "f": f.sigmoid(), "g": g.tanh(), "o": o.sigmoid()}
    if type(cell) is PeepholeLSTMCell or (isinstance(cell, PeepholeLSTMCell) and "i" in cell.gates):
        sums = recur(state.h, cell.weight_hh, projected_t).chunk(len(cell.gates), dim=-1)
        if isinstance(state[-1], Tensor) and len(state) == 3:
            return {}  # its gates also see each other
        before = dict(zip(cell.gates, sums, strict=True))
        i = cell.gate("i", before, state.c)
        f = cell.forget(i, before, state.c)
        g = cell.squash_input(before["g"])
        c = f * state.c + i * g
        found = {"i": i, "f": f, "g": g, "o": cell.gate("o", before, c)}
        return {name: value for name, value in found.items() if value.dim()}
    if isinstance(cell, GRUCell):
        H = cell.hidden_size
        recurrent = recur(state.h, cell.weight_hh)
        r, z = (projected_t[:, : 2 * H] + recurrent[:, : 2 * H]).sigmoid().chunk(2, dim=-1)
        n = (projected_t[:, 2 * H :] + r * (recurrent[:, 2 * H :] + cell.bias_hn)).tanh()
        return {"r": r, "z": z, "n": n}
    return {}


def traces(model: nn.Module, inputs: Tensor) -> list[Trace]:
    """Every recurrent layer while the model reads one sequence, from the bottom up.

    Args:
        model: a model of sequences; it is put in evaluation mode for a while.
        inputs: one sequence, (1, T) or (1, T, D).

    Raises:
        UserError: the model reads no sequences, or there is more than one.
    """
    if not isinstance(model, SequenceNetwork):
        raise UserError("model", type(model).__name__, "reads no sequence step by step")
    if inputs.shape[0] != 1:
        raise UserError("inputs", tuple(inputs.shape), "must be one sequence")
    found: list[Trace] = []
    chains = {module.chain for module in model.modules() if isinstance(module, Dilated)}
    handles = []
    for name, module in model.named_modules():
        watched = isinstance(module, Unrolled | Dilated | Skip | TemporalBlock)
        if watched and module not in chains:
            handles.append(module.register_forward_hook(_keeper(name, found)))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(inputs)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return found


def _keeper(name: str, found: list[Trace]):
    def keep(module: nn.Module, arguments: tuple, result: tuple) -> None:
        x, y = arguments[0], result[0]
        if isinstance(module, TemporalBlock):
            found.append(Trace(name, {"h": y[0].t()}))
        elif isinstance(module, Unrolled):
            found.append(Trace(name, _replay(module.cell, x)))
        else:
            found.append(Trace(name, {"h": y[0]}))

    return keep


def _replay(cell: Cell, x: Tensor) -> dict[str, Tensor]:
    """The cell once more, step by step, this time with its gates."""
    state = cell.initial_state(1)
    rows: dict[str, list[Tensor]] = {}
    for projected_t in cell.project(x).unbind(1):
        values = gates(cell, projected_t, state)
        y_t, state = cell.advance(projected_t, state)
        values = {"h": y_t, **({"c": state.c} if hasattr(state, "c") else {}), **values}
        for name, value in values.items():
            rows.setdefault(name, []).append(value[0])
    return {name: torch.stack(steps) for name, steps in rows.items()}

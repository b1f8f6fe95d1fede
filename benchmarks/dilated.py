"""Dilated networks against the implementation that is found first: zalandoresearch/pytorch-dilated-rnn.

It is not a package. Put its ``drnn.py`` somewhere and name that folder:

    PYTORCH_DILATED_RNN=/path/to/drnn.py python -m benchmarks.dilated

Without it its rows are left out. Before anything is timed, its outputs are checked to be ours. All
contestants run on two threads and get the float32 setting that ours runs with (``fast_float32``).
"""

import importlib.util
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.bench.timing import interleave, table
from anncestry.engine.precision import fast_float32
from anncestry.engine.prediction import inference
from anncestry.layers.recurrent.cells import Cell
from anncestry.layers.recurrent.dilated import Dilated, exponential
from anncestry.layers.recurrent.registry import make_cell
from anncestry.layers.recurrent.wirings import Stacked, Unrolled, stack
from benchmarks.recurrent import CPU, THREADS, predicted, trained

VARIABLE = "PYTORCH_DILATED_RNN"
PEER = "pytorch-dilated-rnn"


def load_peer() -> Any:
    """The peer's module from the file that the environment names, or None where it names none."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    spec = importlib.util.spec_from_file_location("drnn", Path(path))
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise SystemExit(f"{VARIABLE}: {path} is not the peer's drnn.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_weights_of(ours: Stacked, peer: nn.Module) -> nn.Module:
    """``peer`` with our weights; its second bias is zero but for the one that our GRU has, too."""
    with torch.no_grad():
        for layer, theirs in zip(ours.layers, peer.cells, strict=True):  # pyright: ignore[reportArgumentType]
            cell: Cell = layer.chain.cell
            theirs.weight_ih_l0.copy_(cell.weight_ih)
            theirs.weight_hh_l0.copy_(cell.weight_hh)
            theirs.bias_ih_l0.copy_(cell.bias)
            theirs.bias_hh_l0.zero_()
            if hasattr(cell, "bias_hn"):
                theirs.bias_hh_l0[-cell.hidden_size :].copy_(cell.bias_hn)  # pyright: ignore[reportArgumentType]
    return peer


def dilated(cell: str, input_size: int, hidden_size: int, num_layers: int) -> Stacked:
    """Layers with the dilations 1, 2, 4, ..."""
    layers = []
    for dilation in exponential(num_layers, 2, 1):
        layers.append(Dilated(make_cell(cell, input_size, hidden_size), dilation))
        input_size = hidden_size
    return Stacked(layers)


def compare(cell: str, x: Tensor, hidden_size: int, num_layers: int, rounds: int) -> str:
    """Forward and training step of one cell; a plain stack of the same cells shows what dilation buys."""
    input_size = x.shape[2]
    ours = dilated(cell, input_size, hidden_size, num_layers)
    plain = stack(lambda size: Unrolled(make_cell(cell, size, hidden_size)), input_size, num_layers)
    contestants: dict[str, nn.Module] = {"anncestry": ours, "anncestry, every dilation 1": plain}
    module = load_peer()
    note = f"{PEER} is left out: no {VARIABLE} names its `drnn.py`."
    if module is not None:
        made = module.DRNN(input_size, hidden_size, num_layers, cell_type=cell.upper(), batch_first=True)
        peer = with_weights_of(ours, made)
        with torch.no_grad():
            difference = (peer(x)[0] - ours(x)[0]).abs().max().item()
        assert difference < 1e-5, f"the outputs are {difference} apart"
        note = f"The outputs of {PEER} and anncestry are at most {difference:.1e} apart."
        contestants = {PEER: peer, **contestants}
    with fast_float32(CPU):
        train = interleave({name: trained(model, model, x) for name, model in contestants.items()}, rounds)
    with inference(CPU):
        forward = interleave({name: predicted(model, x) for name, model in contestants.items()}, rounds)
    title = f"Dilated {cell.upper()} {num_layers} x {hidden_size}, batch {x.shape[0]}, T = {x.shape[1]}"
    return "\n".join(
        [table(f"{title}, forward and backward", train, note), table(f"{title}, prediction", forward)]
    )


def main(quick: bool = False) -> str:
    """All tables, at the size of the paper's nets for MNIST read pixel by pixel."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        x = torch.randn(128, 784, 1)
        return "\n".join(compare(cell, x, 50, 9, 3 if quick else 11) for cell in ("lstm", "gru"))
    finally:
        torch.set_num_threads(before)


if __name__ == "__main__":
    print(main())

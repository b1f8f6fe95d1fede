"""Cells that have no fused kernel at the size of Zaremba et al.'s medium model, against their own plain loop
and against ``torch.nn.LSTM``; the LSTM beside its peers is timed by ``anncestry bench recurrent``.

All contestants run on two threads and get the float32 setting that ours runs with (``fast_float32``).
"""

from collections.abc import Callable

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.bench.timing import interleave, table
from anncestry.engine.precision import fast_float32
from anncestry.engine.prediction import inference
from anncestry.engine.threads import limited_threads
from anncestry.layers.recurrent.highway import HighwayStack
from anncestry.layers.recurrent.registry import make_cell
from anncestry.layers.recurrent.wirings import Stacked, Unrolled, stack, unroll_naive

THREADS = 2
CPU = torch.device("cpu")
CELLS = tuple(
    f"lstm-{name}" for name in ("vanilla", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "np", "fgr")
)
Run = Callable[[], object]


def naive(model: Stacked, x: Tensor) -> tuple[Tensor, None]:
    """Every layer by its cell's ``step``, one after another."""
    for layer in model.layers:
        x, _ = unroll_naive(layer.cell, x, layer.initial_state(x.shape[0]))
    return x, None


def trained(model: nn.Module, forward: Callable, x: Tensor) -> Run:
    """Forward and backward."""

    def run() -> None:
        model.zero_grad()
        forward(x)[0].square().mean().backward()

    return run


def predicted(forward: Callable, x: Tensor) -> Run:
    """Forward without gradients."""

    def run() -> None:
        with torch.no_grad():
            forward(x)

    return run


def custom(name: str, x: Tensor, hidden_size: int, num_layers: int, rounds: int) -> str:
    """One cell without a fused kernel, in training and in prediction; the plain loop is the first."""
    peer = nn.LSTM(x.shape[2], hidden_size, num_layers, batch_first=True)
    if name == "highway-lstm":  # a stack of its own: each layer reads the memory of the one below
        ours: Stacked = HighwayStack(x.shape[2], hidden_size, num_layers)
    else:
        ours = stack(lambda size: Unrolled(make_cell(name, size, hidden_size)), x.shape[2], num_layers)
    forwards = {
        "its plain loop": (ours, lambda x: naive(ours, x)),
        "anncestry": (ours, ours),
        "torch.nn.LSTM": (peer, peer),
    }
    title = f"{name} {_size(x, hidden_size, num_layers)}"
    with fast_float32(CPU):
        train = interleave({key: trained(*of, x) for key, of in forwards.items()}, rounds)
    with inference(CPU):
        predict = interleave({key: predicted(of[1], x) for key, of in forwards.items()}, rounds)
    return "\n".join([table(f"{title}, forward and backward", train), table(f"{title}, prediction", predict)])


def _size(x: Tensor, hidden_size: int, num_layers: int) -> str:
    return f"{num_layers} x {hidden_size}, batch {x.shape[0]}, T = {x.shape[1]}"


def main(quick: bool = False) -> str:
    """All tables."""
    rounds = 3 if quick else 15
    medium, small = torch.randn(20, 35, 650), torch.randn(32, 64, 128)
    with limited_threads(THREADS):
        tables = [custom(name, medium, 650, 2, rounds) for name in (*CELLS, "residual-lstm", "highway-lstm")]
        tables += [custom(name, small, 128, 1, rounds) for name in ("lstm-vanilla", "lstm-fgr")]
    return "\n".join(tables)


if __name__ == "__main__":
    print(main())

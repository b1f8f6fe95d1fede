"""Our LSTM against ``torch.nn.LSTM``, forward and training: the same kernel, so equal speed is the goal."""

import torch
from torch import nn

from anncestry.bench.timing import interleave, table
from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.wirings import Unrolled, stack, unroll_naive


def _forward(model: nn.Module, x: torch.Tensor):
    def run() -> None:
        with torch.no_grad():
            model(x)

    return run


def _train(model: nn.Module, x: torch.Tensor):
    def run() -> None:
        model.zero_grad()
        model(x)[0].square().mean().backward()

    return run


def compare(batch: int, steps: int, input_size: int, hidden_size: int, num_layers: int, rounds: int) -> str:
    """Forward and training step for one size."""
    x = torch.randn(batch, steps, input_size)
    peer = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True)
    ours = stack(lambda size: Unrolled(LSTMCell(size, hidden_size)), input_size, num_layers)
    size = f"{num_layers} x {hidden_size}, batch {batch}, T = {steps}"
    forward = interleave({"torch.nn.LSTM": _forward(peer, x), "anncestry": _forward(ours, x)}, rounds)
    train = interleave({"torch.nn.LSTM": _train(peer, x), "anncestry": _train(ours, x)}, rounds)
    return "\n".join(
        [table(f"LSTM {size}, forward", forward), table(f"LSTM {size}, forward and backward", train)]
    )


def loops(rounds: int) -> str:
    """What hoisting the input product buys where no fused kernel exists."""
    x = torch.randn(32, 50, 128)
    cell = LSTMCell(128, 128)
    unrolled = Unrolled(cell)
    slow = LSTMCell(128, 128)
    slow.fused = lambda *arguments: None  # pyright: ignore[reportAttributeAccessIssue]
    hoisted = Unrolled(slow)

    def naive() -> None:
        with torch.no_grad():
            unroll_naive(cell, x, cell.initial_state(32))

    contestants = {
        "fused kernel": _forward(unrolled, x),
        "hoisted loop": _forward(hoisted, x),
        "naive loop": naive,
    }
    return table(
        "LSTM 1 x 128, batch 32, T = 50, forward: kernel, hoisted loop, naive loop",
        interleave(contestants, rounds),
    )


def main(quick: bool = False) -> str:
    """All tables."""
    rounds = 5 if quick else 41
    return "\n".join(
        [compare(20, 35, 650, 650, 2, rounds), compare(32, 50, 64, 128, 1, rounds), loops(rounds)]
    )


if __name__ == "__main__":
    print(main())

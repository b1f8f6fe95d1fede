"""lstm-long-lags: does an LSTM learn over lags that defeat a simple recurrent net of the same size?

The adding problem: of T random numbers in [0, 1] two are marked, one in each half; the target, at
the end, is their sum. Always predicting 1 costs a mean squared error of 1/6. Both nets have the same number
of parameters (the LSTM 16 units, the RNN 33), the same optimizer, the same batches.

Source: Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation 9 (1997), experiment 4
(there with T from 100 and values in [-1, 1]).
"""

from collections.abc import Sequence
from statistics import median

import torch
from torch import nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.data.sources.memory import adding
from anncestry.models.lstm import LSTM, LSTMConfig
from anncestry.models.rnn import RNN, RNNConfig

GUESS = 1 / 6  # the variance of the sum of two uniform numbers
SOLVED = GUESS / 10
SIZES = {"lstm": 16, "rnn": 33}


def build(net: str) -> nn.Module:
    """A new network of that name, near 1,250 parameters."""
    if net == "lstm":
        return LSTM(LSTMConfig(task="regression", input_size=2, hidden_size=SIZES[net], output_size=1))
    return RNN(RNNConfig(task="regression", input_size=2, hidden_size=SIZES[net], output_size=1))


def error_after_training(net: str, seq_len: int, seed: int, max_steps: int) -> tuple[float, int]:
    """Mean squared error on 1,000 unseen sequences, and the steps it took; stops early well below SOLVED."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    model = build(net)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    unseen, unseen_targets = adding(1000, seq_len, random)
    error, step = float("inf"), 0
    for step in range(1, max_steps + 1):
        inputs, targets = adding(32, seq_len, random)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs)[0], targets).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 250 == 0 or step == max_steps:
            with torch.no_grad():
                error = nn.functional.mse_loss(model(unseen)[0], unseen_targets).item()
            if error < SOLVED / 3:
                break
    return error, step


def measure(
    seed: int, lengths: Sequence[int] = (10, 25, 50), num_seeds: int = 3, max_steps: int = 1500
) -> Rows:
    rows: Rows = []
    for seq_len in lengths:
        for net in SIZES:
            for run in range(seed, seed + num_seeds):
                error, steps = error_after_training(net, seq_len, run, max_steps)
                rows.append({"net": net, "length": seq_len, "seed": run, "mse": error, "steps": steps})
    return rows


def judge(rows: Rows) -> Judgement:
    longest = max(row["length"] for row in rows)
    errors = {net: [r["mse"] for r in rows if r["net"] == net and r["length"] == longest] for net in SIZES}
    phrases = []
    for length in sorted({row["length"] for row in rows}):
        solved = {
            n: [r["mse"] < SOLVED for r in rows if r["net"] == n and r["length"] == length] for n in SIZES
        }
        phrases.append(
            f"T = {length}: LSTM {sum(solved['lstm'])} of {len(solved['lstm'])}, "
            f"RNN {sum(solved['rnn'])} of {len(solved['rnn'])}"
        )
    because = (
        f"runs that brought the error below a tenth of guessing: {'; '.join(phrases)}; median "
        f"error at T = {longest}: {median(errors['lstm']):.4f} against {median(errors['rnn']):.4f} "
        f"(guessing {GUESS:.4f})"
    )
    if median(errors["lstm"]) >= median(errors["rnn"]):
        return Judgement(Verdict.FAILS, because)
    clear = max(errors["lstm"]) < SOLVED < min(errors["rnn"])
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for net, colour in zip(SIZES, ("C0", "C1"), strict=True):
        points = [(row["length"], row["mse"]) for row in rows if row["net"] == net]
        lengths = sorted({length for length, _ in points})
        medians = [median(error for at, error in points if at == length) for length in lengths]
        axes.plot(lengths, medians, color=colour, label=f"{net.upper()}, {SIZES[net]} units")
        axes.plot(*zip(*points, strict=True), "o", color=colour, alpha=0.4)
    axes.axhline(GUESS, color="grey", linestyle="--", label="guessing the mean")
    axes.set(xlabel="length of the sequence T", ylabel="mean squared error", yscale="log")
    axes.legend()

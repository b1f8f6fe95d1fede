"""reversed-source: does it help a net with a fixed context to read the source back to front?

Strings of ten symbols, 1 to 12 of them, are to be copied, by a sequence to sequence net that reads them as
they are or back to front; all else is equal, the strings too. Read back to front, the first symbols are near
their copies, and the net has something to hold on to when it begins to learn.

If short lags are the reason, then it must hurt where the target itself is reversed. That is measured next to
it. The verdict rests on the copies alone: but for the strings drawn, to reverse is the same problem mirrored.

Source: Sutskever, Vinyals & Le, "Sequence to sequence learning with neural networks", 1409.3215, section 3.3
(BLEU 25.9 and 30.6).
"""

from statistics import mean, median

import torch

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_strings import build, curve, new_strings, train

WAYS = ("back to front", "as it is")
TASKS = ("copy", "reverse")


def measure(
    seed: int, longest: int = 12, num_seeds: int = 3, num_steps: int = 1000, count: int = 200
) -> Rows:
    rows: Rows = []
    for task in TASKS:
        for way in WAYS:
            for run in range(seed, seed + num_seeds):
                torch.manual_seed(run)
                sizes = {"hidden_size": 64, "embed_dim": 32, "num_layers": 1}
                model = build("seq2seq", longest, **sizes, reverse_source=way == WAYS[0])
                train(model, new_strings(longest, task, run), num_steps, 5e-3)
                for length, right in curve(model, task, range(1, longest + 1), count, run).items():
                    rows.append({"task": task, "source": way, "seed": run, "length": length, "right": right})
    return rows


def means(rows: Rows, task: str, way: str) -> list[float]:
    """The share of each seed, a mean over the lengths."""
    mine = [row for row in rows if (row["task"], row["source"]) == (task, way)]
    seeds = sorted({row["seed"] for row in mine})
    return [mean(row["right"] for row in mine if row["seed"] == seed) for seed in seeds]


def effect(gains: list[float]) -> str:
    """What it did, seed by seed."""
    if min(gains) > 0:
        return "helps with every seed"
    return "hurts with every seed" if max(gains) < 0 else "does not do the same with every seed"


def judge(rows: Rows) -> Judgement:
    gains, phrases = {}, []
    for task in TASKS:
        turned, plain = (means(rows, task, way) for way in WAYS)
        gains[task] = [x - y for x, y in zip(turned, plain, strict=True)]
        shown = (", ".join(f"{value:.3f}" for value in values) for values in (turned, plain))
        phrases.append(f"to {task}, {' against '.join(shown)}: it {effect(gains[task])}")
    because = (
        "symbols at their position, seed by seed, where the source is read back to front against as it is: "
        + "; ".join(phrases)
    )
    if median(gains["copy"]) <= 0:
        return Judgement(Verdict.FAILS, because)
    return Judgement(Verdict.HOLDS if min(gains["copy"]) > 0 else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for task, colour in zip(TASKS, ("C0", "C1"), strict=True):
        for way, line in zip(WAYS, ("-", "--"), strict=True):
            mine = [row for row in rows if (row["task"], row["source"]) == (task, way)]
            lengths = sorted({row["length"] for row in mine})
            middle = [median(row["right"] for row in mine if row["length"] == length) for length in lengths]
            axes.plot(lengths, middle, line, color=colour, label=f"to {task}, read {way}")
    axes.set(xlabel="symbols of the string", ylabel="share at its position", ylim=(0, 1.05))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(title="medians of the seeds")

"""fixed-context-length: does a fixed context fail on long inputs where attention does not?

Strings of ten symbols, 1 to 15 of them, are to be copied. Two nets squeeze what they read into a vector: the
RNN encoder-decoder, and sequence to sequence, which reads back to front. RNNsearch keeps every position and
looks it up. All have about as many parameters and the same number of steps, over strings that are new each
time, and generate by greedy search. Counted is the share of the symbols at their right position, for strings
of each length; also for some that are longer than any in training, on which no verdict rests.

A vector of these sizes has room for fifteen symbols: with many times the steps the fixed contexts would come
further. What is measured is what a net has learnt by the time that attention has learnt it all.

Source: Cho et al., "On the properties of neural machine translation", 1409.1259, figure 4; Bahdanau, Cho &
Bengio, 1409.0473, figure 2 (there BLEU over the length of sentences).
"""

from statistics import mean, median
from typing import Any

import torch

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_strings import build, curve, new_strings, num_parameters, train

FIXED, ATTENTION = ("RNN encoder-decoder", "sequence to sequence"), "RNNsearch"
NETS: dict[str, tuple[str, dict[str, Any]]] = {
    FIXED[0]: ("rnn-encoder-decoder", {"hidden_size": 64, "embed_dim": 32}),
    FIXED[1]: ("seq2seq", {"hidden_size": 77, "embed_dim": 32, "num_layers": 1}),
    ATTENTION: ("rnnsearch", {"hidden_size": 49, "embed_dim": 32}),
}
FALLS, STAYS = 0.1, 0.02


def measure(
    seed: int, longest: int = 15, beyond: int = 5, num_seeds: int = 3, num_steps: int = 1000, count: int = 200
) -> Rows:
    rows: Rows = []
    for net, (name, sizes) in NETS.items():
        for run in range(seed, seed + num_seeds):
            torch.manual_seed(run)
            model = build(name, longest, **sizes)
            train(model, new_strings(longest, "copy", run), num_steps, 5e-3)
            for length, right in curve(model, "copy", range(1, longest + beyond + 1), count, run).items():
                seen = {"parameters": num_parameters(model), "trained": length <= longest}
                rows.append({"net": net, "seed": run, "length": length, "right": right, **seen})
    return rows


def ends(rows: Rows, net: str) -> list[tuple[float, float]]:
    """Of each seed: the mean share over the shortest third of the lengths in training, and the longest."""
    longest = max(row["length"] for row in rows if row["trained"])
    mine = [row for row in rows if row["net"] == net and row["trained"]]
    return [
        (
            mean(row["right"] for row in mine if row["seed"] == seed and row["length"] <= longest / 3),
            mean(row["right"] for row in mine if row["seed"] == seed and row["length"] > 2 * longest / 3),
        )
        for seed in sorted({row["seed"] for row in mine})
    ]


def judge(rows: Rows) -> Judgement:
    longest = max(row["length"] for row in rows if row["trained"])
    last = max(row["length"] for row in rows)
    falls, phrases = {}, []
    for net in NETS:
        parts = ends(rows, net)
        falls[net] = [short - long for short, long in parts]
        parameters = next(row["parameters"] for row in rows if row["net"] == net)
        beyond = median(row["right"] for row in rows if row["net"] == net and row["length"] == last)
        phrases.append(
            f"{net} ({parameters:,} parameters) {', '.join(f'{a:.3f} -> {b:.3f}' for a, b in parts)}"
            f", and {beyond:.3f} (median) at length {last}"
        )
    because = (
        f"symbols at their position, at the shortest third of the lengths up to {longest} -> at the longest "
        f"third, seed by seed: {'; '.join(phrases)}"
    )
    fixed = [falls[net] for net in FIXED]
    if min(median(fall) for fall in fixed) <= median(falls[ATTENTION]):
        return Judgement(Verdict.FAILS, because)
    learnt = min(short for net in NETS for short, _ in ends(rows, net)) >= 1 - FALLS
    clear = learnt and min(map(min, fixed)) >= FALLS and max(falls[ATTENTION]) <= STAYS
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for net, colour in zip(NETS, ("C0", "C2", "C1"), strict=True):
        mine = [row for row in rows if row["net"] == net]
        axes.plot(
            [row["length"] for row in mine], [row["right"] for row in mine], ".", color=colour, alpha=0.4
        )
        lengths = sorted({row["length"] for row in mine})
        middle = [median(row["right"] for row in mine if row["length"] == length) for length in lengths]
        axes.plot(lengths, middle, color=colour, label=net)
    edge = max(row["length"] for row in rows if row["trained"])
    axes.axvline(edge + 0.5, color="grey", linestyle="--", label="longest in training")
    axes.set(xlabel="symbols of the string", ylabel="share at its position", ylim=(0, 1.05))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(title="medians of the seeds")

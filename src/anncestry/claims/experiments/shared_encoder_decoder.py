"""shared-encoder-decoder: may one LSTM be encoder and decoder, at little cost?

Strings of ten symbols, 1 to 12 of them, are to be copied by sequence to sequence nets that read back to
front: with one LSTM as encoder and another as decoder, with a single one as wide, and with a single one so
wide that the net has as many parameters as with two. Source and target have embeddings of
their own in all of them, from which a shared LSTM knows which of the two it is doing.

Source: Dai & Le, "Semi-supervised sequence learning", 1511.01432, section 2 (a sequence autoencoder has one
LSTM for both); Sutskever, Vinyals & Le, 1409.3215, section 2 (two of them, at little cost in time).
"""

from statistics import mean, median

import torch

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_strings import build, curve, new_strings, num_parameters, train

TWO, ONE, WIDE = "two LSTMs", "one, as wide", "one, with as many parameters"
NETS = {TWO: (64, False), ONE: (64, True), WIDE: (96, True)}  # units, shared
WITHIN = 0.02  # the share of the symbols that sharing may cost


def measure(
    seed: int, longest: int = 12, num_seeds: int = 3, num_steps: int = 1000, count: int = 200
) -> Rows:
    rows: Rows = []
    for net, (units, shared) in NETS.items():
        for run in range(seed, seed + num_seeds):
            torch.manual_seed(run)
            sizes = {"hidden_size": units, "embed_dim": 32, "num_layers": 1}
            model = build("seq2seq", longest, **sizes, share_weights=shared)
            train(model, new_strings(longest, "copy", run), num_steps, 5e-3)
            right = mean(curve(model, "copy", range(1, longest + 1), count, run).values())
            parameters = num_parameters(model)
            rows.append({"net": net, "units": units, "parameters": parameters, "seed": run, "right": right})
    return rows


def judge(rows: Rows) -> Judgement:
    right = {net: [row["right"] for row in rows if row["net"] == net] for net in NETS}
    phrases = []
    for net in NETS:
        made = next(row for row in rows if row["net"] == net)
        values = ", ".join(f"{value:.3f}" for value in right[net])
        phrases.append(f"{net} ({made['units']} units, {made['parameters']:,} parameters) {values}")
    # Nets of the same seed differ in their weights: the medians are compared, and the worst with the worst.
    cost = {net: median(right[TWO]) - median(right[net]) for net in (ONE, WIDE)}
    worst = {net: min(right[TWO]) - min(right[net]) for net in (ONE, WIDE)}
    because = (
        f"symbols at their position, seed by seed: {'; '.join(phrases)}; sharing costs {cost[ONE]:+.3f} "
        "at the "
        f"same width and {cost[WIDE]:+.3f} with as many parameters (of the medians)"
    )
    if min(cost.values()) > WITHIN:
        return Judgement(Verdict.FAILS, because)
    free = all(max(cost[net], worst[net]) <= WITHIN for net in NETS if net != TWO)
    return Judgement(Verdict.HOLDS if free else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for net in NETS:
        mine = [row for row in rows if row["net"] == net]
        points = [(row["parameters"] / 1000, row["right"]) for row in mine]
        axes.plot(*zip(*points, strict=True), "o", alpha=0.6, label=f"{net}: {mine[0]['units']} units")
    axes.set(xlabel="thousand parameters", ylabel="share of the symbols at their position")
    axes.legend()

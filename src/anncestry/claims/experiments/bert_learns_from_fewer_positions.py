"""bert-learns-from-fewer-positions: does a loss at 15 % of the positions make BERT slower at first?

First, by differentiation: at how many positions of a text the vector of the last layer gets a gradient.

Second, by training: a BERT and a GPT of one size read the same windows of Python's documentation, character
by character, in as many steps. Their tasks differ, so their losses cannot be compared as they are: each is
measured on held-out windows as a share of the loss of whoever knows nothing but how often each character
occurs, on the very characters that it is asked for. That is the same text for both, but BERT has the easier
question where it has learnt to use the words on both sides; which of them is lower at last says which
question is easier as much as who learns better. Who is slower is measured by the steps down to a level: 0.8,
about what the character before is worth.

Two things could make BERT slow, the few positions and the harder start of a net that first must find where
its neighbours stand. So a third net is run, a GPT whose loss counts 15 % of its positions, drawn anew in each
step.

Source: Devlin et al., 1810.04805, section 3.1 and appendix C.1.
"""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_language import (
    bert_masking,
    cross_entropy,
    documentation,
    error_at,
    masked,
    training,
    windows,
)
from anncestry.models.create import create
from anncestry.protocols import IGNORED

NETS = ("BERT", "GPT", "GPT, 15 %")
LEVEL = 0.8  # of the loss of whoever knows the frequencies alone
SHARE = 0.15
BATCH = 16
LEARNING_RATE = 2e-3


def build(net: str, num_words: int, length: int, width: int, num_layers: int, seed: int) -> Any:
    """A new net without dropout; BERT has one token more, the mask."""
    torch.manual_seed(seed)
    V = num_words + (net == "BERT")
    sizes: dict[str, Any] = {"hidden_size": width, "num_layers": num_layers, "num_heads": 4}
    sizes |= {"input_size": V, "output_size": V, "num_positions": length, "seq_len": length}
    still: dict[str, Any] = {"dropout": 0.0, "attention_dropout": 0.0}
    if net == "BERT":
        return create("bert", activation="gelu-tanh", norm_eps=1e-5, **sizes, **still)
    return create("gpt", embedding_dropout=0.0, **sizes, **still)


def question(
    net: str, read: Int[Tensor, "B T1"], num_words: int, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """``(inputs, targets)`` of windows with one character more than is read."""
    if net == "BERT":
        return masked(read[:, :-1], bert_masking(num_words), random)
    targets = read[:, 1:]
    if net == "GPT":
        return read[:, :-1], targets
    _, drawn = masked(targets, bert_masking(num_words), random)
    return read[:, :-1], drawn


def logits(net: str, model: Any, inputs: Tensor, targets: Tensor) -> Float[Tensor, "*B V"]:
    return model(inputs, targets=targets) if net == "BERT" else model.logits(model.read(inputs))


def loss(net: str, model: Any, asked: tuple[Tensor, Tensor]) -> Tensor:
    return cross_entropy(logits(net, model, *asked), asked[1])


def measure(
    seed: int,
    num_seeds: int = 2,
    num_steps: int = 600,
    every: int = 40,
    length: int = 64,
    width: int = 64,
    num_layers: int = 2,
    count: int = 64,
) -> Rows:
    text, V = documentation()
    known, unseen = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
    frequent = torch.bincount(known, minlength=V).double()
    chances = ((frequent + 1) / (frequent + 1).sum()).log()
    rows: Rows = []
    for run in range(seed, seed + num_seeds):
        held_out = windows(unseen, count, length + 1, torch.Generator().manual_seed(1000 + run))
        for net in NETS:
            model = build(net, V, length, width, num_layers, run)
            drawn = torch.Generator().manual_seed(2000 + run)
            checked = question("GPT" if net != "BERT" else net, held_out, V, drawn)
            asked = checked[1][checked[1] != IGNORED]
            usual = -chances[asked].mean().item()
            trained = question(net, held_out, V, drawn)
            norms = error_at(model.blocks[-1], partial(loss, net, model, trained))
            reached, curve = {"positions": norms.numel(), "with_error": int((norms > 0).sum())}, []

            def losses(net: str = net, model: Any = model, run: int = run) -> Iterator[Tensor]:
                texts, hidden = (torch.Generator().manual_seed(kind + run) for kind in (3000, 4000))
                while True:  # the same windows for every net
                    yield loss(net, model, question(net, windows(known, BATCH, length + 1, texts), V, hidden))

            for step in training(model, losses(), num_steps, LEARNING_RATE):
                if step % every == 0 or step == num_steps:
                    with torch.no_grad():
                        curve.append([step, loss(net, model, checked).item() / usual])
            rows.append({"net": net, "seed": run, **reached, "usual": usual, "curve": curve})
    return rows


def steps_to(curve: list[list[float]], level: float) -> float | None:
    """After how many steps a curve falls to a level, on the line between two points; None if it does not."""
    for (before, high), (after, low) in pairwise(curve):
        if low <= level < high:
            return before + (after - before) * (high - level) / (high - low)
    return None


def overtakes(slow: list[list[float]], fast: list[list[float]]) -> float | None:
    """From which step on a curve stays below the other."""
    found = None
    for (step, mine), (_, other) in zip(slow, fast, strict=True):
        found = (found or step) if mine < other else None
    return found


def judge(rows: Rows) -> Judgement:
    by_net = {net: [row for row in rows if row["net"] == net] for net in NETS}
    last = rows[0]["curve"][-1][0]
    steps = {net: [steps_to(row["curve"], LEVEL) for row in mine] for net, mine in by_net.items()}
    share = {
        net: sum(r["with_error"] for r in mine) / sum(r["positions"] for r in mine)
        for net, mine in by_net.items()
    }
    phrases = []
    for net, mine in by_net.items():
        taken = ", ".join("more" if value is None else f"{value:.0f}" for value in steps[net])
        ends = ", ".join(f"{row['curve'][-1][1]:.3f}" for row in mine)
        phrases.append(
            f"{net} gets error at {share[net]:.1%} of its positions and takes {taken} steps, to {ends}"
        )
    crossed = [
        overtakes(mine["curve"], other["curve"])
        for mine, other in zip(by_net["BERT"], by_net["GPT"], strict=True)
    ]
    later = ", ".join("never" if step is None else f"from step {step:.0f} on" for step in crossed)
    because = (
        f"steps to {LEVEL} of the loss of whoever knows the frequencies alone, and what is left of it after "
        f"{last}, seed by seed: {'; '.join(phrases)}; BERT's share is the lower one: {later}"
    )
    taken = {
        net: [last + 1.0 if value is None else value for value in values] for net, values in steps.items()
    }
    few = abs(share["BERT"] - SHARE) < 0.02 and share["GPT"] == 1
    if not few or median(taken["BERT"]) <= median(taken["GPT"]):
        return Judgement(Verdict.FAILS, because)
    slower = all(
        mine > other
        for net in ("BERT", "GPT, 15 %")
        for mine, other in zip(taken[net], taken["GPT"], strict=True)
    )
    return Judgement(Verdict.HOLDS if slower and None not in steps["GPT"] else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for number, net in enumerate(NETS):
        for index, row in enumerate(row for row in rows if row["net"] == net):
            label = (
                f"{net} ({row['with_error'] / row['positions']:.0%} of the positions)" if index == 0 else None
            )
            axes.plot(*zip(*row["curve"], strict=True), color=f"C{number}", label=label, alpha=0.7)
    axes.axhline(LEVEL, color="0.8")
    axes.set(xlabel="steps", ylabel="held-out loss, as a share of that of the frequencies")
    axes.legend(title="a curve for each seed")

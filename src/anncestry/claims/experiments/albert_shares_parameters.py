"""albert-shares-parameters: do shared layers cut the parameters, and nothing of the computation?

A BERT and an ALBERT of one depth and width, with tables as wide as the layers in both, so that sharing is all
the difference. Counted, without weights: parameters, the products of a training step, those that must wait
for one another. Timed, and judged by nobody: a step of both in turn, by the processor's own clock.

The cost is measured by training: both predict masked tokens of a made-up language (each word has two tags, of
which the neighbours decide one) for as many steps. A net that uses no neighbour stays at the entropy of the
words' frequencies; what a net's loss is below that, on unseen sentences, is what it has gained from the
context, and ALBERT's gain is compared with BERT's.

Source: Lan et al., 1909.11942, sections 3.1 and 4.5 (table 4).
"""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import torch

from anncestry.arrays import Int, Tensor
from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_language import (
    NUM_WORDS,
    Language,
    bert_masking,
    cross_entropy,
    masked,
    training,
)
from anncestry.inspection.costs import costs
from anncestry.models.create import create

NETS = {"BERT": "bert", "ALBERT": "albert"}
LENGTH, BATCH, LEARNING_RATE = 20, 32, 2e-3
LITTLE = 0.1  # of what BERT has gained
LEARNT = 0.2  # nats


def build(net: str, width: int, num_layers: int, seed: int) -> Any:
    """A new net without dropout, with one token more, the mask."""
    torch.manual_seed(seed)
    V = NUM_WORDS + 1
    sizes: dict[str, Any] = {"hidden_size": width, "num_layers": num_layers, "num_heads": 4, "dropout": 0.0}
    sizes |= {"input_size": V, "output_size": V, "num_positions": LENGTH, "seq_len": LENGTH}
    same: dict[str, Any] = {
        "embed_dim": width,
        "activation": "gelu-tanh",
        "norm_eps": 1e-5,
        "attention_dropout": 0.0,
    }
    return create(NETS[net], **sizes, **same)


def questions(language: Language, random: torch.Generator, count: int = BATCH) -> Iterator[tuple]:
    """``(inputs, targets)`` of new sentences, without end."""
    masking = bert_masking(NUM_WORDS)
    while True:
        yield masked(language.sentences(count, LENGTH, random)[0], masking, random)


def loss(model: Any, asked: tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]) -> Tensor:
    return cross_entropy(model(asked[0], targets=asked[1]), asked[1])


def seconds(models: dict[str, Any], repeats: int) -> dict[str, float]:
    """The median of a forward and a backward pass, the nets in turn."""
    asked = next(questions(Language.of(0), torch.Generator().manual_seed(0)))
    found: dict[str, list[float]] = {net: [] for net in models}
    for _ in range(repeats + 2):  # the first two warm up
        for net, model in models.items():
            started = time.process_time()
            loss(model, asked).backward()
            found[net].append(time.process_time() - started)
    return {net: median(values[2:]) for net, values in found.items()}


def measure(
    seed: int,
    num_seeds: int = 2,
    num_steps: int = 400,
    every: int = 40,
    width: int = 64,
    num_layers: int = 4,
    count: int = 400,
    repeats: int = 20,
) -> Rows:
    rows: Rows = []
    counted = {net: costs(build(net, width, num_layers, seed), batch_size=BATCH) for net in NETS}
    timed: dict[str, float] = {}
    if repeats:
        timed = seconds({net: build(net, width, num_layers, seed) for net in NETS}, repeats)
    for run in range(seed, seed + num_seeds):
        language = Language.of(run)
        unseen = next(questions(language, torch.Generator().manual_seed(1000 + run), count))
        frequent = language.emissions.mean(0).log()  # tags are equally likely
        asked = unseen[1][unseen[1] >= 0]
        alone = -frequent[asked].mean().item()
        for net in NETS:
            model, curve = build(net, width, num_layers, run), []
            batches = questions(language, torch.Generator().manual_seed(2000 + run))
            losses = (loss(model, batch) for batch in batches)
            for step in training(model, losses, num_steps, LEARNING_RATE):
                if step % every == 0 or step == num_steps:
                    with torch.no_grad():
                        curve.append([step, loss(model, unseen).item()])
            cost = counted[net]
            row: dict[str, Any] = {"net": net, "seed": run, "layers": num_layers, "alone": alone}
            row |= {"parameters": cost.parameters, "flops": cost.training_flops, "curve": curve}
            row |= {"sequential_steps": cost.sequential_steps, "seconds": timed.get(net)}
            rows.append(row)
    return rows


def judge(rows: Rows) -> Judgement:
    bert, albert = ([row for row in rows if row["net"] == net] for net in NETS)
    one, other = bert[0], albert[0]
    gains = [[row["alone"] - row["curve"][-1][1] for row in mine] for mine in (bert, albert)]
    kept = [mine / full if full > 0 else 0.0 for full, mine in zip(*gains, strict=True)]
    ends = [", ".join(f"{row['curve'][-1][1]:.3f}" for row in mine) for mine in (bert, albert)]
    timed = ""
    if one["seconds"]:
        ratio = other["seconds"] / one["seconds"]
        timed = f", and {ratio:.2f} times its processor time for the two passes of a step"
    because = (
        f"{one['layers']} layers: ALBERT has {other['parameters']:,} parameters for BERT's "
        f"{one['parameters']:,}, and takes {other['flops']:,} FLOPs a step for BERT's {one['flops']:,}, "
        f"{other['sequential_steps']} products in sequence for {one['sequential_steps']}{timed}; loss after "
        f"{one['curve'][-1][0]} steps, seed by seed: BERT {ends[0]}, ALBERT {ends[1]}, which is "
        f"{', '.join(f'{share:.0%}' for share in kept)} of what BERT gains from the context"
    )
    fewer = other["parameters"] < one["parameters"]
    equal = all(one[of] == other[of] for of in ("flops", "sequential_steps"))
    learnt = min(gains[0]) >= LEARNT
    if not fewer or not equal or (learnt and median(kept) < 1 - LITTLE):
        return Judgement(Verdict.FAILS, because)
    clear = learnt and min(kept) >= 1 - LITTLE
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for number, net in enumerate(NETS):
        for index, row in enumerate(row for row in rows if row["net"] == net):
            label = f"{net}: {row['parameters']:,} parameters" if index == 0 else None
            axes.plot(*zip(*row["curve"], strict=True), color=f"C{number}", label=label, alpha=0.7)
    axes.axhline(rows[0]["alone"], color="0.6", linestyle=":", label="the words' frequencies alone")
    axes.set(xlabel="steps", ylabel="loss of masked tokens in unseen sentences (nats)")
    axes.legend(title="a curve for each seed")

"""electra-learns-from-all: does ELECTRA learn from every token, and more in as many steps?

First, by differentiation: at how many positions of a text the last layer's vector gets a gradient of the
loss; of ELECTRA, that is the discriminator's.

Second, by training on sentences of a made-up language, in which each word can have two tags and the
neighbours decide which. On the way each net's encoder is left as it is and reads 40 sentences with their
tags; a linear map is fitted to its last layer's vectors and tags unseen ones. Training uses no tag; what is
measured is what the vectors hold. Besides BERT and ELECTRA a third net is trained, the paper's control: an
ELECTRA whose discriminator's loss counts the 15 % of masked tokens alone. Nothing else differs.

Steps are equal and computation is not: ELECTRA runs its generator too. Its products are reported.

Where no net predicts more tags than the words alone do, none has learnt to use the context, and nothing is
decided. So it was in a first look, with one seed also after 1,000 steps.

Source: Clark et al., 2003.10555, sections 2 and 3.4 (table 5).
"""

from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from anncestry.arrays import Int, Tensor
from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_language import (
    NUM_WORDS,
    Language,
    bert_masking,
    error_at,
    masked,
    probe,
    training,
)
from anncestry.models.create import create
from anncestry.objectives.masked import MaskedLanguageModel
from anncestry.protocols import IGNORED

NETS = ("BERT", "ELECTRA", "ELECTRA, 15 %")
LENGTH, BATCH, LEARNING_RATE = 20, 32, 2e-3
SHARE = 0.15
AHEAD = 0.01  # of the tags


def build(net: str, width: int, num_layers: int, seed: int) -> Any:
    """A new net without dropout, with one token more, the mask."""
    torch.manual_seed(seed)
    V = NUM_WORDS + 1
    sizes: dict[str, Any] = {"hidden_size": width, "num_layers": num_layers, "num_heads": 4, "dropout": 0.0}
    sizes |= {"input_size": V, "output_size": V, "num_positions": LENGTH, "seq_len": LENGTH}
    name = "bert" if net == "BERT" else "electra"
    more: dict[str, Any] = {} if net == "BERT" else {"generator_divisor": 2}
    return create(name, attention_dropout=0.0, norm_eps=1e-5, **sizes, **more)


def loss(net: str, model: Any, asked: tuple[Tensor, Tensor]) -> Tensor:
    """Mean over the masked tokens, with 50 times the discriminator's mean over its targets."""
    inputs, targets = asked
    outputs, objective = model(inputs, targets=targets), MaskedLanguageModel(NUM_WORDS + 1)
    if net == "ELECTRA, 15 %":  # minus infinity is asked for nowhere
        outputs = outputs._replace(replaced=outputs.replaced.masked_fill(targets == IGNORED, -torch.inf))
    return objective.loss(outputs, targets) / objective.count(targets)


def share_right(
    model: Any,
    shown: tuple[Int[Tensor, "N T"], Int[Tensor, "N T"]],
    unseen: tuple[Int[Tensor, "M T"], Int[Tensor, "M T"]],
) -> float:
    """The share of tags that a linear map predicts, which was fitted on the first sentences."""
    with torch.no_grad():
        features, asked = (model.encode(words).flatten(0, 1) for words in (shown[0], unseen[0]))
    predicted = probe(features, shown[1].flatten(), asked)
    return (predicted == unseen[1].flatten()).double().mean().item()


def measure(
    seed: int,
    num_seeds: int = 2,
    num_steps: int = 400,
    every: int = 40,
    width: int = 64,
    num_layers: int = 2,
    shown: int = 40,
    count: int = 200,
) -> Rows:
    rows: Rows = []
    masking = bert_masking(NUM_WORDS)
    for run in range(seed, seed + num_seeds):
        language, random = Language.of(run), torch.Generator().manual_seed(1000 + run)
        labelled, unseen = (language.sentences(size, LENGTH, random) for size in (shown, count))
        best = {
            kind: (language.best_guess(unseen[0], kind == "word") == unseen[1]).double().mean().item()
            for kind in ("word", "sentence")
        }
        for net in NETS:
            model = build(net, width, num_layers, run)
            texts, hidden = (torch.Generator().manual_seed(kind + run) for kind in (2000, 3000))

            def asked(
                language: Language = language,
                texts: torch.Generator = texts,
                hidden: torch.Generator = hidden,
            ) -> tuple[Tensor, Tensor]:
                return masked(language.sentences(BATCH, LENGTH, texts)[0], masking, hidden)

            def losses(net: str = net, model: Any = model, asked: Any = asked) -> Iterator[Tensor]:
                while True:
                    yield loss(net, model, asked())

            first = asked()
            with FlopCounterMode(display=False) as products:
                norms = error_at(model.blocks[-1], partial(loss, net, model, first))
            row: dict[str, Any] = {"net": net, "seed": run, "best": best, "curve": []}
            row |= {"positions": norms.numel(), "with_error": int((norms > 0).sum())}
            row["flops"] = products.get_total_flops()
            for step in training(model, losses(), num_steps, LEARNING_RATE):
                if step % every == 0 or step == num_steps:
                    row["curve"].append([step, share_right(model, labelled, unseen)])
            rows.append(row)
    return rows


def judge(rows: Rows) -> Judgement:
    by_net = {net: [row for row in rows if row["net"] == net] for net in NETS}
    share = {
        net: sum(r["with_error"] for r in of) / sum(r["positions"] for r in of) for net, of in by_net.items()
    }
    ends = {net: [row["curve"][-1][1] for row in of] for net, of in by_net.items()}
    phrases = [
        f"{net} gets error at {share[net]:.1%} of its positions, then "
        f"{', '.join(f'{v:.3f}' for v in ends[net])}"
        for net in NETS
    ]
    best = {kind: median(row["best"][kind] for row in rows) for kind in ("word", "sentence")}
    more = by_net["ELECTRA"][0]["flops"] / by_net["BERT"][0]["flops"]
    because = (
        f"tags that are right after {rows[0]['curve'][-1][0]} steps, seed by seed: {'; '.join(phrases)} "
        "(from "
        f"the word alone {best['word']:.3f} at best, from the sentence {best['sentence']:.3f}); a step of "
        f"ELECTRA takes {more:.2f} times BERT's products"
    )
    exact = share["ELECTRA"] == 1 and abs(share["BERT"] - SHARE) < 0.03
    learnt = max(map(median, ends.values())) > best["word"]  # else no net has learnt to use the context
    if not exact or (learnt and median(ends["ELECTRA"]) <= median(ends["BERT"])):
        return Judgement(Verdict.FAILS, because)
    ahead = all(
        mine > other + AHEAD
        for net in NETS
        if net != "ELECTRA"
        for mine, other in zip(ends["ELECTRA"], ends[net], strict=True)
    )
    return Judgement(Verdict.HOLDS if learnt and ahead else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for number, net in enumerate(NETS):
        for index, row in enumerate(row for row in rows if row["net"] == net):
            label = (
                f"{net} ({row['with_error'] / row['positions']:.0%} of the positions)" if index == 0 else None
            )
            axes.plot(*zip(*row["curve"], strict=True), color=f"C{number}", label=label, alpha=0.7)
    for kind, style in (("word", ":"), ("sentence", "--")):
        best = median(row["best"][kind] for row in rows)
        axes.axhline(best, color="0.6", linestyle=style, label=f"at best, from the {kind}")
    axes.set(xlabel="steps", ylabel="tags that a linear map of the vectors predicts")
    axes.legend(title="a curve for each seed")

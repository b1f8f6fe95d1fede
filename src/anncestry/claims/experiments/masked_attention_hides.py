"""masked-attention-hides: does the mask hide future tokens, and is a decoder without it useless?

First, by differentiation: in an untrained Transformer's decoder no logit may depend on a target token
behind the one it has read. With the mask each such gradient must be 0, not merely small; as a control the
same weights run without the mask, where the gradients must be there.

Second, by training: strings are to be reversed, by a decoder with the mask and by one without. The one
without reads in training, one position further, the very symbol it is to predict. Its loss falls to almost
nothing; but in generation, one symbol after the other, there is no further position to read.

Source: Vaswani et al., 1706.03762, section 3.2.3.
"""

import math
from statistics import mean, median
from typing import Any

import torch

from anncestry.arrays import Float, Tensor
from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_strings import share_right, strings, strings_of, train, transformer
from anncestry.layers.attention.attention import SelfAttention
from anncestry.models.transformer import Transformer

DECODERS = ("with the mask", "without")
LITTLE = 0.1  # nats
RIGHT, USELESS = 0.95, 0.5  # of the symbols at their position


class Unmasked(SelfAttention):
    """Self-attention that reads what it should not."""

    def forward(self, x, visible=None, causal=False, cache=None, layer=0):
        return super().forward(x, visible, False, cache, layer)


def take_mask_away(model) -> None:
    """The same weights, without the mask."""
    for block in model.decoder:
        old = block.attention
        block.attention = Unmasked(old.width, old.num_heads).to(old.qkv.weight)
        block.attention.load_state_dict(old.state_dict())


def gradients(model: Transformer, length: int, seed: int) -> Float[Tensor, "T T"]:
    """The largest |d logit / d embedding|: of the logits of step t (rows) by the word read at s (columns)."""
    batch = strings(1, length - 1, "reverse", torch.Generator().manual_seed(seed))
    read: list[Any] = []
    hook = model.embedding.register_forward_hook(lambda module, args, output: read.append(output))
    logits = model(batch.inputs, batch.targets)[0]  # (T, V)
    hook.remove()
    found = torch.zeros(length, length)
    for t in range(length):
        for logit in logits[t]:
            (gradient,) = torch.autograd.grad(logit, read[-1], retain_graph=True)
            found[t] = torch.maximum(found[t], gradient[0].abs().amax(1))
    return found


def measure(seed: int, num_seeds: int = 2, length: int = 6, num_steps: int = 500, count: int = 200) -> Rows:
    rows: Rows = []
    for decoder in DECODERS:
        for run in range(seed, seed + num_seeds):
            model = transformer(length, run)
            if decoder == "without":
                take_mask_away(model)
            found = gradients(model, length + 1, run)
            later = found[torch.ones_like(found).triu(1).bool()]
            losses = train(model, strings_of(length, "reverse", run), num_steps, 5e-3)
            unseen = strings(count, length, "reverse", torch.Generator().manual_seed(1000 + run))
            row = {"decoder": decoder, "seed": run, "steps": num_steps, "pairs": len(later)}
            row |= {"hidden": int((later == 0).sum()), "largest": later.max().item()}
            row |= {"losses": [mean(losses[at : at + 10]) for at in range(0, num_steps, 10)]}
            rows.append({**row, "right": share_right(model, unseen)})
    return rows


def judge(rows: Rows) -> Judgement:
    masked, without = ([row for row in rows if row["decoder"] == decoder] for decoder in DECODERS)
    shown = [
        ", ".join(f"{row['losses'][-1]:.4f} -> {row['right']:.3f}" for row in mine)
        for mine in (masked, without)
    ]
    hidden, seen = sum(row["hidden"] for row in masked), sum(row["hidden"] for row in without)
    pairs = sum(row["pairs"] for row in masked)
    because = (
        f"of {pairs} pairs of a step and a later word the gradient is exactly 0 in {hidden} with the mask "
        f"and in {seen} without; training loss after {rows[0]['steps']} steps -> symbols that are then "
        f"generated at their position, seed by seed: with the mask {shown[0]}; without {shown[1]} (at "
        "chance the "
        f"loss is {math.log(10):.1f})"
    )
    generated = [row["right"] for row in without]
    if hidden < pairs or median(generated) >= median(row["right"] for row in masked):
        return Judgement(Verdict.FAILS, because)
    clear = (
        seen == 0
        and max(row["losses"][-1] for row in without) <= LITTLE
        and max(generated) <= USELESS
        and min(row["right"] for row in masked) >= RIGHT
    )
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for decoder, colour in zip(DECODERS, ("C0", "C1"), strict=True):
        mine = [row for row in rows if row["decoder"] == decoder]
        generated = median(row["right"] for row in mine)
        for number, row in enumerate(mine):
            steps = [10 * (index + 1) for index in range(len(row["losses"]))]
            label = f"{decoder}: generates {generated:.0%} right" if number == 0 else None
            axes.plot(steps, row["losses"], color=colour, label=label, alpha=0.7)
    axes.set(xlabel="steps", ylabel="training loss (nats, mean of 10 steps)", yscale="log")
    axes.legend(title="a curve for each seed")

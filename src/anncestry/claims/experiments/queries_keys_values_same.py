"""queries-keys-values-same: may queries, keys and values be one projection at little cost in accuracy?

Strings of ten symbols, 1 to 10 of them, are to be reversed by Transformers of two layers. In one all
attention has one matrix for queries, keys and values, where the usual one has three: its logits are those of
the same features on both sides. A third, narrower in its feed-forward nets, has three matrices and about as
many parameters as the one that shares. Counted is the share of the symbols of unseen strings at their
position, half-way and at the end of the training, for where all is learnt no difference is left.

The paper has three matrices throughout, and says of self-attention that all three come from the same place.

Source: Vaswani et al., 1706.03762, sections 3.2.2 and 3.2.3; Kitaev, Kaiser & Levskaya, "Reformer",
2001.04451, section 2, shares the matrices of queries and keys, and finds no cost.
"""

from statistics import mean, median

from torch import nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_strings import curve, new_strings, num_parameters, train, transformer
from anncestry.layers.attention.attention import Attention, CrossAttention, SelfAttention
from anncestry.layers.linear import Linear

USUAL, SAME, NARROW = "three matrices", "one matrix", "three matrices, narrower"
NETS = {USUAL: 128, SAME: 128, NARROW: 81}  # hidden units of the feed-forward nets
LITTLE, LEARNT = 0.02, 0.95


class ForAllThree(Linear):
    """One matrix makes queries, keys and values."""

    def forward(self, input, activation="none"):
        return super().forward(input, activation).repeat(1, 1, 3)


class SelfAttentionOfOne(SelfAttention):
    """Self-attention whose queries, keys and values are the same."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__(width, num_heads)
        self.qkv = ForAllThree(width, self.inner, bias=False)


class CrossAttentionOfOne(CrossAttention):
    """Cross-attention whose one matrix makes queries of one sequence, keys and values of the other."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__(width, num_heads)
        self.keys_values = self.query

    def look_up(self, memory):
        same = self.heads(self.query(memory)).contiguous()
        return same, same


def share_matrices(model: nn.Module) -> None:
    """Replace all attention by attention of one matrix."""
    for module in list(model.modules()):
        for name, part in list(module.named_children()):
            if isinstance(part, Attention):
                kind = SelfAttentionOfOne if isinstance(part, SelfAttention) else CrossAttentionOfOne
                made = kind(part.width, part.num_heads)
                made.out = part.out
                made.reset_parameters()
                setattr(module, name, made)


def measure(
    seed: int,
    longest: int = 10,
    num_seeds: int = 2,
    num_steps: tuple[int, ...] = (300, 1000),
    count: int = 100,
) -> Rows:
    rows: Rows = []
    for net, inner_size in NETS.items():
        for steps in num_steps:
            for run in range(seed, seed + num_seeds):
                model = transformer(longest, run, inner_size=inner_size)
                if net == SAME:
                    share_matrices(model)
                train(model, new_strings(longest, "reverse", run), steps, 5e-3)
                right = mean(curve(model, "reverse", range(1, longest + 1), count, run).values())
                seen = {"net": net, "steps": steps, "seed": run, "parameters": num_parameters(model)}
                rows.append({**seen, "right": right})
    return rows


def judge(rows: Rows) -> Judgement:
    last = max(row["steps"] for row in rows)
    right, phrases = {}, []
    for net in NETS:
        mine = [row for row in rows if row["net"] == net]
        right[net] = [row["right"] for row in mine if row["steps"] == last]
        shown = []
        for steps in sorted({row["steps"] for row in mine}):
            values = ", ".join(f"{row['right']:.3f}" for row in mine if row["steps"] == steps)
            shown.append(f"{values} after {steps} steps")
        phrases.append(f"{net} ({mine[0]['parameters']:,} parameters) {'; '.join(shown)}")
    because = f"symbols at their position, seed by seed: {' | '.join(phrases)}"
    costs = [usual - same for usual, same in zip(right[USUAL], right[SAME], strict=True)]
    if min(right[USUAL]) < LEARNT:
        return Judgement(Verdict.UNDECIDED, because)
    if median(costs) > LITTLE:
        return Judgement(Verdict.FAILS, because)
    return Judgement(Verdict.HOLDS if max(costs) <= LITTLE else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for net, colour in zip(NETS, ("C0", "C1", "C2"), strict=True):
        mine = [row for row in rows if row["net"] == net]
        axes.plot(
            [row["steps"] for row in mine], [row["right"] for row in mine], "o", color=colour, alpha=0.6
        )
        budgets = sorted({row["steps"] for row in mine})
        middle = [median(row["right"] for row in mine if row["steps"] == steps) for steps in budgets]
        axes.plot(budgets, middle, color=colour, label=net)
    axes.set(xlabel="steps of training", ylabel="share at its position", ylim=(0, 1.05))
    axes.legend(title="medians of the seeds")

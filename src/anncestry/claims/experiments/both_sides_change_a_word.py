"""both-sides-change-a-word: do the words to its right change a word's vector?

Nothing is trained: this is decided by the wiring. In an untrained BERT and an untrained GPT, in double
precision, for every pair of positions t and s, two things are measured: the norm of the derivative of the
last layer's vector at t by the embedding of the word at s, and how far that vector moves when another word
stands at s. To the right of t a GPT must have exactly 0 in both, and BERT in neither; to the left, as a
control, both nets must read every word.

Source: Devlin et al., 1810.04805, section 1 and figure 3.
"""

from statistics import mean
from typing import Any

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.models.create import create

NETS = {"BERT": "bert", "GPT": "gpt"}
WORDS = 50
SIDES = ("right", "left")


def build(net: str, length: int, width: int, num_layers: int, seed: int) -> Any:
    """An untrained net in double precision, without dropout."""
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"hidden_size": width, "num_layers": num_layers, "num_heads": 4}
    still: dict[str, Any] = {"dropout": 0.0, "attention_dropout": 0.0}
    if net == "GPT":
        still |= {"embedding_dropout": 0.0}
    lengths: dict[str, Any] = {"num_positions": length, "seq_len": length}
    return create(NETS[net], input_size=WORDS, output_size=WORDS, **sizes, **still, **lengths).double()


def vectors(net: str, model: Any, tokens: Int[Tensor, "1 T"]) -> Float[Tensor, "T D"]:
    """Of the last layer."""
    return (model.encode(tokens) if net == "BERT" else model.read(tokens))[0]


def gradients(net: str, model: Any, tokens: Int[Tensor, "1 T"]) -> Float[Tensor, "T T"]:
    """The norm of d x_t / d e_s: row t, column s."""
    read: list[Any] = []
    table = model.embeddings.words if net == "BERT" else model.embedding
    hook = table.register_forward_hook(lambda module, args, output: read.append(output))
    x = vectors(net, model, tokens)
    hook.remove()
    found = torch.zeros(len(x), len(x), dtype=x.dtype)
    for t in range(len(x)):
        for feature in x[t]:
            (gradient,) = torch.autograd.grad(feature, read[0], retain_graph=True)
            found[t] += gradient[0].square().sum(1)
    return found.sqrt()


def moves(net: str, model: Any, tokens: Int[Tensor, "1 T"]) -> Float[Tensor, "T T"]:
    """How far the vector at t moves (row) when another word stands at s (column).

    Each text is read by itself: in a batch the same sum may be rounded another way.
    """
    with torch.no_grad():
        x, columns = vectors(net, model, tokens), []
        for s in range(tokens.shape[1]):
            other = tokens.clone()
            other[0, s] = (other[0, s] + 1) % WORDS
            columns.append((vectors(net, model, other) - x).norm(dim=1))
    return torch.stack(columns, dim=1)


def measure(seed: int, num_seeds: int = 3, length: int = 12, width: int = 16, num_layers: int = 2) -> Rows:
    rows: Rows = []
    right = torch.ones(length, length).triu(1).bool()
    for net in NETS:
        for run in range(seed, seed + num_seeds):
            model = build(net, length, width, num_layers, run)
            tokens = torch.randint(WORDS, (1, length), generator=torch.Generator().manual_seed(run))
            slopes, moved = gradients(net, model, tokens), moves(net, model, tokens)
            for side, pairs in zip(SIDES, (right, right.T), strict=True):
                row: dict[str, Any] = {"net": net, "seed": run, "side": side, "pairs": int(pairs.sum())}
                row["still"] = int(((slopes == 0) & (moved == 0))[pairs].sum())
                row["seen"] = int(((slopes > 0) & (moved > 0))[pairs].sum())
                row["mean"] = slopes[pairs].mean().item()
                way = 1 if side == "right" else -1
                row["by_distance"] = [slopes.diagonal(way * n).mean().item() for n in range(1, length)]
                rows.append(row)
    return rows


def judge(rows: Rows) -> Judgement:
    def total(net: str, side: str, of: str) -> int:
        return sum(row[of] for row in rows if (row["net"], row["side"]) == (net, side))

    pairs = total("GPT", "right", "pairs")
    phrases = [
        f"{net}: {total(net, side, 'seen')} of {pairs} to its {side} ({total(net, side, 'still')} do not)"
        for net in NETS
        for side in SIDES
    ]
    strength = {
        net: mean(row["mean"] for row in rows if (row["net"], row["side"]) == (net, "right")) for net in NETS
    }
    because = (
        f"words that change a vector, by derivative and by replacing them by another: "
        f"{'; '.join(phrases)}; the mean derivative by a word to the right is {strength['BERT']:.2g} in BERT "
        f"and {strength['GPT']:g} in GPT"
    )
    if total("GPT", "right", "still") < pairs or total("BERT", "right", "still") == pairs:
        return Judgement(Verdict.FAILS, because)
    seen = [total("BERT", "right", "seen"), total("BERT", "left", "seen"), total("GPT", "left", "seen")]
    return Judgement(Verdict.HOLDS if min(seen) == pairs else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for net, style in zip(NETS, ("o-", "s:"), strict=True):
        points: dict[int, float] = {}
        for side, way in zip(SIDES, (1, -1), strict=True):
            curves = [row["by_distance"] for row in rows if (row["net"], row["side"]) == (net, side)]
            points |= {way * (n + 1): mean(values) for n, values in enumerate(zip(*curves, strict=True))}
        axes.plot(*zip(*sorted(points.items()), strict=True), style, label=net)
    axes.axvline(0, color="0.8")
    axes.set(
        xlabel="positions from the word to the one that it depends on", ylabel="mean norm of the derivative"
    )
    axes.legend()

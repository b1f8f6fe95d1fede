"""cls-feeds-the-classifier: does BERT's classification of a text pass through the vector of [CLS] alone?

Nothing is trained: this is decided by the wiring. In an untrained BERT with a classifier, in double
precision, the logits are differentiated by the vectors of every position, behind the embeddings and behind
each layer. Behind the last one every derivative but that of the first position, [CLS], must be exactly 0; and
when all other vectors there are replaced by noise the logits may not change by a bit. Behind the embeddings
every position must have a derivative: what the first vector holds was gathered from all words.

Source: Devlin et al., 1810.04805, section 3.2 and figure 4 b.
"""

from typing import Any

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.models.create import create

WORDS, CLASSES = 50, 3


def build(length: int, num_layers: int, seed: int) -> Any:
    """An untrained BERT with a classifier, in double precision, without dropout."""
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_layers": num_layers,
        "num_heads": 4,
        "num_positions": length,
    }
    still: dict[str, Any] = {"dropout": 0.0, "attention_dropout": 0.0}
    ends: dict[str, Any] = {"input_size": WORDS, "output_size": CLASSES, "seq_len": length}
    return create("bert", task="classification", **ends, **sizes, **still).double()


def slopes(model: Any, tokens: Int[Tensor, "1 T"]) -> Float[Tensor, "L T"]:
    """The norm of the logits' derivatives by each position's vector: row 0 behind the embeddings."""
    kept: list[Any] = []
    parts = [model.embeddings, *model.blocks]
    hooks = [part.register_forward_hook(lambda module, args, output: kept.append(output)) for part in parts]
    logits = model(tokens)[0]
    for hook in hooks:
        hook.remove()
    found = torch.zeros(len(kept), tokens.shape[1], dtype=logits.dtype)
    for logit in logits:
        for layer, gradient in enumerate(torch.autograd.grad(logit, kept, retain_graph=True)):
            found[layer] += gradient[0].square().sum(1)
    return found.sqrt()


def change_by_noise(model: Any, tokens: Int[Tensor, "1 T"], first: int) -> float:
    """The largest change of a logit when the last layer's vectors from position ``first`` on are noise."""

    def replaced(module: Any, args: Any, output: Tensor) -> Tensor:
        random = torch.Generator().manual_seed(0)
        noise = torch.randn(output[:, first:].shape, generator=random, dtype=output.dtype)
        return torch.cat([output[:, :first], noise], dim=1)

    with torch.no_grad():
        before = model(tokens)
        hook = model.blocks[-1].register_forward_hook(replaced)
        after = model(tokens)
        hook.remove()
    return (after - before).abs().max().item()


def measure(seed: int, num_seeds: int = 3, length: int = 16, num_layers: int = 3) -> Rows:
    rows: Rows = []
    for run in range(seed, seed + num_seeds):
        model = build(length, num_layers, run)
        tokens = torch.randint(WORDS, (1, length), generator=torch.Generator().manual_seed(run))
        noise = {"others": change_by_noise(model, tokens, 1), "all": change_by_noise(model, tokens, 0)}
        for layer, norms in enumerate(slopes(model, tokens).tolist()):
            rows.append({"seed": run, "layer": layer, "norms": norms, "noise": noise})
    return rows


def judge(rows: Rows) -> Judgement:
    last = max(row["layer"] for row in rows)
    others = {
        layer: [norm for row in rows if row["layer"] == layer for norm in row["norms"][1:]]
        for layer in range(last + 1)
    }
    first = [row["norms"][0] for row in rows if row["layer"] == last]
    seen = {layer: sum(norm > 0 for norm in norms) for layer, norms in others.items()}
    count = len(others[last])
    noise = {part: [row["noise"][part] for row in rows] for part in ("others", "all")}
    because = (
        f"of {count} positions besides [CLS] the logits depend on "
        f"{', '.join(str(seen[layer]) for layer in range(last + 1))}, behind the embeddings and behind each "
        f"layer; behind the last the derivative by [CLS] is {min(first):.2g} at least and by any other "
        f"{max(others[last]):g} at most; noise instead of all others there changes the logits by "
        f"{max(noise['others']):g}, and instead of [CLS] too by {min(noise['all']):.2g} or more"
    )
    if seen[last] or max(noise["others"]) > 0 or not seen[0]:
        return Judgement(Verdict.FAILS, because)
    clear = seen[0] == count and min(first) > 0 and min(noise["all"]) > 0
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    seed, last = rows[0]["seed"], max(row["layer"] for row in rows)
    for row in (row for row in rows if row["seed"] == seed):
        name = f"behind layer {row['layer']}" if row["layer"] else "behind the embeddings"
        axes.plot(row["norms"], "o-" if row["layer"] == last else ".:", label=name)
    axes.set(xlabel="position of the vector (0: [CLS])", ylabel="norm of the logits' derivative by it")
    axes.set_yscale("symlog", linthresh=1e-4)
    axes.legend()

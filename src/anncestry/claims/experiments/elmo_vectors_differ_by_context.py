"""elmo-vectors-differ-by-context: does ELMo give one word form another vector in another text?

Three words of Python's documentation stand each in many texts there. The words to the left of each, or those
to its right, are exchanged for those of another text, and the word's vectors before and after are compared,
layer by layer: their distance through the length of the longer one. Nothing is trained, as the wiring decides
it; double precision.

The layer of tokens reads a word's characters alone: there nothing may change. Above it the forward half must
follow the words to the left and no others, and the backward half those to the right. So that a difference has
a measure, two *different* words are also compared that stand in one and the same text.

Source: Peters et al., 1802.05365, sections 3.1, 3.2 and table 4.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import mean
from typing import Any

import torch

from anncestry.arrays import Float, Tensor
from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.data.splits.character_encoding import encode_characters
from anncestry.models.create import create

SIDES, HALVES = ("left", "right"), ("forward", "backward")
READS = {"forward": "left", "backward": "right"}
NUM_CHARS, WIDTH = 16, 16
ROUNDING, VISIBLE = 1e-9, 1e-3
Text = tuple[list[str], list[str]]


def texts_around(word: str, count: int, reach: int, random: torch.Generator) -> list[Text]:
    """Some of the positions of a word in the documentation: so many words to its left, and to its right."""
    from pydoc_data.topics import topics

    found: list[Text] = []
    for topic in sorted(topics):
        words = topics[topic].split()
        positions = range(reach, len(words) - reach)
        found += [
            (words[at - reach : at], words[at + 1 : at + 1 + reach]) for at in positions if words[at] == word
        ]
    order = torch.randperm(len(found), generator=random)[:count]
    return [found[index] for index in order.tolist()]


def build(num_layers: int, seed: int) -> Any:
    """An untrained ELMo that hands out all layers, in double precision."""
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "hidden_size": 4 * WIDTH,
        "proj_size": WIDTH,
        "num_layers": num_layers,
        "num_chars": NUM_CHARS,
    }
    filters: dict[str, Any] = {"filter_widths": (1, 2, 3), "filter_counts": (8, 16, 32)}
    return create("elmo", task="embedding", **sizes, **filters).double().eval()


def vectors(model: Any, word: str, texts: Sequence[Text]) -> Float[Tensor, "L N 2 D"]:
    """Of the word in each text, by layer and half."""
    inputs, _ = encode_characters([[*left, word, *right] for left, right in texts], NUM_CHARS)
    with torch.no_grad():
        layers, _ = model.layer_representations(inputs)
    return torch.stack([layer[:, len(texts[0][0])].unflatten(1, (2, -1)) for layer in layers])


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Through the length of the longer one."""
    return (a - b).norm(dim=-1) / torch.maximum(a.norm(dim=-1), b.norm(dim=-1))


def measure(
    seed: int,
    words: Sequence[str] = ("class", "object", "value"),
    count: int = 20,
    reach: int = 6,
    num_layers: int = 2,
) -> Rows:
    rows: Rows = []
    random, model = torch.Generator().manual_seed(seed), build(num_layers, seed)
    for word in words:
        texts = texts_around(word, count, reach, random)
        pairs = list(pairwise(texts))
        other = words[(words.index(word) + 1) % len(words)]
        usual = vectors(model, word, texts)
        forms = distance(usual, vectors(model, other, texts)).mean(1)  # (L, 2)
        for side in SIDES:
            changed = [(b[0], a[1]) if side == "left" else (a[0], b[1]) for a, b in pairs]
            apart = distance(usual[:, :-1], vectors(model, word, changed))  # (L, N, 2)
            for layer in range(num_layers + 1):
                for number, half in enumerate(HALVES):
                    values = apart[layer, :, number]
                    row = {"word": word, "layer": layer, "half": half, "changed": side, "texts": len(values)}
                    row |= {"smallest": values.min().item(), "largest": values.max().item()}
                    row |= {"mean": values.mean().item(), "forms": forms[layer, number].item()}
                    rows.append(row)
    return rows


def judge(rows: Rows) -> Judgement:
    tokens = [row for row in rows if row["layer"] == 0]
    above = [row for row in rows if row["layer"] > 0]
    reads = [row for row in above if READS[row["half"]] == row["changed"]]
    deaf = [row for row in above if READS[row["half"]] != row["changed"]]
    still, phrases = max(row["largest"] for row in tokens), []
    for layer in sorted({row["layer"] for row in above}):
        mine = [row for row in reads if row["layer"] == layer]
        phrases.append(
            f"layer {layer} by {mean(row['mean'] for row in mine):.2f} of a vector's length on average and "
            f"{min(row['smallest'] for row in mine):.3f} at least (different words in one text: "
            f"{mean(row['forms'] for row in mine):.2f})"
        )
    unread, words = max(row["largest"] for row in deaf), len({row["word"] for row in rows})
    because = (
        f"one word form in {rows[0]['texts']} pairs of texts, for each of {words} words: "
        f"the token layer differs by {still:.1e} at most; what reads the side that changed differs in "
        f"{' and in '.join(phrases)}; the half that reads the other side by {unread:.1e} at most"
    )
    least = min(row["smallest"] for row in reads)
    if still > VISIBLE or max(row["mean"] for row in reads) <= ROUNDING:
        return Judgement(Verdict.FAILS, because)
    clear = still <= ROUNDING and least >= VISIBLE and unread <= ROUNDING
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    layers = sorted({row["layer"] for row in rows})
    for half in HALVES:
        for side in SIDES:
            means = [
                mean(
                    row["mean"]
                    for row in rows
                    if (row["half"], row["changed"], row["layer"]) == (half, side, layer)
                )
                for layer in layers
            ]
            style = "o-" if READS[half] == side else "s:"
            axes.plot(layers, means, style, label=f"{half} half, other words to the {side}")
    axes.plot(layers, [mean(row["forms"] for row in rows if row["layer"] == at) for at in layers], "k--")
    axes.set(xlabel="layer (0: the tokens)", ylabel="distance of one word's vectors (dashed: of two words')")
    axes.set_xticks(layers)
    axes.legend()

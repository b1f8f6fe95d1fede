"""input-need-not-be-a-sequence: does a net that writes also learn to write what it sees?

Scenes of one to three handwritten digits are to be described: by Show and Tell, whose convolutional net says
once what it sees, and by Show, Attend and Tell, which looks at the places of the image word by word. Beside
them stand two that cannot see: a Show and Tell that learns from the same captions with a blank image, which
is what can be known of the language alone, and the training captions' most frequent one, for every scene.

Right is a text that is one of the captions of its scene. BLEU is told beside it, since a caption can be
partly right. No handwritten digit of the training scenes is in the test scenes.

Source: Vinyals et al., "Show and tell", 1411.4555; Xu et al., "Show, attend and tell", 1502.03044.
"""

from collections import Counter
from dataclasses import replace
from statistics import median
from typing import Any, cast

import torch
from torch import Tensor

from anncestry.data import load_data
from anncestry.data.pairs import Pairs
from anncestry.generation import compare_texts, usual_search, written_scores
from anncestry.models.create import create
from anncestry.studies.claims.claim import Judgement, Rows, Verdict
from anncestry.studies.claims.writing import num_parameters, passes, train

TELL, ATTEND, BLIND, FREQUENT = (
    "Show and Tell",
    "Show, Attend and Tell",
    "blank image",
    "most frequent caption",
)
_SIZES: dict[str, Any] = {"hidden_size": 64, "embed_dim": 64, "channels": 8, "num_convs": 1}
NETS = {TELL: "show-and-tell", ATTEND: "show-attend-and-tell", BLIND: "show-and-tell"}
WELL_ABOVE = 0.2  # the share of the scenes


def measure(seed: int, num_seeds: int = 2, num_steps: int = 1500) -> Rows:
    dataset = load_data("scenes", seed=seed)
    seen, unseen = cast(Pairs, dataset.train), cast(Pairs, dataset.test)
    captions = Counter(text for texts in seen.references for text in texts)
    constant = [min(captions, key=lambda text: (-captions[text], text))] * unseen.num_sources
    found = compare_texts(constant, unseen.references).figures
    rows: Rows = [{"net": FREQUENT, "seed": seed, "right": found["exact"], "bleu": found["bleu"]}]
    signature = dataset.signature
    shapes = {"input_shape": signature.shape, "output_size": signature.output_size}
    for net, name in NETS.items():
        shown = [_blank(seen), _blank(unseen)] if net == BLIND else [seen, unseen]
        for run in range(seed, seed + num_seeds):
            torch.manual_seed(run)
            model = create(name, **shapes, target_len=signature.target_len, **_SIZES)
            train(model, passes(shown[0], run), num_steps, 5e-3)
            found = written_scores(model, shown[1], dataset.processor, usual_search(signature)).figures
            scores = {"right": found["exact"], "bleu": found["bleu"]}
            rows.append({"net": net, "seed": run, **scores, "parameters": num_parameters(model)})
    return rows


def _blank(split: Pairs) -> Pairs:
    """The same captions with nothing to see."""
    return replace(split, sources=torch.zeros_like(cast(Tensor, split.sources)))


def judge(rows: Rows) -> Judgement:
    right = {net: [row["right"] for row in rows if row["net"] == net] for net in (*NETS, FREQUENT)}
    told = []
    for net in right:
        mine = [row for row in rows if row["net"] == net]
        size = f" ({mine[0]['parameters']:,} parameters)" if "parameters" in mine[0] else ""
        shown = ", ".join(f"{row['right']:.1%} (BLEU {row['bleu']:.1f})" for row in mine)
        told.append(f"{net}{size} {shown}")
    because = f"unseen scenes that get one of their captions, seed by seed: {'; '.join(told)}"
    cannot_see = max(right[BLIND] + right[FREQUENT])
    if max(median(right[net]) for net in (TELL, ATTEND)) <= cannot_see:
        return Judgement(Verdict.FAILS, because)
    clear = min(right[TELL] + right[ATTEND]) >= cannot_see + WELL_ABOVE
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    names = (FREQUENT, BLIND, TELL, ATTEND)
    for place, net in enumerate(names):
        points = [row["right"] for row in rows if row["net"] == net]
        axes.plot([place] * len(points), points, "o", color=f"C{place}", alpha=0.6)
    axes.set_xticks(range(len(names)), names)
    axes.set(
        xlabel="what writes", ylabel="share of the scenes that get a caption of theirs", ylim=(-0.05, 1.05)
    )
    axes.margins(x=0.1)

"""input-need-not-be-a-sequence: does a decoder also learn to caption images?

Scenes of one to three handwritten digits are to be captioned: by Show and Tell, whose decoder is
given the image once, and by Show, Attend and Tell, which attends to the positions of the image word by word.
Besides, there are two that read no image: a Show and Tell that learns from the same captions with a blank
image, which is what can be known of the language alone, and the training captions' most frequent one, for
every scene.

The verdict rests on BLEU with all captions of a scene as references, as in the papers: so short a training
trains where the digits are relative to one another long before it trains to distinguish all of them. Next to
it stands the share of the scenes whose text is one of their captions, word for word. No handwritten digit of
the training scenes is in the test scenes.

Source: Vinyals et al., "Show and tell", 1411.4555; Xu et al., "Show, attend and tell", 1502.03044.
"""

from collections import Counter
from dataclasses import replace
from statistics import median
from typing import Any, cast

import torch
from torch import Tensor

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_strings import num_parameters, passes, train
from anncestry.data import load_data
from anncestry.data.splits.seq2seq import Pairs
from anncestry.inference.evaluation import score_texts
from anncestry.inference.generation import default_search
from anncestry.models.create import create
from anncestry.objectives.text_metrics import compare_texts

TELL, ATTEND = "Show and Tell", "Show, Attend and Tell"
BLIND, FREQUENT = "blank image", "most frequent caption"
NETS = {  # architecture, steps
    TELL: ("show-and-tell", 2400),
    ATTEND: ("show-attend-and-tell", 1200),
    BLIND: ("show-and-tell", 2400),
}
SIZES: dict[str, Any] = {"hidden_size": 64, "embed_dim": 48, "channels": 12, "num_convs": 1}
WELL_ABOVE = 15  # points of BLEU


def measure(seed: int, num_seeds: int = 2, share_of_steps: float = 1.0) -> Rows:
    dataset = load_data("scenes", seed=seed)
    seen, unseen = cast(Pairs, dataset.train), cast(Pairs, dataset.test)
    captions = Counter(text for texts in seen.references for text in texts)
    constant = [min(captions, key=lambda text: (-captions[text], text))] * unseen.num_sources
    found = compare_texts(constant, unseen.references).figures
    rows: Rows = [{"net": FREQUENT, "seed": seed, "right": found["exact"], "bleu": found["bleu"]}]
    signature = dataset.signature
    shapes = {"input_shape": signature.shape, "output_size": signature.output_size}
    for net, (name, num_steps) in NETS.items():
        shown = [_blank(seen), _blank(unseen)] if net == BLIND else [seen, unseen]
        for run in range(seed, seed + num_seeds):
            torch.manual_seed(run)
            model = create(name, **shapes, target_len=signature.target_len, **SIZES)
            train(model, passes(shown[0], run), max(1, round(share_of_steps * num_steps)), 4e-3)
            found = score_texts(model, shown[1], dataset.processor, default_search(signature)).figures
            scores = {"right": found["exact"], "bleu": found["bleu"]}
            rows.append({"net": net, "seed": run, **scores, "parameters": num_parameters(model)})
    return rows


def _blank(split: Pairs) -> Pairs:
    """The same captions of blank images."""
    return replace(split, sources=torch.zeros_like(cast(Tensor, split.sources)))


def judge(rows: Rows) -> Judgement:
    bleu = {net: [row["bleu"] for row in rows if row["net"] == net] for net in (*NETS, FREQUENT)}
    phrases = []
    for net in bleu:
        mine = [row for row in rows if row["net"] == net]
        size = f" ({mine[0]['parameters']:,} parameters)" if "parameters" in mine[0] else ""
        shown = ", ".join(f"{row['bleu']:.1f} ({row['right']:.1%})" for row in mine)
        phrases.append(f"{net}{size} {shown}")
    because = "BLEU, and the share of unseen scenes that get one of their captions, seed by seed: "
    because += "; ".join(phrases)
    cannot_see = max(bleu[BLIND] + bleu[FREQUENT])
    if min(median(bleu[net]) for net in (TELL, ATTEND)) <= cannot_see:
        return Judgement(Verdict.FAILS, because)
    clear = min(bleu[TELL] + bleu[ATTEND]) >= cannot_see + WELL_ABOVE
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    names = (FREQUENT, BLIND, TELL, ATTEND)
    for index, net in enumerate(names):
        points = [row["bleu"] for row in rows if row["net"] == net]
        axes.plot([index] * len(points), points, "o", color=f"C{index}", alpha=0.6)
    axes.set_xticks(range(len(names)), names)
    axes.set(xlabel="what generates", ylabel="BLEU of the captions of unseen scenes", ylim=(-2, 100))
    axes.margins(x=0.1)

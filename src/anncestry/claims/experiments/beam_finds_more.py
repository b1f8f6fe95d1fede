"""beam-finds-more: does beam search find likelier texts than greedy search, and are they better ones?

Dates in 37 languages are to be generated as ISO 8601 has them, by nets that have not learnt it all:
sequence to sequence after 1500 steps and RNNsearch after 250. Where a net is sure of every character there is
nothing to find. Each generates the same unseen dates with beams of 1 (greedy search), 2, 4 and 8, ranked by
log P alone. For each beam: the mean log P of what is handed back, for how many dates it is lower than greedy
search's (a beam may lose the greedy text on the way), how many dates are right, and how many characters are.

All targets have ten characters. So what a beam does to texts of free length, for which log P alone prefers
the short ones, is not measured here.

Source: Sutskever, Vinyals & Le, 1409.3215, table 1 (a beam of 2 gives most of what 12 give).
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import mean
from typing import Any, cast

import torch

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.claims.common.toy_strings import passes, train
from anncestry.data import load_data
from anncestry.data.splits.seq2seq import Pairs
from anncestry.decoding import Hypothesis, Search
from anncestry.inference.generation import generate
from anncestry.models.create import create

BEAMS = (1, 2, 4, 8)
NETS: dict[str, tuple[str, dict[str, Any], int]] = {  # architecture, sizes, steps
    "sequence to sequence": ("seq2seq", {"hidden_size": 96, "embed_dim": 48, "num_layers": 1}, 1500),
    "RNNsearch": ("rnnsearch", {"hidden_size": 48, "embed_dim": 48}, 250),
}
SAME = 1e-4  # of log P: sums of single precision


def measure(
    seed: int,
    num_seeds: int = 2,
    share_of_steps: float = 1.0,
    count: int = 1000,
    beams: Sequence[int] = BEAMS,
) -> Rows:
    dataset = load_data("dates", seed=seed)
    signature, split, processor = dataset.signature, cast(Pairs, dataset.test), cast(Any, dataset.processor)
    inputs, lengths = split.read_sources(torch.arange(min(count, split.num_sources)))
    wanted = [processor.target.encode(row[0]) for row in split.references[: len(inputs)]]
    rows: Rows = []
    for net, (name, sizes, num_steps) in NETS.items():
        for run in range(seed, seed + num_seeds):
            torch.manual_seed(run)
            read = {"input_size": signature.vocab_size, "seq_len": signature.shape[0]}
            targets = {"output_size": signature.output_size, "target_len": signature.target_len}
            model = create(name, **read, **targets, **sizes)
            train(model, passes(dataset.train, run), max(1, round(share_of_steps * num_steps)), 5e-3)
            greedy: list[Hypothesis] = []
            for beam in beams:
                search = Search(beam=beam, length_penalty="none", max_length=20)
                found = [hypotheses[0] for hypotheses in generate(model, inputs, lengths, search)]
                greedy = greedy or found
                rows.append({"net": net, "seed": run, "beam": beam, **figures(found, greedy, wanted)})
    return rows


def figures(
    found: Sequence[Hypothesis], greedy: Sequence[Hypothesis], wanted: Sequence[Sequence[int]]
) -> dict[str, float]:
    """How likely and how good texts are; ``higher`` and ``lower`` count those whose log P is not the
    greedy one's."""
    apart = [text.log_prob - first.log_prob for text, first in zip(found, greedy, strict=True)]
    exact = [list(text.tokens) == list(row) for text, row in zip(found, wanted, strict=True)]
    before = [list(text.tokens) == list(row) for text, row in zip(greedy, wanted, strict=True)]
    characters = [
        sum(x == y for x, y in zip(text.tokens, row, strict=False)) / max(len(row), len(text.tokens))
        for text, row in zip(found, wanted, strict=True)
    ]
    return {
        "count": len(found),
        "log_prob": mean(text.log_prob for text in found),
        "higher": sum(value > SAME for value in apart),
        "lower": sum(value < -SAME for value in apart),
        "exact": mean(map(float, exact)),
        "gained": sum(now and not then for now, then in zip(exact, before, strict=True)),
        "lost": sum(then and not now for now, then in zip(exact, before, strict=True)),
        "characters": mean(characters),
    }


def judge(rows: Rows) -> Judgement:
    runs = {}
    for row in sorted(rows, key=lambda row: row["beam"]):
        runs.setdefault((row["net"], row["seed"]), []).append(row)
    phrases = []
    for (net, _), run in runs.items():
        first, last = run[0], run[-1]
        likely = " ".join(f"{row['log_prob']:.3f}" for row in run)
        right = " ".join(f"{row['exact']:.1%}" for row in run)
        phrases.append(
            f"{net}: log P {likely}, right {right}, characters {first['characters']:.1%} -> "
            f"{last['characters']:.1%}; with the largest, log P is higher for {last['higher']} and lower for "
            f"{last['lower']} of {last['count']} dates, {last['gained']} turn right and {last['lost']} wrong"
        )
    beams = ", ".join(str(row["beam"]) for row in next(iter(runs.values())))
    because = f"with beams of {beams}, run by run: {'; '.join(phrases)}"
    higher = [run[-1]["log_prob"] > run[0]["log_prob"] + SAME for run in runs.values()]
    better = [run[-1]["exact"] > run[0]["exact"] for run in runs.values()]
    if not any(higher) or not any(better):
        return Judgement(Verdict.FAILS, because)
    steady = all(
        now["log_prob"] > then["log_prob"] - SAME for run in runs.values() for then, now in pairwise(run)
    )
    most = all(2 * row["lower"] < row["count"] for row in rows)
    clear = all(higher) and all(better) and steady and most
    return Judgement(Verdict.HOLDS if clear else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    right = axes.twinx()
    for net, colour in zip(NETS, ("C0", "C1"), strict=True):
        for number, seed in enumerate(sorted({row["seed"] for row in rows})):
            run = [row for row in rows if (row["net"], row["seed"]) == (net, seed)]
            beams = [row["beam"] for row in run]
            likelier = [row["log_prob"] - run[0]["log_prob"] for row in run]
            better = [100 * (row["exact"] - run[0]["exact"]) for row in run]
            labels = (f"{net}: log P", f"{net}: dates right") if number == 0 else (None, None)
            axes.plot(beams, likelier, "o-", color=colour, label=labels[0])
            right.plot(beams, better, "s--", color=colour, label=labels[1])
    axes.set(xlabel="beam", ylabel="mean log P above greedy search's", xscale="log")
    axes.set_xticks(sorted({row["beam"] for row in rows}), sorted({row["beam"] for row in rows}))
    axes.minorticks_off()
    right.set(ylabel="points of dates right above greedy search's")
    right.grid(visible=False)
    for side in (axes, right):
        side.margins(y=0.35)  # room for the legend; both begin at the same height
    handles = [part for side in (axes, right) for part in side.get_legend_handles_labels()[0]]
    right.legend(handles=handles, loc="upper left", ncols=2)

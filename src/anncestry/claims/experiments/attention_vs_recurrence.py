"""attention-vs-recurrence: does self-attention cost n^2 d where recurrence costs n d^2?

Counted are the multiplications and additions of our own layers, run without weights: self-attention, a
simple recurrent layer (Elman's), and an LSTM, over n positions of d features. The paper's table has what
differs between the layers: the products of queries with keys and weights with values, and
those of the state with its matrix. It leaves out what both do at each position by itself, projecting their
inputs (and outputs), which costs n d^2 for either. Both counts are given: the verdict rests on the paper's.

At n = 100 and d = 1000 the paper's terms are a factor of d / n = 10 apart. How far the layers are apart
depends on what the terms leave out: attention has two products of n^2 d, an LSTM four of n d^2. A crossing
from n = d / 2 to n = 2 d counts as near d.

The seconds of one core (median of runs that take turns) are given too; no verdict rests on them. A product
over all positions at once keeps a processor busier than n small ones.

Source: Vaswani et al., 1706.03762, table 1 and section 4.
"""

import math
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.layers.attention.attention import SelfAttention, scaled_dot_product
from anncestry.layers.recurrent.cells import ElmanCell, LSTMCell
from anncestry.layers.recurrent.wirings import Unrolled

ATTENTION, SIMPLE, LSTM = "self-attention", "simple recurrence", "LSTM"
LAYERS = (ATTENTION, SIMPLE, LSTM)
EXAMPLE = (100, 1000)  # n, d


def build(layer: str, width: int) -> Any:
    if layer == ATTENTION:
        return SelfAttention(width, 1)
    return Unrolled((LSTMCell if layer == LSTM else ElmanCell)(width, width))


def flops(run: Callable[[], Any]) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def counts(layer: str, length: int, width: int) -> dict[str, int]:
    """Operations without and with the projections."""
    with torch.device("meta"):
        made, x = build(layer, width), torch.empty(1, length, width)
        whole = flops(lambda: made(x))
        if layer == ATTENTION:
            parts = made.project(x)
            return {"own": flops(lambda: scaled_dot_product(*parts)), "all": whole}
        return {"own": whole - flops(lambda: made.cell.project(x)), "all": whole}


def seconds(length: int, width: int, repeats: int) -> dict[str, float]:
    """The median of the layers' runs, which take turns."""
    made, x = {layer: build(layer, width) for layer in LAYERS}, torch.randn(1, length, width)
    taken: dict[str, list[float]] = {layer: [] for layer in LAYERS}
    with torch.no_grad():
        for turn in range(repeats + 1):  # the first warms up
            for layer in LAYERS:
                started = time.perf_counter()
                made[layer](x)
                taken[layer] += [time.perf_counter() - started] if turn else []
    return {layer: median(values) for layer, values in taken.items()}


def measure(
    seed: int,
    lengths: Sequence[int] = (32, 64, 128, 256, 512, 1024),
    widths: Sequence[int] = (64, 128, 256),
    repeats: int = 9,
) -> Rows:
    """``repeats`` of 0 leave the clock out."""
    torch.manual_seed(seed)
    rows: Rows = []
    for length, width in [*((n, d) for n in lengths for d in widths), EXAMPLE]:
        taken = seconds(length, width, repeats) if repeats else dict.fromkeys(LAYERS)
        for layer in LAYERS:
            row = {"layer": layer, "length": length, "width": width, **counts(layer, length, width)}
            rows.append({**row, "seconds": taken[layer]})
    return rows


def exponent(rows: Rows, layer: str, by: str) -> float:
    """p in operations ~ by^p without the projections, between the ends of the grid."""
    grid = [r for r in rows if r["layer"] == layer and (r["length"], r["width"]) != EXAMPLE]
    fixed = "width" if by == "length" else "length"
    points = sorted((r[by], r["own"]) for r in grid if r[fixed] == max(r[fixed] for r in grid))
    return math.log(points[-1][1] / points[0][1]) / math.log(points[-1][0] / points[0][0])


def crossing(rows: Rows, layer: str) -> tuple[float, float]:
    """From which n / d on attention takes more operations than ``layer``: without and with projections.

    Attention's own products grow like n^2 and all else like n, so any point of the grid decides.
    """
    found = {r["layer"]: r for r in rows if (r["length"], r["width"]) == EXAMPLE}
    attention, other = found[ATTENTION], found[layer]
    ratio = EXAMPLE[0] / EXAMPLE[1]
    spare = other["all"] - (attention["all"] - attention["own"])
    return ratio * other["own"] / attention["own"], max(0.0, ratio * spare / attention["own"])


def timed(rows: Rows) -> str:
    """What the clock says."""
    if rows[0]["seconds"] is None:
        return "not timed"
    taken = {(r["layer"], r["length"], r["width"]): r["seconds"] for r in rows}
    phrases = []
    for layer in LAYERS[1:]:
        lost = [
            n / d for name, n, d in taken if name == layer and taken[layer, n, d] < taken[ATTENTION, n, d]
        ]
        where = f"first loses at n = {min(lost):g} d" if lost else "never loses on the grid"
        factor = taken[layer, *EXAMPLE] / taken[ATTENTION, *EXAMPLE]
        phrases.append(f"{layer} takes {factor:.1f} times attention's seconds there, which {where}")
    return "; ".join(phrases)


def judge(rows: Rows) -> Judgement:
    found = {r["layer"]: r for r in rows if (r["length"], r["width"]) == EXAMPLE}
    powers = {layer: (exponent(rows, layer, "length"), exponent(rows, layer, "width")) for layer in LAYERS}
    crossings = {layer: crossing(rows, layer) for layer in LAYERS[1:]}
    shown = "; ".join(f"{layer} n^{n:.2f} d^{d:.2f}" for layer, (n, d) in powers.items())
    factors = "; ".join(
        f"{layer} {found[layer]['own'] / found[ATTENTION]['own']:.2f} times attention's "
        f"({found[layer]['all'] / found[ATTENTION]['all']:.2f} with projections), crossing at n = "
        f"{crossings[layer][0]:.2f} d ({f'{crossings[layer][1]:.2f} d' if crossings[layer][1] else 'none'})"
        for layer in LAYERS[1:]
    )
    length, width = EXAMPLE
    because = (
        f"operations without projections grow like {shown}; at n = {length}, d = {width} the terms n d^2 and "
        f"n^2 d are {length * width**2 / (length**2 * width):g} apart, and the operations of the layers: "
        f"{factors}; {timed(rows)}"
    )
    wanted = {ATTENTION: (2, 1), SIMPLE: (1, 2), LSTM: (1, 2)}
    off = max(abs(a - b) for layer in LAYERS for a, b in zip(powers[layer], wanted[layer], strict=True))
    meets = [own for own, _ in crossings.values()]
    if off > 0.5 or max(meets) < 0.5:
        return Judgement(Verdict.FAILS, because)
    return Judgement(
        Verdict.HOLDS if off < 0.05 and all(0.5 <= m <= 2 for m in meets) else Verdict.UNDECIDED, because
    )


def draw(axes, rows: Rows) -> None:
    width = max(r["width"] for r in rows if (r["length"], r["width"]) != EXAMPLE)
    for layer, colour in zip(LAYERS, ("C0", "C1", "C2"), strict=True):
        mine = [r for r in rows if r["layer"] == layer and r["width"] == width]
        for part, style, name in (("own", "-", ""), ("all", ":", ", with projections")):
            points = [(r["length"], r[part]) for r in mine]
            axes.plot(*zip(*points, strict=True), style, color=colour, label=layer + name)
    axes.axvline(width, color="grey", linestyle="--", label="n = d")
    axes.set(xlabel=f"positions n, of d = {width} features", ylabel="multiplications and additions")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.legend(fontsize="x-small")

"""From runs to a ranking that says how sure it is (`anncestry.race.statistics`)."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import fmean
from typing import Any

from anncestry.objectives.base import LOWER_IS_BETTER
from anncestry.race.outcomes import rows_of
from anncestry.race.records import Entrant, Run
from anncestry.race.statistics import (
    CONFIDENCE,
    POSITIVE,
    SHARE,
    Design,
    Sample,
    holm,
    interval,
    spreads,
)

_BOUNDS = {
    **dict.fromkeys(LOWER_IS_BETTER, POSITIVE),
    **dict.fromkeys(("r2", "pearson"), (-math.inf, 1.0)),
    **dict.fromkeys(("bleu", "chrf"), (0.0, 100.0)),
}
"""Of scores that are no shares of something."""
_rows = lru_cache(maxsize=4096)(rows_of)


def rank(
    metric: Mapping[str, Any], entrants: Sequence[Entrant], runs: Sequence[Run], design: Design
) -> dict[str, Any]:
    """The order of the race, as plain data.

    Args:
        metric: ``name`` and ``higher_is_better``: what it is ranked by.
        entrants: everybody.
        runs: all of theirs.
        design: how the seeds hang together.

    Returns:
        ``standings``: one row for each entrant with a finished run, best first: ``id``, ``kind``, ``place``
        (models only), ``mean``, ``low`` and ``high`` (its interval; None where nothing is known), ``values``
        by seed, ``behind`` and ``behind_band`` (mean paired difference to the leading model, positive when
        worse, and half its interval), ``tied`` (whether that difference could be zero; None where one seed
        cannot say), and the means of ``seconds``, ``parameters``,
        ``flops``, ``latency``, ``steps`` and ``epochs``.
        ``leader``: id of the best model or None.  ``unfinished``: ids without any finished run.
    """
    name, sign = metric["name"], (1 if metric["higher_is_better"] else -1)
    rows, samples = [], {}
    for entrant in entrants:
        own = [run for run in runs if run.entrant == entrant.id and _counts(run, name)]
        if own:
            samples[entrant.id] = _sample(own, name)
            rows.append(_standing(entrant, own, name))
    for row, spread in zip(rows, spreads(list(samples.values()), design), strict=True):
        row["low"], row["high"] = interval(samples[row["id"]], spread) or (None, None)
    rows.sort(key=lambda row: -sign * row["mean"])
    models = [row for row in rows if row["kind"] == "model"]
    for place, row in enumerate(models, 1):
        row["place"] = place
    leader = models[0] if models else None
    if leader is not None:
        _compare_with(leader, rows, samples, sign, design)
    finished = {row["id"] for row in rows}
    return {
        "confidence": CONFIDENCE,
        "leader": leader and leader["id"],
        "standings": rows,
        "unfinished": [entrant.id for entrant in entrants if entrant.id not in finished],
    }


def _counts(run: Run, metric: str) -> bool:
    value = run.metrics.get(metric)
    return run.status == "ok" and value is not None and math.isfinite(value)


def _sample(runs: Sequence[Run], metric: str) -> Sample:
    known = {run.seed: _rows(run.outcomes.get(metric, "")) for run in runs}
    rows = {seed: values for seed, values in known.items() if values is not None}
    return Sample({run.seed: run.metrics[metric] for run in runs}, rows, _BOUNDS.get(metric, SHARE))


def _standing(entrant: Entrant, runs: list[Run], metric: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": entrant.id,
        "kind": entrant.kind,
        "place": None,
        "mean": fmean(run.metrics[metric] for run in runs),
        "values": {str(run.seed): run.metrics[metric] for run in runs},
        "behind": None,
        "behind_band": None,
        "tied": None,
    }
    for field in ("seconds", "parameters", "flops", "latency", "steps", "epochs"):
        known = [getattr(run, field) for run in runs if getattr(run, field) is not None]
        row[field] = fmean(known) if known else None
    return row


def _compare_with(
    leader: dict[str, Any], rows: list[dict[str, Any]], samples: dict[str, Sample], sign: int, design: Design
) -> None:
    """Say of every row how far it is behind the leading model over the seeds they share."""
    best = samples[leader["id"]]
    leader["behind"] = 0.0
    gaps = {row["id"]: best.minus(samples[row["id"]]) for row in rows if row is not leader}
    gaps = {name: gap for name, gap in gaps.items() if gap.values}
    found = dict(zip(gaps, spreads(list(gaps.values()), design), strict=True))
    several = [name for name, gap in gaps.items() if len(gap.values) > 1]
    chances = [found[name].chance(gaps[name].mean) for name in several]
    # The best of m models is one of m: as many comparisons with baselines, half as many with each other.
    picked = max(1.0, sum(row["kind"] == "model" for row in rows) / 2)
    levels = dict(zip(several, holm(chances, picked), strict=True))
    for row in rows:
        if (gap := gaps.get(row["id"])) is None:
            continue
        row["behind"] = sign * gap.mean
        if row["id"] in levels:
            row["behind_band"] = found[row["id"]].half(levels[row["id"]])
            row["tied"] = not abs(gap.mean) > row["behind_band"]

"""From runs to a ranking that says how sure it is.

Means over seeds carry a 95 % Student t-interval: with s the sample deviation of n seeds,
mean +- t_{0.975, n-1} s / sqrt(n). Whether two entrants differ is asked of their paired differences, seed
by seed: both met the same split, so what the split contributes cancels. No correction is made for the
number of pairs looked at.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from anncestry.studies.entries import Entrant, Run

CONFIDENCE = 0.95


def rank(metric: Mapping[str, Any], entrants: Sequence[Entrant], runs: Sequence[Run]) -> dict[str, Any]:
    """The order of the race, as plain data.

    Args:
        metric: ``name`` and ``higher_is_better``: what it is ranked by.
        entrants: everybody.
        runs: all of theirs.

    Returns:
        ``standings``: one row for each entrant with a finished run, best first: ``id``, ``kind``, ``place``
        (models only), ``mean``, ``band`` (half an interval; None with one seed), ``values`` by seed,
        ``behind`` and ``behind_band`` (mean paired difference to the leading model, positive when worse),
        ``tied`` (whether that difference could be zero), and the means of ``seconds``, ``parameters``,
        ``flops``, ``latency``, ``steps`` and ``epochs``.
        ``leader``: id of the best model or None.  ``unfinished``: ids without any finished run.
    """
    name, sign = metric["name"], (1 if metric["higher_is_better"] else -1)
    rows = []
    for entrant in entrants:
        own = [run for run in runs if run.entrant == entrant.id and _counts(run, name)]
        if own:
            rows.append(_standing(entrant, own, name))
    rows.sort(key=lambda row: -sign * row["mean"])
    models = [row for row in rows if row["kind"] == "model"]
    for place, row in enumerate(models, 1):
        row["place"] = place
    leader = models[0] if models else None
    for row in rows:
        row.update(_gap(leader, row, sign) if leader else {"behind": None, "behind_band": None, "tied": None})
    finished = {row["id"] for row in rows}
    return {
        "confidence": CONFIDENCE,
        "leader": leader and leader["id"],
        "standings": rows,
        "unfinished": [entrant.id for entrant in entrants if entrant.id not in finished],
    }


def half_interval(values: Sequence[float]) -> float | None:
    """Half the t-interval around the mean of ``values``; None for fewer than two."""
    if len(values) < 2:
        return None
    from scipy.special import stdtrit

    quantile = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    return quantile * stdev(values) / math.sqrt(len(values))


def _counts(run: Run, metric: str) -> bool:
    value = run.metrics.get(metric)
    return run.status == "ok" and value is not None and math.isfinite(value)


def _standing(entrant: Entrant, runs: list[Run], metric: str) -> dict[str, Any]:
    values = [run.metrics[metric] for run in runs]
    row: dict[str, Any] = {
        "id": entrant.id,
        "kind": entrant.kind,
        "place": None,
        "mean": fmean(values),
        "band": half_interval(values),
        "values": {str(run.seed): run.metrics[metric] for run in runs},
    }
    for field in ("seconds", "parameters", "flops", "latency", "steps", "epochs"):
        known = [getattr(run, field) for run in runs if getattr(run, field) is not None]
        row[field] = fmean(known) if known else None
    return row


def _gap(leader: dict[str, Any], row: dict[str, Any], sign: int) -> dict[str, Any]:
    """How far a row is behind the leading model over the seeds they share."""
    shared = [seed for seed in leader["values"] if seed in row["values"]]
    if not shared:
        return {"behind": None, "behind_band": None, "tied": None}
    differences = [sign * (leader["values"][seed] - row["values"][seed]) for seed in shared]
    behind, band = fmean(differences), half_interval(differences)
    tied = None if band is None else abs(behind) <= band
    return {"behind": behind, "behind_band": band, "tied": tied}

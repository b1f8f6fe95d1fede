"""What a race found, in sentences. All of them follow from the numbers."""

from typing import Any

from anncestry.report.numbers import (
    count,
    duration,
    is_share,
    listed,
    metric_name,
    metric_value,
    operations,
    plural,
    score_value,
    short_name,
)

ENOUGH_SEEDS = 10  # the interval of ten values is a third as wide as that of three with the same spread
Race = dict[str, Any]  # results.json: see anncestry.race.results.Results.to_json


def findings(race: Race) -> list[str]:
    """The result first, then who cannot be told apart from it, then the baselines, then what is missing."""
    standings = race["ranking"]["standings"]
    models = [row for row in standings if row["kind"] == "model"]
    baselines = [row for row in standings if row["kind"] == "baseline"]
    sentences = []
    if models:
        sentences.append(_leader(race, models, _simplest(race)))
        if len(models) > 1:
            sentences.append(_rivals(race, models))
    else:
        sentences.append(f"No model finished a run on {short_name(race['data']['name'])}.")
    if baselines:
        sentences.append(_baselines(race, baselines[0], models[0] if models else None))
    return sentences + _missing(race) + _advice(race, models)


def _simplest(race: Race) -> dict[str, Any] | None:
    """The standing of the baseline that hardly uses the inputs: the majority class, the mean, ..."""
    first = next((row["id"] for row in race["entrants"] if row["kind"] == "baseline"), None)
    return next((row for row in race["ranking"]["standings"] if row["id"] == first), None)


def budget_phrase(budget: dict[str, Any]) -> str:
    """``20 s of training and about 50 k parameters each``."""
    parts = []
    if budget["seconds"] is not None:
        parts.append(f"{duration(budget['seconds'])} of training")
    if budget["flops"] is not None:
        parts.append(f"{operations(budget['flops'])} of training")
    if budget["epochs"] is not None:
        parts.append(f"{plural(budget['epochs'], 'pass')} over the training data")
    if budget["params"] is not None:
        parts.append(f"about {count(budget['params'])} parameters")
    return f"{listed(parts)} each"


def _leader(race: Race, models: list[dict[str, Any]], simplest: dict[str, Any] | None) -> str:
    metric, leader = race["metric"]["name"], models[0]
    start = f"On {short_name(race['data']['name'])}, with {budget_phrase(race['budget'])}, "
    direction = "" if race["metric"]["higher_is_better"] else " (lower is better)"
    value = f"{metric_name(metric)} {score_value(leader, metric, unit=True)}{direction}"
    if simplest is not None and (simplest["tied"] or (simplest["behind"] or 0) < 0):
        bound = score_value(simplest, metric, unit=True)
        return (
            f"{start}no model is shown to beat {simplest['id']} ({bound}); first is {leader['id']}: {value}."
        )
    ahead = len(models) > 1 and all(row["tied"] is False for row in models[1:])
    return f"{start}{leader['id']} {'leads' if ahead else 'has the best mean'}: {value}."


def _rivals(race: Race, models: list[dict[str, Any]]) -> str:
    leader, others = models[0], models[1:]
    seeds, metric = plural(len(leader["values"]), "seed"), race["metric"]["name"]
    second = others[0]
    if second["tied"] is None:
        value = metric_value(second["mean"], metric, unit=True)
        return f"Next is {second['id']} with {value}; {seeds} cannot say whether the two differ."
    tied = [row["id"] for row in others if row["tied"]]
    if not tied:
        behind = metric_value(second["behind"], metric, second["behind_band"])
        points = " points" if is_share(metric) else ""
        return (
            f"Next is {second['id']}, {behind}{points} behind: "
            "more than the luck of seeds and test rows explains."
        )
    if len(tied) == len(others):
        return f"No other model can be told apart from it with {seeds}."
    verb = "is" if len(tied) == 1 else "are"
    return f"With {seeds}, {listed(tied)} {verb} not distinguishable from it."


def _baselines(race: Race, best: dict[str, Any], leader: dict[str, Any] | None) -> str:
    sentence = f"The best baseline, {best['id']}, gets {score_value(best, race['metric']['name'], unit=True)}"
    if leader is None or best["behind"] is None:
        return sentence + "."
    if best["tied"]:
        return sentence + ", not distinguishable from the best network."
    if best["tied"] is None:
        better = race["metric"]["higher_is_better"]
        return sentence + (
            f", {'above' if better else 'below'} every network." if best["behind"] < 0 else "."
        )
    return sentence + (", better than every network here." if best["behind"] < 0 else ".")


def _advice(race: Race, models: list[dict[str, Any]]) -> list[str]:
    if race["seeds"] >= ENOUGH_SEEDS or not any(row["tied"] for row in models[1:]):
        return []
    return [f"More seeds (--seeds {ENOUGH_SEEDS}) or more test rows would narrow the intervals."]


def _missing(race: Race) -> list[str]:
    sentences = []
    failed = list(dict.fromkeys(run["entrant"] for run in race["runs"] if run["status"] == "failed"))
    if failed:
        sentences.append(f"{listed(failed)} failed; the reasons are below.")
    if race["status"] != "complete":
        done = sum(run["status"] != "interrupted" for run in race["runs"])
        planned = race["seeds"] * len(race["entrants"])
        state = "was interrupted" if race["status"] == "interrupted" else "is not over"
        sentences.append(f"The race {state}: {done} of {planned} runs are here.")
    return sentences

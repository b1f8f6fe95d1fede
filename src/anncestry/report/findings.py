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
)

ENOUGH_SEEDS = 10  # the interval of ten values is a third as wide as that of three with the same spread
Race = dict[str, Any]  # results.json: see anncestry.studies.results.Results.to_json


def findings(race: Race) -> list[str]:
    """The result first, then who cannot be told apart from it, then the baselines, then what is missing."""
    standings = race["ranking"]["standings"]
    models = [row for row in standings if row["kind"] == "model"]
    baselines = [row for row in standings if row["kind"] == "baseline"]
    sentences = []
    if models:
        sentences.append(_leader(race, models[0]))
        if len(models) > 1:
            sentences.append(_rivals(race, models))
    else:
        sentences.append(f"No model finished a run on {race['data']['name']}.")
    if baselines:
        sentences.append(_baselines(race, baselines[0], models[0] if models else None))
    return sentences + _missing(race) + _advice(race, models)


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


def _leader(race: Race, leader: dict[str, Any]) -> str:
    metric = race["metric"]["name"]
    value = metric_value(leader["mean"], metric, leader["band"], unit=True)
    direction = "" if race["metric"]["higher_is_better"] else " (lower is better)"
    return (
        f"On {race['data']['name']}, with {budget_phrase(race['budget'])}, {leader['id']} leads: "
        f"{metric_name(metric)} {value}{direction}."
    )


def _rivals(race: Race, models: list[dict[str, Any]]) -> str:
    leader, others = models[0], models[1:]
    seeds = plural(len(leader["values"]), "seed")
    second = others[0]
    if second["tied"] is None:
        value = metric_value(second["mean"], race["metric"]["name"], unit=True)
        return f"Next is {second['id']} with {value}; {seeds} cannot say whether the two differ."
    tied = [row["id"] for row in others if row["tied"]]
    if not tied:
        behind = metric_value(second["behind"], race["metric"]["name"], second["behind_band"])
        points = " points" if is_share(race["metric"]["name"]) else ""
        return f"Next is {second['id']}, {behind}{points} behind: a difference that {seeds} can tell."
    if len(tied) == len(others):
        return f"No other model can be told apart from it with {seeds}."
    verb = "is" if len(tied) == 1 else "are"
    return f"With {seeds}, {listed(tied)} {verb} not distinguishable from it."


def _baselines(race: Race, best: dict[str, Any], leader: dict[str, Any] | None) -> str:
    value = metric_value(best["mean"], race["metric"]["name"], best["band"], unit=True)
    sentence = f"The best baseline, {best['id']}, gets {value}"
    if leader is None or best["behind"] is None:
        return sentence + "."
    if best["tied"]:
        return sentence + ", not distinguishable from the leader."
    return sentence + (", better than every network here." if best["behind"] < 0 else ".")


def _advice(race: Race, models: list[dict[str, Any]]) -> list[str]:
    if race["seeds"] >= ENOUGH_SEEDS or not any(row["tied"] for row in models[1:]):
        return []
    return [f"More seeds would narrow the intervals: --seeds {ENOUGH_SEEDS}."]


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

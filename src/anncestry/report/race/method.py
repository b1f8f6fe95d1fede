"""The part of a report that says how the race was run, so that it can be judged and repeated."""

from html import escape
from typing import Any

from anncestry.report.numbers import plural
from anncestry.report.race.findings import budget_phrase

Race = dict[str, Any]
OWN_CORE = 0.9
"""So much of a core a run must have had for its seconds to count as those of others do."""


def method_section(race: Race) -> str:
    """Budget, data, seeds, settings, baselines and machine."""
    rows = [
        ("Budget", " ".join(filter(None, (_budget(race["budget"]), _clock(race))))),
        ("Data", _data(race["data"])),
        (
            "Seeds",
            f"{plural(race['seeds'], 'seed')}: they change the initial weights, the order of the data, "
            "and the split where the data have no official one.",
        ),
        ("Test", "Scored once, with the weights that were best on the validation split."),
        (
            "Settings",
            "Every model is trained by the recipe of its entry on the timeline; nothing was tuned for "
            "this race. The batch size is the same for all.",
        ),
        ("Baselines", _baselines(race["entrants"])),
        (
            "One prediction",
            "One input (batch 1) on the CPU, the median of up to 50 repeats; FLOPs are those of the forward "
            "pass.",
        ),
        ("Machine", _machine(race["machine"])),
    ]
    return "<dl>" + "\n".join(f"<dt>{term}</dt><dd>{escape(text)}</dd>" for term, text in rows) + "</dl>"


def _budget(budget: dict[str, Any]) -> str:
    sentences = [f"{budget_phrase(budget)}."]
    if budget["seconds"] is not None:
        sentences.append(
            "Seconds are those of training alone, without evaluation; how far they carry depends on the "
            "machine and on what else it does."
        )
    if budget["flops"] is not None:
        sentences.append("A training step is three forward passes; two for a learning rule of its own.")
    if budget["params"] is not None:
        sentences.append("Every model's width is solved for that size; fixed sizes are noted.")
    else:
        sentences.append("Sizes are each model's default.")
    return " ".join(sentences)


def _clock(race: Race) -> str:
    """Whether every run had a core to itself, so that equal seconds are equal work."""
    shares = [run["core"] for run in race["runs"] if run.get("core") is not None]
    if race["budget"]["seconds"] is None or not shares:
        return ""
    shared = [share for share in shares if share < OWN_CORE]
    least = f"{min(shares):.0%}"
    if not shared:
        return (
            f"Each of {plural(len(shares), 'run')} had a core to itself, for at least {least} of its seconds."
        )
    return (
        f"Of {plural(len(shares), 'run')}, {len(shared)} had less than {OWN_CORE:.0%} of a core ({least} at "
        "least), as other programs took it: their seconds carried less far, and they are noted."
    )


def _data(data: dict[str, Any]) -> str:
    unit = "tokens" if data["inputs"] == "tokens" else "examples"
    anew = len(set(data["fingerprints"])) > 1
    sentences = [
        f"{data['name']}: {data['train']:,} {unit} for training, {data['validation']:,} for validation, "
        f"{data['test']:,} for the test.",
        "Parts are drawn anew for each seed; the note is that of seed 0." if anew else "",
        *(f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in data["notes"]),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _baselines(entrants: list[dict[str, Any]]) -> str:
    listed = [f"{row['name']}: {row['adds']}." for row in entrants if row["kind"] == "baseline"]
    return " ".join(["Fitted on the training split, without a limit of time.", *listed])


def _machine(machine: dict[str, Any]) -> str:
    accelerator = f" and {machine['accelerator']}" if machine["accelerator"] else ""
    return (
        f"{machine['cpu']}{accelerator}, {plural(machine['cores'], 'core')}, "
        f"{plural(machine['threads'], 'thread')}, {machine['system']}; Python {machine['python']}, "
        f"torch {machine['torch']}, scikit-learn {machine['scikit-learn']}, anncestry {machine['anncestry']}."
    )

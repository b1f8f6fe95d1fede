"""The part of a report about each model: what it is, how it was trained, what it got wrong."""

import base64
import io
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from anncestry.report.numbers import duration, listed, operations, plural, score_value
from anncestry.report.race.plots import forecast_plot

Race = dict[str, Any]
Mistakes = dict[str, Any]
_SETTINGS = ("optimizer", "learning_rate", "batch_size", "schedule", "weight_decay", "clip_norm")


def models_section(race: Race) -> str:
    """One foldable part for each model, in the order of the ranking; the first is open."""
    places = {row["id"]: place for place, row in enumerate(race["ranking"]["standings"])}
    models = [entrant for entrant in race["entrants"] if entrant["kind"] == "model"]
    models.sort(key=lambda entrant: places.get(entrant["id"], len(places)))
    return "\n".join(_model(race, entrant) for entrant in models)


def _model(race: Race, entrant: dict[str, Any]) -> str:
    name, metric = entrant["id"], race["metric"]["name"]
    runs = [run for run in race["runs"] if run["entrant"] == name and run["status"] == "ok"]
    row = next((row for row in race["ranking"]["standings"] if row["id"] == name), None)
    score = score_value(row, metric, unit=True) if row else "no finished run"
    parts = f"<p>{escape(_ancestry(entrant))}</p>"
    if runs:
        parts += f"<p>{escape(_training(runs))}</p>{_wrong(race, name, runs)}"
    is_open = " open" if name == race["ranking"]["leader"] else ""
    summary = f"<summary><b>{escape(name)}</b> <span>{escape(score)}</span></summary>"
    return f"<details{is_open}>{summary}{parts}</details>"


def _ancestry(entrant: dict[str, Any]) -> str:
    text = f"{entrant['name']} ({entrant['year']}). {entrant['paper']}. "
    text += f"To {entrant['parents'][0]} it adds " if entrant["parents"] else "It brings "
    return text + entrant["adds"] + (f"; it removes {entrant['removes']}." if entrant["removes"] else ".")


def _training(runs: list[dict[str, Any]]) -> str:
    run = runs[0]
    facts = [plural(run["parameters"], "parameter")]
    if run["width"] is not None:
        facts.append(f"width {run['width']}")
    facts += [f"{operations(run['flops'])} for one example", f"{duration(run['latency'])} for one prediction"]
    low, high = (f"{end(other['epochs'] for other in runs):.3g}" for end in (min, max))
    facts.append(f"{low} passes over the training data" if low == high else f"{low} to {high} passes")
    ended = list(dict.fromkeys(_ENDS[other["stopped"]] for other in runs))
    chosen = [
        f"{field.replace('_', ' ')} {run['settings'][field]}"
        for field in _SETTINGS
        if run["settings"].get(field)
    ]
    return f"{'; '.join(facts)}. Training ended when {listed(ended)}. Settings: {', '.join(chosen)}."


_ENDS = {
    "epochs": "the passes were done",
    "max_steps": "the operations were spent",
    "max_seconds": "the time was up",
    "converged": "nothing was left to learn",
    "patience": "the validation score stood still",
}


def _wrong(race: Race, name: str, runs: list[dict[str, Any]]) -> str:
    shown = [run["mistakes"] for run in runs if run["mistakes"]]
    if not shown:
        return ""
    task = race["data"]["task"]
    if task == "classification":
        return _confusions(shown)
    if task == "multi-label":
        return _wrong_labels(shown[0])
    if task == "language-model":
        return _continuation(shown[0])
    if task == "reconstruction":
        return _reconstructed(shown[0])
    if task in ("translation", "captioning"):
        return _texts(shown[0])
    return _errors(shown[0], name, in_time=task == "forecasting")


def _confusions(shown: list[Mistakes]) -> str:
    wrong, total = sum(row["wrong"] for row in shown), sum(row["total"] for row in shown)
    over = f" over {plural(len(shown), 'seed')}" if len(shown) > 1 else ""
    if not wrong:
        return f"<p>It got none of {total:,} test examples wrong{over}.</p>"
    pairs: dict[str, int] = {}
    for pair in (pair for row in shown for pair in row["pairs"]):
        pairs[_caption(pair)] = pairs.get(_caption(pair), 0) + pair["count"]
    most = sorted(pairs.items(), key=lambda item: -item[1])[:3]
    confused = listed([f"{caption} ({number})" for caption, number in most])
    text = f"It got {wrong:,} of {total:,} test examples wrong{over}; most often {confused}."
    images = next((row["images"] for row in shown if row.get("images")), [])
    return f"<p>{escape(text)}</p>" + (f'<div class="pictures">{_pictures(images)}</div>' if images else "")


def _wrong_labels(mistakes: Mistakes) -> str:
    if not mistakes["labels"]:
        return "<p>It got every label of every test example right.</p>"
    worst = [
        f"{row['label']} (missed {row['missed']} of {row['true']}, given wrongly {row['invented']} times)"
        for row in mistakes["labels"][:3]
    ]
    return f"<p>{escape(f'Most often wrong: {listed(worst)}.')}</p>"


def _caption(pair: dict[str, Any]) -> str:
    return f"{pair['true']} taken for {pair['predicted']}"


def _pictures(images: list[dict[str, Any]]) -> str:
    return "".join(
        f'<figure><img alt="" src="{_png(image)}"><figcaption>{escape(_caption(image))}</figcaption></figure>'
        for image in images
    )


def _png(image: dict[str, Any]) -> str:
    """A data URI: RGB for three channels, else the first channel in grey."""
    pixels = np.frombuffer(base64.b64decode(image["pixels"]), np.uint8).reshape(image["shape"])
    buffer = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]).save(buffer, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _errors(mistakes: Mistakes, name: str, in_time: bool) -> str:
    worst = [
        f"{row['predicted']:.4g} for {row['true']:.4g} (test example {row['example']})"
        for row in mistakes["worst"][:3]
    ]
    text = f"Its largest errors in {mistakes['unit']}: {listed(worst)}."
    return f"<p>{escape(text)}</p><figure>{forecast_plot(mistakes, name, in_time)}</figure>"


def _reconstructed(mistakes: Mistakes) -> str:
    pictures = "".join(
        f'<figure><img alt="{name}" src="{_png(row[part])}"><figcaption>{name}</figcaption></figure>'
        for row in mistakes["worst"]
        for part, name in (("original", "original"), ("drawn", "reconstructed"))
    )
    text = "The test images with the largest reconstruction error:"
    return f'<p>{text}</p><div class="pictures">{pictures}</div>'


def _texts(mistakes: Mistakes) -> str:
    """Generated texts that are none of the references, and the exact matches of each kind of source."""
    rows = "".join(
        f"<tr><td>{_source(row)}</td><td>{escape(row['written'])}</td><td>{escape(row['reference'])}</td></tr>"
        for row in mistakes["texts"]
    )
    head = "<tr><th>source</th><th>generated</th><th>reference</th></tr>"
    about = "<p>The first outputs for test examples that are none of the references:</p>"
    html = f'{about}<div class="wide"><table>{head}{rows}</table></div>' if rows else ""
    for split, shares in mistakes.get("exact", {}).items():
        listing = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items())
        html += f"<p>{escape(f'Exact matches by kind of source ({split}): {listing}.')}</p>"
    return html


def _source(row: dict[str, Any]) -> str:
    return escape(row["source"]) if "source" in row else f'<img alt="" src="{_png(row)}">'


def _continuation(mistakes: Mistakes) -> str:
    prompt, sample = escape(mistakes["prompt"]), escape(mistakes["sample"])
    return (
        "<p>Its continuation of the first words of the test split (temperature 0.8):</p>"
        f'<pre><span class="prompt">{prompt}</span>{sample}</pre>'
    )

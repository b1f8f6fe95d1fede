"""The report of a race: one HTML file that needs nothing else, neither the net nor a script."""

from html import escape
from typing import Any

from anncestry.report.numbers import metric_name, short_name
from anncestry.report.page import section, shell
from anncestry.report.race.findings import findings
from anncestry.report.race.method import method_section
from anncestry.report.race.model_sections import models_section
from anncestry.report.race.plots import against, learning_curves, ranking_plot
from anncestry.report.race.tables import failures, notes, ranking_columns, ranking_rows

Race = dict[str, Any]


def page(race: Race) -> str:
    """The whole file.

    Args:
        race: plain data as ``results.json`` holds it (`anncestry.race.results.Results.to_json`).
    """
    content = _summary(race) + section("ranking", "Ranking", _ranking(race))
    if race["ranking"]["leader"] is not None:
        content += section("figures", "Figures", _figures(race))
    content += section("models", "The models", models_section(race))
    content += section("method", "How the race was run", method_section(race))
    if failed := failures(race):
        content += section("failures", "What failed", _list(failed))
    content += section("reproduce", "To run it again", f"<pre>{escape(race['command'])}</pre>")
    return shell(f"The race on {short_name(race['data']['name'])}", content)


def _list(lines: list[str], style: str = "") -> str:
    if not lines:
        return ""
    return f'<ul class="{style}">' + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _summary(race: Race) -> str:
    first, *rest = findings(race)
    question = (
        f"Which architecture should one take for {_task(race)}, and what does each step of the family "
        "tree buy, when all get the same budget?"
    )
    return (
        f'<p class="question">{escape(question)}</p>\n<p class="lead">{escape(first)}</p>\n'
        f"<p>{escape(' '.join(rest))}</p>\n"
        + _list([f"Data: {note}" for note in race["data"]["notes"]], "notes")
    )


def _task(race: Race) -> str:
    data = race["data"]
    nouns = {"vector": "rows of a table", "image": "images", "series": "series", "tokens": "text"}
    return {
        "classification": f"telling {data['output_size']} classes of {nouns[data['inputs']]} apart",
        "multi-label": f"finding which of {data['output_size']} labels {nouns[data['inputs']]} have",
        "regression": f"predicting values from {nouns[data['inputs']]}",
        "forecasting": "forecasting this series",
        "language-model": "predicting the next token of this text",
        "tagging": "giving every step one of the tags",
        "next-frame": "predicting the next frame of these series",
        "reconstruction": "reconstructing these images from a few numbers",
        "translation": "translating these texts",
        "captioning": "captioning these images",
    }[data["task"]]


def _ranking(race: Race) -> str:
    if not ranking_rows(race):
        return ranking_table(race)
    remarks = _list(notes(race), "notes")
    return f'<div class="wide">{ranking_table(race)}</div>\n<p>{escape(_confidence(race))}</p>\n{remarks}'


def ranking_table(race: Race) -> str:
    """The ranking as an HTML table: a row for each finished entrant, best first."""
    rows = ranking_rows(race)
    if not rows:
        return "<p>No run was finished.</p>"
    columns = ranking_columns(race)
    head = "".join(f"<th>{escape(name)}</th>" for name in columns.values())
    body = ""
    for row in rows:
        cells = "".join(
            f'<td data-label="{escape(head, quote=True)}">{escape(row[field])}</td>'
            for field, head in columns.items()
        )
        body += f'<tr class="{row["kind"]}">{cells}</tr>\n'
    return f'<table class="ranking"><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>'


def _confidence(race: Race) -> str:
    sure = f"{race['ranking']['confidence']:.0%}"
    if all(row["tied"] is None for row in race["ranking"]["standings"]):
        return (
            f"In brackets {sure} intervals that count the test rows alone: one seed says nothing about how "
            "much seeds vary, and the order may be another one next time. Baselines are not numbered."
        )
    return (
        f"Mean over seeds, in brackets its {sure} interval, which counts both what seeds vary by and how few "
        "the test rows are. “Behind the leader” is the mean difference to the leading model on the same "
        "rows, with its own interval, corrected for the number of comparisons (Holm); where that contains "
        "zero the two are tied: this race cannot tell them apart. Splits that are drawn anew overlap, and "
        "the intervals allow for it. Baselines are not numbered."
    )


def _figures(race: Race) -> str:
    metric = metric_name(race["metric"]["name"])
    figures = [
        (
            ranking_plot(race),
            f"Test {metric}: mean (large dot), every seed (small dots) and its interval (line). "
            "Dashed: the baselines, except those that are far off.",
        ),
        (
            learning_curves(race),
            f"Validation {metric} while training: the mean over seeds, shaded from the lowest to the "
            "highest seed. Colours are those of the ranking; models behind the seventh rank are grey.",
        ),
        (
            against(race, "parameters", "parameters"),
            f"Test {metric} against the size of the model.",
        ),
        (
            against(race, "latency", "seconds for one prediction"),
            f"Test {metric} against the time of one prediction.",
        ),
    ]
    if race["budget"]["seconds"] is None:
        by_time = against(race, "seconds", "seconds of training")
        figures.insert(3, (by_time, f"Test {metric} against the time of training."))
    return "\n".join(
        f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>" for svg, caption in figures
    )

"""The terminal's tables."""

import io

from rich.console import Console

from anncestry.report.race.tables import (
    LiveTable,
    failures,
    notes,
    print_ranking,
    ranking_columns,
    ranking_rows,
)


def printed(thing, width=80):
    console = Console(file=io.StringIO(), width=width)
    thing(console)
    return console.file.getvalue()


def test_the_ranking_fits_eighty_columns(race):
    text = printed(lambda console: print_ranking(race, console))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    rows = [line.split() for line in text.splitlines() if "[" in line and "µs" in line]
    assert rows[0][:4] == ["1", "cnn", "98.6", "[98.2,"]
    assert "Data: split at random" in text
    assert "logistic: stopped after 20 iterations" in text
    assert "lstm failed (seed 0, 1): RuntimeError: <b>out of memory</b>" in text


def test_notes_and_failures_are_said_once(race):
    assert notes(race) == ["logistic: stopped after 20 iterations"]
    assert failures(race) == ["lstm failed (seed 0, 1): RuntimeError: <b>out of memory</b>"]


def test_the_live_table_shows_who_is_on_and_who_failed(race):
    table = LiveTable()
    assert "reading the data" in printed(lambda console: console.print(table))
    race["runs"] = [run for run in race["runs"] if (run["entrant"], run["seed"]) != ("mlp", 1)]
    table.update(race, "mlp", 1, 0.25, 0.9)
    text = printed(lambda console: console.print(table), width=120)
    assert "7 of 10 runs done; now mlp, seed 1" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "25%, validation 90.0" in lines["mlp"]
    assert "failed" in lines["lstm"]
    assert "98.6 [98.2, 99.0]" in lines["cnn"]


def test_the_live_table_shows_all_that_are_on_until_they_are_done(race):
    table = LiveTable()
    race["runs"] = [run for run in race["runs"] if run["entrant"] != "mlp"]
    table.update(race, "mlp", 0, 0.25, 0.9)
    table.update(race, "mlp", 1, 0.5)
    table.update(race, "lstm", 2)
    text = printed(lambda console: console.print(table), width=120)
    assert "; now 3 at once" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "seed 0: 25%, validation 90.0; seed 1: 50%" in lines["mlp"]
    assert "seed 2: 0%" in lines["lstm"]  # and no longer "failed"
    race["runs"] = [
        *race["runs"],
        {"entrant": "mlp", "seed": 0, "status": "ok"},
        {"entrant": "lstm", "seed": 2, "status": "failed"},
    ]
    table.update(race)
    text = printed(lambda console: console.print(table), width=120)
    assert "; now mlp, seed 1" in text
    assert "50%" in text
    assert "25%" not in text


def test_figures_beside_the_ranking_have_columns_where_there_is_room(race):
    for run in race["runs"]:
        if run["status"] == "ok":
            run["metrics"] |= {"macro_f1": 0.75, "roc_auc": 0.875}
    assert list(ranking_columns(race))[3:6] == ["score", "macro_f1", "roc_auc"]
    assert ranking_columns(race)["macro_f1"] == "macro F1 (%)"
    assert ranking_rows(race)[0]["macro_f1"] == "75.0"
    assert "macro_f1" not in ranking_columns(race, 80)
    text = printed(lambda console: print_ranking(race, console), width=120)
    assert "75.0   0.875" in text


def test_the_live_table_tells_how_far_reading_is():
    table = LiveTable()
    table.reading("images", 300, 50_000)
    assert str(table.__rich__()) == "reading the data: 300 of 50,000 images"

"""The tables of a race: rows of text for any page, and the same rows on a terminal."""

from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from anncestry.report.numbers import count, duration, metric_label, metric_value, score_value, short_name
from anncestry.report.race.findings import budget_phrase, findings

Race = dict[str, Any]


# Field of the row, head on a page, head on a terminal (None: left out there, to fit 80 columns).
_COLUMNS = (
    ("place", "", ""),
    ("name", "model", "model"),
    ("year", "year", None),
    ("score", "", ""),
    ("seeds", "seeds", None),
    ("behind", "behind the leader", "behind"),
    ("parameters", "parameters", "params"),
    ("flops", "FLOPs", None),
    ("seconds", "training", None),
    ("latency", "one prediction", "predicts"),
)


WIDE = 110  # columns of a terminal that has room for more than the ranking
_BESIDE = ("exact", "bleu")  # is shown on a narrow one as well, beside what the race is ranked by


def ranking_columns(race: Race, width: int | None = None) -> dict[str, str]:
    """The columns of the ranking table: field of a row -> head.

    Args:
        width: of the terminal; None for a page.
    """
    heads: dict[str, str | None] = {}
    for field, wide, narrow in _COLUMNS:
        heads[field] = wide if width is None else narrow
        if field == "score":
            heads[field] = metric_label(race["metric"]["name"])
            for metric in _others(race):
                if width is None or width >= WIDE or metric in _BESIDE:
                    heads[metric] = metric_label(metric)
    return {field: head for field, head in heads.items() if head is not None}


def _others(race: Race) -> list[str]:
    """The figures that runs bring beside the one that they are ranked by, but for the loss."""
    runs = [run["metrics"] for run in race["runs"] if run["status"] == "ok"]
    names = dict.fromkeys(name for metrics in runs for name in metrics)
    return [name for name in names if name not in ("loss", race["metric"]["name"])]


def ranking_rows(race: Race, terminal: bool = False) -> list[dict[str, str]]:
    """One row of text for each finished entrant, best first; ``kind`` tells models from baselines."""
    metric = race["metric"]["name"]
    entrants = {entrant["id"]: entrant for entrant in race["entrants"]}
    return [
        {
            "kind": row["kind"],
            "place": "" if row["place"] is None else str(row["place"]),
            "name": row["id"],
            "year": str(entrants[row["id"]]["year"] or ""),
            "score": score_value(row, metric),
            **{name: metric_value(_mean(race, row["id"], name), name) for name in _others(race)},
            "seeds": f"{len(row['values'])} of {race['seeds']}",
            "behind": _behind(row, race, terminal),
            "parameters": count(row["parameters"]),
            "flops": count(row["flops"]),
            "seconds": duration(row["seconds"]),
            "latency": duration(row["latency"]),
        }
        for row in race["ranking"]["standings"]
    ]


def _mean(race: Race, entrant: str, metric: str) -> float | None:
    """Of a metric over the finished runs; None where they do not have it."""
    runs = [run for run in race["runs"] if run["entrant"] == entrant and run["status"] == "ok"]
    values = [run["metrics"][metric] for run in runs if run["metrics"].get(metric) is not None]
    return sum(values) / len(values) if values else None


def _behind(row: dict[str, Any], race: Race, terminal: bool) -> str:
    if row["behind"] is None or row["id"] == race["ranking"]["leader"]:
        return ""
    band = None if terminal and row["tied"] else row["behind_band"]
    text = metric_value(row["behind"], race["metric"]["name"], band)
    return f"{text} (tied)" if row["tied"] else text


def print_ranking(race: Race, console: Console) -> None:
    """What was found, the ranking, notes on the data and on runs, and failures."""
    for sentence in findings(race):
        console.print(sentence, highlight=False, markup=False)
    columns = ranking_columns(race, console.width)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for field, head in columns.items():
        table.add_column(head, justify="left" if field == "name" else "right", no_wrap=True)
    for row in ranking_rows(race, terminal=True):
        style = "dim" if row["kind"] == "baseline" else ""
        table.add_row(*(Text(row[field]) for field in columns), style=style)
    if table.row_count:
        console.print()
        console.print(table)
    for line in [*(f"Data: {note}" for note in race["data"]["notes"]), *notes(race)]:
        console.print(line, highlight=False, markup=False, style="dim")
    for line in failures(race):
        console.print(line, highlight=False, markup=False, style="red")


def notes(race: Race) -> list[str]:
    """``name: note``, each once."""
    return list(dict.fromkeys(f"{run['entrant']}: {run['note']}" for run in race["runs"] if run["note"]))


def failures(race: Race) -> list[str]:
    """``name failed (seeds 0 and 1): reason``, each reason once."""
    seeds: dict[tuple[str, str], list[str]] = {}
    for run in race["runs"]:
        if run["status"] == "failed":
            seeds.setdefault((run["entrant"], run["error"]), []).append(str(run["seed"]))
    return [f"{name} failed (seed {', '.join(which)}): {error}" for (name, error), which in seeds.items()]


class LiveTable:
    """The race as it runs: give it to ``rich.live.Live`` and tell it what happens."""

    def __init__(self) -> None:
        self.race: Race | None = None
        self.status = "reading the data"
        self.doing: dict[tuple[str, int], str] = {}  # by entrant and seed

    def reading(self, what: str, done: int, total: int) -> None:
        """So many of the things in the data are read, before the race or before its next seed."""
        self.status = f"reading the data: {done:,} of {total:,} {what}"

    def update(
        self,
        race: Race,
        entrant: str | None = None,
        seed: int | None = None,
        fraction: float = 0.0,
        score: float | None = None,
    ) -> None:
        """What is going on.

        Args:
            race: so far.
            entrant, seed: of whom there is news; None when a run has ended. Others that are on stay so until
                the race has their runs.
            fraction: 0 to 1, the share of its budget that is used.
            score: its latest validation score.
        """
        doing = dict(self.doing)  # a new one: another thread draws the table
        if entrant is not None and seed is not None:
            latest = "" if score is None else f", validation {metric_value(score, race['metric']['name'])}"
            doing[entrant, seed] = f"{fraction:.0%}{latest}"
        for run in race["runs"]:
            doing.pop((run["entrant"], run["seed"]), None)
        self.race, self.doing = race, doing
        planned = race["seeds"] * len(race["entrants"])
        self.status = f"{len(race['runs'])} of {planned} runs done"
        if len(doing) == 1:
            self.status += "; now {}, seed {}".format(*next(iter(doing)))
        elif doing:
            self.status += f"; now {len(doing)} at once"

    def _now(self, name: str) -> str:
        """How far an entrant is, with the seed of each of its runs where several are on."""
        doing = self.doing
        own = sorted((seed, text) for (entrant, seed), text in doing.items() if entrant == name)
        return "; ".join(f"seed {seed}: {text}" if len(doing) > 1 else text for seed, text in own)

    def __rich__(self) -> Group | Text:
        if self.race is None:
            return Text(self.status)
        race, metric = self.race, self.race["metric"]["name"]
        title = f"{short_name(race['data']['name'])}, {budget_phrase(race['budget'])}: {self.status}"
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("model", metric_label(metric), "seeds", "now"):
            table.add_column(name, no_wrap=True, min_width=12)
        standings = {row["id"]: row for row in race["ranking"]["standings"]}
        failed = {run["entrant"] for run in race["runs"] if run["status"] == "failed"}
        for name in [*standings, *race["ranking"]["unfinished"]]:
            cells = ["", ""]
            if row := standings.get(name):
                cells = [score_value(row, metric), str(len(row["values"]))]
            now = self._now(name) or ("failed" if name in failed else "")
            table.add_row(name, *cells, now, style="dim" if row and row["kind"] == "baseline" else "")
        return Group(Text(title), table)

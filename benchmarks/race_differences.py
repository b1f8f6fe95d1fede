"""Does a race announce only differences that more seeds confirm?

``python -m benchmarks.race_differences --data DIR --out FOLDER``: eight small tables are raced at the default
seeds, and what is said to be behind the leader is measured again with 20 seeds that the race did not use.
Each difference is *confirmed* if the fresh seeds have it with the same sign and their own t-interval leaves
out zero. What was finished is kept in FOLDER, so the same command goes on where it was stopped.
"""

import argparse
import csv
import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from anncestry.race.compare import compare, resume
from anncestry.race.results import Results
from anncestry.race.statistics import half_interval

SEEDS, FRESH = 3, 20
TABLES = {
    "iris": "tabular/iris.csv",
    "pima": "tabular/pima-indians-diabetes.csv",
    "sonar": "tabular/sonar.csv",
    "wheat-seeds": "tabular/wheat-seeds.csv",
    "churn": "made/churn.csv",
    "diabetes": "made/diabetes.csv",
    "wine": "",  # scikit-learn's
    "breast_cancer": "",
}


@dataclass(frozen=True)
class Difference:
    """What a race says, and what fresh seeds say of it.

    Attributes:
        announced, announced_band: how far the entrant is behind the leader, by the race.
        fresh, fresh_band: the same over the fresh seeds alone.
    """

    table: str
    leader: str
    entrant: str
    announced: float
    announced_band: float
    fresh: float
    fresh_band: float

    @property
    def confirmed(self) -> bool:
        """Whether fresh seeds have the same sign, and are sure of it."""
        return self.fresh * self.announced > 0 and abs(self.fresh) > self.fresh_band


def written(name: str, folder: Path) -> Path:
    """A table of scikit-learn's as CSV."""
    from sklearn import datasets

    path = folder / "data" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    bunch: Any = getattr(datasets, f"load_{name}")()
    classes = [str(bunch.target_names[target]) for target in bunch.target]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*bunch.feature_names, "class"])
        writer.writerows([*row, label] for row, label in zip(bunch.data.tolist(), classes, strict=True))
    return path


def raced(
    data: str, folder: Path, epochs: int, models: list[str] | None, fresh: int
) -> tuple[Results, Results]:
    """The race at the default seeds, and the same race with fresh seeds added."""
    limits = {"models": models, "epochs": epochs, "seeds": SEEDS}
    first = compare(data, **limits, out=folder / "race")  # pyright: ignore[reportArgumentType]
    more = folder / "more-seeds"
    if not (more / "results.json").is_file():
        more.mkdir(exist_ok=True)
        shutil.copy(folder / "race" / "results.json", more / "results.json")
    return first, resume(more, seeds=SEEDS + fresh)


def differences(table: str, first: Results, more: Results) -> list[Difference]:
    """Every difference to the leader that the first race announces."""
    ranking = first.to_json()["ranking"]
    sign = 1 if first.metric["higher_is_better"] else -1
    scores: dict[str, dict[int, float]] = {}
    for run in more.runs:
        if run.status == "ok" and run.seed >= SEEDS:
            scores.setdefault(run.entrant, {})[run.seed] = run.metrics[more.metric["name"]]
    found = []
    for row in ranking["standings"]:
        if row["tied"] is not False:
            continue
        best, own = scores[ranking["leader"]], scores[row["id"]]
        gaps = [sign * (best[seed] - own[seed]) for seed in best if seed in own]
        fresh, band = fmean(gaps), half_interval(gaps) or float("inf")
        announced = (row["behind"], row["behind_band"])
        found.append(Difference(table, ranking["leader"], row["id"], *announced, fresh, band))
    return found


def line(difference: Difference) -> str:
    """A row of the table."""
    announced = f"{difference.announced:.4g} ± {difference.announced_band:.2g}"
    fresh = f"{difference.fresh:.4g} ± {difference.fresh_band:.2g}"
    verdict = "yes" if difference.confirmed else "NO"
    cells = (difference.table, difference.leader, difference.entrant, announced, fresh, verdict)
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    """Print the table; 1 if a difference was announced that fresh seeds do not confirm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds tabular/ and made/")
    parser.add_argument("--out", type=Path, default=Path("reports/race-differences"))
    parser.add_argument("--epochs", type=int, default=40, help="passes of every run")
    parser.add_argument("--fresh", type=int, default=FRESH, help="seeds that measure again")
    parser.add_argument(
        "--models", type=lambda text: text.split(","), help="all that fit a table unless given"
    )
    parser.add_argument("--tables", type=lambda text: text.split(","), default=list(TABLES))
    arguments = parser.parse_args()
    announced: list[Difference] = []
    print("| table | leader | behind it | by (3 seeds) | by (fresh seeds) | confirmed |", flush=True)
    print("|---|---|---|---|---|---|", flush=True)
    for table in arguments.tables:
        folder = arguments.out / table
        path = arguments.data / TABLES[table] if TABLES[table] else written(table, folder)
        first, more = raced(f"csv:{path}", folder, arguments.epochs, arguments.models, arguments.fresh)
        found = differences(table, first, more)
        announced += found
        for difference in found:
            print(line(difference), flush=True)
        rest = sum(row["tied"] is True for row in first.to_json()["ranking"]["standings"])
        print(f"| {table} | | {rest} tied | | | |", flush=True)
    confirmed = sum(difference.confirmed for difference in announced)
    count = f"{len(announced)} differences announced"
    print(f"\n{count}, {confirmed} confirmed by {arguments.fresh} fresh seeds.")
    return 0 if confirmed == len(announced) else 1


if __name__ == "__main__":
    raise SystemExit(main())

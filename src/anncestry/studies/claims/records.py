"""What a run of claims leaves in a folder: ``claims.json``, one picture per claim, and ``claims.md``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from anncestry import __version__
from anncestry.errors import UserError
from anncestry.studies.claims.claim import Claim, Evidence

Result = tuple[Claim, Evidence]


def prepare(folder: Path) -> None:
    """Make the folder, before anything long is run.

    Raises:
        UserError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError("--out", str(folder), f"must be a folder to write into ({error.strerror})") from error


def to_json(claim: Claim, evidence: Evidence) -> dict[str, Any]:
    """One claim and its evidence as plain data; ``figure`` names the picture beside the file."""
    return {
        "id": claim.id,
        "sentence": claim.sentence,
        "paper": claim.paper,
        "verdict": evidence.verdict.value,
        "because": evidence.because,
        "seconds": round(evidence.seconds, 3),
        "figure": f"{claim.id}.svg",
        "measurements": evidence.measurements,
    }


def picture(claim: Claim, evidence: Evidence, path: Path) -> None:
    """Draw the measurements of one claim; the same measurements give the same file, byte for byte."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    evidence.figure(axes)
    axes.set_title(f"{claim.id}: {evidence.verdict}")
    with matplotlib.rc_context({"svg.hashsalt": claim.id}):
        figure.savefig(path, metadata={"Date": None})


def markdown(results: Sequence[Result], seed: int) -> str:
    """The page of all claims: a table of verdicts, then each claim with its numbers and its picture."""
    lines = ["# Claims", "", f"anncestry {__version__}, seed {seed}.", ""]
    lines += ["| claim | verdict | seconds |", "|---|---|---|"]
    lines += [f"| [{c.id}](#{c.id}) | {e.verdict} | {e.seconds:.1f} |" for c, e in results]
    for claim, evidence in results:
        lines += ["", f"## {claim.id}", "", claim.sentence, "", f"*{claim.paper}*", ""]
        lines += [f"**{evidence.verdict}**: {evidence.because}.", "", f"![{claim.id}]({claim.id}.svg)"]
    return "\n".join(lines) + "\n"


def write(folder: Path, results: Sequence[Result], seed: int) -> None:
    """Write what is known so far; called after every claim, so that an interrupted run keeps what it has.

    Only the last result's picture is new: those before it were drawn when they were the last.
    """
    claim, evidence = results[-1]
    picture(claim, evidence, folder / f"{claim.id}.svg")
    record = {"anncestry": __version__, "seed": seed, "claims": [to_json(c, e) for c, e in results]}
    (folder / "claims.json").write_text(
        json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    (folder / "claims.md").write_text(markdown(results, seed), encoding="utf-8")

"""What a run of claims leaves in a folder: ``claims.json``, ``claims.md``, ``claims.html``, and pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from anncestry.claims.common.claim import Claim, Evidence
from anncestry.files import write_bytes
from anncestry.report import svg
from anncestry.report.claims import claims_page
from anncestry.version import __version__

Result = tuple[Claim, Evidence]


def to_json(claim: Claim, evidence: Evidence) -> dict[str, Any]:
    """One claim and its evidence as plain data; ``figure`` names the picture next to the file."""
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


def picture(claim: Claim, evidence: Evidence) -> Figure:
    """The measurements of one claim, drawn in the style of the reports."""
    with svg.style():
        figure, axes = svg.axes(7, 4.2)
        evidence.figure(axes)
        axes.set_title(f"{claim.id}: {evidence.verdict}")
    return figure


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

    The same measurements give the same files, byte for byte.
    """
    record = {"anncestry": __version__, "seed": seed, "claims": [to_json(c, e) for c, e in results]}
    drawn = {claim.id: picture(claim, evidence) for claim, evidence in results}
    claim, _ = results[-1]  # the pictures before it were written when they were the last
    image = io.BytesIO()
    with svg.style():
        drawn[claim.id].savefig(image, format="svg", metadata={"Date": None}, facecolor="white")
    page = claims_page(record, {name: svg.inline_svg(figure, name, name) for name, figure in drawn.items()})
    write_bytes(folder / f"{claim.id}.svg", svg.in_black(image.getvalue().decode()).encode())
    write_bytes(folder / "claims.json", (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    write_bytes(folder / "claims.md", markdown(results, seed).encode())
    write_bytes(folder / "claims.html", page.encode())

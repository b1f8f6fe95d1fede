"""The claims as one HTML page: a table of verdicts, then each claim with its numbers and its picture."""

from collections.abc import Mapping
from html import escape
from typing import Any

from anncestry.report.page import section, shell


def claims_page(record: dict[str, Any], figures: Mapping[str, str]) -> str:
    """The whole file.

    Args:
        record: plain data as ``claims.json`` holds it.
        figures: an inline SVG for each claim's id.
    """
    claims = record["claims"]
    held = sum(claim["verdict"] == "holds" for claim in claims)
    lead = f"{held} of {len(claims)} claims of the literature hold here."
    about = (
        f"anncestry {record['anncestry']}, seed {record['seed']}. Each verdict is computed from what was "
        "measured; none is written down in advance."
    )
    head = "<th>claim</th><th>verdict</th><th>seconds</th>"
    rows = "".join(_row(claim) for claim in claims)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    content = f'<p class="lead">{escape(lead)}</p>\n<p>{escape(about)}</p>\n<div class="wide">{table}</div>\n'
    for claim in claims:
        content += section(claim["id"], claim["sentence"], _claim(claim, figures[claim["id"]]))
    return shell("Claims, re-measured", content)


def _row(claim: dict[str, Any]) -> str:
    name = escape(claim["id"])
    link = f'<a href="#{name}">{name}</a>'
    return f"<tr><td>{link}</td><td>{escape(claim['verdict'])}</td><td>{claim['seconds']:.1f}</td></tr>\n"


def _claim(claim: dict[str, Any], figure: str) -> str:
    verdict = f"<strong>{escape(claim['verdict'].capitalize())}</strong>: {escape(claim['because'])}."
    return f'<p class="question">{escape(claim["paper"])}</p>\n<p>{verdict}</p>\n<figure>{figure}</figure>'

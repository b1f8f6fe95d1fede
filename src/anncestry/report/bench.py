"""The table of speeds as one HTML page: who wins where, then each row with its contestants."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anncestry.report.numbers import plural, precise_seconds
from anncestry.report.page import section, shell
from anncestry.report.svg import COLOURS, INK, inline_svg, literal, style

Results = dict[str, Any]
WIN, LOSS = COLOURS[0], COLOURS[1]


def bench_page(results: Results) -> str:
    """The whole file.

    Args:
        results: plain data as ``results.json`` holds it.
    """
    records = list(results["rows"].values())
    compared = [(record, one) for record in records for one in record.get("comparisons", ())]
    with_peers = [(record, one) for record, one in compared if not one["is_multiple"]]
    content = f'<p class="lead">{escape(lead([one for _, one in with_peers]))}</p>\n'
    content += (
        "<p>A ratio is the best peer's time over ours in one precision, each at its best setting: above 1 "
        "we are faster. One with × is our time as a multiple of what stands beside it. In brackets are "
        "quartiles over rounds, in which all contestants take turns.</p>\n"
    )
    if with_peers:
        content += f"<figure>{ratio_plot(with_peers)}</figure>\n"
    if compared:
        content += section("table", "The table", _summary(compared))
    if records:
        content += section("machine", "The machine", _machine(max(records, key=lambda one: one["date"])))
    for record in records:
        content += section(
            escape(anchor(record)), record["title"], _growth(record) + _contestants(record) + _said(record)
        )
    return shell("anncestry beside its peers", content)


def lead(comparisons: Sequence[Mapping[str, Any]]) -> str:
    """One sentence of how often we win."""
    if not comparisons:
        return "No peer was there to be compared with."
    won = sum(one["ratio"] > 1 for one in comparisons)
    return f"Faster than the best peer in {won} of {plural(len(comparisons), 'comparison')} on this machine."


def shown_ratio(comparison: Mapping[str, Any]) -> str:
    """``1.23 (1.20 to 1.25)``, or ``3.1 × (...)`` where it is a multiple."""
    middle, low, high = (f"{comparison[end]:.2f}" for end in ("ratio", "low", "high"))
    return f"{middle}{' ×' if comparison['is_multiple'] else ''} ({low} to {high})"


def anchor(record: Mapping[str, Any]) -> str:
    """A short name of a row in its environment, the same in the figure and in links."""
    return f"{record['id']}{'-spinning' if 'SPIN' in record['environment'] else ''}"


def said_of(record: Mapping[str, Any]) -> str:
    """What a reader must know of a row's figures, in sentences."""
    said = [record.get("note", ""), *record.get("unmeasured", ()), record.get("quiet", "")]
    if record.get("agreement") and record["contestants"]:
        first = record["contestants"][0]["name"]
        said.insert(1, f"{record['agreement'].capitalize()}: beside {first}.")
    return " ".join(filter(None, said))


def ratio_plot(compared: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """Ratios to the best peer with their quartiles, on a logarithmic axis, 1 in the middle."""
    with style():
        figure = Figure(figsize=(5.6, 1.0 + 0.27 * len(compared)), layout="constrained")
        panel = _panel(figure, 111)
        for height, (_, one) in enumerate(reversed(compared)):
            colour = WIN if one["ratio"] > 1 else LOSS
            panel.plot([1, one["ratio"]], [height, height], color=colour, linewidth=5, alpha=0.45)
            panel.plot([one["low"], one["high"]], [height, height], color=colour, linewidth=1.5)
            panel.plot([one["ratio"]], [height], "o", color=colour, markersize=5)
            panel.annotate(
                f"{one['ratio']:.2f}",
                (max(one["high"], one["ratio"], 1), height),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
        panel.axvline(1, color=INK, linewidth=1)
        names = [literal(f"{anchor(record)} {one['precision']}") for record, one in reversed(compared)]
        panel.set_yticks(range(len(compared)), names)
        panel.set_ylim(-0.6, len(compared) - 0.4)
        panel.grid(visible=False, axis="y")
        panel.tick_params(axis="y", length=0)
        ends = [one[end] for _, one in compared for end in ("low", "high")]
        panel.set_xscale("log", base=2)
        panel.set_xlim(min(0.5, 0.85 * min(ends)), max(2.0, 1.3 * max(ends)))
        marks = [mark for mark in (0.125, 0.25, 0.5, 0.75, 1, 1.5, 2, 4, 8) if _within(mark, panel)]
        panel.set_xticks(marks, [f"{mark:g}" for mark in marks])
        panel.minorticks_off()
        panel.set_xlabel("the best peer's time over ours")
        return inline_svg(figure, "ratios", "Ratios of the best peer's time to ours, with quartiles")


def growth_rows(record: Mapping[str, Any]) -> list[list[str]]:
    """Cells of each point: work, whose, texts, tokens, time a token, memory."""
    return [
        [
            point["work"], point["system"], str(point["batch"]), f"{point['length']:,}",
            precise_seconds(point["seconds"]), f"{point['megabytes']:,.0f} MB",
        ]
        for point in record["points"]
    ]  # fmt: skip


def growth_plot(points: Sequence[Mapping[str, Any]], work: str) -> str:
    """Time a token and memory over the length and over the batch."""
    with style():
        figure = Figure(figsize=(5.8, 5.4), layout="constrained")
        for place, (axis, value) in enumerate(
            (axis, value) for value in ("seconds", "megabytes") for axis in ("length", "batch")
        ):
            panel = _panel(figure, 221 + place)
            for colour, system in zip(COLOURS, dict.fromkeys(p["system"] for p in points), strict=False):
                mine = [p for p in points if (p["work"], p["system"], p["axis"]) == (work, system, axis)]
                xs, scale = [p[axis] for p in mine], 1e6 if value == "seconds" else 1
                panel.plot(
                    xs, [scale * p[value] for p in mine], "o-", color=colour, markersize=4, label=system
                )
            panel.set_xscale("log", base=2)
            ticks = sorted({p[axis] for p in points if (p["work"], p["axis"]) == (work, axis)})
            panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
            panel.minorticks_off()
            panel.set_ylim(bottom=0)
            panel.set_xlabel("tokens of a text" if axis == "length" else "texts at once")
            panel.set_ylabel("µs a token" if value == "seconds" else "peak memory, MB")
        panel.legend()
        return inline_svg(figure, f"growth-{work}", f"Growth of {work} with length and batch")


def _panel(figure: Figure, place: int) -> Axes:
    figure.patch.set_alpha(0)
    panel = figure.add_subplot(place)
    panel.patch.set_alpha(0)
    panel.set_axisbelow(True)
    return panel


def _within(mark: float, panel: Axes) -> bool:
    low, high = panel.get_xlim()
    return low <= mark <= high


def _summary(compared: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    heads = ("work", "ours", "best peer", "ratio")
    rows = []
    for record, one in compared:
        link = f'<a href="#{escape(anchor(record))}">{escape(record["title"])}</a>'
        cells = [link, escape(one["ours"]), escape(one["peer"]), escape(shown_ratio(one))]
        rows.append(cells)
    return _table(heads, rows, "ranking")


def _contestants(record: Mapping[str, Any]) -> str:
    if not record.get("contestants"):
        return ""
    counted, agreement = record["counted"], record["agreement"]
    heads = ["contestant", "precision", "median", "quartiles"]
    heads += [f"{counted} a second"] if counted else []
    heads += [agreement] if agreement else []
    rows = []
    for one in record["contestants"]:
        name = f"<strong>{escape(one['name'])}</strong>" if one["ours"] else escape(one["name"])
        cells = [name, escape(one["precision"]), precise_seconds(one["seconds"])]
        cells.append(f"{precise_seconds(one['low'])} to {precise_seconds(one['high'])}")
        cells += [f"{record['amount'] / one['seconds']:,.1f}"] if counted else []
        cells += [escape(one["agreement"])] if agreement else []
        rows.append(cells)
    return _table(heads, rows, "ranking")


def _growth(record: Mapping[str, Any]) -> str:
    if "points" not in record:
        return ""
    heads = ("work", "whose", "texts", "tokens", "time a token", "peak memory")
    figures = "".join(
        f"<figure>{growth_plot(record['points'], work)}"
        f"<figcaption>{escape(work.capitalize())}: on the left longer texts, on the right more of them at "
        "once.</figcaption></figure>\n"
        for work in dict.fromkeys(point["work"] for point in record["points"])
    )
    rows = [[escape(cell) for cell in cells] for cells in growth_rows(record)]
    return f"{figures}<details><summary>All figures</summary>{_table(heads, rows)}</details>\n"


def _said(record: Mapping[str, Any]) -> str:
    environment = f" with {record['environment']}" if record["environment"] else ""
    again = f"Measured on {escape(record['date'])}, {plural(record['rounds'], 'round')}: "
    again += f"<code>{escape(record['command'])}</code>{escape(environment)}."
    return f'<p class="notes">{escape(said_of(record))} {again}</p>\n'


def _machine(record: Mapping[str, Any]) -> str:
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in record["machine"].items()
    )
    return f"<dl>{items}</dl>\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """A table that scrolls by itself where it is too wide.

    Args:
        heads: plain text.
        rows: cells of HTML, escaped already.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    labels = ["", *heads[1:]]  # on a phone, where a row is a card: what comes first needs none
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{escape(name)}">{cell}</td>' for name, cell in zip(labels, cells, strict=True)
        )
        + "</tr>\n"
        for cells in rows
    )
    named = f' class="{kind}"' if kind else ""
    return (
        f'<div class="wide"><table{named}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>\n'
    )

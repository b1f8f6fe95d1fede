"""The figures of a race. Each takes ``results.json`` as plain data and returns inline SVG."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anncestry.report.numbers import is_share, metric_label, metric_value, scaled
from anncestry.report.svg import COLOURS, FAINT, INK, axes, inline_svg, literal, style

Race = dict[str, Any]
WIDTH = 7.2  # inches


def colours(race: Race) -> dict[str, str]:
    """A colour for each of the best models, the same in every figure; grey for the others."""
    models = [row["id"] for row in race["ranking"]["standings"] if row["kind"] == "model"]
    return {name: COLOURS[place] if place < len(COLOURS) else FAINT for place, name in enumerate(models)}


def ranking_plot(race: Race) -> str:
    """Models by mean and band, every seed a faint dot, baselines as dashed lines."""
    metric, palette = race["metric"]["name"], colours(race)
    models = [row for row in race["ranking"]["standings"] if row["kind"] == "model"]
    baselines = [row for row in race["ranking"]["standings"] if row["kind"] == "baseline"]
    with style():
        figure, panel = axes(WIDTH, 1.0 + 0.3 * len(models) + 0.16 * len(baselines))
        for height, row in enumerate(reversed(models)):
            mean = scaled(row["mean"], metric)
            if row["low"] is not None:
                panel.plot(
                    [scaled(row["low"], metric), scaled(row["high"], metric)],
                    [height, height],
                    color=palette[row["id"]],
                    linewidth=2,
                    alpha=0.6,
                )
            seeds = [scaled(value, metric) for value in row["values"].values()]
            panel.plot(seeds, [height] * len(seeds), "o", color=palette[row["id"]], markersize=3, alpha=0.5)
            panel.plot([mean], [height], "o", color=palette[row["id"]], markersize=7)
        panel.set_yticks(range(len(models)), [row["id"] for row in reversed(models)])
        panel.set_ylim(-0.6, len(models) - 0.4)
        panel.grid(visible=False, axis="y")
        panel.tick_params(axis="y", length=0)
        low, high = _range(models, baselines, metric)
        panel.set_xlim(low, high)
        shown = [row for row in baselines if low <= scaled(row["mean"], metric) <= high]
        for level, row in enumerate(shown):
            _baseline_line(panel, row, metric, level, right=scaled(row["mean"], metric) > (low + high) / 2)
        panel.set_xlabel(metric_label(metric) + " on the test split")
        return inline_svg(figure, "ranking", "Models ranked by mean test score, with intervals")


def _baseline_line(panel: Axes, row: dict[str, Any], metric: str, level: int, right: bool) -> None:
    value = scaled(row["mean"], metric)
    panel.axvline(value, color=INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.6)
    panel.annotate(
        f"{row['id']} {metric_value(row['mean'], metric)}",
        (value, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if right else 4, 4 + 12 * level),
        textcoords="offset points",
        ha="right" if right else "left",
        fontsize=9,
    )


def _range(models: list[dict], baselines: list[dict], metric: str) -> tuple[float, float]:
    """Limits that show the models and the baselines near them; one far away must not press them together."""
    means = [scaled(value, metric) for row in models for value in row["values"].values()]
    means += [
        scaled(row[end], metric) for row in models[:1] for end in ("low", "high") if row[end] is not None
    ]
    low, high = min(means), max(means)
    span = max(high - low, 1e-3 * max(abs(high), 1e-9))
    near = [scaled(row["mean"], metric) for row in baselines]
    near = [value for value in near if low - 0.6 * span <= value <= high + 0.6 * span]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.06 * (high - low or span)
    return low - margin, (min(high + margin, 100.4) if is_share(metric) else high + margin)


def learning_curves(race: Race) -> str:
    """Validation score over seconds of training: the mean over seeds, and the range between the seeds."""
    metric, palette = race["metric"]["name"], colours(race)
    ends, late = [], []
    with style():
        figure, panel = axes(WIDTH, 3.8)
        for name in reversed(list(palette)):  # the best on top
            grid, values = _on_one_grid(race, name)
            if values is None:
                continue
            mean, grey = values.mean(0), palette[name] == FAINT
            panel.plot(grid, mean, color=palette[name], linewidth=1 if grey else 1.8, zorder=1 if grey else 3)
            if len(values) > 1 and not grey:
                panel.fill_between(
                    grid, values.min(0), values.max(0), color=palette[name], alpha=0.15, linewidth=0
                )
            late.append(mean[grid >= 0.1 * grid[-1]])
            if not grey:
                ends.append((grid[-1], mean[-1], name))
        if late:
            low, high = np.concatenate(late).min(), np.concatenate(late).max()
            margin = 0.05 * (high - low or abs(high) or 1)
            panel.set_ylim(low - margin, high + margin)
        _label_ends(panel, ends, palette)
        panel.set_xlim(left=0)
        panel.set_xlabel("seconds of training")
        panel.set_ylabel(metric_label(metric) + ", validation")
        return inline_svg(figure, "curves", "Validation score over seconds of training for every model")


def _on_one_grid(race: Race, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """The curves of one model's seeds, interpolated to the same seconds: (P,) and (seeds, P)."""
    metric = race["metric"]["name"]
    curves = []
    for run in race["runs"]:
        rows = [row for row in run["curve"] if row.get(metric) is not None]
        if run["entrant"] == name and run["status"] == "ok" and rows:
            curves.append(([row["seconds"] for row in rows], [scaled(row[metric], metric) for row in rows]))
    if not curves:
        return np.zeros(0), None
    start, end = max(seconds[0] for seconds, _ in curves), min(seconds[-1] for seconds, _ in curves)
    grid = np.linspace(start, end, 60) if end > start else np.array([end])
    return grid, np.stack([np.interp(grid, seconds, values) for seconds, values in curves])


def _label_ends(panel: Axes, ends: list[tuple[float, float, str]], palette: dict[str, str]) -> None:
    """Names at the right ends of lines, moved apart where they would cover each other."""
    if not ends:
        return
    low, high = panel.get_ylim()
    gap = 0.055 * (high - low)
    right = max(x for x, _, _ in ends)
    placed = low - gap
    spots = []
    for x, y, name in sorted(ends, key=lambda end: end[1]):
        placed = max(min(max(y, low), high), placed + gap)
        spots.append((x, y, placed, name))
    overflow = max(0.0, placed - high)
    for x, y, height, name in spots:
        panel.plot([x], [y], "o", color=palette[name], markersize=4, clip_on=True, zorder=4)
        panel.annotate(
            name,
            (x, y),
            xytext=(right * 1.02, height - overflow),
            textcoords="data",
            va="center",
            fontsize=9,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": palette[name], "linewidth": 0.6, "shrinkA": 0},
        )


def against(race: Race, field: str, label: str) -> str:
    """Test score against ``field`` of the standings (parameters, latency, seconds) on a logarithmic axis."""
    metric, palette = race["metric"]["name"], colours(race)
    rows = [row for row in race["ranking"]["standings"] if row["kind"] == "model" and row[field]]
    with style():
        figure, panel = axes(WIDTH, 3.6)
        panel.set_xscale("log")
        for row in rows:
            value = scaled(row["mean"], metric)
            if row["low"] is not None:
                below, above = value - scaled(row["low"], metric), scaled(row["high"], metric) - value
                panel.errorbar(
                    row[field], value, [[below], [above]], color=palette[row["id"]], elinewidth=1, alpha=0.4
                )
            panel.plot(row[field], value, "o", color=palette[row["id"]], markersize=6)
        if rows:
            panel.set_ylim(*_range(rows, [], metric))
            low, high = min(row[field] for row in rows), max(row[field] for row in rows)
            panel.set_xlim(low / 2, high * 2)
        panel.set_xlabel(label)
        panel.set_ylabel(metric_label(metric))
        _label_points(figure, panel, [(row[field], scaled(row["mean"], metric), row["id"]) for row in rows])
        return inline_svg(figure, f"by-{field}", f"Test score of every model against {label}")


# Places for a name beside its point: offset in typographic points, and the side of the text that is there.
_PLACES = [(6, 0, "left"), (-6, 0, "right")]
_PLACES += [(dx, dy, side) for dy in (8, -8, 16, -16) for dx, side in ((3, "left"), (-3, "right"))]


def _label_points(figure: Figure, panel: Axes, points: list[tuple[float, float, str]]) -> None:
    """Names beside points, each at the place where it covers the least and stays inside."""
    figure.draw_without_rendering()  # fixes where things are
    to_points = 72 / figure.dpi
    spots = [panel.transData.transform(point[:2]) * to_points for point in points]
    inside = tuple(edge * to_points for edge in panel.get_window_extent().extents)
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in spots]
    for (x, y), point in zip(spots, points, strict=True):
        width, height = 5.0 * len(point[2]), 9.0

        def box(place, x=x, y=y, width=width, height=height):
            left = x + place[0] - (width if place[2] == "right" else 0)
            return left, y + place[1] - height / 2, left + width, y + place[1] + height / 2

        def harm(place, box=box, area=width * height):
            covered = sum(_overlap(box(place), other) for other in taken)
            return covered + 2 * (area - _overlap(box(place), inside))

        best = min(_PLACES, key=harm)
        taken.append(box(best))
        place = {"xytext": best[:2], "textcoords": "offset points", "ha": best[2], "va": "center"}
        panel.annotate(point[2], point[:2], fontsize=9, **place)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def forecast_plot(mistakes: dict[str, Any], name: str, in_time: bool) -> str:
    """Predicted and true values of the test split: over time, or against each other."""
    true, predicted = mistakes["series"]["true"], mistakes["series"]["predicted"]
    with style():
        if in_time:
            figure, panel = axes(WIDTH, 2.2)
            panel.plot(true, color=INK, linewidth=1, alpha=0.6)
            panel.plot(predicted, color=COLOURS[0], linewidth=1.2)
            panel.set_xlabel("test example, in the order of time (black or white: true, blue: predicted)")
        else:
            figure, panel = axes(3.6, 3.4)
            ends = [min(true + predicted), max(true + predicted)]
            panel.plot(ends, ends, color=FAINT, linewidth=1)
            panel.plot(true, predicted, "o", color=COLOURS[0], markersize=3, alpha=0.6)
            panel.set_xlabel("true")
        panel.set_ylabel(literal(mistakes["unit"]) if in_time else "predicted")
        return inline_svg(figure, f"errors-{name}", f"Predicted and true values of {name}")

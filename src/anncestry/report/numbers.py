"""Numbers for people: as many digits as the uncertainty leaves, units where they help."""

import math
from typing import Any

_PERCENT = (
    "accuracy", "balanced_accuracy", "subset_accuracy", "frame_accuracy", "exact",
    "macro_f1", "micro_f1", "span_f1", "span_precision", "span_recall",
)  # fmt: skip
_NAMES = {  # in prose, and on axes and in tables
    "accuracy": ("accuracy", "accuracy (%)"),
    "loss": ("mean loss", "mean loss"),
    "balanced_accuracy": ("balanced accuracy", "balanced accuracy (%)"),
    "subset_accuracy": ("subset accuracy", "subset accuracy (%)"),
    "macro_f1": ("macro F1", "macro F1 (%)"),
    "micro_f1": ("micro F1", "micro F1 (%)"),
    "span_f1": ("span F1", "span F1 (%)"),
    "span_precision": ("span precision", "span precision (%)"),
    "span_recall": ("span recall", "span recall (%)"),
    "roc_auc": ("area under the ROC curve", "ROC AUC"),
    "mean_average_precision": ("mean average precision", "mean average precision"),
    "mae": ("mean absolute error", "MAE"),
    "r2": ("R²", "R²"),
    "pearson": ("Pearson's correlation", "correlation"),
    "frame_accuracy": ("accuracy of frames", "frames (%)"),
    "bits": ("bits per token", "bits per token"),
    "rmse": ("root mean squared error", "RMSE"),
    "mse": ("squared error of a pixel", "squared error of a pixel"),
    "exact": ("exact matches", "exact (%)"),
    "bleu": ("BLEU", "BLEU"),
    "chrf": ("chrF", "chrF"),
}


def is_share(metric: str) -> bool:
    """Whether it is at most 1 and shown in per cent."""
    return metric in _PERCENT


def metric_name(metric: str) -> str:
    """The name of a metric in prose."""
    return _NAMES[metric][0] if metric in _NAMES else metric


def metric_label(metric: str) -> str:
    """The name of a metric on an axis or in a table's head, with its unit."""
    return _NAMES[metric][1] if metric in _NAMES else metric


def scaled(value: float, metric: str) -> float:
    """A metric in the unit it is shown in: shares in per cent."""
    return 100 * value if metric in _PERCENT else value


def metric_value(mean: float | None, metric: str, band: float | None = None, unit: bool = False) -> str:
    """``98.6 ± 0.4`` with as many decimals as the band has meaning; ``98.6`` without one.

    Args:
        unit: whether to put the per cent sign behind it, where there is one.
    """
    if mean is None or not math.isfinite(mean):
        return "–"
    mean = scaled(mean, metric)
    band = None if band is None else scaled(band, metric)
    decimals = _decimals(mean, band, metric)
    text = f"{mean:.{decimals}f}"
    if band is not None:
        text += " ± 0" if band < _ROUNDING else f" ± {band:.{decimals}f}"
    return f"{text} %" if unit and metric in _PERCENT else text


def score_value(row: dict[str, Any], metric: str, unit: bool = False) -> str:
    """``98.6 [97.9, 99.1]``: the mean of a standing with its interval, if it has one."""
    low, high = row["low"], row["high"]
    if low is None or high is None:
        return metric_value(row["mean"], metric, unit=unit)
    mean, low, high = (scaled(value, metric) for value in (row["mean"], low, high))
    decimals = _decimals(mean, (high - low) / 2, metric)
    sign = " %" if unit and metric in _PERCENT else ""
    return f"{mean:.{decimals}f}{sign} [{low:.{decimals}f}, {high:.{decimals}f}]"


def short_name(data: str) -> str:
    """``csv:wine.csv`` for ``csv:/somewhere/deep/wine.csv``: the name of data without the folders."""
    kind, colon, rest = data.partition(":")
    names = [part.rstrip("/").rpartition("/")[2] or part for part in rest.split(",")]
    return kind + colon + ",".join(names)


_ROUNDING = 1e-9  # a band below it is that of equal values


def _decimals(mean: float, band: float | None, metric: str) -> int:
    """Shares: 1 or 2. Else two digits of a band that begins with 1 or 2, one of others; four without a band.

    A mean that is smaller than its band may have one decimal more.
    """
    if band is None or band < _ROUNDING:
        place = 1 if metric in _PERCENT else 3 - _exponent(mean)
    else:
        first = _exponent(band)
        place = -first + (band / 10**first < 3)
        place = max(place, min(1 - _exponent(mean), place + 1))
        place = max(1, min(place, 2)) if metric in _PERCENT else place
    return max(0, min(place, 6))


def _exponent(value: float) -> int:
    """Of ten, in scientific notation."""
    return math.floor(math.log10(abs(value))) if value else 0


def count(value: float | None) -> str:
    """``9,610``, ``203 k``, ``1.5 M``: parameters or operations."""
    if value is None:
        return "–"
    rounded = float(f"{value:.3g}")
    for suffix, size in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rounded >= max(size, 1e4):
            return f"{rounded / size:g} {suffix}"
    return f"{value:,.0f}"


def operations(value: float | None) -> str:
    """``1 TFLOPs``, ``5,000 FLOPs``."""
    text = count(value)
    return f"{text}FLOPs" if text[-1].isalpha() else f"{text} FLOPs"


def precise_seconds(seconds: float) -> str:
    """``12.3 µs``, ``1.23 ms``, ``1.23 s``: three digits, where times are held against each other."""
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        if float(f"{seconds:.3g}") < 1e3 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def duration(seconds: float | None) -> str:
    """``35 µs``, ``1.2 ms``, ``4.0 s``, ``2 min 5 s``."""
    if seconds is None:
        return "–"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def plural(number: int, noun: str) -> str:
    """``1 seed``, ``3 seeds``, ``2 passes``."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

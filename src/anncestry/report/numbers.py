"""Numbers for people: as many digits as the uncertainty leaves, units where they help."""

import math

_PERCENT = ("accuracy",)
_UNITS = {"accuracy": "%", "bits": "bits", "rmse": "", "mae": ""}
_NAMES = {
    "accuracy": "accuracy",
    "bits": "bits per token",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
    "r2": "R²",
    "perplexity": "perplexity",
    "loss": "loss",
}


def metric_name(metric: str) -> str:
    """The name of a metric in prose."""
    return _NAMES.get(metric, metric)


def metric_label(metric: str) -> str:
    """The name of a metric on an axis or in a table's head, with its unit."""
    return "accuracy (%)" if metric in _PERCENT else metric_name(metric)


def scaled(value: float, metric: str) -> float:
    """A metric in the unit it is shown in: shares in per cent."""
    return 100 * value if metric in _PERCENT else value


def metric_value(mean: float | None, metric: str, band: float | None = None, unit: bool = False) -> str:
    """``98.6 ± 0.4`` with as many decimals as the band has meaning; ``98.6`` without one."""
    if mean is None or not math.isfinite(mean):
        return "–"
    mean = scaled(mean, metric)
    band = None if band is None else scaled(band, metric)
    decimals = _decimals(mean, band, metric)
    text = f"{mean:.{decimals}f}"
    if band is not None:
        text += f" ± {band:.{decimals}f}"
    if unit and _UNITS.get(metric):
        text += f" {_UNITS[metric]}"
    return text


def _decimals(mean: float, band: float | None, metric: str) -> int:
    """The place of the band's first digit (its second, where the first is a 1)."""
    usual = 1 if metric in _PERCENT else (max(0, 3 - math.floor(math.log10(abs(mean)))) if mean else 3)
    if not band or band < 1e-9:  # the same for every seed, but for rounding
        return min(usual, 6)
    place = -math.floor(math.log10(band))
    if band * 10**place < 2:
        place += 1
    return max(1, min(place, 2)) if metric in _PERCENT else max(0, min(place, 6))


def count(value: float | None) -> str:
    """``9,610``, ``203 k``, ``1.5 M``: parameters or operations."""
    if value is None:
        return "–"
    for size, suffix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            unit = 1e3 if suffix == "k" else size
            return f"{value / unit:.3g} {suffix}" if value / unit < 1000 else f"{value / unit:.0f} {suffix}"
    return f"{value:,.0f}"


def operations(value: float | None) -> str:
    """``1 TFLOPs``, ``5,000 FLOPs``."""
    text = count(value)
    return f"{text}FLOPs" if text[-1].isalpha() else f"{text} FLOPs"


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

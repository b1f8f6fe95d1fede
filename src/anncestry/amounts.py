"""Amounts as they are typed: times and counts with a unit behind them. Imports no torch."""

import math
import re

from anncestry.errors import UserError, require

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_COUNTS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
_AMOUNT = re.compile(r"([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_seconds(text: str | float, field: str) -> float:
    """``"60s"``, ``"2m"``, ``"1.5h"`` or a plain number, in seconds.

    Raises:
        UserError: it is none of these, or not above 0; ``field`` is what was set.
    """
    return _parse(text, field, _SECONDS, "must be a time such as 60s, 2m or 1h")


def parse_count(text: str | float, field: str) -> float:
    """``"50k"``, ``"1.5M"``, ``"1e12"`` or a plain number.

    Raises:
        UserError: it is none of these, or not above 0; ``field`` is what was set.
    """
    return _parse(text, field, _COUNTS, "must be a count such as 50k, 1.5M or 1e12")


def check_seed(seed: int, field: str = "seed") -> None:
    """Raise a `UserError` unless every library's random numbers can start from ``seed``."""
    require(0 <= seed < 2**32, field, seed, "must be at least 0 and below 2^32")


def _parse(text: str | float, field: str, units: dict[str, float], rule: str) -> float:
    match = _AMOUNT.fullmatch(str(text).strip())
    unit = match[2].lower() if match else None
    if match is None or unit not in units:
        raise UserError(field, text, rule)
    amount = float(match[1]) * units[unit]
    require(amount > 0 and math.isfinite(amount), field, text, "must be above 0")
    return amount

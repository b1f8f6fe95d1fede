"""Dates as people write them in many languages, to be translated to ISO 8601.

Formats and names are those of the Unicode CLDR, through Babel. The day and the month stand in the order of
the language. A text of digits alone that another language would read as another date is never made: years
have all their digits, and where the day or the month comes first the day is above 12, or the same number as
the month.
"""

import datetime
import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from anncestry.data.options import DataOptions
from anncestry.data.sources.parallel import translation_dataset
from anncestry.data.splits.dataset import Dataset, Processor
from anncestry.data.splits.holdout import generator
from anncestry.errors import UserError, require

LANGUAGES = (
    "af", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fi", "fr", "hr", "hu", "id", "is",
    "it", "ja", "ko", "lt", "lv", "ms", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "sw", "tr",
    "uk", "vi", "zh",
)  # fmt: skip
STYLES = ("full", "long", "medium", "short")
SKELETONS = ("yMMMMEEEEd", "yMMMMd", "yMMMEd", "yMMMd", "yMEd", "yMd")
FIRST, LAST = datetime.date(1950, 1, 1), datetime.date(2049, 12, 31)
SIZES = (20_000, 1000, 2000)
HELD_OUT_SIZE = 1000
HELD_OUT_DAYS = 0.1
"""Share of all days that is for validation, and again for test."""


class Format(NamedTuple):
    """A way to write a date.

    Attributes:
        language: a code of ISO 639.
        pattern: of CLDR: ``d MMMM y``.
        any_day: whether it can be read in but one way on every day.
    """

    language: str
    pattern: str
    any_day: bool

    def write(self, day: datetime.date) -> str:
        """The date in this form."""
        from babel.dates import format_date

        return format_date(day, self.pattern, _locale(self.language))

    def is_clear(self, day: datetime.date) -> bool:
        """Whether nobody would take this text for another day's."""
        return self.any_day or day.day > 12 or day.day == day.month


@functools.cache
def _locale(language: str):
    from babel import Locale

    return Locale.parse(language)


@functools.cache
def formats(language: str) -> tuple[Format, ...]:
    """The different ways in which a language writes a date."""
    locale = _locale(language)
    found = [locale.date_formats[style].pattern for style in STYLES]
    skeletons = locale.datetime_skeletons
    found += [skeletons[skeleton].pattern for skeleton in SKELETONS if skeleton in skeletons]
    whole_years = dict.fromkeys(re.sub(r"(?<!y)yy(?!y)", "y", pattern) for pattern in found)
    return tuple(Format(language, pattern, _any_day(pattern)) for pattern in whole_years)


def _any_day(pattern: str) -> bool:
    fields = re.sub(r"'[^']*'", "", pattern)
    named = re.search(r"[ML]{3}", fields) is not None
    words = any(letter.isalpha() and letter not in "yMLdEc" for letter in fields)
    return named or words or fields.lstrip("Ec., ").startswith("y")


def write_dates(
    days: np.ndarray, count: int, languages: Sequence[str], random: np.random.Generator
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """``(pairs, languages)``: dates as texts with their ISO form, and the language of each.

    Args:
        days: the days to draw from, as numbers since `FIRST`.
        count: pairs; every language has equally many, or one more.
    """
    pairs, of = [], []
    for number in range(count):
        language = languages[number % len(languages)]
        while True:
            day = FIRST + datetime.timedelta(days=int(random.choice(days)))
            ways = formats(language)
            way = ways[random.integers(len(ways))]
            if way.is_clear(day):
                break
        pairs.append((way.write(day), day.isoformat()))
        of.append(language)
    return pairs, tuple(of)


def load_dates(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``dates``: pairs of characters. No day of one part is in another one.

    Languages that ``hold_out`` names are in none of the three parts but in a fourth one, with the days of the
    test part.
    """
    from babel import __version__

    held_out = tuple(dict.fromkeys(word.strip().lower() for word in (options.hold_out or "").split(",")))
    held_out = tuple(word for word in held_out if word)
    for language in held_out:
        require(language in LANGUAGES, "hold_out", language, "is no language of these dates", LANGUAGES)
    languages = [language for language in LANGUAGES if language not in held_out]
    if not languages:
        raise UserError("hold_out", options.hold_out, "must leave a language to be trained on")
    random = generator(seed)
    days = random.permutation((LAST - FIRST).days + 1)
    share = round(HELD_OUT_DAYS * len(days))
    days_of = (days[2 * share :], days[:share], days[share : 2 * share])
    made = [write_dates(*part, languages, random) for part in zip(days_of, SIZES, strict=True)]
    notes = [
        f"dates of {FIRST.year} to {LAST.year} in {len(languages)} languages, generated with seed {seed}; no "
        f"day of one part is in another (Babel {__version__})"
    ]
    if held_out:
        made.append(write_dates(days_of[2], HELD_OUT_SIZE, held_out, random))
        notes.append(f"{', '.join(held_out)} held out: {HELD_OUT_SIZE:,} pairs, scored apart")
    parts, groups = zip(*made, strict=True)
    return translation_dataset(parts, groups, options, processor, name="dates", notes=notes, level="char")

"""The fields of a foreign JSON file, each checked when it is read, and a note on those that were not read.

>>> fields = Fields({"hidden_size": 8, "sharpness": 2}, "config.json")
>>> fields.size("hidden_size"), fields.notes()
(8, ('config.json says what is not known here and was not heeded: sharpness=2',))
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from anncestry.errors import UserError, require
from anncestry.stored import whole

LARGEST_SIZE = 10_000_000
"""No network of the kinds that are read has a larger size, or more words."""
_SHOWN = 8
_LONGEST = 40  # characters of a value


class Fields(Mapping[str, Any]):
    """An object of JSON that knows which of its fields were read.

    Args:
        values: the object.
        source: for messages.
        idle: fields that change no result, and need not be read.
    """

    def __init__(self, values: Mapping[str, Any], source: str, idle: Collection[str] = ()) -> None:
        self.values_by_name, self.source = values, source
        self._read: set[str] = set(idle)

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return self.values_by_name[name]

    def __contains__(self, name: object) -> bool:  # reads too: that it is missing is heeded
        self._read.add(str(name))
        return name in self.values_by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def size(self, name: str, default: int | None = None) -> int:
        """A whole number of at least 0; required where there is no default."""
        value = self.value(name, default)
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_SIZE
        require(whole, self.source, value, f"{name} must be a whole number from 0 to {LARGEST_SIZE:,}")
        return value

    def number(self, name: str, default: float) -> float:
        """A number; null is the default."""
        value = self.value(name, default)
        value = default if value is None else value
        fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
        require(fits, self.source, value, f"{name} must be a number")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false; null is the default."""
        value = self.choice(name)
        return default if value is None else value

    def choice(self, name: str) -> bool | None:
        """True, false or null, which is also what a missing field is."""
        value = self.get(name)
        rule = f"{name} must be true or false"
        require(value is None or isinstance(value, bool), self.source, value, rule)
        return value

    def one_of(self, name: str, known: Mapping[Any, Any], default: Any = None) -> Any:
        """What of ours a value of theirs stands for."""
        value = self.value(name, default)
        fits = isinstance(value, str | None | bool) and value in known
        require(fits, self.source, value, f"is an unknown {name}", known)
        return known[value]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; null or a missing one is empty."""
        return whole(tuple[str, ...], self.get(name) or (), f"{self.source}: {name}")

    def must_be(self, name: str, usual: Any) -> None:
        """A field that makes another network where it is not as usual."""
        value = self.value(name, usual)
        fits = value == usual or (value is None and not usual)
        require(fits, self.source, value, f"{name} makes another network than ours; must be", [usual])

    def ignore(self, *names: str) -> None:
        """Fields that need not be read."""
        self._read |= set(names)

    def notes(self) -> tuple[str, ...]:
        """A note on fields that were not read, with their values, if there are any."""
        said = {name for name, value in self.values_by_name.items() if value is not None}
        unknown = sorted(said - self._read)
        if not unknown:
            return ()
        shown = [f"{name}={_short(self.values_by_name[name])}" for name in unknown[:_SHOWN]]
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        return (f"{self.source} says what is not known here and was not heeded: {', '.join(shown)}{more}",)

    def value(self, name: str, default: Any = None) -> Any:
        """The value of a field, required where there is no default."""
        if name not in self and default is None:
            raise UserError(self.source, sorted(self.values_by_name), f"its config must say {name}")
        return self.get(name, default)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."

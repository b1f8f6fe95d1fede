"""Key maps: one table of names that is read in both directions.

A rule is a pair of templates, theirs and ours, in which ``{letter}`` stands for a number and ``{name*}``
for any text:

>>> names = KeyMap({"weight_ih_l{k}": "layers.{k}.cell.weight_ih", "{rest*}": "readout.{rest*}"})
>>> names.rename("weight_ih_l12"), names.reverse().rename("layers.12.cell.weight_ih")
('layers.12.cell.weight_ih', 'weight_ih_l12')
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from anncestry.errors import UserError

_FIELD = re.compile(r"\{(\w+)(\*?)\}")


class Renamed(NamedTuple):
    """Tensors under their new names, and the old names that no rule matched."""

    tensors: dict[str, Tensor]
    unmatched: list[str]


class KeyMap:
    """Renames keys by templates; the first rule that matches a whole key counts.

    Args:
        rules: template -> template. Both sides of a rule hold the same fields.
    """

    def __init__(self, rules: Mapping[str, str]) -> None:
        self.rules = dict(rules)
        self._compiled: list[tuple[re.Pattern[str], str]] = []
        for theirs, ours in self.rules.items():
            assert sorted(_FIELD.findall(theirs)) == sorted(_FIELD.findall(ours)), f"{theirs}: other fields"
            self._compiled.append((_pattern(theirs), _FIELD.sub(r"{\1}", ours)))

    def reverse(self) -> "KeyMap":
        """The same table read from right to left."""
        return KeyMap({ours: theirs for theirs, ours in self.rules.items()})

    def rename(self, key: str) -> str | None:
        """The new name, or None where no rule matches."""
        for pattern, template in self._compiled:
            if match := pattern.fullmatch(key):
                return template.format(**match.groupdict())
        return None

    def apply(self, tensors: Mapping[str, Tensor]) -> Renamed:
        """Rename every key.

        Raises:
            UserError: two keys would get the same name.
        """
        renamed: dict[str, Tensor] = {}
        unmatched = []
        for key, tensor in tensors.items():
            name = self.rename(key)
            if name is None:
                unmatched.append(key)
            elif name in renamed:
                raise UserError("checkpoint", key, f"is a second tensor for {name}")
            else:
                renamed[name] = tensor
        return Renamed(renamed, unmatched)


def _pattern(template: str) -> re.Pattern[str]:
    pieces, end = [], 0
    for field in _FIELD.finditer(template):
        value = ".+" if field[2] else "[0-9]+"
        pieces += [re.escape(template[end : field.start()]), f"(?P<{field[1]}>{value})"]
        end = field.end()
    return re.compile("".join(pieces) + re.escape(template[end:]))

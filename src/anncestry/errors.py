"""The one error a user's mistake becomes: it names the field, the value, the rule and the choices."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

_NAME = re.compile(r"`([a-z_]+)(?:=([^`]*))?`")


class UserError(ValueError):
    """Something the user gave does not follow a rule.

    >>> try:
    ...     anncestry.load_data("digit")
    ... except anncestry.UserError as error:
    ...     print(error.field, error.value, error.choices)
    data digit ['digits', 'adding']

    The command line prints the message without a traceback and exits with code 2; in Python it is an
    ordinary ``ValueError``. Arguments are named as Python spells them (``batch_size``), within a rule or a
    hint in backquotes; the command line spells them as its options (see `spelt`).

    Args:
        field: what was set: an argument or field (``data``, ``hidden_size``), or a place in a file
            (``row 7, column 'age'``).
        value: what was received.
        rule: one sentence that says what is accepted.
        choices: the accepted values, where they can be listed.
        hint: what to do about it, where that is not obvious from the rule.
    """

    def __init__(
        self,
        field: str,
        value: object,
        rule: str,
        choices: Iterable[object] | None = None,
        hint: str | None = None,
    ) -> None:
        self.field, self.value, self.rule = field, value, rule
        self.choices = None if choices is None else [str(choice) for choice in choices]
        self.hint = hint
        super().__init__(self.spelt({}))

    def spelt(self, names: Mapping[str, str]) -> str:
        """The message as another place spells the arguments.

        Args:
            names: from an argument of Python to its name there (``{"batch_size": "--batch-size"}``); what is
                not among them stays as it is.
        """

        def spell(name: re.Match[str]) -> str:
            if name[1] not in names:
                return name[0]
            return names[name[1]] if name[2] is None else f"{names[name[1]]} {name[2]}"

        field = names.get(self.field, self.field)
        rule, hint = (_NAME.sub(spell, text or "") for text in (self.rule, self.hint))
        shown = self.value if isinstance(self.value, str) else repr(self.value)
        if len(shown) > 200:
            shown = shown[:200] + "..."
        message = (
            f"{field}: got {shown!r}; {rule}"
            if isinstance(self.value, str)
            else (f"{field}: got {shown}; {rule}")
        )
        message = message.rstrip(".") + "."
        if self.choices is not None:
            message += f" Choices: {_NAME.sub(spell, ', '.join(self.choices))}."
        if hint:
            message += f" {hint}"
        return message

    def __reduce__(self):  # survive the trip between processes
        return (type(self), (self.field, self.value, self.rule, self.choices, self.hint))


def nearest(word: str, choices: Sequence[str], count: int = 3) -> list[str]:
    """The choices most like ``word``, best first; all of them where none is alike."""
    return difflib.get_close_matches(word, choices, n=count, cutoff=0.5) or list(choices)


def require(
    condition: bool, field: str, value: object, rule: str, choices: Iterable[object] | None = None
) -> None:
    """Raise a `UserError` unless ``condition`` holds."""
    if not condition:
        raise UserError(field, value, rule, choices)

"""The one error a user's mistake becomes: it names the field, the value, the rule and the choices."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class UserError(ValueError):
    """Something the user gave does not follow a rule.

    The command line prints the message without a traceback and exits with code 2; in Python it is an
    ordinary ``ValueError``.

    Args:
        field: what was set, as the user spells it (``--data``, ``hidden_size``, ``row 7, column 'age'``).
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
        super().__init__(self._message())

    def _message(self) -> str:
        shown = self.value if isinstance(self.value, str) else repr(self.value)
        if len(shown) > 200:
            shown = shown[:200] + "..."
        message = (
            f"{self.field}: got {shown!r}; {self.rule}"
            if isinstance(self.value, str)
            else (f"{self.field}: got {shown}; {self.rule}")
        )
        message = message.rstrip(".") + "."
        if self.choices is not None:
            message += f" Choices: {', '.join(self.choices)}."
        if self.hint is not None:
            message += f" {self.hint}"
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

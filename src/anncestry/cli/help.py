"""``anncestry COMMAND --help``: the options of a command in groups, and the sources of its ``--data``.

With ``--data`` given, only the options that its source heeds are shown, with the choices that fit it.
Imports no torch.
"""

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from anncestry.cli import verbose
from anncestry.cli.groups import DATA, ORDER, OTHER, Group
from anncestry.cli.options import Option, options_of
from anncestry.data.options import DataOptions
from anncestry.data.sources.catalogue import Source, find_source, grouped_sources

COLUMN, WIDEST = 26, 110


def help_text(command: str, module: Any, words: Sequence[str]) -> str:
    """The help of a command.

    Args:
        command: its name.
        module: that of the command: its docstring, `Arguments`, and, where given data do not decide alone
            which options of theirs are heeded, ``heeded(source)``: their names.
        words: what else stood on the command line.

    Raises:
        UserError: ``--data`` names no source.
    """
    width = max(60, min(shutil.get_terminal_size().columns, WIDEST))
    options, source = list(options_of(module.Arguments)), _given_source(words)
    reads_data = any(option.name == "data" for option in options)
    if reads_data and source is not None:
        heeded = getattr(module, "heeded", _options_of_source)(source)
        options = [_of_source(option, source) for option in options if _fits(option, source, heeded)]
    lines = [_usage(command, options), "", *_wrapped(" ".join(module.__doc__.split()), width)]
    for group in sorted({option.group for option in options}, key=_place):
        lines += ["", group.title]
        for option in options:
            if option.group == group:
                lines += _entry(option.shown, option.text, width)
    if command in verbose.COMMANDS:
        lines += _entry(verbose.FLAG, verbose.MEANING, width)
    if not reads_data:
        return "\n".join(lines)
    if source is None:
        more = f"anncestry {command} --help --data SOURCE shows only the options that SOURCE heeds."
        return "\n".join([*lines, "", *source_lines(width), "", *_wrapped(more, width)])
    more = f"These options fit --data {source.usage}; anncestry {command} --help shows all."
    return "\n".join([*lines, "", *_wrapped(more, width)])


def source_lines(width: int = WIDEST) -> list[str]:
    """The sources of ``--data`` in groups: the form of each, and what it is in a line."""
    lines = []
    for title, sources in grouped_sources().items():
        lines.append(f"sources of --data: {title}")
        for source in sources:
            lines += _entry(source.usage, source.summary, width)
    return lines


def _given_source(words: Sequence[str]) -> Source | None:
    """The source that stands behind ``--data``, if any."""
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag == "--data" and (equals or words[place + 1 :]):
            return find_source(value if equals else words[place + 1])
    return None


def _options_of_source(source: Source) -> tuple[str, ...]:
    return source.options


_OF_DATA = frozenset(field.name for field in fields(DataOptions))


def _fits(option: Option, source: Source, heeded: Sequence[str]) -> bool:
    """Whether an option has an effect on a source; what no data decide has one."""
    if option.name in _OF_DATA and option.group.title.startswith(DATA.title):
        return option.name in heeded
    return not option.group.title.startswith(f"{DATA.title}:") or option.group.title.endswith(source.kind)


def _of_source(option: Option, source: Source) -> Option:
    """An option with the choices that fit a source; ``--data`` says what that is."""
    if option.name == "data":
        return replace(option, text=f"{source.usage}: {source.summary}.")
    fitting = {"task": source.tasks, "level": source.levels}.get(option.name, ())
    if not option.has_choices or not fitting:
        return option
    shown = f"{option.shown.partition(' ')[0]} {{{','.join(fitting)}}}"
    return replace(option, shown=shown)


def _place(group: Group) -> int:
    return ORDER.index(group) if group in ORDER else ORDER.index(OTHER)


def _usage(command: str, options: Sequence[Option]) -> str:
    named = [option for option in options if option.is_required or not option.is_flagged]
    words = [option.shown if option.is_required else f"[{option.shown}]" for option in named]
    return " ".join(["usage: anncestry", command, *words, "[options]"])


def _entry(shown: str, text: str, width: int) -> list[str]:
    """An option and its text in two columns; the text goes below an option that is too long."""
    indent = " " * COLUMN
    lines = _wrapped(text, width, indent) or [""]
    if len(shown) + 4 <= COLUMN:
        return [f"  {shown:<{COLUMN - 2}}{lines[0].strip()}".rstrip(), *lines[1:]]
    return [f"  {shown}", *(line for line in lines if line)]


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)

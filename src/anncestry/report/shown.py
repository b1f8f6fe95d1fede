"""What prints itself: in colours on a terminal, as plain text, and in a notebook."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 110
"""Columns of what is shown where there is no terminal."""


class Shown:
    """A result that `show` prints; ``str``, ``repr`` and notebooks show the same."""

    def show(self, console: "Console | None" = None) -> None:
        """Print the result.

        Args:
            console: of rich; default: standard output.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        self.show(Console(file=text, width=WIDTH, color_system=None, force_terminal=False))
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip("\n")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from rich.console import Console

        console = Console(file=io.StringIO(), width=WIDTH, record=True, force_jupyter=False)
        self.show(console)
        style = "line-height: normal; overflow-x: auto"
        return console.export_html(inline_styles=True, code_format=f'<pre style="{style}">{{code}}</pre>')

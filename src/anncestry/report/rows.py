"""Tables of a few columns, for the ``repr`` of results and for notebooks."""

from collections.abc import Iterable, Sequence
from html import escape


def text_table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A table in plain text: a line for each row, columns two blanks apart.

    Args:
        head: the name of each column.
        rows: the cells, as many as columns in each.
        left: so many columns stand at the left of their place, the others (numbers) at the right.
    """
    lines = [list(head), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def html_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """The same for a notebook, which gives it its look.

    Args:
        caption: a sentence above it, plain text like all cells.
        head, rows, left: as for `text_table`.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        sides = ["left" if place < left else "right" for place in range(len(cells))]
        return "".join(
            f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return (
        f'<table><caption style="text-align: left">{escape(caption)}</caption>'
        f"<thead><tr>{line(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"
    )

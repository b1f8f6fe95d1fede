"""The page every report is: one column that fits a phone, light or dark, with nothing outside it."""

from html import escape
from pathlib import Path
from typing import NamedTuple

from anncestry.files import write_text

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c1e21; --paper: #ffffff; --soft: #5b6168; --faint: #b9bec4; --tint: #f3f4f6
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e6e9; --paper: #16181b; --soft: #a2a8b0; --faint: #5c636b; --tint: #212429 }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 66rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 1rem; overflow-wrap: anywhere }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem }
p, dd, li { max-width: 44rem; overflow-wrap: break-word }
.question, .notes, figcaption, dt { color: var(--soft) }
.lead { font-size: 1.2rem; line-height: 1.4 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--tint) }
th { font-weight: 600; color: var(--soft); border-bottom-color: var(--faint) }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left }
tr.baseline { color: var(--soft); font-style: italic }
figure { margin: 1.5rem 0 }
figcaption { font-size: .9rem; max-width: 44rem }
svg { display: block; width: 100%; max-width: calc(1.35 * var(--width)); height: auto }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem }
.pictures figure { margin: 0; max-width: 7rem }
.pictures img { width: 5rem; height: 5rem; object-fit: contain; image-rendering: pixelated }
details { border-bottom: 1px solid var(--tint); padding: .5rem 0 }
summary { cursor: pointer }
summary span { color: var(--soft); margin-left: .5rem }
pre { background: var(--tint); padding: .75rem 1rem; font-size: .85rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere }
.prompt { color: var(--soft) }
dl { display: grid; grid-template-columns: 8rem 1fr; gap: .5rem 1rem }
dd { margin: 0; min-width: 0 }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: .1rem } dd { margin-bottom: .7rem } }
@media (max-width: 40rem) {
  h1 { font-size: 1.35rem }
  .ranking, .ranking tbody { display: block }
  .ranking thead { display: none }
  .ranking tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--faint) }
  .ranking td { display: inline-block; padding: 0 .8rem 0 0; border: 0 }
  .ranking td { text-align: left; white-space: normal }
  .ranking td:empty { display: none }
  .ranking td[data-label]:not([data-label=""])::before { content: attr(data-label) " "; color: var(--soft) }
  .ranking td[data-label="model"] { font-weight: 600 }
  .ranking td[data-label="model"]::before { content: none !important }
}
@media print { details > * { display: block } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""


class Page(NamedTuple):
    """A whole page, to be written to a file or shown in a notebook.

    Attributes:
        html: of the whole file.
        facts: what it shows, in sentences.
    """

    html: str
    facts: tuple[str, ...] = ()

    def write(self, path: str | Path, field: str = "path") -> Path:
        """Write the page to a file, and return its path.

        Args:
            path: the new file; one that is there is replaced.
            field: what the path is called in the message of an error.

        Raises:
            UserError: the file cannot be written.
        """
        path = Path(path)
        write_text(path, self.html, field)
        return path

    def __repr__(self) -> str:
        return "\n".join(self.facts)

    def _repr_html_(self) -> str:
        """For notebooks, in a frame of its own, so that neither changes the look of the other."""
        return f'<iframe srcdoc="{escape(self.html)}" width="100%" height="600" style="border: 0"></iframe>'


def shell(title: str, content: str) -> str:
    """A whole page.

    Args:
        title: plain text.
        content: HTML, escaped already.
    """
    return _PAGE.format(title=escape(title), style=STYLE, content=content)


def section(name: str, title: str, content: str) -> str:
    """A part of a page under its heading; ``name`` is its anchor."""
    return f'<section id="{name}">\n<h2>{escape(title)}</h2>\n{content}\n</section>\n'

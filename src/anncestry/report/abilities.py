"""The page that says what PyTorch's tools can do with each architecture."""

from anncestry.timeline import TIMELINE
from anncestry.timeline.abilities import COLUMNS, exception

HEAD = """\
# What PyTorch's tools can do with each architecture

A model of the timeline is an ordinary `torch.nn.Module`. This page is written by
`python -m benchmarks.abilities --write`; a test holds it equal to `anncestry.timeline.abilities`, and
`python -m benchmarks.abilities` tries every cell.

%s

What goes for all:

- What is exported predicts: no gradient goes through a recurrent loop of it. Export in evaluation, and run
  under `torch.no_grad()`.
- A model that generates (translation, captions) is exported as it is trained: the logits of a given target's
  tokens, each from those before it. A language model gives the logits of a text. Neither searches.
- With learnt positions no sequence is longer than `num_positions`.
- `torch.compile` goes around PyTorch's fused recurrent kernels, as for `torch.nn.LSTM`; with
  `fullgraph=True` nets that run on one (rnn, lstm, gru and what is made of them) are refused.
- Hooks are on forward passes. A net that someone watches leaves its fast paths, and is slower. A dropout
  layer that passes everything, and a list of modules, is not called.

"""


def abilities_page() -> str:
    """Markdown: a row for each architecture, and the exceptions with their reasons below."""
    columns = "\n".join(f"- **{name}**: {text}." for name, text in COLUMNS.items())
    notes: list[str] = []
    rows = ["| architecture | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for architecture in TIMELINE:
        cells = []
        for column in COLUMNS:
            reason = exception(architecture, column)
            if reason is not None and reason not in notes:
                notes.append(reason)
            cells.append("yes" if reason is None else f"[{notes.index(reason) + 1}]")
        rows.append(f"| {architecture.id} | " + " | ".join(cells) + " |")
    reasons = [f"- [{number}] {reason}." for number, reason in enumerate(notes, 1)]
    return HEAD % columns + "\n".join([*rows, "", *reasons]) + "\n"

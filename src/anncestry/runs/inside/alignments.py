"""Attention weights of generated texts, as one page: over the source's tokens, or over its image."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anncestry.data.processors.given import Given
from anncestry.errors import UserError
from anncestry.inspection.alignments import attends_to_source, attention_over_image
from anncestry.inspection.labels import labels_of
from anncestry.report.inside.alignments import SMALLEST, Aligned, alignments_page, heat_map, lit_images
from anncestry.report.page import Page
from anncestry.runs.folder import RunFolder
from anncestry.signature import END

SHOWN = 48  # texts on a page


def check_alignment(run: RunFolder, field: str = "alignments", value: object = True) -> None:
    """Raise a `UserError` unless the net attends to its source while it generates.

    Args:
        field, value: what asked for the attention weights, for the message.
    """
    if not attends_to_source(run.model, run.signature):
        rule = (
            f"needs a net with an attention; this {run.architecture.name} reads its source into a state of "
        )
        rule += "fixed size and never attends to it, so there are no weights to show"
        raise UserError(field, value, rule)


def alignment_page(run: RunFolder, generated: Iterable[tuple[Given, list[dict[str, Any]]]]) -> Page:
    """A heat map of attention weights for each text, or an image under a coloured light for each word.

    Args:
        run: an encoder-decoder with attention.
        generated: inputs, each with the rows of `anncestry.runs.run.Run.generate` with ``alignments``; of
            each row the best text is shown.
    """
    aligned = [part for given, rows in generated for part in _aligned(run, given, rows)]
    name = run.architecture.name
    what = "A row is a token of the generated text, a column one of the source: the stronger the square, the "
    what += f"greater the attention weight. Weights below {SMALLEST} are left blank."
    if run.signature.task == "captioning":
        what = "For each token of the caption the image is coloured where the net attends when it generates "
        what += "it, by the scale of that token's largest weight."
    facts = [what, f"{name} ({run.architecture.year}), {run.source}."]
    if len(aligned) > SHOWN:
        facts.append(f"{SHOWN} of {len(aligned)} are shown.")
    html = alignments_page(f"{name}: {run.folder.name}", facts, aligned[:SHOWN])
    return Page(html, tuple(facts))


def _aligned(run: RunFolder, given: Given, rows: list[dict[str, Any]]) -> list[Aligned]:
    """What the page shows of the texts of one input."""
    processor: Any = run.processor
    captions, found = run.signature.task == "captioning", []
    images: list[Any] = processor.read_each(given) if captions else rows
    for row, image in zip(rows, images, strict=True):
        best = row.get("hypothesis")
        if best is None:  # nothing could be read
            continue
        tokens = labels_of(processor.target, [*best.tokens, END][: best.length])
        if captions:
            pixels = processor.images.pixels(image.value.unsqueeze(0))[0]
            maps = attention_over_image(best.alignment, *pixels.shape[1:])
            figure = lit_images(row["input"], tokens, pixels.numpy(), maps.numpy())
        else:
            read = processor.whole(processor.cut([row["input"]])[0])
            figure = heat_map(labels_of(processor.source, read), tokens, best.alignment.numpy())
        about = f"Score {best.score:.4g}, log probability {best.log_prob:.4g}."
        about += f" Note: {row['note']}." if "note" in row else ""
        text = row["caption" if captions else "translation"]
        title = Path(row["input"]).name if captions else row["input"]
        found.append(Aligned(title=title, text=text, about=about, figure=figure))
    return found

"""Inspect a run: hidden states and gates of a recurrent net, feature maps of a convolutional net, attention
heads of a Transformer."""

from collections.abc import Callable
from typing import Any

from torch import nn

from anncestry.data.processors.given import Given
from anncestry.errors import UserError
from anncestry.inspection.attention_maps import has_heads
from anncestry.layers.recurrent.sequence_network import SequenceNetwork
from anncestry.report.page import Page
from anncestry.runs.folder import RunFolder
from anncestry.runs.inside.attention import heads_of_text, heads_of_translation
from anncestry.runs.inside.images import feature_map_page
from anncestry.runs.inside.options import InspectOptions, applicable
from anncestry.runs.inside.recurrent import state_page

_PAGES: dict[str, Callable[[RunFolder, Given, InspectOptions], Page]] = {
    "heads-of-translation": heads_of_translation,
    "heads": heads_of_text,
    "feature-maps": feature_map_page,
    "states": state_page,
}


def inspect_run(run: RunFolder, input: Given, **options: Any) -> Page:
    """The page of a run while it reads an input.

    Args:
        run: an `anncestry.runs.run.Run` of a recurrent net, of a convolutional net, or of a Transformer.
        input: a text, rows of a series, or the ``Path`` of a file; of several inputs the first is shown.
        options: fields of `InspectOptions`.

    Raises:
        UserError: the run has no page, an option has no effect on it or is out of range, or the input cannot
            be read.
    """
    kind = kind_of_page(run)
    return _PAGES[kind](run, input, applicable(kind, options, run.architecture.name))


def kind_of_page(run: RunFolder) -> str:
    """The kind of page a run has, a key of `anncestry.runs.inside.options.HEEDED`.

    Raises:
        UserError: it has none.
    """
    model, signature = run.model, run.signature
    if signature.task == "translation":
        return "heads-of-translation"
    if isinstance(model, SequenceNetwork):
        return "states"
    if signature.inputs == "tokens" and has_heads(model):
        return "heads"
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    if signature.inputs == "image" and convolves:
        return "feature-maps"
    rule = "has no page: it has no hidden states, no feature maps and no attention heads to show"
    raise UserError("run", run.architecture.name, rule)

"""What a model is and costs, and what sets two apart: for whatever a person means by a model."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from anncestry.errors import require
from anncestry.inspection.example_inputs import signature_of_module
from anncestry.inspection.summary import Summary, summarize
from anncestry.models.create import architecture_of
from anncestry.runs.folder import RunFolder
from anncestry.runs.subjects import Subject, configured, entry_of, find_sides

if TYPE_CHECKING:
    from anncestry.inspection.differences.diff import Diff


def summary(
    subject: Subject,
    *,
    input: str | None = None,
    task: str | None = None,
    width: int | None = None,
    batch_size: int = 1,
    **values: Any,
) -> Summary:
    """Layers with shapes, parameters and FLOPs, and what running the model costs; no weight is allocated.

    >>> anncestry.summary("lenet-5").costs.parameters
    60000
    >>> anncestry.summary("lstm", input="tokens:35x10000", num_layers=2, hidden_size=20).costs.layers[-1].name
    'readout'
    >>> import torch
    >>> module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    >>> anncestry.summary(module, input="1x28x28")
    Sequential
    classification of image inputs 1x28x28, 10 outputs
    <BLANKLINE>
      layer   type      output   parameters    FLOPs
     ────────────────────────────────────────────────
      0       Flatten   1x784             0        0
      1       Linear    1x10          7,850   15,680
    <BLANKLINE>
     parameters          7,850  31,400 bytes in single precision
     FLOPs, forward     15,680  for 1 example; a multiplication and an addition are two
     FLOPs, training    47,040  3 x forward
     activation memory       0  bytes kept for the backward pass of 1 example
     sequential steps        1  matrix products that wait for one another

    Args:
        subject: an architecture or preset, a run folder, a config, or a ``torch.nn.Module``.
        input: the shape of one input: ``"64"`` (a vector), ``"50x8"`` (a series of 50 steps of 8 features),
            ``"1x28x28"`` (an image), ``"tokens:35x10000"`` (steps x vocabulary), ``"characters:24x50"``;
            default: one that the architecture fits, or the model's own.
        task: what is asked of it, as ``"classification"``; default: one that fits.
        width: the one number that scales the architecture: hidden units, or channels.
        batch_size: examples that FLOPs and memory are counted for.
        values: fields of the architecture's config.

    Returns:
        A `anncestry.inspection.summary.Summary`: ``str`` is the printed table, ``costs`` has the figures.

    Raises:
        UserError: the name, the input, the task or a field is not what it must be, or does not fit; a size is
            given to what has one; nothing says what a module reads.
    """
    if isinstance(subject, str | Path | RunFolder):
        architecture, config = configured(subject, input=input, task=task, width=width, values=values)
        return summarize(config, architecture=architecture, batch_size=batch_size)
    for name, value in {"width": width, **values}.items():
        require(value is None, name, value, "a model has its size; name an architecture to try another one")
    if not isinstance(subject, nn.Module):
        require(input is None and task is None, "input", input or task, "a config says what it reads")
        return summarize(subject, architecture=architecture_of(subject), batch_size=batch_size)
    signature = None if input is None else signature_of_module(input, task)
    entry = entry_of(getattr(subject, "config", None))
    return summarize(subject, signature, architecture=entry, batch_size=batch_size)


def diff(
    a: Subject,
    b: Subject,
    *,
    layers: Collection[str] | None = None,
    input: str | None = None,
    task: str | None = None,
    full: bool = False,
) -> "Diff":
    """What sets two models apart: declared ideas, structure, cost and behaviour.

    >>> print(anncestry.diff("lstm", "gru", layers=["declared"]))
    --- lstm  Long short-term memory, classification of series 50x8
    +++ gru  Gated recurrent unit, classification of series 50x8
    @@ declared: common ancestor lstm @@
    commit 1406.1078 (gru, 2014) Cho et al.
    - the separate cell and the output gate
    + an update gate that both keeps and writes
    >>> anncestry.diff("lstm", "lstm").equal
    True

    Args:
        a, b: each an architecture or preset, a run folder, ``"module:attribute"``, a config, or a
            ``torch.nn.Module``.
        layers: in what they are compared: ``"declared"``, ``"structure"``, ``"cost"``, and ``"behaviour"``,
            for which both run on the same input; default: all but that.
        input: the shape of one input of both, as for `summary`; default: one that both fit.
        task: what is asked of both; default: one that both fit.
        full: show every part by itself, and all of the way between them.

    Returns:
        A `anncestry.inspection.differences.diff.Diff`: ``str`` is the printed text, ``to_json()`` the data.

    Raises:
        UserError: a name is not known, a folder is no run, a module cannot be made, there is no such layer,
            or the input or the task does not fit one of the two.
    """
    from anncestry.inspection.differences.diff import USUAL, differences  # `summary` needs nothing of it

    one, other, notes = find_sides(a, b, input, task)
    return differences(one, other, USUAL if layers is None else layers, notes=notes, full=full)

"""What a run predicts for what a person gave: a row for each input."""

from collections.abc import Sequence
from typing import Any

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.processors import MaskedTokensProcessor
from anncestry.data.processors.given import Given, ReadsTexts, label_of
from anncestry.data.processors.packed_targets import SplitInputs
from anncestry.engine.progress import Counter, Progress
from anncestry.engine.workers import shared_out
from anncestry.errors import require
from anncestry.objectives import objective_of
from anncestry.protocols import OwnRule, SampledLogits, outputs_of
from anncestry.runs.folder import RunFolder

BLANK = "is blank"
FOR_EACH_STEP = {"tags", "next", "previous", "vectors"}
"""Parts of a prediction that have an entry for every step, those of padding among them."""


def predict_rows(
    run: RunFolder, inputs: Given, batch_size: int, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """The predictions of a run whose outputs have one form for every input; see `Run.predict`."""
    processor: Any = run.processor
    if isinstance(inputs, list) and not getattr(processor, "reads_lists", False):
        counter, rows = Counter(progress, len(inputs)), []
        for one in inputs:
            rows += predict_rows(run, one, batch_size)
            counter.add()
        return rows
    if not isinstance(processor, ReadsTexts):
        return _read(run, inputs, batch_size, progress)
    texts = processor.texts(inputs)
    blank = [processor.is_blank(text) for text in texts]
    require(not blank or not all(blank), "input", str(inputs), "is blank; it must hold something to read")
    kept = [text for text, is_blank in zip(texts, blank, strict=True) if not is_blank]
    rows = iter(_read(run, kept, batch_size, progress) if kept else ())
    return [
        {"input": label_of(text), "note": BLANK} if is_blank else next(rows)
        for text, is_blank in zip(texts, blank, strict=True)
    ]


def outputs(
    run: RunFolder,
    inputs: Tensor,
    lengths: Int[Tensor, "N"] | None = None,
    targets: Int[Tensor, "N T"] | None = None,
) -> Float[Tensor, "N ..."] | Float[Tensor, "M V"]:
    """The model's raw outputs for a batch of inputs; see `Run.outputs`."""

    def of(rows: slice) -> Tensor:
        of_rows, asked = (None if part is None else part[rows] for part in (lengths, targets))
        only = asked is not None
        found = outputs_of(run.predictor, inputs[rows], None, of_rows, asked, asked_only=only)[0]
        if only and isinstance(found, tuple):  # with more than the logits of tokens
            return found[0]
        return found.logits() if isinstance(found, SampledLogits) else found

    with run.prediction.scope(inputs.device):
        return finite(run, shared_out(of, inputs, run.prediction))


def finite(run: RunFolder, found: Tensor) -> Tensor:
    """Outputs as they are.

    Raises:
        UserError: some are NaN or plus infinity, of which nothing can be made.
    """
    broken = bool(found.isnan().any()) or bool((found == torch.inf).any())
    rule = "computes NaN or infinite numbers for these inputs"
    require(not broken, "model", run.architecture.id, rule)
    return found


def _read(
    run: RunFolder, inputs: Given, batch_size: int, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """The predictions for what a processor reads, none of which is blank."""
    processor: Any = run.processor
    split = getattr(processor, "split_inputs", None)
    if split is not None:
        return _of_parts(run, split(inputs), batch_size, progress)
    noted = getattr(processor, "read_noted", None)
    labels, tensors, notes = noted(inputs) if noted else (*processor.read(inputs), None)
    counter, rows = Counter(progress, len(tensors)), []
    with run.prediction.scope(tensors.device):
        for batch in tensors.split(batch_size):
            rows += _rows(run, batch)
            counter.add(len(batch))
    for row, note in zip(rows, notes or (), strict=False):
        row |= {"note": note} if note else {}
    return _labelled(labels, rows)


def _of_parts(
    run: RunFolder, parts: SplitInputs, batch_size: int, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """The predictions for what is read in rows that are parts of an input."""
    counter, found = Counter(progress, len(parts.inputs)), []
    with run.prediction.scope(parts.inputs.device):
        batches = zip(parts.inputs.split(batch_size), parts.lengths.split(batch_size), strict=True)
        for inputs, lengths in batches:
            found.append(outputs(run, inputs, lengths).float().cpu())
            counter.add(len(inputs))
    return _labelled(parts.labels, parts.decode(torch.cat(found)))


def _labelled(labels: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"input": label, **row} for label, row in zip(labels, rows, strict=True)]


def _rows(run: RunFolder, inputs: Tensor) -> list[dict[str, Any]]:
    """The predictions for a batch, whose sequences may be padded."""
    if run.signature.task == "reconstruction":
        objective = objective_of(run)
        pairs = zip(outputs(run, inputs).split(1), inputs.split(1), strict=True)
        return [objective.metrics(objective.tally(*pair)) for pair in pairs]
    processor: Any = run.processor
    lengths_of = getattr(processor, "lengths_of", None)
    if lengths_of is None:
        return _decode(run, outputs(run, inputs))
    lengths = lengths_of(inputs)
    if isinstance(processor, MaskedTokensProcessor):
        targets = processor.mask_targets(inputs)
        return processor.fill_in(inputs, outputs(run, inputs, lengths, targets))
    rows = _decode(run, outputs(run, inputs, lengths))
    for row, length in zip(rows, lengths.tolist(), strict=True):
        for name in FOR_EACH_STEP & row.keys():
            row[name] = row[name][:length]
    return rows


def _decode(run: RunFolder, found: Tensor) -> list[dict[str, Any]]:
    processor: Any = run.processor
    if run.signature.task == "multi-label":
        rows = processor.decode(found.sigmoid())
        return [{"labels": row["labels"], "probabilities": row["scores"]} for row in rows]
    if run.signature.task == "classification" and not isinstance(run.model, OwnRule):
        rows = processor.decode(found.softmax(-1))
        return [{"class": row["class"], "probabilities": row["scores"]} for row in rows]
    return processor.decode(found)

"""Encoder-decoders generate a text for each source: a model, its data's processor and decoding, joined."""

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Int, Tensor
from anncestry.data.processors import CaptionProcessor
from anncestry.data.processors.given import Given
from anncestry.data.splits.seq2seq import Pairs
from anncestry.decoding import Hypothesis, Search, decode, read_source
from anncestry.engine.prediction import Prediction, as_computed
from anncestry.engine.progress import Counter, Progress
from anncestry.engine.workers import side_by_side
from anncestry.protocols import State
from anncestry.signature import BEGIN, END, PAD, Signature

ROWS = 256  # hypotheses side by side, over all sources of a batch
FEWEST = 16  # sources for which a thread of its own pays


def default_search(signature: Signature, **changes: Any) -> Search:
    """Greedy search, for texts up to about three times as long as is usual; ``changes`` are of `Search`.

    ``n_best`` alone asks for a beam search of that width.
    """
    if changes.get("beam", 1) == 1 and changes.get("n_best", 1) > 1:
        changes["beam"] = changes["n_best"]
    factor = 1.0 if signature.inputs == "tokens" else 0.0
    return Search(**{"max_length": 2 * signature.target_len + 20, "max_factor": factor, **changes})


def generate(
    model: nn.Module,
    inputs: Tensor,
    lengths: Int[Tensor, "N"] | None,
    search: Search,
    keep_alignment: bool = False,
    prediction: Prediction | None = None,
    progress: Progress | None = None,
) -> list[list[Hypothesis]]:
    """The best texts for each input, in the order of the inputs.

    On a CPU several batches are searched side by side, each by one thread: what is small in a step then takes
    a part of the time of one core and not of all. One batch is not cut for that, as each part of it would
    read all weights at every step; a step takes as many threads as turn out to be the fastest.

    Args:
        model: an encoder-decoder, in evaluation mode.
        inputs: (N, S) tokens or (N, C, H, W) images.
        lengths: of the inputs, where they are tokens.
        keep_alignment: whether the hypotheses have their attention weights.
        prediction: how the model predicts, which it was prepared for; default: in float32.
        progress: called with how many inputs are done, and how many there are.
    """
    prediction = prediction or Prediction()
    device = next(iter(model.parameters())).device
    config = getattr(model, "config", None)
    if getattr(config, "positions", "") == "learned":  # nothing can be generated behind the last of them
        search = replace(search, most=config.num_positions)  # pyright: ignore[reportOptionalMemberAccess]

    counter = Counter(progress, len(inputs))

    def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        with prediction.threads(device, "step", len(tokens)):
            return model.step(tokens, state)  # pyright: ignore[reportCallIssue]

    def search_rows(rows: Tensor) -> list[list[Hypothesis]]:
        source, of = inputs[rows], None if lengths is None else lengths[rows].to(device)
        if of is not None:
            source = source[:, : int(of.max())]
        source = as_computed(model, source.to(device))
        logits, state = read_source(model, source, of)  # pyright: ignore[reportArgumentType]
        found = decode(
            step,
            logits,
            state,
            search,
            end=END,
            never=(PAD, BEGIN),
            alignment=model.alignment,  # pyright: ignore[reportArgumentType]
            lengths=of,
            keep_alignment=keep_alignment,
        )
        counter.add(len(rows))
        return found

    order = torch.arange(len(inputs)) if lengths is None else lengths.argsort(stable=True, descending=True)
    workers = torch.get_num_threads() if device.type == "cpu" else 1
    batches = _batches(order, max(1, ROWS // search.beam), workers)
    found: list[list[Hypothesis]] = [[] for _ in range(len(inputs))]
    with prediction.scope(device):
        for rows, texts in zip(batches, side_by_side(search_rows, batches, prediction, device), strict=True):
            for row, best in zip(rows.tolist(), texts, strict=True):
                found[row] = best
    return found


def _batches(order: Int[Tensor, "N"], size: int, workers: int) -> list[Int[Tensor, "M"]]:
    """Batches of at most ``size`` neighbours. Where there are several, each worker gets as many and as large
    ones, unless that makes them smaller than `FEWEST`."""
    count = -(-len(order) // size)
    if count > 1:
        count = max(count, min(-(-count // workers) * workers, len(order) // FEWEST))
    return list(order.tensor_split(max(count, 1)))


def generate_texts(
    model: nn.Module,
    split: Pairs,
    processor: Any,
    search: Search,
    prediction: Prediction | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """(M,) the best text for each source of a split. The model's mode is put back."""
    was_training = model.training
    model.eval()
    inputs, lengths = split.read_sources(torch.arange(split.num_sources))
    found = generate(model, inputs, lengths, search, prediction=prediction, progress=progress)
    model.train(was_training)
    return [processor.target.decode(hypotheses[0].tokens) for hypotheses in found]


def generate_rows(
    model: nn.Module,
    processor: Any,
    given: Given,
    search: Search,
    keep_alignment: bool = False,
    prediction: Prediction | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """The texts generated for what a person gave: a row for each line or image, in their order.

    Args:
        given: lines of text or images, as the processor reads them.
        keep_alignment, prediction, progress: as for `generate`.

    Returns:
        ``{"input": the line or the name, "translation" or "caption": text, "score": what it is ranked by}``.
        With ``n_best`` above 1 also ``n_best``: rows of text and ``score``. A ``note`` says that an input was
        cut or could not be read, or that the text was cut; for what is blank or cannot be read the text is
        empty. With alignments also ``hypothesis``.
    """
    key = "caption" if isinstance(processor, CaptionProcessor) else "translation"
    items = processor.read_each(given)
    readable = [item.value for item in items if item.value is not None]
    found = iter(())
    if readable:
        inputs, lengths = processor.batch(readable)
        found = iter(generate(model, inputs, lengths, search, keep_alignment, prediction, progress))
    rows = []
    for item in items:
        row: dict[str, Any] = {"input": item.label, key: ""}
        notes = [item.note] if item.note else []
        if item.value is not None:
            hypotheses = next(found)
            texts = [processor.target.decode(hypothesis.tokens) for hypothesis in hypotheses]
            row |= {key: texts[0], "score": hypotheses[0].score}
            if search.n_best > 1:
                scores = [hypothesis.score for hypothesis in hypotheses]
                row["n_best"] = [{key: t, "score": s} for t, s in zip(texts, scores, strict=True)]
            if not hypotheses[0].finished:
                notes.append(f"the text was cut at {len(hypotheses[0].tokens)} tokens")
            if keep_alignment:
                row["hypothesis"] = hypotheses[0]
        rows.append(row | ({"note": "; ".join(notes)} if notes else {}))
    return rows

"""What a trained model gets wrong on the test split, small enough to show to a person.

Everything here is plain data: it goes into ``results.json`` and from there into the report.
"""

import base64
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.data.splits.dataset import Dataset, Examples, ParallelStreams, Stream
from anncestry.data.splits.seq2seq import Pairs, Sequences
from anncestry.decoding import sample
from anncestry.objectives.text_metrics import TextScores
from anncestry.protocols import SequenceModel, outputs_of

MAX_PAIRS = 5
MAX_IMAGES = 6
MAX_PIXELS = 48  # along one side of a picture in the report
MAX_ERRORS = 5
MAX_POINTS = 200
SAMPLE_LENGTH = 240
PROMPT_LENGTH = 40


def mistakes(model: nn.Module, dataset: Dataset, seed: int = 0) -> dict[str, Any]:
    """The mistakes of a model on the CPU, in evaluation mode.

    Returns:
        Classification: ``wrong`` and ``total``; ``pairs``, the most frequent confusions as
        ``{"true", "predicted", "count"}``; for images also ``images``, the wrong predictions the model was
        most sure of, with ``shape`` and base64 ``pixels`` (uint8, C x H x W).
        Multi-label: ``labels``, those that were most often wrong as ``{"label", "missed", "invented",
        "true"}``. Regression and forecasting: ``worst``, the largest errors as ``{"example", "true",
        "predicted"}``; ``series``, up to 200 test examples in their order as ``{"true": [...], "predicted":
        [...]}``; both in the unit ``unit`` names.
        Reconstruction: ``worst``, the test images that came back with the largest error as ``{"original",
        "drawn"}``, each with ``shape`` and ``pixels``.
        Language model: ``prompt`` (from the test split) and ``sample``, how the model continues it.
        Words as characters: nothing.
    """
    if dataset.signature.inputs == "characters":
        return {}
    if dataset.signature.task == "classification":
        return _confusions(model, dataset)
    if dataset.signature.task == "multi-label":
        return _wrong_labels(model, dataset)
    if dataset.signature.task == "language-model":
        return _writing(model, dataset, seed)
    if dataset.signature.task == "reconstruction":
        return _worst_drawn(model, dataset)
    if dataset.signature.every_step:
        return {}
    return _errors(model, dataset)


def wrong_texts(dataset: Dataset, generated: Mapping[str, TextScores]) -> dict[str, Any]:
    """The first test sources whose generated text is none of the references.

    Args:
        generated: by split, what was generated.

    Returns:
        ``texts`` as ``{"written", "reference"}`` with ``source``, or with the ``shape`` and ``pixels`` of an
        image; ``exact``, by split and kind of source, where there are kinds.
    """
    test = dataset.test
    assert isinstance(test, Pairs)
    wrong = [row for row, right in enumerate(generated["test"].right) if not right][:MAX_ERRORS]
    texts = []
    for row in wrong:
        shown = {"written": generated["test"].texts[row], "reference": test.references[row][0]}
        if isinstance(test.sources, Sequences):
            source = dataset.processor.source  # pyright: ignore[reportAttributeAccessIssue]
            texts.append(shown | {"source": source.decode(test.sources.row(row))})
        else:
            texts.append(shown | _picture(test.sources[row]))
    exact = {split: found.groups for split, found in generated.items() if found.groups}
    return {"texts": texts, **({"exact": exact} if exact else {})}


def predictions(model: nn.Module, split: Examples, batch_size: int = 256) -> Float[Tensor, "N K"]:
    """The outputs for every example of a split."""
    model.eval()
    with torch.no_grad():
        batches = split.batches(batch_size)
        outputs = torch.cat([outputs_of(model, b.inputs, lengths=b.lengths)[0] for b in batches])
    return outputs[split.unshuffled().argsort()]


def _confusions(model: nn.Module, dataset: Dataset) -> dict[str, Any]:
    assert isinstance(dataset.test, Examples)
    outputs, targets = predictions(model, dataset.test), dataset.test.targets
    guesses = outputs.argmax(-1)
    wrong = (guesses != targets).nonzero().flatten()
    names = dataset.classes or tuple(map(str, range(dataset.signature.output_size)))
    pairs = Counter(zip(targets[wrong].tolist(), guesses[wrong].tolist(), strict=True))
    result: dict[str, Any] = {
        "wrong": len(wrong),
        "total": len(targets),
        "pairs": [
            {"true": names[true], "predicted": names[guess], "count": count}
            for (true, guess), count in pairs.most_common(MAX_PAIRS)
        ],
    }
    if dataset.signature.inputs == "image":
        # The margin between prediction and truth orders the mistakes of any model, with probabilities or not.
        right = outputs[wrong].gather(1, targets[wrong, None]).squeeze(1)
        surest = (outputs[wrong].amax(1) - right).argsort(descending=True)[:MAX_IMAGES]
        result["images"] = [
            {
                "true": names[targets[row]],
                "predicted": names[guesses[row]],
                **_picture(dataset.test.inputs[row]),
            }
            for row in wrong[surest].tolist()
        ]
    return result


def _wrong_labels(model: nn.Module, dataset: Dataset) -> dict[str, Any]:
    assert isinstance(dataset.test, Examples)
    given, true = predictions(model, dataset.test) > 0, dataset.test.targets > 0.5
    counts = [(part.sum(0).tolist()) for part in (true & ~given, given & ~true, true)]
    rows = [
        {"label": label, "missed": missed, "invented": invented, "true": number}
        for label, missed, invented, number in zip(dataset.classes, *counts, strict=True)
    ]
    rows.sort(key=lambda row: -row["missed"] - row["invented"])
    return {"labels": [row for row in rows if row["missed"] + row["invented"]][:MAX_PAIRS]}


def _picture(image: Float[Tensor, "C H W"]) -> dict[str, Any]:
    """An image stretched to 0...255, every n-th pixel of a large one."""
    stride = -(-max(image.shape[1:]) // MAX_PIXELS)
    image = image[:, ::stride, ::stride]
    low, high = image.min(), image.max()
    pixels = ((image - low) / (high - low).clamp(min=1e-12) * 255).round().to(torch.uint8).contiguous()
    return {"shape": list(pixels.shape), "pixels": base64.b64encode(pixels.numpy().tobytes()).decode()}


def _worst_drawn(model: nn.Module, dataset: Dataset) -> dict[str, Any]:
    assert isinstance(dataset.test, Examples)
    images = dataset.test.inputs
    drawn = predictions(model, dataset.test)[:, : dataset.signature.output_size].view_as(images)
    worst = (drawn - images).square().flatten(1).sum(1).argsort(descending=True)[:MAX_IMAGES]
    return {
        "worst": [
            {"original": _picture(images[row]), "drawn": _picture(drawn[row])} for row in worst.tolist()
        ]
    }


def _errors(model: nn.Module, dataset: Dataset) -> dict[str, Any]:
    assert isinstance(dataset.test, Examples)
    outputs = predictions(model, dataset.test)
    # The processor gives outputs their unit back; the targets are standardised the same way.
    predicted, true = (dataset.processor.decode(values) for values in (outputs, dataset.test.targets))
    unit = next(iter(true[0]))
    predicted, true = [row[unit] for row in predicted], [row[unit] for row in true]
    order = sorted(range(len(true)), key=lambda row: -abs(predicted[row] - true[row]))
    return {
        "unit": unit,
        "worst": [
            {"example": row + 1, "true": true[row], "predicted": predicted[row]} for row in order[:MAX_ERRORS]
        ],
        "series": {"true": true[:MAX_POINTS], "predicted": predicted[:MAX_POINTS]},
    }


def _writing(model: nn.Module, dataset: Dataset, seed: int) -> dict[str, Any]:
    """A sample, for a model that can be run step by step."""
    decode = getattr(dataset.processor, "decode_tokens", None)
    if not isinstance(model, SequenceModel) or decode is None:
        return {}
    assert isinstance(dataset.test, Stream | ParallelStreams)
    prompt = dataset.test.tokens.flatten()[:PROMPT_LENGTH].long()
    random = torch.Generator().manual_seed(seed)
    model.eval()
    generated = [token for (token,) in sample(model, prompt, SAMPLE_LENGTH, 0.8, random)]
    return {"prompt": decode(prompt), "sample": decode(torch.tensor(list(generated)))}

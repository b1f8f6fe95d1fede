"""How good generation is: generated texts beside their references, answer spans beside the true ones."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from anncestry.data.splits.questions import Questions, answer_all
from anncestry.data.splits.seq2seq import Pairs
from anncestry.decoding import Search
from anncestry.engine.prediction import Prediction
from anncestry.engine.progress import Progress
from anncestry.inference.generation import generate_texts
from anncestry.objectives.squad_metrics import reading_figures
from anncestry.objectives.text_metrics import TextScores, compare_texts
from anncestry.protocols import outputs_of


def score_spans(
    model: nn.Module, parts: Sequence[Any], processor: Any, prediction: Prediction | None = None
) -> dict[str, float]:
    """How good the answer spans to the questions of these splits are; nothing where they have none.

    Args:
        processor: that of the questions.
        prediction: as for `anncestry.inference.generation.generate`.

    Returns:
        Exact match and F1 as SQuAD defines them (`anncestry.objectives.squad_metrics`).
    """
    questions = [question for part in parts if isinstance(part, Questions) for question in part.questions]
    if not questions:
        return {}
    device = next(iter(model.parameters())).device

    def of(inputs: Tensor, lengths: Tensor) -> Tensor:
        return outputs_of(model, inputs.to(device), lengths=lengths.to(device))[0]

    training = model.training
    model.eval()
    with (prediction or Prediction()).scope(device), torch.no_grad():
        found = answer_all(questions, processor, of)
    model.train(training)
    return reading_figures(found, [question.answers for question in questions])


def score_texts(
    model: nn.Module,
    split: Pairs | Sequence[Pairs],
    processor: Any,
    search: Search,
    prediction: Prediction | None = None,
    progress: Progress | None = None,
) -> TextScores:
    """The texts that a model generates for a split, or for several together, compared with the references.

    Args:
        progress: called with how many sources are done, and how many there are.
    """
    splits = [split] if isinstance(split, Pairs) else list(split)
    total, texts = sum(part.num_sources for part in splits), []
    for part in splits:
        before = len(texts)
        reported = progress and (lambda done, _, before=before: progress(before + done, total))
        texts += generate_texts(model, part, processor, search, prediction, reported)
    references = [row for part in splits for row in part.references]
    groups = [group for part in splits for group in part.groups]
    return compare_texts(texts, references, processor.target.lowercase, groups)

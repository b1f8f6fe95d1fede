"""How good generation is: generated texts beside their references, answer spans beside the true ones."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from anncestry.data.splits.questions import Questions, answer_all
from anncestry.data.splits.seq2seq import Pairs
from anncestry.decoding import Search
from anncestry.engine.prediction import Prediction
from anncestry.inference.generation import write
from anncestry.objectives.squad_metrics import reading_figures
from anncestry.objectives.text_metrics import Written, compare_texts
from anncestry.protocols import outputs_of


def answered(
    model: nn.Module, parts: Sequence[Any], processor: Any, prediction: Prediction | None = None
) -> dict[str, float]:
    """How good the answers in words are to the questions of these splits; nothing where they have none.

    Args:
        processor: that of the questions.
        prediction: as for `generate`.
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
        given = answer_all(questions, processor, of)
    model.train(training)
    return reading_figures(given, [question.answers for question in questions])


def written_scores(
    model: nn.Module,
    split: Pairs | Sequence[Pairs],
    processor: Any,
    search: Search,
    prediction: Prediction | None = None,
) -> Written:
    """What a model writes for a split, or for several together, compared with the references."""
    splits = [split] if isinstance(split, Pairs) else list(split)
    texts = [text for part in splits for text in write(model, part, processor, search, prediction)]
    references = [row for part in splits for row in part.references]
    groups = [group for part in splits for group in part.groups]
    return compare_texts(texts, references, processor.target.lowercase, groups)

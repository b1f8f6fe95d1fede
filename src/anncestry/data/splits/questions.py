"""Questions about texts: what was asked, and the windows in which a long text is read.

A model predicts where an answer span begins and where it ends (Rajpurkar et al., 1606.05250; Devlin et al.,
1810.04805, section 4.2). The answer that counts is the text between these positions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.data.readers.squad import Question
from anncestry.data.splits.dataset import Examples

ROWS = 256  # windows that a model reads together


@dataclass(frozen=True)
class Windows:
    """Questions, each with the parts of its text that overlap.

    Attributes:
        inputs: (windows, T) question and a part of the text between special tokens.
        lengths: (windows,) how many tokens are no padding.
        question: (windows,) which question a window is of, ascending.
        begins, ends: (windows, T) between which characters of the text a token was read; -1 for all others.
        central: (windows, T) tokens of the text that have nowhere more text around them than in this window.
        nothing: (windows,) the token which stands for "no answer".
    """

    inputs: Int[Tensor, "windows T"]
    lengths: Int[Tensor, "windows"]
    question: Int[Tensor, "windows"]
    begins: Int[Tensor, "windows T"]
    ends: Int[Tensor, "windows T"]
    central: Bool[Tensor, "windows T"]
    nothing: Int[Tensor, "windows"]


@dataclass(frozen=True)
class Questions(Examples):
    """A split of questions: a row for each window, with the positions of the first answer span.

    Attributes:
        questions: what the windows were made of, in their order; so that answers can be compared as texts.
    """

    questions: tuple[Question, ...] = field(default=(), repr=False)


class Answers(Protocol):
    """What makes windows of questions, and words of a model's outputs for them."""

    def windows(self, questions: Sequence[Question]) -> Windows: ...

    def answers(
        self, questions: Sequence[Question], windows: Windows, outputs: Float[Tensor, "windows T 2"]
    ) -> list[dict[str, Any]]: ...


def answer_all(
    questions: Sequence[Question],
    processor: Answers,
    outputs_of: Callable[[Int[Tensor, "B T"], Int[Tensor, "B"]], Float[Tensor, "B T 2"]],
) -> list[str]:
    """The answer to each question, as text; empty for none.

    Args:
        outputs_of: the model, from inputs and lengths.
    """
    windows, found = processor.windows(questions), []
    for first in range(0, len(windows.inputs), ROWS):
        rows = slice(first, first + ROWS)
        outputs = torch.zeros(*windows.inputs[rows].shape, 2)
        longest = int(windows.lengths[rows].max())
        outputs[:, :longest] = outputs_of(windows.inputs[rows, :longest], windows.lengths[rows]).float().cpu()
        found.append(outputs)
    return [row["answer"] for row in processor.answers(questions, windows, torch.cat(found))]

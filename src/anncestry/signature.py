"""What a data set asks of a model: the task, the kind and shape of one input, the size of the answer.

A `Signature` is the whole contract between data and models. A data source produces one, a timeline entry
says which ones it fits, and a model's config can be made from one (``XConfig.for_signature``).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from anncestry.errors import require

Task = Literal[
    "classification", "regression", "forecasting", "language-model", "tagging", "next-frame",
    "reconstruction", "translation", "captioning",
]  # fmt: skip
InputKind = Literal["vector", "image", "series", "tokens"]
TASKS: tuple[str, ...] = (
    "classification", "regression", "forecasting", "language-model", "tagging", "next-frame",
    "reconstruction", "translation", "captioning",
)  # fmt: skip
EVERY_STEP: tuple[str, ...] = ("language-model", "tagging", "next-frame")
"""Tasks that are answered at every step of a sequence: outputs are (B, T, K)."""
CAUSAL_TASKS: tuple[str, ...] = ("language-model", "next-frame")
"""Tasks whose answer at a step is the next input, which the model must not have seen."""
WRITING_TASKS: tuple[str, ...] = ("translation", "captioning")
"""Tasks whose answer is a sequence of its own, written token by token: of tokens, or of an image."""
PAD, UNKNOWN, BEGIN, END = range(4)
"""The first four tokens of the vocabularies of writing tasks: filler, an unknown word, where a text begins,
and where it ends."""
INPUT_KINDS: tuple[str, ...] = ("vector", "image", "series", "tokens")
_AXES = {"vector": "D", "image": "CHW", "series": "TD", "tokens": "T"}


@dataclass(frozen=True)
class Signature:
    """The shape of a learning problem.

    Attributes:
        task: what is asked for each input.
        inputs: the kind of one input.
        shape: the shape of one input without the batch: ``(D,)``, ``(C, H, W)``, ``(T, D)`` or ``(T,)``.
        output_size: K, the number of classes, of target values, or the size of the output vocabulary; of a
            reconstruction the numbers of one input.
        vocab_size: the size of the input vocabulary where the inputs are tokens, else 0.
        background: tagging: the tag that says "nothing here", which no figure but the loss counts; None
            where every tag counts.
        target_len: writing tasks: T, the tokens of a typical answer with its end; else 0.
    """

    task: Task
    inputs: InputKind
    shape: tuple[int, ...]
    output_size: int
    vocab_size: int = 0
    background: int | None = None
    target_len: int = 0

    def __post_init__(self) -> None:
        require(self.task in TASKS, "task", self.task, "must be a known task", TASKS)
        require(
            self.inputs in INPUT_KINDS, "inputs", self.inputs, "must be a known kind of input", INPUT_KINDS
        )
        axes = _AXES[self.inputs]
        rule = f"one {self.inputs} input has the shape ({', '.join(axes)})"
        require(len(self.shape) == len(axes), "shape", self.shape, rule)
        require(min(self.shape) >= 1, "shape", self.shape, "every size must be at least 1")
        require(self.output_size >= 1, "output_size", self.output_size, "must be at least 1")
        if self.task in WRITING_TASKS:
            source = "tokens" if self.task == "translation" else "image"
            require(self.inputs == source, "inputs", self.inputs, f"{self.task} is of {source}")
            require(self.target_len >= 1, "target_len", self.target_len, "must be at least 1")
            rule = f"holds more than the {END + 1} tokens that every vocabulary begins with"
            smallest = min(self.output_size, self.vocab_size if source == "tokens" else self.output_size)
            require(smallest > END + 1, "output_size", smallest, rule)
        sequences = self.inputs in ("series", "tokens")
        rule = f"{self.task} has an answer for every step of a series or of tokens"
        require(sequences or not self.every_step, "inputs", self.inputs, rule)
        if self.task == "reconstruction":
            rule = "what can be drawn again is an image"
            require(self.inputs == "image", "inputs", self.inputs, rule, ("image",))
            rule = f"a reconstruction has the size of the input: {self.num_features}"
            require(self.output_size == self.num_features, "output_size", self.output_size, rule)

    @property
    def num_features(self) -> int:
        """How many numbers (or tokens) one input holds."""
        product = 1
        for size in self.shape:
            product *= size
        return product

    @property
    def is_categorical(self) -> bool:
        """Whether the targets are class or token indices rather than real values."""
        return self.task in ("classification", "language-model", "tagging", *WRITING_TASKS)

    @property
    def every_step(self) -> bool:
        """Whether there is an answer at every step of a sequence instead of one at its end."""
        return self.task in EVERY_STEP

    def example(self, batch_size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Random inputs and targets of this shape, for checks and costs; the same for the same seed.

        Returns:
            ``(inputs, targets)``: inputs (B, \\*shape), float32 or int64; targets (B,) int64 for
            classification, (B, T) int64 for a language model or tagging, (B, T, K) of zeros and ones for
            the next frame, the inputs themselves for a reconstruction, (B, T) int64 that end with `END` for
            writing tasks, else (B, K) float32.
        """
        random = torch.Generator().manual_seed(seed)
        if self.inputs == "tokens":
            first = END + 1 if self.task in WRITING_TASKS else 0
            inputs = torch.randint(first, self.vocab_size, (batch_size, *self.shape), generator=random)
        else:
            inputs = torch.randn(batch_size, *self.shape, generator=random)
        if self.task == "reconstruction":
            return inputs, inputs
        if self.task in WRITING_TASKS:
            size = (batch_size, self.target_len)
            targets = torch.randint(END + 1, self.output_size, size, generator=random)
            targets[:, -1] = END
            return inputs, targets
        if self.task == "classification":
            return inputs, torch.randint(self.output_size, (batch_size,), generator=random)
        if self.task == "next-frame":
            return inputs, torch.randint(2, (*inputs.shape[:2], self.output_size), generator=random).float()
        if self.every_step:
            return inputs, torch.randint(self.output_size, inputs.shape[:2], generator=random)
        return inputs, torch.randn(batch_size, self.output_size, generator=random)

    def to_json(self) -> dict:
        return {
            "task": self.task,
            "inputs": self.inputs,
            "shape": list(self.shape),
            "output_size": self.output_size,
            "vocab_size": self.vocab_size,
            "background": self.background,
            "target_len": self.target_len,
        }

    @classmethod
    def from_json(cls, fields: dict) -> "Signature":
        return cls(**{**fields, "shape": tuple(fields["shape"])})

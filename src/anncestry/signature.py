"""What a data set asks of a model: the task, the kind and shape of one input, the size of the output.

A `Signature` is the whole contract between data and models. A data source produces one, a timeline entry
says which ones it fits, and a model's config can be made from one (``XConfig.for_signature``).
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from anncestry.errors import require
from anncestry.protocols import IGNORED
from anncestry.stored import made

Task = Literal[
    "classification", "regression", "forecasting", "language-model", "tagging", "next-frame",
    "reconstruction", "translation", "captioning", "masked-lm", "span", "embedding",
    "bidirectional-lm", "multi-label",
]  # fmt: skip
InputKind = Literal["vector", "image", "series", "tokens", "characters"]
TASKS: tuple[str, ...] = (
    "classification", "regression", "forecasting", "language-model", "tagging", "next-frame",
    "reconstruction", "translation", "captioning", "masked-lm", "span", "embedding",
    "bidirectional-lm", "multi-label",
)  # fmt: skip
EVERY_STEP: tuple[str, ...] = (
    "language-model", "tagging", "next-frame", "masked-lm", "span", "bidirectional-lm",
)  # fmt: skip
"""Tasks that are answered at every step of a sequence: outputs are (B, T, K); of
bidirectional-lm (B, T, 2, K), for the word behind the step and the one before it."""
CAUSAL_TASKS: tuple[str, ...] = ("language-model", "next-frame")
"""Tasks whose target at a step is the next input, which the model must not have seen."""
GENERATION_TASKS: tuple[str, ...] = ("translation", "captioning")
"""Tasks whose output is a text of its own, generated token by token from a source: a text or an image."""
OF_TOKENS: tuple[str, ...] = ("masked-lm", "span", "embedding")
"""Tasks of tokens alone: masked tokens, the answer span in a text, a vector of a text."""
PAD, UNKNOWN, BEGIN, END = range(4)
"""The first four tokens of the vocabularies of generation tasks: padding, an unknown word, the begin and the
end of a text."""
INPUT_KINDS: tuple[str, ...] = ("vector", "image", "series", "tokens", "characters")
_AXES = {"vector": "D", "image": "CHW", "series": "TD", "tokens": "T", "characters": "TC"}
NUM_CHARACTERS = 262
BEGIN_TEXT, END_TEXT, BEGIN_WORD, END_WORD, FILLER = range(257, NUM_CHARACTERS)
"""Words as characters are rows of C ids: `BEGIN_WORD`, their UTF-8 bytes (a byte b is b + 1), `END_WORD`, and
`FILLER` up to C. Marks of a text's ends are words too. 0 is where no word is."""


@dataclass(frozen=True)
class Signature:
    """The shape of a learning problem.

    >>> texts = anncestry.Signature(task="classification", inputs="tokens", shape=(20,), vocab_size=50,
    ...                             output_size=2)
    >>> inputs, targets = texts.example(batch_size=8)
    >>> inputs.shape, targets.shape
    (torch.Size([8, 20]), torch.Size([8]))
    >>> anncestry.create("gru", signature=texts, width=16)(inputs)[0].shape
    torch.Size([8, 2])

    Attributes:
        task: what is asked for each input.
        inputs: the kind of one input.
        shape: the shape of one input without the batch: ``(D,)``, ``(C, H, W)``, ``(T, D)``, ``(T,)``,
            or ``(T, C)`` for words as characters.
        output_size: K, the number of classes, of labels, of target values, or the size of the output
            vocabulary; of a reconstruction the numbers of one input.
        vocab_size: the size of the input vocabulary where the inputs are tokens, or of characters
            (262), else 0.
        background: tagging: the tag that says "nothing here", which F1 does not count; None where every tag
            counts.
        target_len: generation tasks: T, the tokens of a typical target with its end; else 0.
        separator: tokens: which of them separates two texts, where an input can hold two.
        num_relations: masked-lm: classes of next-sentence or sentence-order prediction, whose target stands
            at the first token; 0 for none.
    """

    task: Task
    inputs: InputKind
    shape: tuple[int, ...]
    output_size: int
    vocab_size: int = 0
    background: int | None = None
    target_len: int = 0
    separator: int | None = None
    num_relations: int = 0

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
        if self.task in GENERATION_TASKS:
            source = "tokens" if self.task == "translation" else "image"
            require(self.inputs == source, "inputs", self.inputs, f"{self.task} is of {source}")
            require(self.target_len >= 1, "target_len", self.target_len, "must be at least 1")
            rule = f"holds more than the {END + 1} tokens that every vocabulary begins with"
            smallest = min(self.output_size, self.vocab_size if source == "tokens" else self.output_size)
            require(smallest > END + 1, "output_size", smallest, rule)
        if self.task in OF_TOKENS:
            kinds = ("tokens", "characters") if self.task == "embedding" else ("tokens",)
            require(self.inputs in kinds, "inputs", self.inputs, f"{self.task} is of", kinds)
        if self.task == "span":
            require(self.output_size == 2, "output_size", self.output_size, "a span has a start and an end")
        fits = self.task == "masked-lm" or not self.num_relations
        require(fits, "num_relations", self.num_relations, "is asked while tokens are masked: masked-lm")
        sequences = self.inputs in ("series", "tokens", "characters")
        rule = f"{self.task} has a target for every step of a series or of tokens"
        if self.inputs == "characters":
            known = self.vocab_size == NUM_CHARACTERS
            require(known, "vocab_size", self.vocab_size, "there are so many characters", (NUM_CHARACTERS,))
        require(sequences or not self.every_step, "inputs", self.inputs, rule)
        if self.task == "reconstruction":
            rule = "what can be reconstructed is an image"
            require(self.inputs == "image", "inputs", self.inputs, rule, ("image",))
            rule = f"a reconstruction has the size of the input: {self.num_features}"
            require(self.output_size == self.num_features, "output_size", self.output_size, rule)

    @property
    def for_net(self) -> "Signature":
        """What a net has to know of it: for K labels it gives K logits, as for K classes.

        That labels do not exclude each other is the business of the objective and of the processor.
        """
        return replace(self, task="classification") if self.task == "multi-label" else self

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
        return self.task in (
            "classification", "language-model", "tagging", "masked-lm", "span", "bidirectional-lm",
            *GENERATION_TASKS,
        )  # fmt: skip

    @property
    def every_step(self) -> bool:
        """Whether there is an output at every step of a sequence instead of one at its end."""
        return self.task in EVERY_STEP

    def example(self, batch_size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Random inputs and targets of this shape, for checks and costs; the same for the same seed.

        Returns:
            ``(inputs, targets)``: inputs (B, \\*shape), float32 or int64; targets (B,) int64 for
            classification, (B, K) float32 of zeros and ones for multi-label, (B, T) int64 for a language
            model or tagging, (B, T, K) of zeros and ones for the next frame, the inputs themselves for a
            reconstruction, (B, T) int64 that end with `END` for generation tasks, (B, T) int64 of which about
            half are `IGNORED` for masked-lm, (B, 2) int64 for a span, (B, T, 2) int64 for bidirectional-lm,
            else (B, K) float32.
        """
        random = torch.Generator().manual_seed(seed)
        if self.inputs in ("tokens", "characters"):
            first = END + 1 if self.task in GENERATION_TASKS else int(self.inputs == "characters")
            inputs = torch.randint(first, self.vocab_size, (batch_size, *self.shape), generator=random)
        else:
            inputs = torch.randn(batch_size, *self.shape, generator=random)
        if self.task == "reconstruction":
            return inputs, inputs
        if self.task in GENERATION_TASKS:
            size = (batch_size, self.target_len)
            targets = torch.randint(END + 1, self.output_size, size, generator=random)
            targets[:, -1] = END
            return inputs, targets
        if self.task == "classification":
            return inputs, torch.randint(self.output_size, (batch_size,), generator=random)
        if self.task == "multi-label":
            return inputs, torch.randint(2, (batch_size, self.output_size), generator=random).float()
        if self.task == "masked-lm":
            targets = torch.randint(self.output_size, inputs.shape, generator=random)
            hidden = torch.rand(inputs.shape, generator=random) < 0.5
            hidden[:, -1] = True
            targets = targets.masked_fill(~hidden, IGNORED)
            if self.num_relations:
                targets[:, 0] = torch.randint(self.num_relations, (batch_size,), generator=random)
            return inputs, targets
        if self.task == "span":
            return inputs, torch.randint(self.shape[0], (batch_size, 2), generator=random).sort(1).values
        if self.task == "next-frame":
            return inputs, torch.randint(2, (*inputs.shape[:2], self.output_size), generator=random).float()
        if self.task == "bidirectional-lm":
            size = (*inputs.shape[:2], 2)
            return inputs, torch.randint(self.output_size, size, generator=random)
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
            "separator": self.separator,
            "num_relations": self.num_relations,
        }

    @classmethod
    def from_json(cls, fields: object, source: str = "signature") -> "Signature":
        """What `to_json` described.

        Raises:
            UserError: a field is missing, unknown, or not what it must be; ``source`` says of what.
        """
        return made(cls, fields, source)

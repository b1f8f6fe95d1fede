"""Knowledge distillation: masked tokens are learnt from a teacher, a larger frozen net that reads the same.

The student starts from every second layer of its teacher (Sanh et al., 1910.01108, section 2).
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.errors import UserError, require
from anncestry.layers.seq2seq.encoder_decoder import visible_positions
from anncestry.models.bert import Bert, MaskedLMHead
from anncestry.objectives import Objective
from anncestry.objectives.distillation import distillation
from anncestry.protocols import State
from anncestry.signature import Signature
from anncestry.training.processes import OneProcess
from anncestry.training.settings import TrainingSettings
from anncestry.training.starting import Start
from anncestry.training.steps import GradientStep

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_BLOCK = re.compile(r"blocks\.([0-9]+)\.(.+)")
_OWN = ("num_layers", "num_segments")  # what the student's config says for itself


class Teacher(Start):
    """The teacher's run, and what the student takes from it.

    Args:
        folder: a run folder.
        data: the data name of the student's run.

    Raises:
        UserError: its task is not masked-LM, or its net does not give every token a vector and logits.
    """

    def __init__(self, folder: str | Path, data: str) -> None:
        super().__init__(folder, data)
        task = self.run.signature.task
        require(
            task == "masked-lm" and self.goes_on,
            "teacher",
            task,
            "a teacher has learnt masked tokens",
            ["masked-lm"],
        )
        self.model = _checked(self.run.model, "teacher", self.run.architecture.name).eval()
        self.model.requires_grad_(False)

    def sizes(self, config_class: type, signature: Signature) -> dict[str, Any]:
        """The teacher's, with half as many layers."""
        sizes = super().sizes(config_class, signature)
        layers = max(1, len(self.model.blocks) // 2)
        return {**{name: value for name, value in sizes.items() if name not in _OWN}, "num_layers": layers}

    def load(self, network: nn.Module) -> list[str]:
        """Copy the first of every so many layers, and what is below and above them."""
        student = _checked(network, "NAME", type(network).__name__)
        tensors, every = self.model.state_dict(), len(self.model.blocks) // len(student.blocks)
        rule = f"must have at most the {len(self.model.blocks)} blocks of its teacher"
        require(every >= 1, "num_layers", len(student.blocks), rule)
        wanted = student.state_dict()
        taken = {name: _of_teacher(name, every) for name in wanted}
        strange = [n for n, t in taken.items() if t not in tensors or tensors[t].shape != wanted[n].shape]
        if strange:
            hint = "Sizes come from the teacher; give none, or those that it has."
            raise UserError("teacher", str(self.run.folder), f"has other weights in {strange[0]}", hint=hint)
        student.load_state_dict({name: tensors[theirs] for name, theirs in taken.items()})
        return []


def _of_teacher(name: str, every: int) -> str:
    match = _BLOCK.fullmatch(name)
    return name if match is None else f"blocks.{every * int(match[1])}.{match[2]}"


def _checked(model: nn.Module, field: str, name: str) -> Bert:
    fits = isinstance(model, Bert) and isinstance(model.head, MaskedLMHead)
    require(fits, field, name, "must be an encoder with a masked-LM head")
    return model  # pyright: ignore[reportReturnType]


class _EveryToken(nn.Module):
    """States and logits of all tokens that are no padding, not only of the masked ones."""

    def __init__(self, model: Bert) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, tokens: Int[Tensor, "N T"], lengths: Int[Tensor, "N"] | None, inside: Bool[Tensor, "N T"]
    ) -> tuple[Float[Tensor, "M D"], Float[Tensor, "M V"]]:
        x = self.model.encode(tokens, lengths)[inside]
        return x, self.model.words(x)


class DistillingStep(GradientStep):
    """A gradient step on `anncestry.objectives.distillation.distillation`.

    Args:
        model: the student.
        teacher: of the same vocabulary and width; is moved to the student's device.
    """

    def __init__(
        self, model: nn.Module, teacher: nn.Module, objective: Objective, settings: TrainingSettings,
        fabric: "Fabric | OneProcess",
    ) -> None:  # fmt: skip
        super().__init__(
            _EveryToken(_checked(model, "NAME", type(model).__name__)), objective, settings, fabric
        )
        self.teacher = _EveryToken(_checked(teacher, "teacher", type(teacher).__name__).to(fabric.device))

    def _backward(
        self, inputs: Tensor, targets: Tensor, lengths: Tensor | None, state: State, share: float
    ) -> tuple[float, State]:
        inside = visible_positions(lengths, inputs)
        student = self.model(inputs, lengths, inside)
        with torch.no_grad(), self.fabric.autocast():
            teacher = self.teacher(inputs, lengths, inside)
        loss = distillation(student, teacher, targets[inside])
        self.backward(loss / share)
        return loss.item(), None

"""What nets that read images share: their learning problem, and a start by fan-out."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from anncestry.errors import require
from anncestry.signature import Signature, Task

IMAGE_TASKS = ("classification", "regression")
SMALL_IMAGE = 64
"""Below this height or width an image is small: CIFAR's nets fit it, and ImageNet's strides leave nothing."""


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """The learning problem of a net that gives one answer to an image.

    Attributes:
        tasks: those that nets of this kind answer.
        task: what is asked, ``classification`` or ``regression``.
        input_shape: (C, H, W) of an image.
        output_size: K, classes or target values.
    """

    tasks: ClassVar[tuple[str, ...]] = IMAGE_TASKS

    task: Task = "classification"
    input_shape: tuple[int, ...]
    output_size: int

    def __post_init__(self) -> None:
        require(self.task in self.tasks, "task", self.task, "a net of images answers", self.tasks)
        rule = "an image has the shape (C, H, W)"
        require(len(self.input_shape) == 3, "input_shape", self.input_shape, rule)
        require(min(self.input_shape) >= 1, "input_shape", self.input_shape, "every size must be at least 1")
        self.check_positive("output_size")

    def check_positive(self, *names: str) -> None:
        """Raise a `UserError` unless these fields (numbers, or tuples of them) are all at least 1."""
        for name in names:
            value = getattr(self, name)
            smallest = min(value, default=0) if isinstance(value, tuple) else value
            require(smallest >= 1, name, value, "must be at least 1")

    def check_dropout(self) -> None:
        """Raise a `UserError` unless ``dropout`` is a probability."""
        dropout = getattr(self, "dropout", 0.0)
        require(0 <= dropout < 1, "dropout", dropout, "is a probability below 1")

    @property
    def signature(self) -> Signature:
        """The learning problem this config is made for."""
        return Signature(self.task, "image", self.input_shape, self.output_size)


def problem(signature: Signature) -> dict:
    """The fields of an `ImageConfig` that a learning problem decides."""
    return {
        "task": signature.task,
        "input_shape": signature.shape,
        "output_size": signature.output_size,
    }


def is_small(shape: tuple[int, ...]) -> bool:
    """Whether an image (C, H, W) is of the size of CIFAR's rather than of ImageNet's."""
    return min(shape[1:]) < SMALL_IMAGE


def start_he_fan_out(model: nn.Module) -> None:
    """Convolutions from N(0, 2 / (F F K)), normalisation at 1 and 0, biases at 0.

    Source: He et al., 1502.01852, equation 14: what keeps the variance of the gradient. Every published
    ResNet and DenseNet starts so.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = math.prod(module.kernel_size) * module.out_channels
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def start_he(model: nn.Module, last: nn.Conv2d | nn.Linear) -> None:
    """Weights from N(0, 2 / fan-in), biases at 0; the ``last`` layer's from N(0, 0.01^2).

    Source: He et al., 1502.01852, equation 10: what keeps the variance through ReLUs. No ReLU follows the
    last layer: a small start leaves the first answers near undecided.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.normal_(last.weight, std=0.01)

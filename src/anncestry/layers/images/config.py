"""What nets that read images share: their learning problem, and a start by fan-out."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import nn

from anncestry.rules import Checked, Size, length, one_of
from anncestry.signature import Signature, Task

IMAGE_TASKS = ("classification", "regression")
SMALL_IMAGE = 64
"""Below this height or width an image is small: CIFAR's nets fit it, and ImageNet's strides leave nothing."""
ImageShape = Annotated[tuple[Size, ...], length(3, "an image has the shape (C, H, W)")]


@dataclass(frozen=True, kw_only=True)
class ImageConfig(Checked):
    """The learning problem of a net that gives one answer to an image.

    Attributes:
        tasks: those that nets of this kind answer.
        task: what is asked, ``classification`` or ``regression``.
        input_shape: (C, H, W) of an image.
        output_size: K, classes or target values.
    """

    tasks: ClassVar[tuple[str, ...]] = IMAGE_TASKS

    task: Annotated[Task, one_of("tasks", "a net of images answers")] = "classification"
    input_shape: ImageShape
    output_size: Size

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

"""What nets that read images share: their learning problem and its sizes."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from anncestry.rules import Checked, Size, length, one_of
from anncestry.signature import Signature, Task

IMAGE_TASKS = ("classification", "regression")
SMALL_IMAGE = 64
"""Below this height or width an image is small: CIFAR's nets fit it, and ImageNet's strides leave nothing."""
ImageShape = Annotated[tuple[Size, ...], length(3, "an image has the shape (C, H, W)")]


@dataclass(frozen=True, kw_only=True)
class ImageConfig(Checked):
    """The learning problem of a net that has one output for an image.

    Attributes:
        tasks: those of nets of this kind.
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

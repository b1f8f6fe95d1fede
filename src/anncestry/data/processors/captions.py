"""From images to texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from anncestry.arrays import Float, Tensor
from anncestry.data.processors.image import ImageProcessor
from anncestry.data.processors.translation import GivenInput, texts_of
from anncestry.data.readers.images import is_image
from anncestry.errors import UserError
from anncestry.tokenizers.vocabulary import Vocabulary
from anncestry.user_files import absolute, list_folder


@dataclass(frozen=True)
class CaptionProcessor:
    """Reads images, generates captions.

    Attributes:
        images: reads the images; it has no classes.
        target: the vocabulary of the captions.
    """

    images: ImageProcessor
    target: Vocabulary

    kind = "captions"

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """None: the targets are tokens."""
        return None

    def read_each(self, source: Any) -> list[GivenInput]:
        """Images, all images of folders, or a list of these; one of a folder that cannot be read says why."""
        given: list[GivenInput] = []
        for one in source if isinstance(source, list | tuple) else [source]:
            folder = absolute(one)
            files = [Path(one) / path.name for path in list_folder(folder) if is_image(path)]
            if folder.is_dir() and not files:
                raise UserError("input", str(folder), "must hold images; there is none in this folder")
            for path in files or [one]:
                try:
                    given += map(GivenInput, *self.images.read_noted(path))
                except UserError as error:
                    if not files:
                        raise
                    given.append(GivenInput(str(path), None, error.rule))
        return given

    def read(self, source: Any) -> tuple[list[str], Float[Tensor, "N C H W"]]:
        """The images that can be read; see `read_each`."""
        given = [item for item in self.read_each(source) if item.value is not None]
        if not given:
            raise UserError("input", str(source), "holds no image that can be read")
        return [item.label for item in given], self.batch([item.value for item in given])[0]

    def batch(self, values: Sequence[Any]) -> tuple[Float[Tensor, "N C H W"], None]:
        """``(inputs, None)`` of the values that `read_each` gave."""
        return torch.stack(list(values)), None

    def pixels(self, values: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """Pixels in [0, 1] of what `read` gave; see `ImageProcessor.pixels`."""
        return self.images.pixels(values)

    def decode(self, outputs: Float[Tensor, "B T V"]) -> list[dict[str, Any]]:
        """``{"caption": ...}`` of the likeliest token of each step."""
        return [{"caption": text} for text in texts_of(self.target, outputs)]

    def to_json(self) -> dict[str, Any]:
        images = {key: value for key, value in self.images.to_json().items() if key != "kind"}
        return {"kind": self.kind, "images": images, "target": self.target.to_json()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "CaptionProcessor":
        return cls(ImageProcessor.from_json(fields["images"]), Vocabulary.from_json(fields["target"]))

"""Images as standardised pixels, to be classified or reconstructed."""

from collections import Counter
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anncestry.arrays import Float, Tensor
from anncestry.data.processors.common import decode_classes
from anncestry.data.readers.idx import is_idx, read_idx
from anncestry.data.readers.images import is_image, read_image, to_pixels, with_channels
from anncestry.data.readers.watching import counted
from anncestry.errors import UserError
from anncestry.signature import Task
from anncestry.user_files import absolute, check_memory, existing_file, list_folder


@dataclass(frozen=True)
class ImageProcessor:
    """Reads image files, says class names, gives pixels back.

    Attributes:
        channels, height, width: of an input.
        mean, scale: of each channel in the training split, for pixels in [0, 1].
        classes: names.
        task: ``classification``, or ``reconstruction``, whose targets are the images.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    classes: tuple[str, ...]
    task: Task = "classification"

    kind = "image"

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """The deviation of each channel where the targets are images; None where they are classes."""
        return self.scale if self.task == "reconstruction" else None

    def standardise(self, values: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """Pixels in [0, 1], changed in place."""
        shape = (1, self.channels, 1, 1)
        return values.sub_(torch.tensor(self.mean).view(shape)).div_(torch.tensor(self.scale).view(shape))

    def pixels(self, values: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """Pixels in [0, 1] of standardised values; what goes beyond black and white becomes that."""
        shape = (1, self.channels, 1, 1)
        mean, scale = torch.tensor(self.mean).view(shape), torch.tensor(self.scale).view(shape)
        return (values * scale + mean).clamp(0, 1)

    def read(self, source: Any) -> tuple[list[str], Float[Tensor, "N C H W"]]:
        """Image files, all images of folders, files of idx images, or a list of these; the labels are paths.

        Raises:
            UserError: there is no such file, or it cannot be decoded.
        """
        labels, images, _ = self.read_noted(source)
        return labels, images

    def read_noted(self, source: Any) -> tuple[list[str], Float[Tensor, "N C H W"], list[str]]:
        """As `read`; with what of each image was not kept, or ""."""
        parts = [self._read_one(one) for one in (source if isinstance(source, list | tuple) else [source])]
        if not parts:
            raise UserError("input", "nothing", "must be image files, or folders of them")
        labels, images, notes = zip(*parts, strict=True)
        return [*chain(*labels)], torch.cat(images), [*chain(*notes)]

    def _read_one(self, source: str | Path) -> tuple[list[str], Tensor, list[str]]:
        folder = absolute(source)
        if folder.is_dir():
            files = [path for path in list_folder(folder) if is_image(path)]
            if not files:
                raise UserError("input", str(folder), "must hold images; there is none in this folder")
            return [str(Path(source) / path.name) for path in files], *self._from_files(files)
        path = existing_file(source)
        if is_idx(path):
            pixels = read_idx(path, 3)[:, None]
            if pixels.shape[1:] != (self.channels, self.height, self.width):
                rule = f"must hold images of {self.channels} x {self.height} x {self.width} pixels"
                raise UserError(
                    "input", str(path), f"{rule}; they have {' x '.join(map(str, pixels.shape[1:]))}"
                )
            labels = [f"image {number + 1}" for number in range(len(pixels))]
            return labels, self._scaled(pixels), [""] * len(pixels)
        return [str(source)], *self._from_files([path])

    def _from_files(self, files: list[Path]) -> tuple[Tensor, list[str]]:
        """The images, and what of each was not kept."""
        num_values = len(files) * self.channels * self.height * self.width
        check_memory(5 * num_values, "input", f"{len(files)} images", "Give fewer images at once.")
        pixels, notes = [], []
        for path in counted(files, "images"):
            seen: Counter[str] = Counter()
            image = to_pixels(read_image(path, seen), self.height, self.width)
            pixels.append(with_channels(image, self.channels))
            notes.append("; ".join(f"it has {what}" for what in sorted(seen)))
        return self._scaled(np.stack(pixels)), notes

    def _scaled(self, pixels: np.ndarray) -> Tensor:
        return self.standardise(torch.tensor(pixels, dtype=torch.float32).div_(255))

    def decode(self, outputs: Float[Tensor, "B K"]) -> list[dict[str, Any]]:
        """Classes with their scores (see `decode_classes`), or the pixels (C, H, W) as nested lists."""
        if self.task == "reconstruction":
            images = outputs[:, : self.channels * self.height * self.width].float().cpu()
            images = images.unflatten(1, (self.channels, self.height, self.width))
            return [{"pixels": image} for image in self.pixels(images).tolist()]
        return decode_classes(outputs, self.classes)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "ImageProcessor":
        tuples = {name: tuple(fields[name]) for name in ("mean", "scale", "classes")}
        return cls(**{**fields, **tuples})


@dataclass(frozen=True)
class PixelProcessor:
    """Reads images as series of their pixels.

    Attributes:
        images: reads the images themselves.
        order: which pixel (in rows) comes at each step.
    """

    images: ImageProcessor
    order: tuple[int, ...]

    kind = "pixels"

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """None: the targets are classes."""
        return None

    def read(self, source: Any) -> tuple[list[str], Float[Tensor, "N T C"]]:
        """As `ImageProcessor.read`."""
        labels, images, _ = self.read_noted(source)
        return labels, images

    def read_noted(self, source: Any) -> tuple[list[str], Float[Tensor, "N T C"], list[str]]:
        """As `ImageProcessor.read_noted`."""
        labels, images, notes = self.images.read_noted(source)
        return labels, images.flatten(2).transpose(1, 2)[:, list(self.order)], notes

    def decode(self, outputs: Float[Tensor, "B K"]) -> list[dict[str, Any]]:
        """Classes with their scores; see `decode_classes`."""
        return self.images.decode(outputs)

    def to_json(self) -> dict[str, Any]:
        images = {key: value for key, value in self.images.to_json().items() if key != "kind"}
        return {"kind": self.kind, "images": images, "order": list(self.order)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "PixelProcessor":
        return cls(ImageProcessor.from_json(fields["images"]), tuple(fields["order"]))

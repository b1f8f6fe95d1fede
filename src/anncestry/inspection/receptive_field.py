r"""What a unit of a convolutional net sees of the image: by arithmetic, and measured.

For a window of F positions with dilation d and stride S, from r = j = 1 at the image:

.. math:: r_l = r_{l-1} + d_l (F_l - 1) j_{l-1}, \qquad j_l = j_{l-1} S_l

r is the field and j the distance, in pixels, between what neighbouring units see. Where branches meet, the
widest counts. Here d = 1 is a dense kernel, as in PyTorch, in TensorFlow's ``rate`` and in Yu & Koltun's
text; the notes of CS231n count the gaps (d - 1), and Yu & Koltun's code writes 0 where it means 1.

`FieldOfView` follows the arithmetic through any model while it runs. `measured_field` differentiates a unit
by the pixels, and counts those that matter.
"""

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from anncestry.errors import UserError
from anncestry.inspection.tensors import Following, tensors_in

aten = torch.ops.aten


class Field(NamedTuple):
    """Pixels, in height and width.

    Attributes:
        size: r, what a unit sees.
        jump: j, the distance between what neighbours see.
        start: the first pixel that the first unit sees; negative where it is padding.
    """

    size: tuple[int, int] = (1, 1)
    jump: tuple[int, int] = (1, 1)
    start: tuple[int, int] = (0, 0)

    def through(
        self, window: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int] = (0, 0)
    ) -> "Field":
        """Behind a layer whose window spans so many places (gaps included)."""
        size = tuple(r + (w - 1) * j for r, w, j in zip(self.size, window, self.jump, strict=True))
        jump = tuple(j * s for j, s in zip(self.jump, stride, strict=True))
        start = tuple(a - p * j for a, p, j in zip(self.start, padding, self.jump, strict=True))
        return Field((size[0], size[1]), (jump[0], jump[1]), (start[0], start[1]))

    def joined(self, other: "Field") -> "Field":
        """Where two branches meet."""
        size, jump = (tuple(map(max, a, b)) for a, b in zip(self[:2], other[:2], strict=True))
        start = tuple(map(min, self.start, other.start))
        return Field((size[0], size[1]), (jump[0], jump[1]), (start[0], start[1]))

    def box(self, unit: tuple[int, int]) -> tuple[int, int, int, int]:
        """``(top, left, height, width)`` of what the unit in this row and column sees."""
        top, left = (a + j * place for a, j, place in zip(self.start, self.jump, unit, strict=True))
        return (top, left, *self.size)


def _pair(values) -> tuple[int, int]:
    values = [values] if isinstance(values, int) else list(values)
    return (values[0], values[-1])


def _span(kernel, dilation=1) -> tuple[int, int]:
    (a, b), (c, d) = _pair(kernel), _pair(dilation)
    return (c * (a - 1) + 1, d * (b - 1) + 1)


class FieldOfView(Following):
    """Follows the field of every tensor (B, C, H, W) that comes of an image, while a model runs."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.fields: dict[int, tuple[torch.UntypedStorage, Field]] = {}  # by memory: views share a field
        self._note(image, Field())

    def of(self, tensor: Tensor) -> Field | None:
        """The field of a tensor's units; None where they are no places of an image any more."""
        if tensor.dim() != 4:
            return None
        return self.fields.get(tensor.untyped_storage()._cdata, (None, None))[1]

    def _note(self, tensor: Tensor, field: Field) -> None:
        storage = tensor.untyped_storage()
        self.fields[storage._cdata] = (storage, field)  # holding it keeps its address from being used again

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        read = [field for tensor in tensors_in((args, kwargs)) if (field := self.of(tensor))]
        result = func(*args, **(kwargs or {}))
        if not read:
            return result
        field = read[0]
        for other in read[1:]:
            field = field.joined(other)
        field = _behind(func._overloadpacket, args, field)
        for tensor in tensors_in(result):
            if tensor.dim() == 4:
                old = self.of(tensor)
                self._note(tensor, field if old is None else old.joined(field))
        return result


def _behind(operation, args, field: Field) -> Field:
    """The field behind one operation of PyTorch; element by element it stays what it is."""
    if operation is aten.convolution and not args[6]:
        return field.through(_span(args[1].shape[2:], args[5]), _pair(args[3]), _pair(args[4]))
    if operation in (aten.max_pool2d_with_indices, aten.avg_pool2d):
        stride = args[2] if len(args) > 2 and args[2] else args[1]
        return field.through(_pair(args[1]), _pair(stride), _pair(args[3]) if len(args) > 3 else (0, 0))
    if operation is aten._adaptive_avg_pool2d:
        before, after = _pair(args[0].shape[2:]), _pair(args[1])
        stride = (before[0] // after[0], before[1] // after[1])
        window = tuple(b - (a - 1) * s for b, a, s in zip(before, after, stride, strict=True))
        return field.through((window[0], window[1]), stride)
    if operation is aten.mean and len(args) > 1:
        return field.through(_pair(args[0].shape[2:]), (1, 1))
    return field


def measured_field(model: nn.Module, layer: str, image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Height and width of the pixels that move the middle units of ``layer``, by back-propagation.

    So that nothing hides a pixel, all weights are 1, what normalises passes on, and a maximum becomes the
    average over the same window (its gradient reaches one position alone).

    Args:
        layer: the name of a module that outputs feature maps (B, C, H, W).
        image_shape: (C, H, W), larger than the field, or the border cuts it off.

    Raises:
        UserError: there is no such layer, or it outputs no feature maps.
    """
    twin = copy.deepcopy(model).double().eval()
    _open(twin)
    modules = dict(twin.named_modules())
    if layer not in modules:
        raise UserError("layer", layer, f"{type(model).__name__} has no such layer", list(modules)[1:9])
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        kept.append(output)

    modules[layer].register_forward_hook(keep)
    x = torch.ones(1, *image_shape, dtype=torch.float64, requires_grad=True)
    twin(x)
    if not kept or kept[0].dim() != 4:
        raise UserError("layer", layer, "outputs no feature maps (B, C, H, W)")
    maps = kept[0]
    maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(0) > 0
    height, width = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    return (int(height[-1] - height[0]) + 1, int(width[-1] - width[0]) + 1)


def _open(model: nn.Module) -> None:
    """Change a model so that every pixel in a unit's field has a positive share in it."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0 / max(1, parameter[0].numel()) if parameter.dim() > 1 else 1.0)
    for parent in model.modules():
        for name, module in parent.named_children():
            if isinstance(module, nn.MaxPool2d):
                window = (module.kernel_size, module.stride, module.padding, module.ceil_mode)
                setattr(parent, name, nn.AvgPool2d(*window))
            elif isinstance(module, nn.BatchNorm2d | nn.LocalResponseNorm | nn.Dropout):
                setattr(parent, name, nn.Identity())

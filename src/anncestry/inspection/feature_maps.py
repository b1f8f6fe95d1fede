"""Inside a convolutional net: its first kernels, its feature maps of an image, a unit's receptive field."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import UserError, nearest
from anncestry.inspection.receptive_field import Field, FieldOfView
from anncestry.protocols import EncoderDecoder, outputs_of

MAX_FILTERS = 64
MAX_MAPS = 32


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Kernels of the first convolution, the largest first.

    Attributes:
        name: where it is in the model.
        weights: (N, C, F, F).
        channels: which feature maps they make.
        total: how many kernels it has.
    """

    name: str
    weights: Float[Tensor, "maps C F F"]
    channels: tuple[int, ...]
    total: int


@dataclass(frozen=True, kw_only=True)
class FeatureMaps:
    """A layer's feature maps of one image, the strongest first.

    Attributes:
        name: where the layer is in the model.
        maps: (N, h, w).
        channels: which of its feature maps they are.
        total: how many feature maps it outputs.
        unit: channel, row and column of a middle unit: at the middle position, the one furthest from zero.
        gradient: the norm over the colours of the unit's derivative by each pixel, (H, W).
        box: ``(top, left, height, width)`` in pixels of that unit's receptive field by the arithmetic of
            `receptive_field`, the padding around the image included.
    """

    name: str
    maps: Float[Tensor, "maps H W"]
    channels: tuple[int, ...]
    total: int
    unit: tuple[int, int, int]
    gradient: Float[Tensor, "H W"]
    box: tuple[int, int, int, int]


def first_filters(model: nn.Module, image: Float[Tensor, "1 C H W"], limit: int = MAX_FILTERS) -> Filters:
    """The kernels that read the image itself; where there are more than ``limit``, those of the largest norm.

    Raises:
        UserError: the model has no convolution that reads images, or there is more than one image.
    """
    called: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            called.setdefault(name, module.weight.detach())

    with _watched(model, image, dict(model.named_modules()), keep), torch.no_grad():
        _see(model, image)
    if not called:
        raise UserError("model", type(model).__name__, "has no convolution that reads images")
    name, weights = next(iter(called.items()))
    channels = _largest(weights, limit)
    return Filters(
        name=name, weights=weights[channels], channels=tuple(channels.tolist()), total=len(weights)
    )


def feature_maps(
    model: nn.Module, image: Float[Tensor, "1 C H W"], layers: Sequence[str] = (), limit: int = MAX_MAPS
) -> list[FeatureMaps]:
    """Feature maps of an image in evaluation mode, in the order in which the model makes them.

    Args:
        model: it is left as it was: modes, statistics, gradients.
        layers: names of modules that output feature maps; default: of every height and width above 1 x 1 the
            last one that is no normalisation on its way to the next layer.
        limit: feature maps of each layer; those of the largest norm.

    Raises:
        UserError: no module outputs feature maps, or a named one does not, or there is more than one image.
    """
    found = _fields(model, image)
    names = layers or _last_of_each_size(model, found)
    modules = dict(model.named_modules())
    for layer in layers:
        if layer not in found:
            rule = "outputs no feature maps (B, C, H, W)" if layer in modules else "there is no such layer"
            raise UserError("layer", layer, rule, nearest(layer, list(found), 5)[:12])
    if not names:
        raise UserError("model", type(model).__name__, "outputs no feature maps (B, C, H, W) of an image")
    wanted = {name: modules[name] for name in found if name in names}
    kept: dict[str, Tensor] = {}
    x = image.detach().clone().requires_grad_()

    def keep(name: str, module: nn.Module, output: Tensor) -> None:
        kept[name] = output.clone()  # what comes next may write into it

    with _watched(model, image, wanted, keep), torch.enable_grad():
        _see(model, x)
    return [_maps_of(name, kept[name], x, found[name][1], limit) for name in wanted]


def _see(model: nn.Module, image: Tensor) -> None:
    """Let a model read an image; of an encoder-decoder the encoder alone runs."""
    if isinstance(model, EncoderDecoder):
        model.encode(image)
    else:
        outputs_of(model, image)


def _maps_of(name: str, maps: Tensor, x: Tensor, field: Field, limit: int) -> FeatureMaps:
    values = maps[0].detach()
    channels = _largest(values, limit)
    row, column = values.shape[1] // 2, values.shape[2] // 2
    channel = int(values[:, row, column].abs().argmax())
    (gradient,) = torch.autograd.grad(maps[0, channel, row, column], x, retain_graph=True)
    return FeatureMaps(
        name=name,
        maps=values[channels],
        channels=tuple(channels.tolist()),
        total=len(values),
        unit=(channel, row, column),
        gradient=gradient[0].norm(dim=0),
        box=field.box((row, column)),
    )


def _largest(values: Float[Tensor, "maps *"], limit: int) -> Tensor:
    """Which of the first axis have the largest norm; of equals the first."""
    return values.flatten(1).norm(dim=1).sort(descending=True, stable=True).indices[:limit]


def _fields(model: nn.Module, image: Tensor) -> dict[str, tuple[tuple[int, ...], Field]]:
    """Shape and field of the feature maps of every module that outputs some, in the order of their ends."""
    found: dict[str, tuple[tuple[int, ...], Field]] = {}
    modules = {name: module for name, module in model.named_modules() if name}
    with FieldOfView(image) as view:

        def keep(name: str, module: nn.Module, output: Tensor) -> None:
            field = view.of(output)
            if field is not None:
                found.pop(name, None)
                found[name] = (tuple(output.shape), field)

        with _watched(model, image, modules, keep), torch.no_grad():
            _see(model, image)
    return found


def _last_of_each_size(model: nn.Module, found: dict[str, tuple[tuple[int, ...], Field]]) -> list[str]:
    last: dict[tuple[int, ...], str] = {}
    for name, (shape, _) in found.items():
        if max(shape[2:]) > 1 and not isinstance(model.get_submodule(name), nn.BatchNorm2d):
            last[shape[2:]] = name
    return list(last.values())


@contextmanager
def _watched(model: nn.Module, image: Tensor, modules: dict[str, nn.Module], keep) -> Iterator[None]:
    """In evaluation mode, ``keep(name, module, output)`` is called with every tensor that comes out of these
    modules."""
    if image.dim() != 4 or len(image) != 1:
        raise UserError("image", tuple(image.shape), "must be one image, (1, C, H, W)")

    def hook(name: str):
        def of_call(module: nn.Module, arguments: tuple, output: object) -> None:
            if isinstance(output, Tensor):
                keep(name, module, output)

        return of_call

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for handle in handles:
            handle.remove()

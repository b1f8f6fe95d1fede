"""Image networks as torchvision and timm publish them: AlexNet, VGG, ResNet, DenseNet.

The names of our weights are theirs, so that a file goes through unchanged. What differs:

- the published DenseNets carry the older names ``denselayer1.norm.1.weight`` (now ``norm1.weight``);
- a well-known DenseNet for CIFAR calls its last normalisation ``norm_final`` (``norm5``);
- older files lack ``num_batches_tracked``, which nothing depends on: it becomes 0.

timm's ResNets and DenseNets have torchvision's names. Sizes are read from the shapes of the weights. What
weights do not say is assumed: images of 224 x 224 behind a first kernel of 7 or 11, of 32 x 32 otherwise, and
the stride of a bottleneck in its 3x3 convolution.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from anncestry.checkpoints.imported import Imported
from anncestry.errors import UserError
from anncestry.models.densenet import BOTTLENECK
from anncestry.models.vgg import COLUMNS
from anncestry.timeline import find

_OLD_DENSE = re.compile(r"(.*\.denselayer[0-9]+\.(?:norm|conv))\.([12])\.(.*)")
_DENSE_LAYER = re.compile(r"features\.denseblock([0-9]+)\.denselayer([0-9]+)\.norm1\.weight")
_BLOCK = re.compile(r"layer([0-9]+)\.([0-9]+)\.conv1\.weight")
_FEATURE = re.compile(r"features\.([0-9]+)\.weight")


def recognise(tensors: Mapping[str, Tensor]) -> str | None:
    """The architecture whose names these are, or None."""
    names = {_modern(name) for name in tensors}
    if "features.denseblock1.denselayer1.norm1.weight" in names:
        return "densenet"
    if "layer1.0.conv1.weight" in names:
        return "resnet"
    if "features.0.weight" in names and "classifier.1.weight" in names:
        return "alexnet"
    if "features.0.weight" in names and "classifier.0.weight" in names:
        return "vgg"
    return None


def from_torchvision(
    tensors: Mapping[str, Tensor], source: str = "checkpoint", architecture: str | None = None
) -> Imported:
    """The network that a state dict of torchvision or timm holds.

    Raises:
        UserError: its names are those of none, or of another than ``architecture``; its shapes are not
            those of one network.
    """
    found = recognise(tensors)
    if found is None:
        rule = "its names are not those of torchvision's AlexNet, VGG, ResNet or DenseNet"
        raise UserError(source, f"{len(tensors)} tensors", rule)
    if architecture is not None and find(architecture).id != found:
        raise UserError("architecture", architecture, f"{source} holds a {found}", [found])
    ours = {_modern(name): tensor for name, tensor in tensors.items()}
    for name, mean in list(ours.items()):
        if name.endswith("running_mean"):
            count = name.removesuffix("running_mean") + "num_batches_tracked"
            ours.setdefault(count, mean.new_zeros((), dtype=torch.int64))
    try:
        config = _SIZES[found](ours)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        rule = f"its shapes are not those of one {found} ({type(error).__name__}: {error})"
        raise UserError(source, f"{len(tensors)} tensors", rule) from error
    return Imported(found, config, ours)


def _modern(name: str) -> str:
    name = _OLD_DENSE.sub(r"\1\2.\3", name)
    return name.replace("features.norm_final.", "features.norm5.")


def _problem(first: Tensor, last: Tensor, imagenet: bool) -> dict[str, Any]:
    side = 224 if imagenet else 32
    return {
        "task": "regression" if last.shape[0] == 1 else "classification",
        "input_shape": (first.shape[1], side, side),
        "output_size": last.shape[0],
    }


def _densenet(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    first, last = tensors["features.conv0.weight"], tensors["classifier.weight"]
    imagenet = "features.norm0.weight" in tensors
    blocks = _counts(_DENSE_LAYER, tensors)
    layer = "features.denseblock1.denselayer1"
    bottleneck = f"{layer}.conv2.weight" in tensors
    growth_rate = tensors[f"{layer}.conv{2 if bottleneck else 1}.weight"].shape[0]
    if bottleneck and tensors[f"{layer}.conv1.weight"].shape[0] != BOTTLENECK * growth_rate:
        raise ValueError(f"a bottleneck has {BOTTLENECK} times the growth rate")
    compression = 1.0
    if len(blocks) > 1:
        kept, read = tensors["features.transition1.conv.weight"].shape[:2]
        compression = 1.0 if kept == read else 0.5 if kept == read // 2 else kept / read
    return {
        **_problem(first, last, imagenet),
        "growth_rate": growth_rate,
        "blocks": blocks,
        "bottleneck": bottleneck,
        "compression": compression,
        "stem": "imagenet" if imagenet else "cifar",
        "stem_channels": first.shape[0],
    }


def _resnet(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    first, last = tensors["conv1.weight"], tensors["fc.weight"]
    imagenet = first.shape[2] == 7
    return {
        **_problem(first, last, imagenet),
        "blocks": _counts(_BLOCK, tensors),
        "channels": first.shape[0],
        "bottleneck": "layer1.0.conv3.weight" in tensors,
        "stem": "imagenet" if imagenet else "cifar",
        "shortcut": "B" if any(".downsample." in name for name in tensors) else "A",
    }


def _vgg(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    kernels = _kernels(tensors)
    sizes = tuple(kernel.shape[2] for kernel in kernels)
    columns = [column for column, stages in COLUMNS.items() if sizes == sum(stages, ())]
    if not columns:
        raise ValueError(f"no column of the paper has {len(kernels)} such convolutions")
    dense = tensors["classifier.0.weight"]
    return {
        **_problem(kernels[0], tensors["classifier.6.weight"], True),
        "column": columns[0],
        "channels": kernels[0].shape[0],
        "hidden_size": dense.shape[0],
        "grid": math.isqrt(dense.shape[1] // kernels[-1].shape[0]),
        "batch_norm": "features.1.running_mean" in tensors,
    }


def _alexnet(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    kernels = _kernels(tensors)
    dense = tensors["classifier.1.weight"]
    size = kernels[0].shape[2]
    return {
        **_problem(kernels[0], tensors["classifier.6.weight"], size == 11),
        "channels": tuple(kernel.shape[0] for kernel in kernels),
        "hidden_size": dense.shape[0],
        "groups": kernels[0].shape[0] // kernels[1].shape[1],
        "response_norm": "features.3.weight" not in tensors,
        "stem": (size, 4 if size == 11 else 1),
        "grid": math.isqrt(dense.shape[1] // kernels[-1].shape[0]),
    }


def _kernels(tensors: Mapping[str, Tensor]) -> list[Tensor]:
    """The convolutions in order; normalisation has weights of one axis."""
    numbered = {int(match[1]): tensors[name] for name in tensors if (match := _FEATURE.fullmatch(name))}
    return [tensor for _, tensor in sorted(numbered.items()) if tensor.ndim == 4]


def _counts(pattern: re.Pattern[str], tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
    """How many parts each stage has, from names that number stage and part."""
    stages: dict[int, int] = {}
    for name in tensors:
        if match := pattern.fullmatch(name):
            stages[int(match[1])] = stages.get(int(match[1]), 0) + 1
    return tuple(stages[number] for number in sorted(stages))


_SIZES: dict[str, Callable[[Mapping[str, Tensor]], dict[str, Any]]] = {
    "densenet": _densenet,
    "resnet": _resnet,
    "vgg": _vgg,
    "alexnet": _alexnet,
}

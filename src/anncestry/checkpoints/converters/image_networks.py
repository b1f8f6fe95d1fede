"""Image networks as torchvision and timm publish them: AlexNet, VGG, ResNet, DenseNet.

The names of our weights are theirs, so that a file goes through unchanged. What differs:

- the published DenseNets carry the older names ``denselayer1.norm.1.weight`` (now ``norm1.weight``);
- a well-known DenseNet for CIFAR calls its last normalisation ``norm_final`` (``norm5``);
- older files lack ``num_batches_tracked``, which nothing depends on: it becomes 0;
- older VGGs number their dense layers as AlexNet does (``classifier.1``, ``.4``, ``.6``), and timm's have
  them as convolutions (``pre_logits.fc1``, ``pre_logits.fc2``, ``head.fc``).

timm's ResNets and DenseNets have torchvision's names, and so have relatives that compute something else: a
config.json says which one it is (``architecture``); shapes show wide ResNets and ResNeXt. Sizes are read from
the shapes of the weights. What nobody says is assumed: images of 224 x 224 behind a first kernel of 7 or 11,
of 32 x 32 otherwise, and the stride of a bottleneck in its 3x3 convolution.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.errors import UserError, require
from anncestry.fields import Fields
from anncestry.models.densenet import BOTTLENECK
from anncestry.models.vgg import COLUMNS
from anncestry.stored import whole

_OLD_DENSE = re.compile(r"(.*\.denselayer[0-9]+\.(?:norm|conv))\.([12])\.(.*)")
_DENSE_LAYER = re.compile(r"features\.denseblock([0-9]+)\.denselayer([0-9]+)\.norm1\.weight")
_BLOCK = re.compile(r"layer([0-9]+)\.([0-9]+)\.conv1\.weight")
_FEATURE = re.compile(r"features\.([0-9]+)\.weight")
_VGG_DENSE = {"classifier.1": "classifier.0", "classifier.4": "classifier.3"}  # of old files, and now
_TIMM_DENSE = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}
_LIKE = re.compile(  # timm's names of networks that compute what torchvision's do
    r"alexnet|(tv_)?densenet(121|161|169|201|264)?|(tv_|gluon_)?resnet([0-9]+)?(_v1b)?|vgg([0-9]+)?(_bn)?"
)
_SAID_BY_WEIGHTS = ("num_features", "architecture", "pool_size", "first_conv", "classifier")
_ALEXNETS_CONVOLUTIONS = 5


def recognise(tensors: Mapping[str, Tensor]) -> str | None:
    """The architecture whose names these are, or None."""
    names = {_modern(name) for name in tensors}
    if "features.denseblock1.denselayer1.norm1.weight" in names:
        return "densenet"
    if "layer1.0.conv1.weight" in names:
        return "resnet"
    if "features.0.weight" not in names:
        return None
    if "classifier.0.weight" in names or "pre_logits.fc1.weight" in names:
        return "vgg"
    if "classifier.1.weight" in names:
        convolutions = sum(tensors[name].ndim == 4 for name in tensors if _FEATURE.fullmatch(name))
        return "alexnet" if convolutions <= _ALEXNETS_CONVOLUTIONS else "vgg"
    return None


def is_image_network(files: ForeignFiles) -> bool:
    """By the names of its tensors."""
    return recognise(files.tensors) is not None


def from_image_network(files: ForeignFiles, _: str | None = None) -> Imported:
    """The network of what `is_image_network` accepts.

    Raises:
        UserError: as `from_torchvision`.
    """
    return from_torchvision(files.weights, files.name, files.config if files.of_folder else None)


def from_torchvision(
    tensors: Mapping[str, Tensor], source: str = "checkpoint", config: Fields | None = None
) -> Imported:
    """The network that a state dict of torchvision or timm holds.

    Args:
        config: timm's config.json, where there is one.

    Raises:
        UserError: its names are those of none; its shapes are not those of one network.
    """
    found = recognise(tensors)
    if found is None:
        rule = "its names are not those of torchvision's AlexNet, VGG, ResNet or DenseNet"
        raise UserError(source, f"{len(tensors)} tensors", rule)
    said = Fields({}, "config.json") if config is None else config
    _check_kind(said)
    ours = {_modern(name): tensor for name, tensor in tensors.items()}
    if found == "vgg":
        ours = _vgg_names(ours)
    if found == "resnet":
        _check_resnet(ours, source)
    for name, mean in list(ours.items()):
        if name.endswith("running_mean"):
            count = name.removesuffix("running_mean") + "num_batches_tracked"
            ours.setdefault(count, mean.new_zeros((), dtype=torch.int64))
    try:
        sizes = _SIZES[found](ours)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        rule = f"its shapes are not those of one {found} ({type(error).__name__}: {error})"
        raise UserError(source, f"{len(tensors)} tensors", rule) from error
    count, classes = sizes["output_size"], said.get("num_classes")
    require(
        classes in (None, count), source, classes, "num_classes is another number in the weights", [count]
    )
    shape = _input_shape(said)
    notes = _notes(said)
    if shape is None:
        shape = sizes["input_shape"]
        notes.append(f"input_shape={shape} is assumed: weights do not say (set input_shape=...)")
    return Imported(found, {**sizes, "input_shape": shape}, ours, notes=(*notes, *said.notes()))


def _check_kind(said: Fields) -> None:
    """Raise a `UserError` where timm says that it is a network that only has the same weights."""
    kind = said.get("architecture")
    if kind is not None:
        rule = "computes something else than torchvision's networks, of the same or other weights"
        base = str(kind).partition(".")[0]
        known = ("alexnet", "densenet121", "resnet50", "vgg16", "vgg16_bn", "...")
        require(_LIKE.fullmatch(base) is not None, "architecture", kind, rule, known)
    pool = said.get("global_pool")
    require(pool in (None, "", "avg"), "global_pool", pool, "is another pooling than ours", ["avg"])


def _check_resnet(tensors: Mapping[str, Tensor], source: str) -> None:
    """Raise a `UserError` for relatives of a ResNet, which their tensors show."""
    others = {"convs.": "Res2Net", "se.": "a ResNet with squeeze and excitation", "eca.": "ECA-ResNet"}
    others |= {"downsample.2.": "a ResNet with pooling in its shortcuts (ResNet-D)"}
    for name in tensors:
        inside = re.sub(r"^layer[0-9]+\.[0-9]+\.", "", name) if name.startswith("layer") else ""
        for mark, kind in others.items():
            require(not inside.startswith(mark), source, name, f"is of {kind}, which is not read here")
    deep = "is of a ResNet with a deep stem (ResNet-C), which is not read here"
    require("conv1.0.weight" not in tensors, source, "conv1.0.weight", deep)
    if {"layer1.0.conv2.weight", "layer1.0.conv3.weight"} <= tensors.keys():
        inner, outer = tensors["layer1.0.conv2.weight"].shape, tensors["layer1.0.conv3.weight"].shape
        rule = "is of a ResNeXt (its convolutions are in groups), which is not read here"
        require(inner[:1] == inner[1:2], source, f"layer1.0.conv2.weight {tuple(inner)}", rule)
        rule = "is of a wide ResNet, which is not read here: a bottleneck has a quarter of the channels"
        narrow = len(outer) > 1 and outer[0] == 4 * outer[1]
        require(narrow, source, f"layer1.0.conv3.weight {tuple(outer)}", rule)


def _vgg_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The dense layers of a VGG under torchvision's present names."""
    names = _TIMM_DENSE if "pre_logits.fc1.weight" in tensors else {}
    names = names if names or "classifier.0.weight" in tensors else _VGG_DENSE
    ours = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        if layer in names:
            name = f"{names[layer]}.{part}"
            tensor = tensor.flatten(1) if part == "weight" else tensor
        ours[name] = tensor
    return ours


def _input_shape(said: Fields) -> tuple[int, ...] | None:
    """The shape of one image, where timm says one."""
    published = said.get("pretrained_cfg")
    shape = published.get("input_size") if isinstance(published, dict) else None
    return (
        None
        if shape is None
        else whole(tuple[int, int, int], shape, "config.json: pretrained_cfg: input_size")
    )


def _notes(said: Fields) -> list[str]:
    """What a person must know of timm's config."""
    said.ignore(*_SAID_BY_WEIGHTS)
    published, arguments = said.get("pretrained_cfg"), said.get("model_args")
    notes = []
    if isinstance(published, dict) and ("mean" in published or "std" in published):
        by = f"by mean {published.get('mean')} and deviation {published.get('std')}"
        notes.append(f"images must be normalised first, {by}: the run takes tensors")
    if arguments:
        notes.append(f"config.json: model_args were not heeded: {arguments}")
    return notes


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

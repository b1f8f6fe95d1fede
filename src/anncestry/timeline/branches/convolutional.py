"""The convolutional line behind LeCun's first net: LeNet-5, AlexNet, VGG, ResNet, DenseNet and their kin."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.common import CLASSES
from anncestry.timeline.ledgers import convolutional as ledger

_IMAGES = frozenset({("image", CLASSES), ("image", "regression")})
_IMAGENET = {"task": CLASSES, "input_shape": (3, 224, 224), "output_size": 1000}
_CIFAR = {"task": CLASSES, "input_shape": (3, 32, 32), "output_size": 10}


def _preset(name: str, num_parameters: int, source: str, *sizes: dict[str, Any], **more: Any) -> Preset:
    """A published size: the learning problem, then what the net adds to it."""
    config: dict[str, Any] = {}
    for part in sizes:
        config |= part
    recipe = more.pop("recipe", {})
    return Preset(
        name=name, config={**config, **more}, num_parameters=num_parameters, source=source, recipe=recipe
    )


_CIFAR_RECIPE = {
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "schedule": "steps",
    "augment": "shift,flip",
}
_RESNET_CIFAR_RECIPE = {**_CIFAR_RECIPE, "batch_size": 128, "epochs": 164}
_DENSENET_CIFAR_RECIPE = {**_CIFAR_RECIPE, "nesterov": True, "batch_size": 64, "epochs": 300}


def _resnet(depth: int, num_parameters: int, blocks: tuple[int, ...], bottleneck: bool) -> Preset:
    source = "He et al., 1512.03385, table 1; stride in the 3x3 as in the authors' later code"
    return _preset(f"resnet-{depth}", num_parameters, source, _IMAGENET, blocks=blocks, bottleneck=bottleneck)


def _resnet_cifar(depth: int, num_parameters: int) -> Preset:
    return _preset(
        f"resnet-{depth}",
        num_parameters,
        "He et al., 1512.03385, section 4.2: CIFAR-10, option A",
        _CIFAR,
        blocks=((depth - 2) // 6,) * 3,
        channels=16,
        stem="cifar",
        shortcut="A",
        recipe=_RESNET_CIFAR_RECIPE,
    )


def _densenet(
    name: str, num_parameters: int, blocks: tuple[int, ...], growth_rate: int, source: str
) -> Preset:
    return _preset(
        name,
        num_parameters,
        source,
        _IMAGENET,
        blocks=blocks,
        growth_rate=growth_rate,
        stem_channels=2 * growth_rate,
    )


def _densenet_cifar(depth: int, growth_rate: int, num_parameters: int, bottleneck: bool) -> Preset:
    layers = (depth - 4) // (6 if bottleneck else 3)
    return _preset(
        f"densenet-{'bc-' if bottleneck else ''}{depth}-{growth_rate}",
        num_parameters,
        "Huang et al., 1608.06993, table 2: CIFAR-10",
        _CIFAR,
        blocks=(layers,) * 3,
        growth_rate=growth_rate,
        stem="cifar",
        stem_channels=2 * growth_rate if bottleneck else 16,
        bottleneck=bottleneck,
        compression=0.5 if bottleneck else 1.0,
        recipe=_DENSENET_CIFAR_RECIPE,
    )


def _vgg(depth: int, column: str, num_parameters: int, batch_norm: bool = False) -> Preset:
    name = f"vgg-{depth}{'-c' if column == 'C' else ''}{'-bn' if batch_norm else ''}"
    source = "Simonyan & Zisserman, 1409.1556, table 1" + (", with batch normalisation" if batch_norm else "")
    return _preset(name, num_parameters, source, _IMAGENET, column=column, batch_norm=batch_norm)


CONVOLUTIONAL: tuple[Architecture, ...] = (
    Architecture(
        id="lenet-5",
        name="LeNet-5",
        year=1998,
        paper="LeCun, Bottou, Bengio & Haffner, Gradient-based learning applied to document recognition, "
        "Proc. IEEE 86",
        parents=("cnn",),
        adds="trainable subsampling; classification by the distance to codes",
        removes="strided convolutions, one unit for each class",
        departures=ledger.LENET_5,
        one_class=True,
        fits=frozenset({("image", CLASSES)}),
        module="lenet5",
        model="LeNet5",
        config="LeNet5Config",
        has_width=False,
        presets=(
            _preset(
                "lenet-5-1998",
                60_000,
                "LeCun et al., Proc. IEEE 86 (1998), section II.B",
                {"task": CLASSES, "input_shape": (1, 32, 32), "output_size": 10},
            ),
        ),
    ),
    Architecture(
        id="alexnet",
        name="AlexNet",
        year=2012,
        paper="Krizhevsky, Sutskever & Hinton, ImageNet classification with deep convolutional neural "
        "networks, NIPS",
        parents=("lenet-5",),
        adds="ReLU, dropout, overlapping pooling, response normalisation, two cards",
        removes="sigmoids, subsampling with weights, codes",
        departures=ledger.ALEXNET,
        fits=_IMAGES,
        module="alexnet",
        model="AlexNet",
        config="AlexNetConfig",
        presets=(
            _preset(
                "alexnet-2012",
                60_965_224,
                "Krizhevsky et al., NIPS 2012, section 3.5",
                _IMAGENET,
                recipe={
                    "optimizer": "sgd",
                    "learning_rate": 0.01,
                    "momentum": 0.9,
                    "weight_decay": 5e-4,
                    "batch_size": 128,
                    "epochs": 90,
                    "augment": "flip",
                },
            ),
            _preset(
                "alexnet-ungrouped",
                62_378_344,
                "the same on one card, as most redraw it",
                _IMAGENET,
                groups=1,
            ),
            _preset(
                "alexnet-2014",
                61_100_840,
                "Krizhevsky, One weird trick, 1404.5997, in torchvision's form",
                _IMAGENET,
                channels=(64, 192, 384, 256, 256),
                groups=1,
                response_norm=False,
            ),
        ),
    ),
    Architecture(
        id="nin",
        name="Network in network",
        year=2013,
        paper="Lin, Chen & Yan, Network in network, 1312.4400",
        parents=("alexnet",),
        adds="1x1 convolutions: a perceptron that slides over the image; the global average",
        removes="the dense layers",
        departures=ledger.NIN,
        fits=_IMAGES,
        module="nin",
        model="NIN",
        config="NINConfig",
        presets=(
            _preset("nin-cifar", 966_986, "the authors' definition for CIFAR-10", _CIFAR, channels=192),
        ),
        aliases=("network-in-network",),
    ),
    Architecture(
        id="vgg",
        name="VGG",
        year=2014,
        paper="Simonyan & Zisserman, Very deep convolutional networks for large-scale image recognition, "
        "1409.1556",
        parents=("alexnet",),
        adds="depth by stacks of 3x3 convolutions",
        removes="large kernels, strides, groups, response normalisation",
        departures=ledger.VGG,
        fits=_IMAGES,
        module="vgg",
        model="VGG",
        config="VGGConfig",
        recipe={"learning_rate": 5e-4},
        presets=(
            _vgg(11, "A", 132_863_336),
            _vgg(13, "B", 133_047_848),
            _vgg(16, "C", 133_638_952),
            _vgg(16, "D", 138_357_544),
            _vgg(19, "E", 143_667_240),
            _vgg(11, "A", 132_868_840, batch_norm=True),
            _vgg(13, "B", 133_053_736, batch_norm=True),
            _vgg(16, "D", 138_365_992, batch_norm=True),
            _vgg(19, "E", 143_678_248, batch_norm=True),
        ),
    ),
    Architecture(
        id="all-cnn",
        name="All-convolutional net",
        year=2014,
        paper="Springenberg et al., Striving for simplicity: the all convolutional net, 1412.6806",
        parents=("nin", "vgg"),
        adds="convolutions with stride 2 in place of pooling",
        removes="pooling layers, large kernels",
        departures=ledger.ALL_CNN,
        fits=_IMAGES,
        module="all_cnn",
        model="AllCNN",
        config="AllCNNConfig",
        presets=(
            _preset(
                "all-cnn-c",
                1_369_738,
                "Springenberg et al., 1412.6806, tables 1 and 2",
                _CIFAR,
                channels=96,
                recipe={
                    "optimizer": "sgd",
                    "learning_rate": 0.05,
                    "momentum": 0.9,
                    "weight_decay": 1e-3,
                    "batch_size": 128,
                    "epochs": 350,
                    "augment": "shift,flip",
                },
            ),
        ),
    ),
    Architecture(
        id="context-net",
        name="Context network",
        year=2015,
        paper="Yu & Koltun, Multi-scale context aggregation by dilated convolutions, 1511.07122",
        parents=("vgg",),
        adds="dilations that double: the field of view grows exponentially, the resolution stays",
        removes="pooling, dense layers",
        departures=ledger.CONTEXT_NET,
        fits=_IMAGES,
        module="context_net",
        model="ContextNet",
        config="ContextNetConfig",
        aliases=("dilated-cnn",),
    ),
    Architecture(
        id="resnet",
        name="Residual network",
        year=2015,
        paper="He, Zhang, Ren & Sun, Deep residual learning for image recognition, 1512.03385",
        parents=("vgg",),
        adds="shortcuts: a block learns what to add to its input; batch normalisation",
        removes="the wide dense layers; dropout",
        departures=ledger.RESNET,
        fits=_IMAGES,
        module="resnet",
        model="ResNet",
        config="ResNetConfig",
        presets=(
            _resnet(18, 11_689_512, (2, 2, 2, 2), False),
            _resnet(34, 21_797_672, (3, 4, 6, 3), False),
            _resnet(50, 25_557_032, (3, 4, 6, 3), True),
            _resnet(101, 44_549_160, (3, 4, 23, 3), True),
            _resnet(152, 60_192_808, (3, 8, 36, 3), True),
            _resnet_cifar(20, 269_722),
            _resnet_cifar(32, 464_154),
            _resnet_cifar(44, 658_586),
            _resnet_cifar(56, 853_018),
            _resnet_cifar(110, 1_727_962),
            _resnet_cifar(1202, 19_421_274),
        ),
    ),
    Architecture(
        id="densenet",
        name="Densely connected network",
        year=2016,
        paper="Huang, Liu, van der Maaten & Weinberger, Densely connected convolutional networks, 1608.06993",
        parents=("resnet",),
        adds="every layer reads the maps of all layers before it, and adds few of its own",
        removes="the sum of a block and its shortcut",
        departures=ledger.DENSENET,
        fits=_IMAGES,
        module="densenet",
        model="DenseNet",
        config="DenseNetConfig",
        presets=(
            _densenet("densenet-121", 7_978_856, (6, 12, 24, 16), 32, "Huang et al., 1608.06993, table 1"),
            _densenet("densenet-169", 14_149_480, (6, 12, 32, 32), 32, "Huang et al., 1608.06993, table 1"),
            _densenet("densenet-201", 20_013_928, (6, 12, 48, 32), 32, "Huang et al., 1608.06993, table 1"),
            _densenet("densenet-161", 28_681_000, (6, 12, 36, 24), 48, "the authors' published models"),
            _densenet("densenet-264", 33_337_704, (6, 12, 64, 48), 32, "Huang et al., 1608.06993, table 1"),
            _densenet("densenet-264-48", 72_686_632, (6, 12, 64, 48), 48, "the authors' published models"),
            _densenet_cifar(40, 12, 1_019_722, False),
            _densenet_cifar(100, 12, 6_979_642, False),
            _densenet_cifar(100, 24, 27_249_082, False),
            _densenet_cifar(100, 12, 769_162, True),
            _densenet_cifar(250, 24, 15_324_406, True),
            _densenet_cifar(190, 40, 25_624_430, True),
            _densenet_cifar(40, 36, 1_542_682, True),
            _densenet_cifar(40, 48, 2_733_130, True),
            _densenet_cifar(40, 60, 4_261_690, True),
        ),
    ),
)

"""What a unit sees: the arithmetic against the gradient, and against what is known of published nets."""

import copy

import pytest
import torch
from torch import nn

from anncestry.errors import UserError
from anncestry.inspection.costs import costs
from anncestry.inspection.receptive_field import Field, FieldOfView, measured_field
from anncestry.models.create import configure, create

BIG = (3, 160, 150)
NETS = {
    "cnn": {"pattern": "INPUT -> CONV5-4 -> RELU -> POOL2 -> CONV3-4 -> POOL3 -> CONV3-2 -> FC"},
    "vgg": {"column": "A", "channels": 2, "hidden_size": 4, "grid": 2},
    "alexnet": {"channels": (4, 4, 4, 4, 4), "hidden_size": 4, "grid": 1, "stem": (5, 1)},
    "nin": {"channels": 4},
    "all-cnn": {"channels": 2},
    "resnet": {"blocks": (1, 2, 1), "channels": 2, "stem": "cifar", "shortcut": "A"},
    "densenet": {"growth_rate": 2, "blocks": (2, 2), "stem_channels": 4, "stem": "cifar"},
    "context-net": {"channels": 2, "dilations": (1, 2, 4)},
}


def fields(model, image):
    """Of every module that puts out maps."""
    found = {}
    with FieldOfView(image) as view:
        for name, module in model.named_modules():

            def note(module, inputs, output, name=name):
                found.setdefault(name, view.of(output))

            module.register_forward_hook(note)
        model(image)
    return {name: field for name, field in found.items() if name and field is not None}


@pytest.mark.parametrize("name", NETS)
def test_the_arithmetic_is_what_the_gradient_sees(name):
    model = create(name, input_shape=BIG, output_size=3, **NETS[name]).eval()
    found = fields(copy.deepcopy(model), torch.randn(1, *BIG))
    layers = [layer for layer, field in found.items() if max(field.size) < 100]
    assert len(layers) > 3
    for layer in layers:
        if not isinstance(model.get_submodule(layer), nn.AdaptiveAvgPool2d):
            assert measured_field(model, layer, BIG) == found[layer].size, layer


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("alexnet-2014", "features.12", 195),
        ("vgg-16", "features.28", 196),
        ("vgg-16", "features.30", 212),
        ("resnet-18", "layer4.1", 435),
        ("resnet-50", "layer4.2", 427),
    ],
)
def test_published_fields(name, layer, size):
    rows = {row.name: row for row in costs(configure(name, {})).layers}
    row = next(row for path, row in rows.items() if path == layer or path.startswith(f"{layer}."))
    last = [row for path, row in rows.items() if path == layer or path.startswith(f"{layer}.")][-1]
    assert size in (row.receptive_field[0], last.receptive_field[0])


def test_the_stride_of_a_bottleneck_moves_the_field():
    wider = costs(configure("resnet-50", {"stride_first": True})).layers
    assert max(row.receptive_field[0] for row in wider if row.receptive_field and "layer4" in row.name) == 483


def test_kernels_need_not_be_square():
    net = nn.Sequential(
        nn.Conv2d(1, 1, (1, 3)), nn.Conv2d(1, 1, (3, 1), stride=(2, 1)), nn.Conv2d(1, 1, 3, dilation=2)
    )
    image = torch.randn(1, 1, 30, 30)
    assert fields(net, image)["1"] == Field((3, 3), (2, 1))
    assert fields(net, image)["2"].size == (3 + 4 * 2, 3 + 4)
    assert measured_field(net, "2", (1, 30, 30)) == (11, 7)


def test_padding_moves_the_first_field():
    net = nn.Sequential(
        nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.MaxPool2d(2), nn.Conv2d(1, 1, 3, padding=1)
    )
    image = torch.randn(1, 1, 32, 32)
    found = fields(net, image)
    assert found["0"] == Field((3, 3), (2, 2), (-1, -1))
    assert found["2"] == Field((13, 13), (4, 4), (-5, -5))
    assert found["2"].box((3, 4)) == (7, 11, 13, 13)


def test_a_layer_that_is_not_there():
    with pytest.raises(UserError, match="no such layer"):
        measured_field(nn.Sequential(nn.Conv2d(1, 1, 3)), "7", (1, 8, 8))
    with pytest.raises(UserError, match="no feature maps"):
        measured_field(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten()), "1", (1, 8, 8))

"""What the ledgers of the image networks say and no other test holds."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from anncestry.models import create as models
from anncestry.models.create import configure
from anncestry.models.densenet import Transition
from anncestry.signature import Signature
from anncestry.timeline import find


def create(*arguments, **fields) -> Any:
    return models.create(*arguments, **fields)


SMALL = {"input_shape": (3, 32, 32), "output_size": 5}


@pytest.mark.parametrize("name", ["alexnet", "vgg"])
def test_small_images_get_a_small_net(name):
    sizes = []
    for side in (63, 64):
        signature = Signature("classification", "image", (3, side, side), 5)
        with torch.device("meta"):
            model = create(name, signature=signature)
        config = find(name).configure(signature)
        sizes.append((config.grid, sum(parameter.numel() for parameter in model.parameters())))
    assert sizes[0][0] == 1 < sizes[1][0]
    assert 20 * sizes[0][1] < sizes[1][1]


@pytest.mark.parametrize("name", ["alexnet", "nin", "vgg", "all-cnn"])
def test_the_first_outputs_are_near_undecided(name):
    signature = Signature("classification", "image", (3, 32, 32), 50)
    model = create(name, signature=signature).eval()
    *_, last = (m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear))
    assert last.weight.std().item() == pytest.approx(0.01, rel=0.1)
    shares = model(torch.randn(20, 3, 32, 32)).softmax(1)
    assert shares.max() < 3 / 50


@pytest.mark.parametrize("name", ["nin", "all-cnn"])
def test_no_relu_before_the_average(name):
    model = create(name, **SMALL, channels=8).eval()
    maps = model.layers(torch.randn(4, 3, 32, 32))
    assert (maps < 0).any()
    torch.testing.assert_close(model.layers[-1].bias, torch.zeros(5))
    assert isinstance(model.layers[-1], nn.Conv2d)


def test_pooling_rounds_up():
    model, sides = create("nin", **SMALL, channels=8).eval(), []
    for module in model.layers:
        if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
            module.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[-1]))
    model(torch.randn(1, 3, 32, 32))
    assert sides == [16, 8]


def test_codes_are_the_same_for_everybody():
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = create("lenet-5", input_shape=(1, 32, 32), output_size=10)
        found.append((model.codes, model.f6.weight))
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.equal(found[0][1], found[1][1])
    assert len(found[0][0].unique(dim=0)) == 10


def test_the_edge_is_continued():
    small = create("lenet-5", input_shape=(1, 28, 28), output_size=10)
    whole = create("lenet-5", input_shape=(1, 32, 32), output_size=10)
    whole.load_state_dict(small.state_dict())
    x = torch.randn(2, 1, 28, 28)
    inside = torch.arange(32).sub(2).clamp(0, 27)
    torch.testing.assert_close(small(x), whole(x[:, :, inside][:, :, :, inside]))


def test_the_first_maps_of_alexnet_are_55_x_55():
    with torch.device("meta"):
        model = create("alexnet-2012")
        assert model.features[0](torch.empty(1, 3, 224, 224)).shape == (1, 96, 55, 55)


def test_vgg_starts_with_hes_deviation():
    model = create("vgg", **SMALL, column="E", channels=16, hidden_size=64, grid=1)
    *hidden, _ = (m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear))
    assert len(hidden) == 18
    for layer in hidden:
        wanted = math.sqrt(2 / layer.weight[0].numel())
        assert layer.weight.std().item() == pytest.approx(wanted, rel=0.15)


def test_the_context_network_is_a_front_its_module_and_an_average():
    model = create("context-net", **SMALL, channels=4)
    assert isinstance(model.front, nn.Conv2d)
    assert model.front.kernel_size == (3, 3)
    x = torch.randn(2, 3, 32, 32)
    maps = model.answer(model.context(model.front(x).relu()))
    assert maps.shape == (2, 5, 32, 32)
    torch.testing.assert_close(model(x), maps.flatten(2).mean(2))


def test_dilations_stay_within_the_image():
    found = [
        find("context-net").configure(Signature("classification", "image", (1, side, 40), 2)).dilations
        for side in (8, 9, 64)
    ]
    assert found == [(1, 1, 2, 4, 1), (1, 1, 2, 4, 8, 1), (1, 1, 2, 4, 8, 16, 1)]


@pytest.mark.parametrize("bottleneck", [False, True])
def test_dropout_follows_every_convolution_but_the_first(bottleneck):
    sizes = {"growth_rate": 4, "blocks": (2, 3), "stem_channels": 8, "stem": "cifar"}
    model = create("densenet", **SMALL, **sizes, bottleneck=bottleneck, dropout=0.2)
    order: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Dropout) and not name.endswith("conv0"):
            kind = type(module).__name__
            module.register_forward_hook(lambda module, inputs, output, kind=kind: order.append(kind))
    model(torch.randn(2, 3, 32, 32))
    convolutions = 5 * (1 + bottleneck) + 1  # of the layers, and of the transition
    assert order == ["Conv2d", "Dropout"] * convolutions


def test_densenet_starts_by_fan_out():
    config = configure("densenet", {**SMALL, "growth_rate": 12, "blocks": (4, 4), "stem_channels": 24})
    found = 0
    for module in find("densenet").build(config).modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 3000:
            fan_out = module.out_channels * math.prod(module.kernel_size)
            assert module.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.1)
            found += 1
    assert found > 8


def test_a_transition_keeps_the_last_row():
    transition = Transition(6, 3, dropout=0.0).eval()
    x = torch.randn(2, 6, 7, 7)
    y = transition(x)
    assert y.shape == (2, 3, 4, 4)
    maps = transition.conv(transition.norm(x).relu())
    torch.testing.assert_close(y[:, :, 3, 3], maps[:, :, 6, 6])
    torch.testing.assert_close(y[:, :, 0, 3], maps[:, :, :2, 6].mean(2))

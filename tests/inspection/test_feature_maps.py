"""Maps are what the modules put out; a unit's gradient lies in its box; the model stays as it was."""

import copy

import pytest
import torch
from torch import nn

from anncestry.errors import UserError
from anncestry.inspection.feature_maps import feature_maps, first_filters
from anncestry.models.create import create

IMAGE = (3, 24, 20)
NETS = {
    "cnn": {"pattern": "INPUT -> CONV5-6 -> RELU -> POOL3/2 -> CONV3/2-8 -> NORM -> RELU -> CONV1x3-4 -> FC"},
    "resnet": {"blocks": (1, 1, 1), "channels": 4, "stem": "cifar", "shortcut": "A"},
    "densenet": {"growth_rate": 3, "blocks": (2, 2), "stem_channels": 4, "stem": "cifar"},
    "vgg": {"column": "A", "channels": 2, "hidden_size": 4, "grid": 2, "input_shape": (3, 64, 64)},
    "nin": {"channels": 4},
}


def net(name):
    return create(name, **{"input_shape": IMAGE, "output_size": 3, **NETS[name]})


def image(model):
    return torch.randn(1, *model.config.input_shape)


@pytest.mark.parametrize("name", NETS)
def test_default_layers_are_the_last_of_every_size(name):
    model = net(name)
    found = feature_maps(model, image(model))
    sizes = [tuple(layer.maps.shape[1:]) for layer in found]
    assert len(set(sizes)) == len(sizes) >= 2
    assert not any(isinstance(model.get_submodule(layer.name), nn.BatchNorm2d) for layer in found)


def test_names_of_the_defaults():
    assert [layer.name for layer in feature_maps(net("cnn"), torch.randn(1, *IMAGE))] == [
        "layers.1", "layers.2", "layers.6",
    ]  # fmt: skip
    names = [layer.name for layer in feature_maps(net("densenet"), torch.randn(1, *IMAGE))]
    assert names == ["features.denseblock1", "features"]


@pytest.mark.parametrize("name", NETS)
def test_maps_are_what_the_module_puts_out(name):
    model = net(name)
    x = image(model)
    twin, seen = copy.deepcopy(model).eval(), {}
    for layer, module in twin.named_modules():

        def note(module, inputs, output, layer=layer):
            seen[layer] = output.clone()

        module.register_forward_hook(note)
    twin(x)
    for layer in feature_maps(model, x, limit=3):
        values = seen[layer.name][0]
        torch.testing.assert_close(layer.maps, values[list(layer.channels)])
        strengths = values.flatten(1).norm(dim=1)
        assert layer.total == len(values)
        assert len(layer.channels) == min(3, layer.total)
        torch.testing.assert_close(
            strengths[list(layer.channels)], strengths.sort(descending=True).values[: len(layer.channels)]
        )
        channel, row, column = layer.unit
        assert (row, column) == (values.shape[1] // 2, values.shape[2] // 2)
        assert values[channel, row, column].abs() == values[:, row, column].abs().max()


@pytest.mark.parametrize("name", NETS)
def test_the_gradient_is_that_of_the_unit_and_lies_in_its_box(name):
    torch.manual_seed(1)
    model = net(name).double()
    x = image(model).double()
    twin = copy.deepcopy(model).eval()
    for layer in feature_maps(model, x):
        kept = []
        module = twin.get_submodule(layer.name)
        handle = module.register_forward_hook(
            lambda module, inputs, output, kept=kept: kept.append(output.clone())
        )

        def unit(x, kept=kept, layer=layer):
            kept.clear()
            twin(x)
            return kept[0][(0, *layer.unit)].item()

        top, left, height, width = layer.box
        outside = torch.ones(x.shape[2:], dtype=torch.bool)
        outside[max(top, 0) : top + height, max(left, 0) : left + width] = False
        assert (layer.gradient[outside] == 0).all()
        step, place = 1e-6, int(layer.gradient.argmax())
        row, column = divmod(place, x.shape[3])
        numeric = []
        for colour in range(x.shape[1]):
            moved = x.clone()
            moved[0, colour, row, column] += step
            numeric.append((unit(moved) - unit(x)) / step)
        assert torch.tensor(numeric).norm().item() == pytest.approx(layer.gradient.max().item(), rel=1e-3)
        handle.remove()


def test_the_box_is_where_a_kernel_without_gaps_reads():
    model = create("cnn", input_shape=(1, 30, 30), output_size=2,
                   pattern="INPUT -> CONV5-2 -> POOL3/2 -> CONV3/2-2 -> CONV1x3-2 -> FC")  # fmt: skip
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    (layer,) = feature_maps(model, torch.rand(1, 1, 30, 30) + 0.1, ["layers.0"])
    assert layer.box == (13, 13, 5, 5)
    rows, columns = (layer.gradient > 0).nonzero().unbind(1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (13, 17, 13, 17)


def test_filters_of_the_first_convolution():
    model = net("cnn")
    found = first_filters(model, torch.randn(1, *IMAGE))
    assert (found.name, found.total) == ("layers.0", 6)
    torch.testing.assert_close(found.weights, model.layers[0].weight[list(found.channels)].detach())
    norms = found.weights.flatten(1).norm(dim=1)
    assert (norms[:-1] >= norms[1:]).all()
    few = first_filters(model, torch.randn(1, *IMAGE), limit=2)
    assert few.channels == found.channels[:2]
    assert few.total == 6


@pytest.mark.parametrize("name", NETS)
def test_the_model_is_left_as_it_was(name):
    model = net(name).train()
    next(module for module in model.modules() if isinstance(module, nn.Conv2d)).eval()  # a mode of its own
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    x = image(model)
    feature_maps(model, x)
    first_filters(model, x)
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    assert not x.requires_grad
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.mark.wrong_shapes
def test_mistakes():
    model, x = net("cnn"), torch.randn(1, *IMAGE)
    with pytest.raises(UserError, match=r"layer: got 'layer.0'; there is no such layer. Choices: .*layers.0"):
        feature_maps(model, x, ["layer.0"])
    with pytest.raises(UserError, match=r"layer: got 'layers\.8'; outputs no feature maps"):
        feature_maps(model, x, ["layers.8"])
    with pytest.raises(UserError, match="must be one image"):
        feature_maps(model, torch.randn(2, *IMAGE))
    with pytest.raises(UserError, match="must be one image"):
        first_filters(model, torch.randn(1, 5))
    dense = create("mlp", inputs="image", input_shape=(1, 8, 8), output_size=3)
    with pytest.raises(UserError, match="model: got 'MLP'; outputs no feature maps"):
        feature_maps(dense, torch.randn(1, 1, 8, 8))
    with pytest.raises(UserError, match="model: got 'MLP'; has no convolution that reads images"):
        first_filters(dense, torch.randn(1, 1, 8, 8))
    assert not any(module._forward_hooks for module in model.modules())

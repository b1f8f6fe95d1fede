"""The published image networks: equal to plain functions over their named weights, exact in their sizes."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from anncestry.errors import UserError
from anncestry.layers.images.config import is_small
from anncestry.layers.initialisation import initialise_identity
from anncestry.models.all_cnn import COARSER
from anncestry.models.create import create
from anncestry.models.lenet5 import TABLE
from anncestry.models.vgg import COLUMNS

SMALL = {"input_shape": (3, 32, 32), "output_size": 5}
LARGE = {"input_shape": (3, 64, 64), "output_size": 5}


def shaken(model):
    """In evaluation mode, with running statistics and scales as if it had been trained."""
    random = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=random)
            module.running_var.uniform_(0.5, 1.5, generator=random)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=random)
            nn.init.normal_(module.bias, 0, 0.3, generator=random)
    return model.double().eval()


class Named:
    """Functions of torchvision's published definitions, over a state dict."""

    def __init__(self, model):
        self.state = model.state_dict()

    def conv(self, name, x, stride=1, padding=0, groups=1):
        return F.conv2d(
            x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"), stride, padding, groups=groups
        )

    def norm(self, name, x):
        part = {key: self.state[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")}
        return F.batch_norm(x, **part)

    def linear(self, name, x):
        return F.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])


def densenet(net, x, blocks, imagenet, bottleneck):
    if imagenet:
        x = F.relu(net.norm("features.norm0", net.conv("features.conv0", x, 2, 3)))
        x = F.max_pool2d(x, 3, 2, 1)
    else:
        x = net.conv("features.conv0", x, 1, 1)
    for b, num_layers in enumerate(blocks, 1):
        for layer in range(1, num_layers + 1):
            name = f"features.denseblock{b}.denselayer{layer}"
            h = F.relu(net.norm(f"{name}.norm1", x))
            if bottleneck:
                h = F.relu(net.norm(f"{name}.norm2", net.conv(f"{name}.conv1", h)))
                h = net.conv(f"{name}.conv2", h, 1, 1)
            else:
                h = net.conv(f"{name}.conv1", h, 1, 1)
            x = torch.cat([x, h], 1)
        if b < len(blocks):
            name = f"features.transition{b}"
            x = F.avg_pool2d(net.conv(f"{name}.conv", F.relu(net.norm(f"{name}.norm", x))), 2)
    return net.linear("classifier", F.relu(net.norm("features.norm5", x)).mean((2, 3)))


@pytest.mark.parametrize(
    ("stem", "bottleneck", "compression"),
    [("imagenet", True, 0.5), ("cifar", True, 0.5), ("cifar", False, 1.0), ("cifar", True, 0.7)],
)
def test_densenet_is_its_definition(stem, bottleneck, compression):
    blocks = (2, 3, 2)
    sizes = {"growth_rate": 4, "blocks": blocks, "stem_channels": 8, "stem": stem}
    model = shaken(create("densenet", **LARGE, **sizes, bottleneck=bottleneck, compression=compression))
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    expected = densenet(Named(model), x, blocks, stem == "imagenet", bottleneck)
    torch.testing.assert_close(model(x), expected, rtol=1e-10, atol=1e-10)


def resnet(net, x, blocks, config):
    if config["stem"] == "imagenet":
        x = F.max_pool2d(F.relu(net.norm("bn1", net.conv("conv1", x, 2, 3))), 3, 2, 1)
    else:
        x = F.relu(net.norm("bn1", net.conv("conv1", x, 1, 1)))
    for stage, count in enumerate(blocks, 1):
        for number in range(count):
            name, stride = f"layer{stage}.{number}", 2 if stage > 1 and number == 0 else 1
            if config["bottleneck"]:
                first, second = (stride, 1) if config["stride_first"] else (1, stride)
                h = F.relu(net.norm(f"{name}.bn1", net.conv(f"{name}.conv1", x, first)))
                h = F.relu(net.norm(f"{name}.bn2", net.conv(f"{name}.conv2", h, second, 1)))
                h = net.norm(f"{name}.bn3", net.conv(f"{name}.conv3", h))
            else:
                h = F.relu(net.norm(f"{name}.bn1", net.conv(f"{name}.conv1", x, stride, 1)))
                h = net.norm(f"{name}.bn2", net.conv(f"{name}.conv2", h, 1, 1))
            if config["shortcut"] == "none":
                around = torch.zeros_like(h)
            elif f"{name}.downsample.0.weight" in net.state:
                around = net.norm(f"{name}.downsample.1", net.conv(f"{name}.downsample.0", x, stride))
            else:
                around = torch.zeros_like(h)
                around[:, : x.shape[1]] = x[:, :, ::stride, ::stride]
            x = F.relu(h + around)
    return net.linear("fc", x.mean((2, 3)))


@pytest.mark.parametrize("shortcut", ["A", "B", "none"])
@pytest.mark.parametrize(
    ("stem", "bottleneck", "stride_first"),
    [
        ("imagenet", False, False),
        ("imagenet", True, False),
        ("imagenet", True, True),
        ("cifar", False, False),
    ],
)
def test_resnet_is_its_definition(stem, bottleneck, stride_first, shortcut):
    config = {"stem": stem, "bottleneck": bottleneck, "stride_first": stride_first, "shortcut": shortcut}
    model = shaken(create("resnet", **LARGE, blocks=(2, 1, 2), channels=4, **config))
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    expected = resnet(Named(model), x, (2, 1, 2), config)
    torch.testing.assert_close(model(x), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("column", COLUMNS)
def test_vgg_is_its_definition(column, batch_norm):
    sizes = {"channels": 4, "hidden_size": 12, "grid": 2, "batch_norm": batch_norm, "column": column}
    model = shaken(create("vgg", **LARGE, **sizes))
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    net, h, number = Named(model), x, 0
    for stage in COLUMNS[column]:
        for size in stage:
            h = net.conv(f"features.{number}", h, 1, size // 2)
            h = net.norm(f"features.{number + 1}", h) if batch_norm else h
            h, number = F.relu(h), number + 2 + batch_norm
        h, number = F.max_pool2d(h, 2), number + 1
    h = F.relu(net.linear("classifier.0", h.flatten(1)))
    h = F.relu(net.linear("classifier.3", h))
    torch.testing.assert_close(model(x), net.linear("classifier.6", h), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("groups", [1, 2])
def test_alexnet_is_its_definition(groups):
    sizes = {"channels": (8, 12, 12, 8, 8), "hidden_size": 10, "grid": 1, "groups": groups}
    model = shaken(create("alexnet", **LARGE, **sizes))
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    net = Named(model)

    def response_norm(a):
        squares = F.pad(a.square(), (0, 0, 0, 0, 2, 2))
        total = sum(squares[:, i : i + a.shape[1]] for i in range(5))
        return a / (2 + 1e-4 * total) ** 0.75  # section 3.3

    def pool(a):
        return F.max_pool2d(a, 3, 2, 1)

    h = pool(response_norm(F.relu(net.conv("features.0", x, 4, 2))))
    h = pool(response_norm(F.relu(net.conv("features.4", h, 1, 2, groups))))
    h = F.relu(net.conv("features.8", h, 1, 1))
    h = F.relu(net.conv("features.10", h, 1, 1, groups))
    h = pool(F.relu(net.conv("features.12", h, 1, 1, groups))).mean((2, 3), keepdim=True)
    h = F.relu(net.linear("classifier.1", h.flatten(1)))
    h = F.relu(net.linear("classifier.4", h))
    torch.testing.assert_close(model(x), net.linear("classifier.6", h), rtol=1e-10, atol=1e-10)


def test_lenet5_is_its_definition():
    model = create("lenet-5", input_shape=(1, 32, 32), output_size=10).double()
    x, net = torch.randn(3, 1, 32, 32, dtype=torch.float64), Named(model)

    def squash(a):
        return 1.7159 * torch.tanh(2 * a / 3)

    def subsample(name, a):
        total = sum(a[:, :, i::2, j::2] for i in range(2) for j in range(2))
        return squash(net.state[f"{name}.weight"] * total + net.state[f"{name}.bias"])

    s2 = subsample("s2", squash(net.conv("c1", x)))
    maps, first = [], 0
    for k, read in enumerate(TABLE):
        kernel = net.state["c3.weight"][first : first + len(read)].view(1, len(read), 5, 5)
        maps.append(F.conv2d(s2[:, list(read)], kernel, net.state["c3.bias"][k : k + 1]))
        first += len(read)
    h = subsample("s4", squash(torch.cat(maps, 1)))
    h = squash(net.linear("f6", squash(net.conv("c5", h)).flatten(1)))
    expected = -(torch.cdist(h, net.state["codes"]) ** 2)
    torch.testing.assert_close(model(x), expected, rtol=1e-9, atol=1e-9)


def test_lenet5_counts_what_the_paper_counts():
    model = create("lenet-5", input_shape=(1, 32, 32), output_size=10)
    counts = [sum(p.numel() for p in part.parameters()) for part in model.children()]
    assert counts == [156, 12, 1516, 32, 48_120, 10_164, 0]
    assert set(model.codes.unique().tolist()) == {-1.0, 1.0}
    assert [len(read) for read in TABLE] == [3] * 6 + [4] * 9 + [6]


@pytest.mark.parametrize("coarser", COARSER)
def test_every_way_to_go_coarser_halves_twice(coarser):
    model = create("all-cnn", **SMALL, channels=4, coarser=coarser).eval()
    sides = []
    for module in model.layers:
        module.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[-1]))
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 5)
    assert list(dict.fromkeys(sides)) == [32, 16, 8]
    assert any(isinstance(m, nn.MaxPool2d) for m in model.modules()) == COARSER[coarser][1]


def test_the_context_module_begins_as_the_identity():
    model = create("context-net", **SMALL, channels=6)
    h = torch.rand(2, 6, 16, 16)
    torch.testing.assert_close(model.context(h), h)
    wide = nn.Conv2d(4, 8, 3, padding=1)
    initialise_identity(wide, 4)
    torch.testing.assert_close(wide.weight[:, :, 1, 1].sum(0), torch.ones(4), atol=0.1, rtol=0)


def test_context_sees_what_the_paper_says():
    model = create("context-net", input_shape=(1, 81, 81), output_size=1, channels=1, task="regression")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.fill_(1.0)
    fields = []
    for depth in range(2, 15, 2):
        x = torch.zeros(1, 1, 81, 81, requires_grad=True)
        (model.context[:depth](x + 1)[0, 0, 40, 40]).backward()
        fields.append(int((x.grad[0, 0, 40] != 0).sum()))
    assert fields == [3, 5, 9, 17, 33, 65, 67]


@pytest.mark.parametrize("bottleneck", [False, True])
def test_recomputing_changes_neither_gradients_nor_statistics(bottleneck):
    sizes = {
        "growth_rate": 4,
        "blocks": (3, 3),
        "stem_channels": 8,
        "stem": "cifar",
        "bottleneck": bottleneck,
    }
    kept = create("densenet", **SMALL, **sizes).double()
    again = create("densenet", **SMALL, **sizes, recompute=True).double()
    again.load_state_dict(kept.state_dict())
    x = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    for _ in range(2):
        outputs = [model(x) for model in (kept, again)]
        for y in outputs:
            y.square().sum().backward()
        torch.testing.assert_close(outputs[1], outputs[0])
    for (name, wanted), (_, got) in zip(kept.named_parameters(), again.named_parameters(), strict=True):
        torch.testing.assert_close(got.grad, wanted.grad, msg=name)
    for (name, wanted), (_, got) in zip(kept.named_buffers(), again.named_buffers(), strict=True):
        torch.testing.assert_close(got, wanted, msg=name)
    assert again.features.denseblock1["denselayer1"].norm1.num_batches_tracked == 2


def test_recomputing_repeats_dropout():
    sizes = {"growth_rate": 4, "blocks": (3,), "stem_channels": 8, "stem": "cifar", "dropout": 0.5}
    kept = create("densenet", **SMALL, **sizes)
    again = create("densenet", **SMALL, **sizes, recompute=True)
    again.load_state_dict(kept.state_dict())
    x = torch.randn(4, 3, 8, 8)
    for model in (kept, again):
        torch.manual_seed(3)
        model(x).sum().backward()
    for wanted, got in zip(kept.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(got.grad, wanted.grad)


@pytest.mark.parametrize("name", ["alexnet", "vgg", "nin", "all-cnn", "resnet", "densenet", "context-net"])
@pytest.mark.parametrize("shape", [(1, 7, 5), (3, 28, 28), (1, 64, 96)])
def test_images_of_many_sizes_fit(name, shape):
    from anncestry.signature import Signature

    model = create(name, signature=Signature("classification", "image", shape, 4), width=8)
    assert is_small(shape) == (min(shape[1:]) < 64)
    assert model(torch.randn(2, *shape)).isfinite().all()


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("densenet", {"growth_rate": 0, "blocks": (1,), "stem_channels": 4}, "growth_rate: got 0"),
        ("densenet", {"growth_rate": 4, "blocks": (), "stem_channels": 4}, "blocks"),
        (
            "densenet",
            {"growth_rate": 4, "blocks": (1,), "stem_channels": 4, "compression": 1.5},
            "compression",
        ),
        (
            "densenet",
            {"growth_rate": 4, "blocks": (1,), "stem_channels": 4, "stem": "mnist"},
            "imagenet, cifar",
        ),
        ("resnet", {"blocks": (1, 0)}, "blocks"),
        ("resnet", {"blocks": (1,), "shortcut": "C"}, "A, B, none"),
        ("vgg", {"column": "F"}, "A, B, C, D, E"),
        ("vgg", {"dropout": 1.0}, "dropout"),
        ("alexnet", {"channels": (96, 256)}, "five convolutions"),
        ("alexnet", {"channels": (3, 4, 4, 4, 4)}, "must be a multiple of `groups`, which is 2"),
        ("all-cnn", {"coarser": "blur"}, "pool, stride, conv, more"),
        ("context-net", {"large": True, "dilations": (1, 2)}, "7 dilated layers"),
        ("lenet-5", {"task": "regression"}, "classification"),
        ("nin", {"input_shape": (3, 0, 4)}, "input_shape"),
    ],
)
def test_wrong_sizes_are_named(name, fields, message):
    with pytest.raises(UserError, match=message):
        create(name, **{**SMALL, **fields})


def test_a_copy_answers_alike():
    model = create("densenet", **SMALL, growth_rate=4, blocks=(2, 2), stem_channels=8, stem="cifar").eval()
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(copy.deepcopy(model)(x), model(x))

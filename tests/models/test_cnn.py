"""The convolutional network: what a pattern becomes, and what is said about one that cannot be."""

import math
import re

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from anncestry.errors import UserError
from anncestry.layers.images.pattern import Layer, conv_size, parse_pattern
from anncestry.models import cnn
from anncestry.models.cnn import CNN, CNNConfig
from anncestry.signature import Signature


def config(**fields) -> CNNConfig:
    return CNNConfig(**{"input_shape": (3, 16, 20), "output_size": 5, **fields})


def names(pattern, pool=True, **counts):
    return " ".join(map(str, parse_pattern(pattern, {"N": 1, "M": 1, "K": 1, **counts}, pool)))


@pytest.mark.parametrize(
    ("pattern", "expanded"),
    [
        ("INPUT -> FC", "INPUT FC"),
        ("INPUT->CONV5-32->relu->POOL3->FC-120->FC", "INPUT CONV5-32 RELU POOL3 FC-120 FC"),
        ("[CONV -> RELU]*3 -> FC", "CONV RELU CONV RELU CONV RELU FC"),
        ("CONV*2 -> FC", "CONV CONV FC"),
        ("[CONV-8 -> RELU]*0 -> FC", "FC"),
        ("[[CONV -> RELU]*2 -> POOL]*2", "CONV RELU CONV RELU POOL CONV RELU CONV RELU POOL"),
        (" [ [ [CONV] ] ] * 2 ", "CONV CONV"),
        ("AVGPOOL2 -> DROPOUT -> TANH -> SIGMOID", "AVGPOOL2 DROPOUT TANH SIGMOID"),
        ("CONV3/2-32 -> CONV/2 -> POOL3/2 -> AVGPOOL2x1", "CONV3/2-32 CONV/2 POOL3/2 AVGPOOL2x1"),
        ("CONV1X3-16 -> CONV3x1 -> CONV3:2-16", "CONV1x3-16 CONV3x1 CONV3:2-16"),
        ("CONV5x5/1:1 -> norm -> gap", "CONV5/1 NORM GAP"),
    ],
)
def test_patterns_are_written_out(pattern, expanded):
    assert names(pattern) == expanded


def test_letters_and_question_marks_are_bound():
    pattern = "[[CONV -> RELU]*N -> POOL?]*M -> FC*K"
    assert names(pattern, N=2, M=1, K=3) == "CONV RELU CONV RELU POOL FC FC FC"
    assert names(pattern, pool=False, N=1, M=2, K=0) == "CONV RELU CONV RELU"
    assert names("[CONV -> POOL]*2? -> FC", pool=False) == "FC"
    assert parse_pattern("CONV5-32", {}, True) == (Layer("CONV", (5, 5), 32),)
    assert parse_pattern("conv1x3/2:4-16", {}, True) == (Layer("CONV", (1, 3), 16, 2, 4),)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "",
            "at its end: a layer is expected. Choices: INPUT, CONV, RELU, TANH, SIGMOID, POOL",
        ),
        ("INPUT -> POLO -> FC", "at character 10 ('POLO -> FC'): a layer is expected. Choices: INPUT, CONV"),
        ("INPUT -> [CONV -> FC", "at its end: '->' or ']' is expected."),
        ("INPUT CONV", "at character 7 ('CONV'): '->' or the end is expected."),
        ("INPUT -> ]", "at character 10 (']'): a layer is expected."),
        ("INPUT -> FC ->", "at its end: a layer is expected."),
        ("INPUT -> !", "at character 10 ('!'): this character has no meaning here."),
        (
            "INPUT -> CONV*Q -> FC",
            "at character 15 ('Q -> FC'): a number or a letter is expected after '*'",
        ),
        ("INPUT -> CONV* -> FC", "a number or a letter is expected after '*'. Choices: N, M, K."),
        ("INPUT -> [[CONV]*99]*99 -> FC", "the pattern has more than 1000 layers."),
        ("[" * 11, "at character 11 ('['): groups are nested more than 10 deep."),
        (
            "INPUT -> RELU5 -> FC",
            "at character 10 ('RELU5 -> FC'): RELU has no kernel, so no number",
        ),
        (
            "INPUT -> FC120 -> FC",
            "no number directly behind it (FC-120 is an FC of 120 units).",
        ),
        ("INPUT -> POOL-8 -> FC", "POOL keeps the channels it gets, so it takes no number behind '-'."),
        ("INPUT -> CONV0 -> FC", "at character 10 ('CONV0 -> FC'): sizes start at 1."),
        ("INPUT -> CONV00 -> FC", "sizes start at 1."),
        ("INPUT -> CONV3/0 -> FC", "at character 10 ('CONV3/0 -> F'): sizes start at 1."),
        ("INPUT -> CONV3x0 -> FC", "sizes start at 1."),
        ("INPUT -> CONV3:0 -> FC", "sizes start at 1."),
        (
            "INPUT -> CONV3:2/2 -> FC",
            "at character 10 ('CONV3:2/2 ->'): the numbers of a layer are written as in CONV3, CONV1x3,",
        ),
        ("INPUT -> CONV3x -> FC", "at character 10 ('CONV3x -> FC'): the numbers of a layer are written as"),
        ("INPUT -> CONV3-8/2 -> FC", "at character 17 ('/2 -> FC'): this character has no meaning here."),
        ("INPUT -> POOL3:2 -> FC", "POOL has no kernel that could be dilated, so no ':'."),
        ("INPUT -> GAP7 -> FC", "at character 10 ('GAP7 -> FC'): GAP has no kernel, so no number"),
        ("INPUT -> NORM/2 -> FC", "NORM has no kernel, so no number directly behind it"),
        ("INPUT -> NORM-8 -> FC", "NORM keeps the channels it gets, so it takes no number behind '-'."),
        (
            "INPUT -> GAP -> FC-4 -> POOL -> FC",
            "layer 4: POOL reads an image, but the GAP before it has left",
        ),
        ("INPUT -> GAP -> GAP -> FC", "layer 3: GAP reads an image, but the GAP before it has left none."),
        ("INPUT -> CONV1x4 -> FC", "layer 2: a kernel that keeps the image's size is odd, not 1x4. Or set"),
        ("INPUT*0", "layer 1: the first layer is INPUT."),
        ("CONV -> FC", "layer 1: the first layer is INPUT."),
        (
            "INPUT -> CONV",
            "layer 2: the last layer is FC without a number: it has as many units as the",
        ),
        ("INPUT -> FC-10", "got 'INPUT -> FC-10'; layer 2: the last layer is FC without a number"),
        ("INPUT -> INPUT -> FC", "layer 2: INPUT comes once, at the beginning."),
        ("INPUT -> FC -> CONV -> FC", "layer 3: CONV reads an image, but the FC before it has left none."),
        (
            "INPUT -> CONV4 -> FC",
            "layer 2: a kernel that keeps the image's size is odd, not 4. Or set",
        ),
        (
            "INPUT -> POOL*2 -> POOL5 -> FC",
            "layer 4: POOL5 leaves nothing of the 4x5 image behind layer 3 (POOL)",
        ),
    ],
)
def test_what_is_said_about_a_wrong_pattern(pattern, message):
    with pytest.raises(UserError) as caught:
        config(pattern=pattern)
    assert str(caught.value).startswith("pattern: got ")
    assert message in str(caught.value)


def test_an_image_too_small_for_its_pooling():
    with pytest.raises(UserError) as caught:
        CNNConfig.for_signature(Signature("classification", "image", (1, 8, 8), 10), num_blocks=4)
    message = "layer 13: POOL2 leaves nothing of the 1x1 image behind layer 12 (RELU). Fewer blocks"
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_blocks": -1}, "num_blocks: got -1; must not be negative."),
        ({"channels": 0}, "channels: got 0; must be at least 1."),
        ({"padding": "full"}, "padding: got 'full'; must be one of. Choices: same, valid."),
        ({"init": "zero"}, "init: got 'zero'; must be one of. Choices: lecun, glorot, he, heuristic."),
        ({"dropout": 1.0}, "dropout: got 1.0; is a probability below 1."),
        (
            {"task": "forecasting"},
            "task: got 'forecasting'; a net of images answers. Choices: class",
        ),
        ({"input_shape": (28, 28)}, "input_shape: got (28, 28); an image has the shape (C, H, W)."),
    ],
)
def test_wrong_fields(fields, message):
    with pytest.raises(UserError) as caught:
        config(**fields)
    assert message in str(caught.value)


@pytest.mark.parametrize("size", [1, 5, 8, 9])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"), [(1, 1, 0, 1), (3, 2, 1, 1), (2, 3, 4, 2)]
)
def test_conv_size_is_that_of_torch(size, kernel, stride, padding, dilation):
    conv = nn.Conv1d(1, 1, kernel, stride, padding, dilation)
    assert conv_size(size, kernel, stride, padding, dilation) == conv(torch.zeros(1, 1, size)).shape[2]
    assert conv_size(4, 5) == 0


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_planned_shapes_and_parameters_are_those_of_the_layers(padding):
    pattern = "INPUT -> [CONV5-7 -> RELU -> CONV -> TANH -> POOL?]*N -> AVGPOOL3"
    pattern += " -> [FC -> SIGMOID -> DROPOUT]*K -> FC"
    sizes = config(pattern=pattern, padding=padding, num_hidden=2)
    model = CNN(sizes).eval()
    planned = [layer for layer in sizes.layers() if layer.name != "INPUT"]
    layers = [layer for layer in model.layers if not isinstance(layer, nn.Flatten)]
    assert len(planned) == len(layers)
    x = torch.randn(2, 3, 16, 20)
    for plan, layer in zip(planned, layers, strict=True):
        assert tuple(x.shape[1:]) == plan.in_shape
        x = layer(x.flatten(1) if plan.name == "FC" else x)
        assert tuple(x.shape[1:]) == plan.out_shape
        count = sum(parameter.numel() for parameter in layer.parameters())
        if plan.name == "CONV":  # F F D K + K
            assert count == math.prod(plan.size) * plan.in_shape[0] * plan.out_shape[0] + plan.out_shape[0]
    assert x.shape == (2, 5)


def test_padding_same_keeps_every_s_th_place():
    sizes = config(pattern="INPUT -> CONV3/2:3 -> CONV5x1 -> CONV1x7/3 -> GAP -> FC").layers()
    assert [layer.out_shape[1:] for layer in sizes[1:4]] == [(8, 10), (8, 10), (3, 4)]


def test_a_factorised_kernel_is_its_outer_product():
    model = CNN(
        config(pattern="INPUT -> CONV3x1-1 -> CONV1x3-1 -> FC", input_shape=(1, 6, 6), padding="valid")
    )
    down, across = model.layers[0], model.layers[1]
    x = torch.randn(1, 1, 6, 6)
    expected = nn.functional.conv2d(x, down.weight * across.weight)  # (3 x 1) times (1 x 3); biases are zero
    torch.testing.assert_close(across(down(x)), expected)


def test_a_dilated_kernel_is_one_with_zeros_between():
    conv = CNN(config(pattern="INPUT -> CONV3:2-4 -> GAP -> FC")).layers[0]
    wide = torch.zeros(4, 3, 5, 5)
    wide[:, :, ::2, ::2] = conv.weight
    x = torch.randn(2, 3, 16, 20)
    torch.testing.assert_close(conv(x), nn.functional.conv2d(x, wide, padding=2))


def test_a_norm_starts_at_one_and_takes_the_biases_before_it():
    model = CNN(config(pattern="INPUT -> CONV-4 -> NORM -> RELU -> FC-6 -> NORM -> RELU -> NORM -> FC"))
    conv, norm, _, _, dense, of_units, _, behind_relu, last = model.layers
    assert conv.bias is None
    assert dense.bias is None
    assert last.bias is not None
    for layer in (norm, of_units, behind_relu):
        assert (layer.weight == 1).all()
        assert not layer.bias.any()
    x = torch.randn(5, 3, 16, 20)
    y = norm(conv(x))
    expected = nn.functional.batch_norm(conv(x), None, None, training=True)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(
        of_units(y.mean((2, 3)).repeat(1, 2)[:, :6]).mean(0), torch.zeros(6), atol=1e-5, rtol=0
    )
    model(x).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_one_value_is_normalised_by_what_was_seen_before():
    norm = cnn.Norm(3)
    norm(4 * torch.randn(64, 3) + 1)
    mean, count = norm.running_mean.clone(), norm.num_batches_tracked.clone()
    x = torch.randn(1, 3)
    expected = (x - mean) / (norm.running_var + norm.eps).sqrt()
    torch.testing.assert_close(norm(x), expected)
    torch.testing.assert_close(norm(x[:, :, None, None])[:, :, 0, 0], expected)
    assert (norm.running_mean == mean).all()
    assert norm.num_batches_tracked == count
    assert norm.training


EXAMPLES = re.findall(r"^ {4}(INPUT .*)$", cnn.__doc__ or "", re.MULTILINE)


def test_the_examples_of_the_docstring_are_found():
    assert len(EXAMPLES) == 7
    for word in (
        "AVGPOOL2",
        "CONV3/2",
        "CONV1x3",
        "CONV3x1",
        "POOL3/2",
        "CONV3:2",
        "NORM",
        "GAP",
        "CONV1-16",
    ):
        assert any(word in pattern for pattern in EXAMPLES)


@pytest.mark.parametrize("pattern", EXAMPLES)
def test_every_example_takes_a_step_on_digits(pattern):
    x, targets = load_digits(return_X_y=True)
    x, targets = torch.from_numpy(x).float().view(-1, 1, 8, 8)[:200] / 16, torch.from_numpy(targets)[:200]
    model = CNN(CNNConfig(input_shape=(1, 8, 8), output_size=10, pattern=pattern))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    torch.manual_seed(0)
    before = nn.functional.cross_entropy(model(x), targets)
    before.backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
    optimizer.step()
    torch.manual_seed(0)  # what is dropped
    assert nn.functional.cross_entropy(model(x), targets) < before


def test_a_bottleneck_has_the_weights_of_the_arithmetic():
    model = CNN(config(pattern="INPUT -> CONV-64 -> CONV1-16 -> CONV3-16 -> CONV1-64 -> GAP -> FC"))
    weights = sum(layer.weight.numel() for layer in model.layers[1:4])
    assert weights == 17 * 64**2 // 16


def test_channels_double_behind_a_pooling_layer_unless_they_are_given():
    pattern = "INPUT -> CONV -> POOL -> CONV -> CONV-5 -> AVGPOOL -> CONV -> FC -> FC"
    shapes = [layer.out_shape for layer in config(pattern=pattern, channels=4, hidden_size=9).layers()]
    expected = [
        (3, 16, 20),
        (4, 16, 20),
        (4, 8, 10),
        (8, 8, 10),
        (5, 8, 10),
        (5, 4, 5),
        (16, 4, 5),
        (9,),
        (5,),
    ]
    assert shapes == expected
    strided = config(pattern="INPUT -> CONV3/2 -> CONV -> CONV/2 -> POOL3/1 -> CONV -> GAP -> FC", channels=4)
    assert [layer.out_shape[0] for layer in strided.layers()[1:6]] == [4, 8, 8, 8, 16]
    unpooled = config(pool=False, channels=4, num_blocks=3).layers()
    assert [layer.out_shape for layer in unpooled if layer.name == "CONV"] == [(4, 16, 20)] * 3


def test_a_linear_model_is_a_pattern_too():
    model = CNN(config(num_blocks=0, num_hidden=0))
    assert [type(layer) for layer in model.layers] == [nn.Flatten, nn.Linear]


def test_he_initialisation():
    model = CNN(config(channels=64, kernel_size=5, hidden_size=200))
    for layer in model.layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = layer.weight[0].numel()
            wanted = 1 / (3 * fan_in) if layer is model.layers[-1] else 2 / fan_in  # no ReLU after the last
            assert layer.weight.var().item() == pytest.approx(wanted, rel=0.1)
            assert layer.bias is not None
            assert not layer.bias.any()


def test_width_scales_channels_and_hidden_units():
    signature = Signature("regression", "image", (1, 8, 8), 2)
    sizes = CNNConfig.for_signature(signature, width=6, num_convs=2)
    assert (sizes.channels, sizes.hidden_size, sizes.num_convs) == (6, 24, 2)
    assert sizes.signature == signature
    inputs, _ = signature.example(3)
    assert CNN(sizes)(inputs).shape == (3, 2)


def test_it_learns_digits():
    x, targets = load_digits(return_X_y=True)
    x, targets = torch.from_numpy(x).float().view(-1, 1, 8, 8) / 16, torch.from_numpy(targets)
    model = CNN(CNNConfig(input_shape=(1, 8, 8), output_size=10, channels=8))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(120):
        rows = slice(100 * (step % 12), 100 * (step % 12) + 100)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), targets[rows]).backward()
        optimizer.step()
    assert (model(x[1200:]).argmax(1) == targets[1200:]).float().mean() > 0.85

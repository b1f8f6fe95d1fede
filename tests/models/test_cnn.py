"""The convolutional network: what a pattern becomes, and what is said about one that cannot be."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from anncestry.errors import UserError
from anncestry.layers.convolution import Layer, conv_size, parse_pattern
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
    ],
)
def test_patterns_are_written_out(pattern, expanded):
    assert names(pattern) == expanded


def test_letters_and_question_marks_are_bound():
    pattern = "[[CONV -> RELU]*N -> POOL?]*M -> FC*K"
    assert names(pattern, N=2, M=1, K=3) == "CONV RELU CONV RELU POOL FC FC FC"
    assert names(pattern, pool=False, N=1, M=2, K=0) == "CONV RELU CONV RELU"
    assert names("[CONV -> POOL]*2? -> FC", pool=False) == "FC"
    assert parse_pattern("CONV5-32", {}, True) == (Layer("CONV", 5, 32),)


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
            assert count == plan.size**2 * plan.in_shape[0] * plan.out_shape[0] + plan.out_shape[0]
    assert x.shape == (2, 5)


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

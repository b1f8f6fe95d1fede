"""The pattern language against torch: the planned shapes of random patterns are those of its modules."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from anncestry.errors import UserError
from anncestry.models.cnn import CNN, CNNConfig


def pieces(layer):
    """What a random layer is in the pattern, and in torch for so many channels."""
    name, height, across, stride, dilation, width = layer
    size = f"{height}x{across}" if height != across else f"{height}"
    written = "" if stride is None else f"/{stride}"
    if name == "CONV":

        def conv(channels, same):
            padding = (dilation * (height - 1) // 2, dilation * (across - 1) // 2) if same else 0
            return nn.Conv2d(channels, width, (height, across), stride or 1, padding, dilation)

        return f"CONV{size}{written}:{dilation}-{width}", conv
    if name in ("POOL", "AVGPOOL"):
        kind = nn.MaxPool2d if name == "POOL" else nn.AvgPool2d
        return f"{name}{size}{written}", lambda channels, same: kind((height, across), stride)
    return name, lambda channels, same: nn.BatchNorm2d(channels) if name == "NORM" else nn.ReLU()


LAYER = st.tuples(
    st.sampled_from(["CONV", "CONV", "POOL", "AVGPOOL", "NORM", "RELU"]),
    st.integers(1, 5),
    st.integers(1, 5),
    st.sampled_from([None, 1, 2, 3]),
    st.integers(1, 3),
    st.integers(1, 4),
)


@settings(deadline=None, max_examples=150)
@given(
    layers=st.lists(LAYER, max_size=6),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 30), st.integers(1, 30)),
    same=st.booleans(),
    ends_in_gap=st.booleans(),
)
def test_any_pattern_has_the_shapes_that_torch_makes(layers, shape, same, ends_in_gap):
    if same:
        layers = [
            (name, h | 1, w | 1, *rest) if name == "CONV" else (name, h, w, *rest)
            for name, h, w, *rest in layers
        ]
    texts, makers = zip(*map(pieces, layers), strict=True) if layers else ((), ())
    end = ["GAP", "FC"] if ends_in_gap else ["FC"]
    fields = {"input_shape": shape, "padding": "same" if same else "valid"}
    pattern = " -> ".join(["INPUT", *texts, *end])
    x, shapes = torch.zeros(2, *shape, device="meta"), []
    try:
        for make in makers:
            with torch.device("meta"):
                x = make(x.shape[1], same).eval()(x)
            shapes.append(tuple(x.shape[1:]))
    except RuntimeError:  # torch finds no place for a window
        with pytest.raises(UserError, match="leaves nothing of the"):
            CNNConfig(output_size=5, pattern=pattern, **fields)
        return
    sizes = CNNConfig(output_size=5, pattern=pattern, **fields)
    assert [layer.out_shape for layer in sizes.layers()[1 : len(layers) + 1]] == shapes
    with torch.device("meta"):
        model = CNN(sizes).eval()
        assert model(torch.zeros(2, *shape)).shape == (2, 5)
    last = shapes[-1] if shapes else shape
    assert model.layers[-1].in_features == (last[0] if ends_in_gap else math.prod(last))

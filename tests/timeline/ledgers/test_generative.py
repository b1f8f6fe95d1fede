"""What the ledgers of the autoencoders say and no other test holds."""

from typing import Any

import pytest
from torch import nn

from anncestry.layers.images.autoencoding import COARSER
from anncestry.models import create as models


def create(*arguments, **fields) -> Any:
    return models.create(*arguments, **fields)


SIZES = {"task": "reconstruction", "input_shape": (1, 16, 16), "output_size": 256, "code_size": 4}


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
def test_images_are_halved_by_strides_by_default(name):
    assert create(name, **SIZES).config.coarser == "stride"
    for coarser in COARSER:
        model = create(name, **SIZES, coarser=coarser)
        strides = {m.stride[0] for m in model.encoder.modules() if isinstance(m, nn.Conv2d)}
        pools = {type(m) for m in model.modules() if isinstance(m, nn.MaxPool2d | nn.AvgPool2d)}
        assert strides == {2 if coarser == "stride" else 1}
        assert pools == {"stride": set(), "pool": {nn.MaxPool2d}, "average": {nn.AvgPool2d}}[coarser]


def test_the_way_back_has_its_own_weights():
    model = create("autoencoder", **SIZES)
    down, back = (list(part.parameters()) for part in (model.encoder, model.decoder))
    assert len(list(model.parameters())) == len(down) + len(back)
    shapes = [sorted(p.shape[:2] for p in part if p.dim() == 4) for part in (down, back)]
    assert shapes[0] == shapes[1]  # a transposed kernel has its inputs first: as many kernels on either side


def test_units_are_rectifiers():
    model = create("autoencoder", **SIZES)
    units = {type(m).__name__ for m in model.modules() if not list(m.children()) and not list(m.parameters())}
    assert units == {"ReLU"}

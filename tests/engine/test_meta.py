"""Models without contents: nothing is filled, and the compiler stays where it is."""

import subprocess
import sys

import torch
from torch import nn

from anncestry.engine.meta import on_meta
from anncestry.layers.initialisation import initialise_he_fan_out


def test_nothing_is_filled_and_shapes_are_what_they_are():
    def make() -> nn.Module:
        model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Linear(4, 5), nn.Embedding(6, 7))
        initialise_he_fan_out(model)
        nn.init.orthogonal_(tensor=model[2].weight)
        return model

    before = torch.random.get_rng_state()
    with on_meta():
        shadow = make()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert {p.device.type for p in shadow.parameters()} == {"meta"}
    assert [p.shape for p in shadow.parameters()] == [p.shape for p in make().parameters()]


def test_tensors_with_contents_are_filled_within():
    weight = torch.empty(50, device="cpu").fill_(2.0)
    with on_meta():
        nn.init.uniform_(weight)
        weight[:10].normal_()
    assert (weight != 2.0).all()


PROGRAM = """
import sys, torch
from anncestry.engine.meta import _kept_away, without_compiler
with without_compiler():
    x = torch.empty(3, 4, device="meta")
    y = torch.nn.functional.gelu(x @ x.T + 1).softmax(-1).normal_()
    assert y.shape == (3, 3)
    assert "torch._dynamo" not in sys.modules
assert _kept_away() and not any(hasattr(function, "__dynamo_disable") for function in _kept_away())
x * 2  # outside it is kept away as ever
assert "torch._dynamo" in sys.modules
with without_compiler():
    assert not all(getattr(function, "__dynamo_disable", None) is function for function in _kept_away())
"""


def test_the_compiler_is_left_alone_within_and_kept_away_outside():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

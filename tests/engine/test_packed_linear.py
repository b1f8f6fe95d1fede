"""A product with what follows it in one kernel equals the two one after the other."""

import pytest
import torch

from anncestry.engine import packed
from anncestry.engine.int8 import int8_kind
from anncestry.engine.native.activations import LINEAR_ACTIVATIONS
from anncestry.engine.packed import linear
from anncestry.engine.packed_convolution import convolution_packing_works
from anncestry.engine.prediction import Prediction, inference


@pytest.mark.parametrize("activation", ["none", *LINEAR_ACTIVATIONS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 7, 100])
@pytest.mark.parametrize("avx512", [True, False])
def test_an_activation_in_the_product_is_the_activation_behind_it(
    activation, dtype, rows, avx512, monkeypatch
):
    monkeypatch.setattr(packed, "has_avx512", lambda: avx512)
    random = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(size, generator=random) for size in ((rows, 512), (600, 512), (600,)))
    exact = x @ (weight / 20).t() + bias
    exact = exact if activation == "none" else LINEAR_ACTIVATIONS[activation](exact)
    with inference(torch.device("cpu")):
        found = linear(x.to(dtype), (weight / 20).to(dtype), bias.to(dtype), activation)
    assert torch.allclose(found.float(), exact, atol=1e-5 if dtype == torch.float32 else 0.05)


def test_an_activation_follows_a_product_of_integers():
    random = torch.Generator().manual_seed(0)
    x, weight = torch.randn(100, 512, generator=random), torch.randn(600, 512, generator=random) / 20
    prediction = Prediction("int8")
    try:
        prediction.prepared(torch.nn.Identity())
    except Exception as reason:
        pytest.skip(str(reason))
    with prediction.scope(torch.device("cpu")):
        found = linear(x, weight, None, "gelu")
    wanted = torch.nn.functional.gelu(x @ weight.t())
    assert not torch.equal(found, wanted)
    kind = int8_kind()
    assert kind is not None
    assert (found - wanted).norm() / wanted.norm() < 2.6 / kind.largest


@pytest.mark.parametrize(("rows", "laid_out"), [(1, False), (20, True), (100, False)])
def test_without_avx512_a_weight_is_laid_out_for_few_rows_alone(rows, laid_out, monkeypatch):
    monkeypatch.setattr(packed, "has_avx512", lambda: False)
    if not convolution_packing_works():
        pytest.skip("this PyTorch has no kernels for weights that are laid out")
    prediction = Prediction()
    with prediction.scope(torch.device("cpu")):
        linear(torch.randn(rows, 512), torch.randn(600, 512))
    assert bool(prediction.weight_cache) == laid_out


def test_gradients_go_through_the_plain_product():
    x = torch.randn(3, 5, requires_grad=True)
    weight = torch.randn(4, 5)
    assert torch.equal(linear(x, weight, None, "relu"), (x @ weight.t()).relu())


@pytest.mark.wrong_shapes
@pytest.mark.parametrize("precision", ["32", "int8"])
@pytest.mark.parametrize("rows", [2, 100])
def test_rows_of_another_width_are_refused(precision, rows):
    if precision == "int8" and int8_kind() is None:
        pytest.skip("there are no products of integers here")
    with Prediction(precision).scope(torch.device("cpu")), pytest.raises(RuntimeError):
        linear(torch.randn(rows, 1024), torch.randn(600, 512))

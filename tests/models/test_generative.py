"""Autoencoders: an image comes back at its size, codes are drawn in training alone, weights are equal."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from anncestry.errors import UserError
from anncestry.layers.images.autoencoding import COARSER, NormalSample
from anncestry.models import create as models
from anncestry.models.vae import VAEConfig
from anncestry.objectives import objective_for
from anncestry.protocols import Reconstruction
from anncestry.signature import Signature

SHAPES = [(1, 28, 28), (1, 8, 8), (3, 32, 32), (1, 27, 31), (2, 5, 1)]
NAMES = ("autoencoder", "vae")


def create(*arguments, **fields) -> Any:
    return models.create(*arguments, **fields)


def problem(shape):
    return Signature("reconstruction", "image", shape, shape[0] * shape[1] * shape[2])


@pytest.mark.parametrize("coarser", COARSER)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_an_image_comes_back_at_its_size_and_every_weight_learns(name, shape, coarser):
    model = create(name, signature=problem(shape), width=4, coarser=coarser)
    x = torch.randn(3, *shape)
    code = model.encode(x)
    code = code[0] if name == "vae" else code
    assert code.shape == (3, model.config.code_size)
    assert model.decode(code).shape == x.shape
    objective_for(problem(shape)).loss(model(x), x).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert all(p.grad.any() for key, p in model.named_parameters() if "code" in key or "bias" not in key)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_with_and_without_pooling_there_are_as_many_weights(name, shape):
    models = [create(name, signature=problem(shape), width=4, coarser=coarser) for coarser in COARSER]
    counts = {sum(parameter.numel() for parameter in model.parameters()) for model in models}
    assert len(counts) == 1


def test_the_variational_one_has_twice_the_code_and_nothing_else_more():
    one, other = (create(name, signature=problem((1, 8, 8)), width=4) for name in NAMES)
    sizes = [{key: value.shape for key, value in model.state_dict().items()} for model in (one, other)]
    different = {key for key in sizes[0] if sizes[0][key] != sizes[1][key]}
    assert sizes[0].keys() == sizes[1].keys()
    assert different == {"encoder.code.weight", "encoder.code.bias"}


@pytest.mark.parametrize("coarser", COARSER)
def test_the_vae_is_its_definition(coarser):
    """Functions over the named weights; the sizes are those of a side of 7: 7 -> 4 -> 2."""
    sizes = {"input_shape": (2, 7, 7), "output_size": 98, "code_size": 3, "channels": 5}
    model = create("vae", **sizes, coarser=coarser, task="reconstruction").double().eval()
    w, x = model.state_dict(), torch.randn(4, 2, 7, 7, dtype=torch.float64)
    stride, step = (2, 2) if coarser == "stride" else (1, 3)
    h = x
    for layer in range(2):
        name = f"encoder.layers.{layer * step}"
        h = F.relu(F.conv2d(h, w[f"{name}.weight"], w[f"{name}.bias"], stride=stride, padding=1))
        if coarser == "pool":
            h = F.max_pool2d(F.pad(h, (0, h.shape[3] % 2, 0, h.shape[2] % 2), value=-torch.inf), 2)
        if coarser == "average":
            h = (
                F.interpolate(h, tuple(-(-side // 2) for side in h.shape[2:]), mode="area")
                if (h.shape[2] % 2 == 0)
                else F.avg_pool2d(h, 2, ceil_mode=True)
            )
    mean, log_variance = (h.flatten(1) @ w["encoder.code.weight"].T + w["encoder.code.bias"]).split(3, 1)
    g = (mean @ w["decoder.code.weight"].T + w["decoder.code.bias"]).view(4, 10, 2, 2)
    for layer, side in enumerate((4, 7)):
        g = F.relu(g)
        if coarser == "stride":
            kernel, bias = (w[f"decoder.layers.{1 + 2 * layer}.{part}"] for part in ("weight", "bias"))
            spread = g.new_zeros(*g.shape[:2], 2 * g.shape[2] + 1, 2 * g.shape[3] + 1)
            spread[:, :, 1::2, 1::2] = g  # zeros between the places, one convolution with the mirrored kernel
            g = F.conv2d(spread, kernel.flip(2, 3).transpose(0, 1), bias, padding=1)[:, :, 1:, 1:]
            g = g[:, :, :side, :side]
        else:
            kernel, bias = (w[f"decoder.layers.{2 + 3 * layer}.{part}"] for part in ("weight", "bias"))
            doubled = g.repeat_interleave(2, 2).repeat_interleave(2, 3)
            if side == 7:  # nearest: place i of 7 is place floor(4 i / 7) of 4
                picks = torch.tensor([4 * i // 7 for i in range(7)])
                doubled = g[:, :, picks][:, :, :, picks]
            g = F.conv2d(doubled, kernel, bias, padding=1)
    expected = Reconstruction(g.flatten(1), mean, log_variance).joined()
    torch.testing.assert_close(model(x), expected, rtol=1e-10, atol=1e-10)


def test_evaluation_repeats_and_training_draws():
    model, x = create("vae", signature=problem((1, 8, 8)), width=4), torch.randn(5, 1, 8, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))
    mean, _ = model.encode(x)
    assert torch.equal(model(x)[:, :64], model.decode(mean).flatten(1))


def test_samples_of_the_bottleneck_have_its_mean_and_deviation_and_pass_gradients():
    mean = torch.tensor([[1.0, -2.0]], requires_grad=True)
    log_variance = torch.tensor([[0.0, 2.0]], requires_grad=True)
    drawn = NormalSample()(mean.expand(100_000, 2), log_variance.expand(100_000, 2))
    deviation, middle = torch.std_mean(drawn, 0)
    torch.testing.assert_close(middle, mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(deviation, (log_variance[0] / 2).exp(), atol=0.03, rtol=0)
    drawn.square().mean(0).sum().backward()  # E z^2 = m^2 + v
    torch.testing.assert_close(mean.grad, 2 * mean.detach(), atol=0.1, rtol=0)
    torch.testing.assert_close(log_variance.grad, log_variance.detach().exp(), atol=0.3, rtol=0)


def test_new_images_depend_on_the_generator_alone():
    model = create("vae", signature=problem((3, 9, 10)), width=4).eval()
    one, same, other = (model.sample(6, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.shape == (6, 3, 9, 10)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_outputs_and_gradients_start_at_a_fair_size():
    for name in NAMES:
        for coarser in COARSER:
            model = create(name, signature=problem((1, 28, 28)), coarser=coarser)
            x = torch.randn(64, 1, 28, 28)
            deviation = model(x)[:, :784].std().item()
            assert 0.05 < deviation < 4, (name, coarser, deviation)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"coarser": "skip"}, r"coarser: got 'skip'; must be one of. Choices: stride, pool, average"),
        ({"code_size": 0}, r"code_size: got 0; must be at least 1"),
        ({"task": "classification"}, r"task: got 'classification'; .* Choices: reconstruction"),
        ({"output_size": 10}, r"output_size: got 10; a reconstruction has as many numbers as the image: 64"),
    ],
)
def test_what_is_wrong_is_named(fields, text):
    sizes = {"task": "reconstruction", "input_shape": (1, 8, 8), "output_size": 64, "code_size": 4}
    with pytest.raises(UserError, match=text):
        VAEConfig(**{**sizes, **fields})


def test_layers_without_pooling_hold_none():
    model = create("vae", signature=problem((1, 8, 8)))
    assert not any(isinstance(m, nn.MaxPool2d | nn.AvgPool2d | nn.Upsample) for m in model.modules())

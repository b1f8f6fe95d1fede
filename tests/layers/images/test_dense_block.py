"""The dense block by hand against the same block layer by layer, which autograd differentiates."""

import copy

import pytest
import torch
from torch import nn

from anncestry.engine.native import batch_norm
from anncestry.engine.weight_cache import caching_weights
from anncestry.models.create import create
from anncestry.models.densenet import DenseBlock


def pair(dtype=torch.float64, growth_rate=3, blocks=(3, 2)):
    """The same DenseNet twice: by hand, and layer by layer; gains of either sign, one of them 0."""
    torch.manual_seed(0)
    sizes = {"growth_rate": growth_rate, "blocks": blocks, "stem_channels": 5, "stem": "cifar"}
    ours = create("densenet", input_shape=(2, 9, 7), output_size=4, **sizes).to(dtype)
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            with torch.no_grad(), caching_weights():
                module.weight[0] = 0
    plain = copy.deepcopy(ours)
    for module in plain.modules():
        if isinstance(module, DenseBlock):
            module.forward = module.plain
    return ours, plain


@pytest.mark.parametrize("chunk", [2**18, 300])
@pytest.mark.parametrize("shape", [(4, 2, 9, 7), (1, 2, 8, 8)])
def test_outputs_gradients_and_statistics_are_the_same(monkeypatch, shape, chunk):
    monkeypatch.setattr(batch_norm, "CHUNK", chunk)
    ours, plain = pair()
    inputs = [
        torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) for _ in "ab"
    ]
    for x in inputs:
        x.requires_grad_()
    weights = torch.randn(shape[0], 4, dtype=torch.float64)
    for _ in range(2):
        outputs = [model(x) for model, x in zip((ours, plain), inputs, strict=True)]
        torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-10, atol=1e-10)
        for y in outputs:
            (y * weights).sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-9, atol=1e-10)
    for (name, got), wanted in zip(ours.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(got.grad, wanted.grad, rtol=1e-9, atol=1e-10, msg=name)
    for (name, got), wanted in zip(ours.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(got, wanted, msg=name)


def test_prediction_is_the_same():
    ours, plain = (model.eval() for model in pair())
    x = torch.randn(3, 2, 9, 7, dtype=torch.float64)
    with torch.no_grad(), caching_weights():
        torch.testing.assert_close(ours(x), plain(x), rtol=1e-10, atol=1e-10)


def test_what_is_kept_notices_new_weights():
    ours, plain = (model.eval() for model in pair(torch.float32))
    x = torch.randn(2, 2, 9, 7)
    with torch.no_grad(), caching_weights():
        first = ours(x)
        assert torch.equal(ours(x), first)
        for model in (ours, plain):
            model.features.denseblock1["denselayer1"].norm1.weight.mul_(2)
        assert not torch.equal(ours(x), first)
        torch.testing.assert_close(ours(x), plain(x), rtol=1e-4, atol=1e-4)


def test_it_keeps_less_than_layer_by_layer():
    def kept(model):
        memories = {}

        def keep(tensor):
            memories[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            y = model(torch.randn(8, 2, 16, 16))
        del y
        return sum(memories.values())

    ours, plain = pair(torch.float32, growth_rate=8, blocks=(12,))
    assert kept(ours) < 0.5 * kept(plain)


def test_under_autocast_it_is_as_precise_as_layer_by_layer():
    ours, plain = pair(torch.float32, growth_rate=4)
    exact = copy.deepcopy(plain).double()
    for module in exact.modules():
        if isinstance(module, DenseBlock):
            module.forward = module.plain
    images, answers = torch.randn(8, 2, 12, 12), torch.randint(3, (8,))

    def gradient(model, x, enabled):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            nn.functional.cross_entropy(model.train()(x), answers).backward()
        assert all(p.grad.dtype == p.dtype for p in model.parameters())
        return torch.cat([p.grad.double().flatten() for p in model.parameters()])

    wanted = gradient(exact, images.double(), False)
    ours_off, plain_off = (
        (gradient(model, images, True) - wanted).norm() / wanted.norm() for model in (ours, plain)
    )
    assert ours_off < 1.5 * plain_off + 0.01
    assert plain_off < 0.5

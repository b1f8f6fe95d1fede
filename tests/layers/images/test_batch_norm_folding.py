"""What folds normalisations into convolutions, held against the modules one by one."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from anncestry.engine.weight_cache import caching_weights
from anncestry.layers.images.batch_norm_folding import Folding, bounded, conv_norm, norm_relu_average_conv


def seasoned(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """A normalisation that has seen something; its first gain is 0 and its second is negative."""
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(tensor)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    with torch.no_grad():
        norm.weight[0] = 0
        norm.weight[1] = -1.5
    return norm


@pytest.fixture
def maps():
    return torch.randn(3, 6, 9, 7, dtype=torch.float64)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"dilation": 2, "padding": 2}, {"groups": 2}])
def test_a_normalisation_behind_a_convolution_is_part_of_it(maps, bias, options):
    conv = nn.Conv2d(6, 4, 3, bias=bias, **options).double()
    norm = seasoned(nn.BatchNorm2d(4)).double().eval()
    wanted = norm(conv(maps))
    with torch.no_grad(), caching_weights():
        torch.testing.assert_close(conv_norm(conv, norm, maps), wanted, rtol=1e-12, atol=1e-12)


def test_a_normalisation_in_front_of_an_average_leaves_bounds(maps):
    norm = seasoned(nn.BatchNorm2d(6)).double().eval()
    pool, conv = nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(6, 4, 1, bias=False).double()
    wanted = conv(pool(norm(maps).relu()))
    with torch.no_grad(), caching_weights():
        found = norm_relu_average_conv(norm, pool, conv, maps)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_bounds_are_the_relu_of_a_line():
    a = torch.tensor([2.0, -2.0, 0.0, 0.0], dtype=torch.float64)
    b = torch.tensor([1.0, 1.0, 3.0, -3.0], dtype=torch.float64)
    x = torch.linspace(-3, 3, 50, dtype=torch.float64)[:, None]
    line = bounded(a, b)
    found = line.a * torch.clamp(x, line.low, line.high) + line.b
    torch.testing.assert_close(found, (a * x + b).relu(), rtol=1e-12, atol=1e-12)


def test_nothing_is_folded_where_weights_may_change_or_gradients_are_wanted(maps):
    net = Folding(nn.Conv2d(6, 4, 3), seasoned(nn.BatchNorm2d(4)), nn.ReLU()).double()
    plain = copy.deepcopy(nn.Sequential(*net))
    torch.testing.assert_close(net(maps), plain(maps), rtol=0, atol=0)  # by the batch, and it is seen
    torch.testing.assert_close(net[1].running_mean, plain[1].running_mean)
    net.eval()
    with torch.no_grad():
        before = net(maps)
        net[1].bias += 1
        assert not torch.equal(net(maps), before)
    assert net(maps).requires_grad


def test_within_the_weight_cache_a_sequence_folds_every_pair(maps):
    net = Folding(
        nn.Conv2d(6, 5, 3, bias=False),
        seasoned(nn.BatchNorm2d(5)),
        nn.ReLU(),
        nn.Conv2d(5, 4, 1),
        nn.ReLU(),
        seasoned(nn.BatchNorm2d(4)),
    ).double()
    net.eval()
    wanted = nn.Sequential(*net)(maps)
    calls: list[str] = []

    def note(module, *_):
        calls.append(type(module).__name__)

    with torch.no_grad(), caching_weights():
        seen = register_module_forward_hook(note)
        try:
            torch.testing.assert_close(net(maps), wanted, rtol=1e-12, atol=1e-12)
        finally:
            seen.remove()
        assert calls == [
            "ReLU",
            "Conv2d",
            "ReLU",
            "BatchNorm2d",
            "Folding",
        ]  # the first pair is one convolution
        calls.clear()
        net[1].register_forward_hook(note)
        torch.testing.assert_close(net(maps), wanted, rtol=1e-12, atol=1e-12)
        assert calls == ["BatchNorm2d"], "who is watched is called"


@torch.no_grad()
def test_a_pool_of_another_size_is_not_taken_for_a_halving_one():
    norm, conv, x = (
        nn.BatchNorm2d(16).eval(),
        nn.Conv2d(16, 16, 1, bias=False).eval(),
        torch.randn(2, 16, 9, 9),
    )
    for pool in (nn.AvgPool2d(3), nn.AvgPool2d(2), nn.AvgPool2d(2, ceil_mode=True)):
        wanted = conv(pool(norm(x).relu()))
        with caching_weights():
            torch.testing.assert_close(norm_relu_average_conv(norm, pool, conv, x), wanted)

import torch

from anncestry.engine.weight_cache import (
    cached_for,
    cached_weights,
    caching_weights,
    is_caching_weights,
)


def test_a_weight_cache_outlives_its_scope_and_notices_changes():
    weight, weight_cache, made = torch.randn(3), {}, []

    def double():
        made.append(1)
        return weight * 2

    for _ in range(2):
        with caching_weights(weight_cache):
            torch.testing.assert_close(cached_weights((weight,), double), weight * 2)
    assert len(made) == 1
    weight += 1
    with caching_weights(weight_cache):
        torch.testing.assert_close(cached_weights((weight,), double), weight * 2)
    assert len(made) == 2
    assert not is_caching_weights()


def test_what_modules_hold_is_watched_as_a_whole():
    norm, conv, made = torch.nn.BatchNorm2d(2), torch.nn.Conv2d(2, 2, 1), []

    def make():
        made.append(1)
        return len(made)

    def find():
        return cached_for([norm, conv], make)

    with torch.no_grad(), caching_weights(weight_cache := {}):
        assert [find(), find()] == [1, 1]
        norm.running_mean.add_(1)
        assert [find(), find()] == [2, 2]
        conv.bias = torch.nn.Parameter(conv.bias.clone())
        assert [find(), find()] == [3, 3]
        conv.weight.data = conv.weight.data.clone()
        assert [find(), find()] == [4, 4]
        assert len(weight_cache) == 1
    assert [find(), find()] == [5, 6]  # outside nothing is kept


def test_what_modules_hold_of_inference_mode_has_no_version():
    with torch.inference_mode():
        linear = torch.nn.Linear(2, 2)
    with torch.no_grad(), caching_weights():
        assert cached_for([linear], lambda: [1]) is cached_for([linear], lambda: [2])


def test_without_a_weight_cache_it_ends_with_the_outermost_scope():
    weight, made = torch.randn(3), []
    with caching_weights():
        for _ in range(2):
            with caching_weights():
                cached_weights((weight,), lambda: made.append(1) or 0)
    with caching_weights():
        cached_weights((weight,), lambda: made.append(1) or 0)
    assert len(made) == 2


def test_what_is_exported_within_it_caches_nothing():
    linear = torch.nn.Linear(3, 2)
    with torch.no_grad(), caching_weights(weight_cache := {}):
        cached_weights((linear.weight,), lambda: 1)
        before = len(weight_cache)

        class Doubled(torch.nn.Module):
            def forward(self, x):
                return x @ cached_weights((linear.weight,), lambda: 2 * linear.weight.t())

        program = torch.export.export(Doubled(), (torch.ones(1, 3),), strict=False).module()
        torch.testing.assert_close(program(torch.ones(1, 3)), 2 * linear.weight.sum(1)[None])
    assert len(weight_cache) == before

import torch

from anncestry.engine.weight_cache import is_keeping, keeping, kept


def test_a_shelf_outlives_its_scope_and_notices_changes():
    weight, shelf, made = torch.randn(3), {}, []

    def double():
        made.append(1)
        return weight * 2

    for _ in range(2):
        with keeping(shelf):
            torch.testing.assert_close(kept((weight,), double), weight * 2)
    assert len(made) == 1
    weight += 1
    with keeping(shelf):
        torch.testing.assert_close(kept((weight,), double), weight * 2)
    assert len(made) == 2
    assert not is_keeping()


def test_without_a_shelf_it_ends_with_the_outermost_scope():
    weight, made = torch.randn(3), []
    with keeping():
        for _ in range(2):
            with keeping():
                kept((weight,), lambda: made.append(1) or 0)
    with keeping():
        kept((weight,), lambda: made.append(1) or 0)
    assert len(made) == 2


def test_what_is_exported_within_it_keeps_nothing():
    linear = torch.nn.Linear(3, 2)
    with torch.no_grad(), keeping(shelf := {}):
        kept((linear.weight,), lambda: 1)
        before = len(shelf)

        class Doubled(torch.nn.Module):
            def forward(self, x):
                return x @ kept((linear.weight,), lambda: 2 * linear.weight.t())

        program = torch.export.export(Doubled(), (torch.ones(1, 3),), strict=False).module()
        torch.testing.assert_close(program(torch.ones(1, 3)), 2 * linear.weight.sum(1)[None])
    assert len(shelf) == before

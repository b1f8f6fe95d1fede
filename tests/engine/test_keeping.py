import torch

from anncestry.engine.keeping import is_keeping, keeping, kept


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

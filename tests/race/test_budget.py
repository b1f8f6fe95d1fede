"""Budgets as people write them, and models sized to them."""

import pytest

from anncestry.errors import UserError
from anncestry.inspection.conformance import tiny_signature
from anncestry.race.budget import (
    Budget,
    affordable_steps,
    count_parameters,
    solve_width,
)
from anncestry.signature import Signature
from anncestry.timeline import TIMELINE, find

VECTOR = Signature("classification", "vector", (20,), 3)
SERIES = Signature("classification", "series", (8, 5), 3)


def test_without_a_limit_a_run_gets_seconds_and_with_a_size_alone_passes():
    assert Budget.of() == Budget(seconds=20.0)
    assert Budget.of(params="50k") == Budget(params=50_000, epochs=10)
    assert Budget.of("5s", "50k") == Budget(seconds=5.0, params=50_000)
    assert Budget.of(flops="1e9") == Budget(flops=1e9)
    assert Budget.of(params=100, epochs=2) == Budget(params=100, epochs=2)


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(UserError, match="epochs"):
        Budget.of(epochs=0)


def test_operations_pay_for_at_least_one_step():
    assert affordable_steps(1e9, 1e6) == 1000
    assert affordable_steps(10, 1e6) == 1


@pytest.mark.parametrize("target", [1_000, 20_000])
@pytest.mark.parametrize("architecture", [a for a in TIMELINE if a.has_width], ids=lambda a: a.id)
def test_no_other_width_comes_nearer(architecture, target):
    usual = (s for s in (VECTOR, SERIES, _image()) if architecture.fits_signature(s))
    signature = next(usual, tiny_signature(*min(architecture.fits)))
    width = solve_width(architecture, signature, target)
    assert width is not None
    distances = [
        abs(count_parameters(architecture, signature, other) - target)
        for other in (width - 1, width, width + 1)
        if other >= 1
    ]
    assert min(distances) == abs(count_parameters(architecture, signature, width) - target)


def _image():
    return Signature("classification", "image", (1, 8, 8), 3)


def test_the_counted_parameters_are_those_of_the_model():
    config = find("lstm").configure(SERIES, width=7)
    built = sum(p.numel() for p in find("lstm").build(config).parameters())
    assert count_parameters(find("lstm"), SERIES, 7) == built


def test_a_model_without_a_width_keeps_its_size():
    fixed = [a for a in TIMELINE if not a.has_width and a.fits_signature(VECTOR)]
    if not fixed:
        pytest.skip("every architecture of the timeline has a width")
    assert solve_width(fixed[0], VECTOR, 10_000) is None

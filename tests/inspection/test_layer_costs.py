"""The table of complexities: its products against counted layers, its paths against graphs and gradients."""

import numpy as np
import pytest
import torch

from anncestry.errors import UserError
from anncestry.inspection.layer_costs import _counted, _recurrent, layer_costs, layers_between
from anncestry.layers.recurrent.cells import ElmanCell, LSTMCell
from anncestry.layers.recurrent.temporal import CausalConvolution
from anncestry.layers.recurrent.wirings import Unrolled


def by_name(*sizes, **more):
    return {kind.name: kind for kind in layer_costs(*sizes, timed=False, **more)}


@pytest.mark.parametrize(("n", "d", "kernel", "window"), [(7, 16, 3, 4), (20, 12, 2, 3), (5, 128, 4, 9)])
def test_our_layers_are_counted_at_what_the_formulas_say(n, d, kernel, window):
    kinds = by_name(n, d, kernel=kernel, window=window)
    whole = kinds["self-attention"]
    for name, kind in kinds.items():
        if name != "windowed attention":
            assert kind.measured == kind.counted + kind.omitted, name
        assert (kind.steps > n - 2) == (kind.sequential == "n") or n < 6, name
    restricted = kinds["windowed attention"]
    assert restricted.measured == whole.measured  # what is masked is computed all the same
    assert restricted.counted == 4 * min(window, n) * n * d
    assert restricted.omitted == whole.omitted == 8 * n * d * d
    assert kinds["recurrent, LSTM"].measured == 4 * kinds["recurrent, tanh"].measured == 16 * n * d * d


def test_attention_is_cheaper_by_its_order_where_n_is_below_d():
    """Section 4 of the paper; with the projections the border to an LSTM is at n = 2 d."""
    for n, d in ((8, 9), (9, 8), (15, 8), (17, 8)):
        kinds = by_name(n, d)
        attention, lstm = kinds["self-attention"], kinds["recurrent, LSTM"]
        assert (attention.products < lstm.products) == (n < d)
        assert (attention.measured < lstm.measured) == (n < 2 * d)
        assert attention.measured > kinds["recurrent, tanh"].measured
    kinds = by_name(100, 1000)
    assert kinds["recurrent, tanh"].products == 10 * kinds["self-attention"].products


def layers_by_search(n, sees, dilated):
    """Layers until the last output depends on the first input, by multiplying out who sees whom."""
    reached, layers = np.eye(n, dtype=int), 0
    while layers == 0 or not reached[n - 1, 0]:
        stride = sees**layers if dilated else 1
        layer = sum(np.eye(n, k=-i * stride, dtype=int) for i in range(sees))
        reached, layers = np.minimum(layer @ reached, 1), layers + 1
    return layers


@pytest.mark.parametrize("dilated", [False, True])
@pytest.mark.parametrize("sees", [2, 3, 5])
def test_paths_are_the_shortest_in_the_graph(sees, dilated):
    for n in (1, 2, 3, 4, 5, 8, 9, 10, 25, 26, 27, 28):
        assert layers_between(n, sees, dilated) == layers_by_search(n, sees, dilated)


@pytest.mark.parametrize("dilated", [False, True])
@pytest.mark.parametrize("n", [4, 9, 10])
def test_a_stack_of_ours_has_that_path(n, dilated):
    """The last output has a gradient by the first input from that many layers on."""
    count = layers_between(n, 3, dilated)
    for layers in (count - 1, count):
        x = torch.randn(1, 2, n, requires_grad=True)
        y = x
        for i in range(layers):
            convolution = CausalConvolution(2, 2, 3, 3**i if dilated else 1)
            y, _ = convolution(y, convolution.initial_state(1))
        (gradient,) = torch.autograd.grad(y[0, :, -1].sum(), x)
        assert bool(gradient[0, :, 0].any()) == (layers == count)


def test_paths_of_the_table():
    found = {name: kind.path_length for name, kind in by_name(28, 8, kernel=3, window=10).items()}
    assert found == {
        "self-attention": 1,
        "recurrent, tanh": 28,
        "recurrent, LSTM": 28,
        "convolution": 14,
        "dilated convolution": 4,
        "windowed attention": 3,
    }


def test_layers_are_timed_where_asked():
    assert all(kind.seconds is not None and kind.seconds > 0 for kind in layer_costs(3, 4))
    assert all(kind.seconds is None for kind in layer_costs(3, 4, timed=False))


@pytest.mark.parametrize(
    ("sizes", "more", "message"),
    [
        ((0, 4), {}, "n: got 0; must be at least 1"),
        ((4, 0), {}, "d: got 0; must be at least 1"),
        ((4, 4), {"kernel": 1}, "kernel: got 1; must be at least 2"),
        ((4, 4), {"window": 1}, "window: got 1; must be at least 2"),
    ],
)
def test_mistakes_are_named(sizes, more, message):
    with pytest.raises(UserError, match=message):
        layer_costs(*sizes, **more)


@pytest.mark.parametrize("cell", [ElmanCell, LSTMCell])
def test_steps_that_are_not_counted_are_as_those_that_are(cell):
    layer = Unrolled(cell(6, 6))
    for n in (1, 2, 3, 9):
        assert _recurrent(layer, n, 6) == _counted(layer, n, 6)

"""The ADALINE: its block solve against the loop, least squares as its goal."""

import pytest
import torch

from anncestry.errors import UserError
from anncestry.models.adaline import Adaline, AdalineConfig
from anncestry.models.perceptron import Perceptron, PerceptronConfig
from anncestry.protocols import OwnRule
from anncestry.signature import Signature


def build(size, outputs, task="regression", **fields):
    return Adaline(AdalineConfig(task=task, input_shape=(size,), output_size=outputs, **fields)).double()


def problem(examples, size, outputs):
    x = torch.randn(examples, size, dtype=torch.float64)
    truth = torch.randn(size + 1, outputs, dtype=torch.float64)
    return x, x @ truth[:-1] + truth[-1], truth


def test_one_example_by_hand():
    model = build(2, 1, learning_rate=0.6)  # eta = 0.2
    x = torch.tensor([[1.0, 2.0], [1.0, 0.0]], dtype=torch.float64)
    outputs = model.learn(x, torch.tensor([[3.0], [0.0]], dtype=torch.float64))
    # e = 3: w = 0.6 [1, 2, 1]; then w . [1, 0, 1] = 1.2, e = -1.2: w += -0.24 [1, 0, 1]
    torch.testing.assert_close(outputs, torch.tensor([[0.0], [1.2]], dtype=torch.float64))
    torch.testing.assert_close(model.weight, torch.tensor([[0.36, 1.2, 0.36]], dtype=torch.float64))


@pytest.mark.parametrize("task", ["regression", "forecasting", "classification"])
def test_blocks_equal_the_naive_loop(task):
    x, targets, _ = problem(300, 7, 3)
    targets = targets.argmax(1) if task == "classification" else targets
    fast, naive = build(7, 3, task, learning_rate=0.5), build(7, 3, task, learning_rate=0.5)
    torch.testing.assert_close(fast.learn(x, targets), naive.learn_naive(x, targets))
    torch.testing.assert_close(fast.weight, naive.weight)
    cut = build(7, 3, task, learning_rate=0.5)
    for part in zip(x.split(31), targets.split(31), strict=True):
        cut.learn(*part)
    torch.testing.assert_close(cut.weight, fast.weight)
    assert fast.weight.abs().mean() > 0.1


def test_a_linear_function_is_found():
    x, targets, truth = problem(2000, 5, 2)
    model = build(5, 2)
    for _ in range(5):
        model.learn(x, targets)
    torch.testing.assert_close(model.weight, truth.t(), atol=1e-6, rtol=0)


def test_it_goes_to_least_squares_where_the_perceptron_separates():
    # One class lies close to the border, with a member far behind it that pulls the line over.
    x = torch.tensor([[-1.0], [-0.9], [-0.8], [-0.2], [0.2], [0.4], [15.0]], dtype=torch.float64)
    x = (x - x.mean()) / x.std()
    targets = torch.tensor([0, 0, 0, 0, 1, 1, 1])
    extended = torch.cat([x, torch.ones(7, 1, dtype=torch.float64)], 1)
    signs = 2.0 * torch.nn.functional.one_hot(targets, 2) - 1
    least_squares = torch.linalg.lstsq(extended, signs.double()).solution.t()
    assert ((extended @ least_squares.t()).argmax(1) != targets).any()

    adaline = build(1, 2, "classification", learning_rate=0.01)
    perceptron = Perceptron(PerceptronConfig(input_shape=(1,), output_size=2)).double()
    adaline.learn(x.repeat(600, 1), targets.repeat(600))
    perceptron.learn(x.repeat(600, 1), targets.repeat(600))
    torch.testing.assert_close(adaline.weight, least_squares, atol=0.02, rtol=0)
    assert (adaline(x).argmax(1) != targets).any()
    assert perceptron.converged(7)
    assert (perceptron(x).argmax(1) == targets).all()
    assert not adaline.converged(7)


@pytest.mark.parametrize(("learning_rate", "grows"), [(1.0, False), (1.99, False), (2.01, True)])
def test_the_bound_of_the_step(learning_rate, grows):
    # All inputs the same, with ||[x, 1]||^2 = D + 1: lambda_max is the trace, and the bound is exact.
    x = torch.ones(200, 9, dtype=torch.float64)
    model = build(9, 1)
    model.rate = learning_rate / 10
    outputs = model.learn(x, torch.ones(200, 1, dtype=torch.float64))
    assert bool((outputs[-1] - 1).abs() > 1) == grows


def test_criterion_is_the_squared_error():
    outputs = torch.tensor([[1.0, 3.0], [0.0, -1.0]], dtype=torch.float64)
    assert (
        float(build(1, 2).criterion(outputs, torch.zeros(2, 2, dtype=torch.float64))) == (1 + 9) / 2 + 1 / 2
    )
    # ±1 per class: (1 - 1)^2 + (3 + 1)^2 and (0 + 1)^2 + (-1 - 1)^2
    assert float(build(1, 2, "classification").criterion(outputs, torch.tensor([0, 1]))) == 16 / 2 + 5 / 2


def test_it_fits_every_flat_problem():
    for task in ("classification", "regression", "forecasting"):
        signature = Signature(task, "series", (4, 3), 2)
        model = Adaline(AdalineConfig.for_signature(signature))
        assert model.config.signature == signature
        assert isinstance(model, OwnRule)
        inputs, targets = signature.example(10)
        assert model.learn(inputs, targets).shape == model(inputs).shape == (10, 2)


def test_user_errors():
    for rate in (0.0, 2.0):
        with pytest.raises(UserError, match=rf"learning_rate: got {rate}; must lie between 0 and 2: where"):
            AdalineConfig(input_shape=(4,), output_size=1, learning_rate=rate)
    with pytest.raises(UserError, match=r"task: got 'language-model'; a linear unit has no order in time"):
        AdalineConfig(task="language-model", input_shape=(4,), output_size=1)

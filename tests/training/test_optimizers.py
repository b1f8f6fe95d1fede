"""Schedules and optimizers."""

import copy

import pytest
import torch
from torch import nn

from anncestry.training.optimizers import Position, make_optimizer, rate_factor
from anncestry.training.settings import TrainingSettings


def test_warm_up_rises_in_equal_steps():
    settings = TrainingSettings(warmup_steps=4)
    assert [rate_factor(settings, Position(step, 0.0, 0)) for step in range(6)] == [
        0.25,
        0.5,
        0.75,
        1.0,
        1.0,
        1.0,
    ]


def test_a_warm_up_by_share_rises_with_the_run():
    settings = TrainingSettings(warmup=0.25, schedule="linear")
    factors = [rate_factor(settings, Position(9, fraction, 0)) for fraction in (0.0, 0.125, 0.25, 0.625)]
    assert factors == pytest.approx([0.0, 0.5 * 0.875, 0.75, 0.375])
    told = TrainingSettings(warmup=0.25, warmup_steps=20)  # steps that are told count first
    assert rate_factor(told, Position(9, 0.9, 0)) == 0.5


@pytest.mark.parametrize(("schedule", "middle"), [("constant", 1.0), ("cosine", 0.5), ("linear", 0.5)])
def test_schedules_start_at_one(schedule, middle):
    settings = TrainingSettings(schedule=schedule)
    assert rate_factor(settings, Position(0, 0.0, 0)) == pytest.approx(1.0)
    assert rate_factor(settings, Position(9, 0.5, 0)) == pytest.approx(middle)
    assert rate_factor(settings, Position(9, 1.0, 0)) == pytest.approx(
        1.0 if schedule == "constant" else 0.0, abs=1e-12
    )


def test_the_inverse_root_is_the_transformers():
    """lr(s) = c d^-0.5 min(s^-0.5, s w^-1.5), of which the settings name the peak, at step w."""
    width, warmup = 512, 4000
    peak = (width * warmup) ** -0.5
    settings = TrainingSettings(schedule="inverse-sqrt", warmup_steps=warmup, learning_rate=peak)
    assert peak == pytest.approx(6.99e-4, rel=1e-3)
    for step in (1, 17, warmup, warmup + 1, 4 * warmup):
        expected = width**-0.5 * min(step**-0.5, step * warmup**-1.5)
        assert peak * rate_factor(settings, Position(step - 1, 0.0, 0)) == pytest.approx(expected)


def test_the_constants_of_adam_are_the_settings():
    settings = TrainingSettings(optimizer="adamw", beta2=0.98, epsilon=1e-9, weight_decay=0.1)
    group = make_optimizer(nn.Linear(2, 1), settings).param_groups[0]
    assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.9, 0.98), 1e-9, 0.1)


@pytest.mark.parametrize("name", ["adam", "adamw", "bert-adam", "lamb", "sgd", "rmsprop"])
def test_every_optimizer_goes_downhill(name):
    model = nn.Linear(3, 1)
    optimizer = make_optimizer(model, TrainingSettings(optimizer=name, learning_rate=0.01))
    x = torch.randn(64, 3)
    y = x.sum(1, keepdim=True)
    losses = []
    for _ in range(50):
        loss = (model(x) - y).square().mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]


def test_frozen_parameters_are_left_out():
    model = nn.Linear(3, 1)
    model.bias.requires_grad_(False)
    assert sum(len(group["params"]) for group in make_optimizer(model, TrainingSettings()).param_groups) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate: got 0.0; must be above 0."),
        ({"epochs": 0}, "epochs: got 0; must be above 0."),
        ({"beta2": 1.0}, "beta2: got 1.0; must be at least 0 and below 1."),
        ({"label_smoothing": -0.1}, "label_smoothing: got -0.1; must be at least 0 and below 1."),
        ({"average": 30}, "average: got 30; must be at most `evaluations`, which is 20."),
        (
            {"schedule": "inverse-sqrt"},
            "schedule: got 'inverse-sqrt'; falls from the warm-up on, so it needs warmup_steps.",
        ),
        (
            {"batch_size": 10, "accumulate": 4},
            "batch_size: got 10; must be divisible by accumulate * devices = 4.",
        ),
        ({"momentum": 1.0}, "momentum: got 1.0; must be at least 0 and below 1."),
        ({"clip_norm": -1.0}, "clip_norm: got -1.0; must not be negative."),
    ],
)
def test_settings_say_what_is_wrong(fields, message):
    with pytest.raises(ValueError) as caught:
        TrainingSettings(**fields)
    assert str(caught.value) == message


def test_the_rate_decays_by_the_epoch_after_the_first_few():
    settings = TrainingSettings(decay=0.5, decay_after=4)
    rates = [rate_factor(settings, Position(7, 0.3, epoch)) for epoch in range(7)]
    assert rates == [1.0, 1.0, 1.0, 1.0, 0.5, 0.25, 0.125]


def test_steps_fall_at_half_and_at_three_quarters():
    settings = TrainingSettings(schedule="steps")
    found = [
        rate_factor(settings, Position(9, fraction, 0)) for fraction in (0.0, 0.49, 0.5, 0.74, 0.75, 1.0)
    ]
    assert found == [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]


def test_berts_adam_is_its_formula():
    """Their code's update, by hand in float64; the first step is 3.16 times Adam's."""
    torch.manual_seed(1)
    settings = TrainingSettings(optimizer="bert-adam", learning_rate=0.01, weight_decay=0.1, epsilon=1e-6)
    model = nn.Linear(3, 2).double()
    optimizer = make_optimizer(model, settings)
    p = model.weight.detach().clone()
    m, v, x = torch.zeros_like(p), torch.zeros_like(p), torch.randn(5, 3).double()
    for step in range(4):
        rate = 0.01 * (step + 1)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        model(x).square().sum().backward()
        assert model.weight.grad is not None
        gradient = model.weight.grad.clone()
        before = p
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        p = p - rate * (m / (v.sqrt() + 1e-6) + 0.1 * p)
        optimizer.step()
        torch.testing.assert_close(model.weight.detach(), p, rtol=1e-12, atol=1e-12)
        if step == 0:
            moved = before - p - rate * 0.1 * before
            torch.testing.assert_close(moved, 0.1 / 0.001**0.5 * rate * gradient.sign(), rtol=1e-3, atol=0)


def test_lamb_is_its_formula():
    """Algorithm 2 of the paper by hand: a matrix moves by the rate times its own length, a bias by Adam's."""
    torch.manual_seed(1)
    settings = TrainingSettings(optimizer="lamb", learning_rate=0.01, weight_decay=0.1, epsilon=1e-6)
    model = nn.Linear(3, 2).double()
    optimizer = make_optimizer(model, settings)
    values = {name: p.detach().clone() for name, p in model.named_parameters()}
    m, v = ({name: torch.zeros_like(p) for name, p in values.items()} for _ in range(2))
    x = torch.randn(5, 3).double()
    for step in range(1, 5):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        optimizer.step()
        for name, p in model.named_parameters():
            gradient, before = gradients[name], values[name]
            m[name], v[name] = 0.9 * m[name] + 0.1 * gradient, 0.999 * v[name] + 0.001 * gradient**2
            adam = m[name] / (1 - 0.9**step) / ((v[name] / (1 - 0.999**step)).sqrt() + 1e-6)
            update = adam + 0.1 * before
            ratio = before.norm() / update.norm() if name == "weight" else 1.0
            values[name] = before - 0.01 * ratio * update
            torch.testing.assert_close(p.detach(), values[name], rtol=1e-12, atol=1e-12)


def test_lamb_takes_adams_step_from_zero():
    """A matrix of zeros has no length to go by, and would never leave."""
    model = nn.Linear(3, 2, bias=False)
    nn.init.zeros_(model.weight)
    model(torch.ones(1, 3)).sum().backward()
    make_optimizer(model, TrainingSettings(optimizer="lamb", learning_rate=0.01)).step()
    torch.testing.assert_close(model.weight.detach(), torch.full((2, 3), -0.01))


@pytest.mark.parametrize("name", ["bert-adam", "lamb"])
def test_a_resumed_optimizer_goes_on_as_it_was(name):
    settings = TrainingSettings(optimizer=name, learning_rate=0.01)
    models = [nn.Linear(3, 1), nn.Linear(3, 1)]
    models[1].load_state_dict(models[0].state_dict())
    first, second = (make_optimizer(model, settings) for model in models)
    x = torch.randn(5, 3)

    def step(model, optimizer):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()

    step(models[0], first)
    models[1].load_state_dict(models[0].state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    step(models[0], first)
    step(models[1], second)
    assert torch.equal(models[0].weight, models[1].weight)


@pytest.mark.parametrize(
    ("optimizer", "left"),
    [("adamw", 0.95), ("bert-adam", 0.95), ("sgd", 0.95), ("lamb", 0.9)],  # of lamb's step decay is the whole
)
def test_decay_may_spare_biases_and_gains(optimizer, left):
    settings = TrainingSettings(optimizer=optimizer, weight_decay=0.5, decay_on="matrices", learning_rate=0.1)
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    torch.stack([0 * p.sum() for p in model.parameters()]).sum().backward()
    make_optimizer(model, settings).step()
    for name, p in model.named_parameters():
        shrunk = left if name == "0.weight" else 1.0
        torch.testing.assert_close(p.detach(), shrunk * before[name])
    assert len(make_optimizer(model, TrainingSettings(weight_decay=0.5)).param_groups) == 1

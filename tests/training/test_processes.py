"""One process on one device does what Lightning Fabric does there."""

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from anncestry.errors import UserError
from anncestry.protocols import SampledLogits
from anncestry.training import outcome
from anncestry.training.optimizers import make_optimizer
from anncestry.training.processes import OneProcess, make_fabric
from anncestry.training.settings import TrainingSettings

CPU = torch.device("cpu")


class Net(nn.Module):
    fills_in = "of the model"

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, x, state, *, count):
        y = self.layer(x)
        assert y.dtype == torch.bfloat16
        assert count.dtype == torch.int64
        return SampledLogits(y, self.layer.weight, self.layer.bias, 3), [state, {"y": y}]


def test_mixed_precision_is_that_of_fabric():
    torch.manual_seed(0)
    net, x, state, count = Net(), torch.randn(5, 8), torch.randn(2), torch.arange(3)
    found, gradients = [], []
    for fabric in (OneProcess(CPU, lower=True), Fabric(accelerator="cpu", precision="bf16-mixed")):
        net.zero_grad()
        model, _ = fabric.setup(net, torch.optim.SGD(net.parameters()))
        assert model.fills_in == "of the model"
        logits, (after, inside) = model(x, state, count=count)
        assert isinstance(logits, SampledLogits)
        assert logits.num_sampled == 3
        fabric.backward(logits.features.square().sum())
        found.append((logits.features, logits.weight, after, inside["y"]))
        gradients.append(net.layer.weight.grad.clone())
        with fabric.autocast():
            assert nn.functional.linear(x, net.layer.weight).dtype == torch.bfloat16
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == theirs.dtype == torch.float32
        assert torch.equal(ours, theirs)
    assert torch.equal(*gradients)


def test_single_precision_leaves_the_model_as_it_is():
    net, processes = Net(), OneProcess(CPU, lower=False)
    assert processes.setup(net, torch.optim.SGD(net.parameters()))[0] is net
    with processes.autocast():
        assert nn.functional.linear(torch.ones(8), net.layer.weight).dtype == torch.float32


def test_several_devices_are_of_fabric_and_one_is_not(monkeypatch):
    assert isinstance(make_fabric(TrainingSettings()), OneProcess)
    assert isinstance(make_fabric(TrainingSettings(devices=2)), Fabric)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")  # there may be other machines
    assert isinstance(make_fabric(TrainingSettings()), Fabric)
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="has no GPU that PyTorch can use"):
            make_fabric(TrainingSettings(accelerator="cuda"))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_optimizers_move_as_pytorchs_own_do(name):
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}.get(
        name, torch.optim.RMSprop
    )
    moved = []
    for plain in (True, False):
        torch.manual_seed(1)
        net = nn.Linear(3, 2)
        optimizer = make_optimizer(net, TrainingSettings(optimizer=name, weight_decay=0.0))
        assert isinstance(optimizer, kind)
        for _ in range(3):
            net(torch.ones(4, 3)).square().sum().backward()
            optimizer.step() if plain else kind.step(optimizer)
            optimizer.zero_grad()
        moved.append(net.weight)
    assert torch.equal(*moved)
    assert moved[0].requires_grad


def test_the_clock_knows_how_long_its_process_was_at_work(monkeypatch):
    """By a clock of our own: it stands still while the loop scores, as the seconds do."""
    now = {"wall": 100.0, "work": 7.0}
    monkeypatch.setattr(outcome.time, "perf_counter", lambda: now["wall"])
    monkeypatch.setattr(outcome.time, "process_time", lambda: now["work"])
    clock = outcome.Clock()
    monkeypatch.setattr(clock, "_since", 100.0)
    monkeypatch.setattr(clock, "_worked", 7.0)
    clock.go()
    now.update(wall=110.0, work=13.0)
    clock.pause()
    now.update(wall=150.0, work=53.0)  # scored
    clock.go()
    now.update(wall=160.0, work=62.0)
    clock.pause()
    assert (clock.seconds, clock.processor) == (20.0, 15.0)

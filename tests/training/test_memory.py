"""What training needs is compared with the memory there is, and what is refused is said."""

import pytest
import torch

from anncestry.cli.main import main
from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.training import train as training
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import check_memory

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({}, 4),
        ({"optimizer": "rmsprop"}, 3),
        ({"optimizer": "sgd"}, 3),
        ({"optimizer": "sgd", "momentum": 0}, 2),
    ],
)
def test_weights_gradients_and_moments_are_counted(settings, times):
    model = create("lstm", input_size=4, hidden_size=8, output_size=3)
    weights = 4 * sum(parameter.numel() for parameter in model.parameters())
    assert check_memory(model, TrainingSettings(**settings), CPU) == times * weights


def test_training_beyond_the_memory_is_refused(monkeypatch):
    model = create("lstm", input_size=4, hidden_size=8, output_size=3)
    monkeypatch.setattr(training, "available_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"its training needs .* besides the weights; there are 1.0 kB"):
        check_memory(model, TrainingSettings(), CPU)
    check_memory(model, TrainingSettings(), torch.device("cuda"))  # whose memory is another


def test_a_width_by_mistake_is_a_message(tmp_path, capsys):
    words = ["train", "mlp", "--data", "toy2d:xor", "--width", "1000000000000", "--max-steps", "1"]
    assert main([*words, "--out", str(tmp_path / "r")]) == 2
    assert "of memory" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_memory_that_is_refused_is_a_message(monkeypatch, capsys, tmp_path):
    def refuse(*_, **__):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 7 bytes"
        )

    monkeypatch.setattr(training, "load_data", refuse)
    assert main(["train", "mlp", "--data", "digits", "--max-steps", "1", "--out", str(tmp_path / "r")]) == 2
    assert "needs more memory than there is (" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(training, "fit", refuse)
    assert main(["train", "mlp", "--data", "digits", "--max-steps", "1", "--out", str(tmp_path / "r")]) == 2
    assert "needs more memory than there is: at least" in capsys.readouterr().err

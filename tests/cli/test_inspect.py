"""The page that looks inside a run."""

import pytest

from anncestry.cli.main import main
from anncestry.data import DataOptions
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspect") / "run"
    settings = TrainingSettings(max_steps=3)
    options = DataOptions(max_chars=3000)
    train("dilated-rnn", "pydoc", out=folder, settings=settings, data_options=options, width=6)
    return folder


def test_a_page_is_written(run, capsys):
    assert main(["inspect", str(run), "the assert statement", "--units", "4"]) == 0
    said = capsys.readouterr().out
    assert "steps back" in said
    assert "Its layers reach back 1, 2, 4, 8 steps: mean recurrent length 5.50 over 8 lags." in said
    page = (run / "inside.html").read_text()
    assert page.count("data:image/png;base64") == 1 + 4
    assert "<script" not in page


def test_mistakes_are_named(run, capsys, tmp_path):
    assert main(["inspect", str(run), "the", "--max-steps", "1"]) == 2
    assert main(["inspect", str(tmp_path), "the"]) == 2
    train("mlp", "toy2d:xor", out=tmp_path / "mlp", settings=TrainingSettings(max_steps=1))
    assert main(["inspect", str(tmp_path / "mlp"), "1,2"]) == 2
    said = capsys.readouterr().err
    assert "--max-steps: got 1; must be at least 2" in said
    assert "is not a run folder" in said
    assert "reads no sequence step by step" in said

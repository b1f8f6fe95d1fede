"""The page that looks inside a run."""

import numpy as np
import pytest
from PIL import Image

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
    assert "has no page" in said


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A run of a net of images, and one of them."""
    folder = tmp_path_factory.mktemp("inspect-images")
    train("cnn", "digits", out=folder / "run", settings=TrainingSettings(max_steps=3), width=4)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(folder / "digit.png")
    return folder / "run", folder / "digit.png"


def test_a_page_of_images(images, capsys, tmp_path):
    run, picture = images
    assert main(["inspect", str(run), str(picture)]) == 0
    said = capsys.readouterr().out
    assert "digit.png: the net says " in said
    assert "layers.1: 4 maps of 8 x 8, a unit's receptive field is 3 x 3 pixels." in said
    page = (run / "inside.html").read_text()
    assert page.count("data:image/png;base64") == 1 + 1 + 2 * 3
    assert "Layer layers.4" in page
    out = tmp_path / "page.html"
    chosen = ["--layer", "layers.0", "--layer", "layers.3", "--out", str(out)]
    assert main(["inspect", str(run), str(picture), *chosen]) == 0
    page = out.read_text()
    assert "Layer layers.0" in page
    assert "Layer layers.3" in page
    assert page.count("data:image/png;base64") == 1 + 1 + 2 * 2
    assert main(["inspect", str(run), str(picture.parent), "--out", str(out)]) == 0


def test_mistakes_about_images_are_named(images, run, capsys, tmp_path):
    of_images, picture = images
    (tmp_path / "bad.png").write_bytes(b"text")
    assert main(["inspect", str(of_images), str(tmp_path / "none.png")]) == 2
    assert main(["inspect", str(of_images), str(tmp_path / "bad.png")]) == 2
    assert main(["inspect", str(of_images), str(picture), "--layer", "layer.0"]) == 2
    assert main(["inspect", str(run), str(picture)]) == 2
    assert main(["inspect", str(run), "the", "--layer", "layers.0"]) == 2
    train("mlp", "digits", out=tmp_path / "mlp", settings=TrainingSettings(max_steps=1))
    assert main(["inspect", str(tmp_path / "mlp"), str(picture)]) == 2
    said = capsys.readouterr().err
    assert "there is no such file" in said
    assert "bad.png'; cannot be read (no known image format)" in said
    assert "layer: got 'layer.0'; there is no such layer. Choices: layers.0" in said
    assert "digit.png'; is an image; this Dilated" in said
    assert "--layer: got ('layers.0',); has no effect on the page of this Dilated" in said
    assert "Multi-layer perceptron'; has no page" in said

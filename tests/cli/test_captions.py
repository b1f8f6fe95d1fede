"""Nets that write of images, from the command line: in both precisions, on one image, from inside."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anncestry.cli.main import main
from anncestry.data import DataOptions
from anncestry.runs.run import Run
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import train


def pictures(folder: Path, count: int) -> str:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(count)
    for number in range(count):
        Image.fromarray(random.integers(255, size=(9, 9, 3), dtype=np.uint8)).save(
            folder / f"{number:02}.png"
        )
    lines = [f"{number:02}.png,a picture of a {('cat', 'dog')[number % 2]} ." for number in range(count)]
    (folder / "captions.txt").write_text("\n".join(lines))
    return f"captions:{folder}"


@pytest.fixture(scope="module", params=["show-and-tell", "show-attend-and-tell"])
def run(request, tmp_path_factory) -> Run:
    home = tmp_path_factory.mktemp("captions")
    options = DataOptions(image_size=8, min_count=1)
    settings = TrainingSettings(max_steps=1, evaluations=1)
    data = pictures(home / "data", 6)  # the fewest of which none of the three parts used to be empty
    return train(request.param, data, out=home / "run", data_options=options, width=8, settings=settings)[0]


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_it_generates_and_is_scored_in_both_precisions(run, precision, tmp_path, capsys) -> None:
    one = pictures(tmp_path / "one", 1)
    path = str(tmp_path / "one" / "00.png")
    assert main(["predict", str(run.folder), path, "--precision", precision]) == 0
    assert capsys.readouterr().out.startswith(f"{path}\t")
    assert main(["evaluate", str(run.folder), "--data", one, "--precision", precision]) == 0
    figures = dict(line.split()[:2] for line in capsys.readouterr().out.splitlines())
    assert figures["examples"] == "1"
    assert float(figures["loss"]) == pytest.approx(run.evaluate(one)["loss"], rel=0.02)


def test_it_is_seen_from_inside(run, tmp_path, capsys) -> None:
    pictures(tmp_path / "some", 2)
    page = tmp_path / "inside.html"
    assert main(["inspect", str(run.folder), str(tmp_path / "some"), "--out", str(page)]) == 0
    assert "the net generates" in capsys.readouterr().out
    assert "<svg" in page.read_text() or "<img" in page.read_text()

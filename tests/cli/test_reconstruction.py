"""Autoencoders from the command line: train, predict, evaluate, race, without naming the task."""

import json
import struct
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from anncestry.cli.main import main
from anncestry.data import DataOptions, load_data
from anncestry.data.sources.catalogue import usual_options
from anncestry.errors import UserError
from anncestry.race.compare import compare
from anncestry.runs.run import Run
from anncestry.training.fit import fit
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import train


@pytest.fixture(scope="module", params=["vae", "autoencoder"])
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / request.param
    words = ["train", request.param, "--data", "digits", "--max-steps", "6", "--width", "4"]
    assert main([*words, "--set", "coarser=pool", "--out", str(folder)]) == 0
    return Run(folder)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(folder / f"{number}.png")
    return folder


def test_a_run_says_its_task_and_scores_again(run, capsys):
    assert run.signature.task == "reconstruction"
    assert run.config["data"]["options"]["task"] == "reconstruction"
    assert "--task reconstruction" in (run.folder / "README.md").read_text()
    capsys.readouterr()
    assert main(["evaluate", str(run.folder), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores.pop("examples") == 270
    assert scores == pytest.approx(run.scores()["test"], rel=1e-5)
    assert ("kl" in scores) == (run.architecture.id == "vae")


def test_prediction_is_the_error_of_each_image(run, pictures, capsys):
    assert main(["predict", str(run.folder), str(pictures), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    _, images = run.processor.read(pictures)
    assert [row["input"] for row in rows] == [str(pictures / f"{number}.png") for number in range(3)]
    drawn = run.processor.decode(run.outputs(images))
    scale, mean = run.processor.scale[0], run.processor.mean[0]
    with torch.no_grad():
        raw = run.model.eval()(images)[:, :64].view(3, 8, 8) * scale + mean
    for row, image, again, exact in zip(rows, images[:, 0] * scale + mean, drawn, raw, strict=True):
        assert row["mse"] == pytest.approx((exact - image).square().mean().item(), rel=1e-4)
        torch.testing.assert_close(torch.tensor(again["pixels"])[0], exact.clamp(0, 1))
    assert main(["predict", str(run.folder), str(pictures / "1.png")]) == 0
    assert capsys.readouterr().out.startswith(f"{pictures / '1.png'}\tloss ")


def test_a_page_shows_images_and_new_ones(run, pictures, tmp_path, capsys):
    out = tmp_path / "pages" / "page.html"
    assert main(["predict", str(run.folder), str(pictures), "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    page = out.read_text()
    assert "Reconstructed" in page
    assert ("New images" in page) == (run.architecture.id == "vae")
    assert page.count("data:image/png") == (2 if run.architecture.id == "vae" else 1)


def test_a_page_is_for_images_that_are_reconstructed(tmp_path, capsys):
    folder = tmp_path / "mlp"
    train("mlp", "digits", out=folder, settings=TrainingSettings(max_steps=1))
    assert main(["predict", str(folder), "x.png", "--out", str(tmp_path / "page.html")]) == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "data", "expected"),
    [
        ("vae", "digits", {"task": "reconstruction"}),
        ("autoencoder", "idx:folder", {"task": "reconstruction"}),
        ("vae", "csv:file", {}),
        ("vae", "nowhere", {}),
        ("cnn", "digits", {}),
        ("perceptron", "csv:file", {}),
    ],
)
def test_the_task_follows_from_the_model(model, data, expected):
    assert usual_options(model, data) == expected


def test_targets_are_the_images():
    dataset: Any = load_data("digits", DataOptions(task="reconstruction"))
    plain = load_data("digits")
    for split in ("train", "validation", "test"):
        part = getattr(dataset, split)
        assert torch.equal(part.targets, part.inputs)
        assert torch.equal(part.inputs, getattr(plain, split).inputs)
    assert dataset.signature.output_size == 64
    assert dataset.processor.target_scale == dataset.processor.scale
    again = type(dataset.processor).from_json(
        {key: value for key, value in dataset.processor.to_json().items() if key != "kind"}
    )
    assert again == dataset.processor


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("digits", {"task": "forecasting"}, r"task: got 'forecasting'; is no task of .* digits. Choices: cl"),
        ("csv:x", {"task": "reconstruction"}, r"no task of the data source csv. Choices: classification, re"),
        ("pydoc", {"task": "reconstruction"}, r"no task of the data source pydoc. Choices: language-m"),
        ("idx:x", {"task": "reconstruction", "order": "pixels"}, r"order: got 'pixels'; .* Choices: image"),
    ],
)
def test_tasks_that_a_source_has_not_are_named(name, options, text):
    with pytest.raises(UserError, match=text):
        load_data(name, DataOptions(**options))


def test_idx_files_are_drawn_again_without_naming_the_task(tmp_path):
    random = np.random.default_rng(0)
    for prefix, count in (("train", 40), ("t10k", 8)):
        images = random.integers(0, 256, (count, 7, 6), np.uint8)
        head = struct.pack(">iiii", 2051, count, 7, 6)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        labels = (np.arange(count) % 2).astype(np.uint8)
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(
            struct.pack(">ii", 2049, count) + labels.tobytes()
        )
    out = tmp_path / "run"
    words = ["train", "autoencoder", "--data", f"idx:{tmp_path}", "--max-steps", "2", "--width", "2"]
    assert main([*words, "--out", str(out)]) == 0
    assert Run(out).signature.shape == (1, 7, 6)


def test_an_augmented_image_has_no_target():
    dataset = load_data("digits", DataOptions(task="reconstruction"))
    with pytest.raises(UserError, match=r"augment: got 'flip'; .*the image is the target too"):
        fit(torch.nn.Linear(1, 1), dataset, TrainingSettings(epochs=1, augment="flip"))


def test_the_race_ranks_both_beside_principal_components(tmp_path):
    options = DataOptions(task="reconstruction")
    results = compare("digits", options=options, epochs=1, seeds=1, out=tmp_path / "race").to_json()
    scores = {row["id"]: row["mean"] for row in results["ranking"]["standings"]}
    assert scores.keys() == {"autoencoder", "vae", "mean-image", "pca"}
    assert scores["pca"] < scores["mean-image"]
    dataset: Any = load_data("digits", options)
    assert results["metric"] == {"name": "mse", "higher_is_better": False}
    report = (tmp_path / "race" / "report.html").read_text()
    assert "reconstructed" in report
    images, mean = dataset.test.inputs, dataset.train.inputs.mean(0)
    scale = dataset.processor.target_scale[0]
    expected = ((images - mean) * scale).square().mean().item()
    assert scores["mean-image"] == pytest.approx(expected, rel=1e-4)

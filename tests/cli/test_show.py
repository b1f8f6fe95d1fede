"""anncestry show: what is shown, and of what size."""

import dataclasses
import json

import pytest

from anncestry.cli.show import Arguments, configured, parse_shape, run
from anncestry.errors import UserError
from anncestry.inspection.costs import costs
from anncestry.models.create import configure
from anncestry.signature import Signature
from anncestry.timeline import TIMELINE


def signature_of(**arguments):
    return configured(Arguments(**arguments))[1].signature


def test_tables(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert run(Arguments("mlp", input="1x28x28", width=100, batch_size=2)) == 0
    printed = capsys.readouterr().out
    assert "Multi-layer perceptron (1986)" in printed
    assert "classification of image inputs 1x28x28, 10 outputs" in printed
    rows = [line.split() for line in printed.splitlines()]
    assert ["layers.1", "Linear", "2x100", "78,500", "313,600"] in rows
    assert any(row[:5] == ["parameters", "79,510", "318,040", "bytes", "in"] for row in rows)
    assert "for 2 examples; a multiplication and an addition are two" in printed
    assert any(row[:3] == ["sequential", "steps", "2"] for row in rows)


def test_json(capsys):
    run(Arguments("lstm", input="tokens:7x11", width=4, set=(("embed_dim=3",), ("num_layers=2",)), json=True))
    shown = json.loads(capsys.readouterr().out)
    assert shown["architecture"] == "lstm"
    assert Signature.from_json(shown["signature"]) == Signature("language-model", "tokens", (7,), 11, 11)
    assert (shown["config"]["embed_dim"], shown["config"]["num_layers"]) == (3, 2)
    assert shown["costs"]["sequential_steps"] == 2 * 7 + 1
    assert sum(layer["parameters"] for layer in shown["costs"]["layers"]) == shown["costs"]["parameters"]


@pytest.mark.parametrize("architecture", TIMELINE, ids=lambda architecture: architecture.id)
def test_every_architecture_and_preset_has_something_to_show(architecture):
    assert architecture.fits_signature(signature_of(name=architecture.id))
    for preset in architecture.presets:
        shown = signature_of(name=preset.name)
        assert architecture.fits_signature(shown) or shown.task == "embedding"


def test_what_is_left_open_is_filled_in():
    assert signature_of(name="lstm") == Signature("classification", "series", (50, 8), 10)
    assert signature_of(name="lstm", task="forecasting") == Signature("forecasting", "series", (50, 8), 1)
    expected = Signature("language-model", "tokens", (35,), 10_000, 10_000)
    assert signature_of(name="lstm", task="language-model") == expected
    assert signature_of(name="lstm", input="tokens:5x9", task="classification").output_size == 10
    assert signature_of(name="mlp").inputs == "vector"
    assert signature_of(name="cnn", task="regression") == Signature("regression", "image", (1, 28, 28), 1)


def test_a_preset_keeps_its_size_until_told_otherwise():
    assert signature_of(name="mlp-300").shape == (1, 28, 28)
    architecture, config = configured(Arguments("mlp-300", input="64"))
    assert (architecture.id, config.hidden_sizes, config.input_shape) == ("mlp", (300,), (64,))


def test_a_run_folder(tmp_path, capsys):
    config = configure("gru", {"input_size": 3, "hidden_size": 5, "output_size": 2})
    described = {"architecture": "gru", "model": dataclasses.asdict(config), "data": None}
    described |= {"signature": config.signature.to_json(), "training": {}}
    (tmp_path / "config.json").write_text(json.dumps(described))
    assert configured(Arguments(str(tmp_path)))[1] == config
    assert run(Arguments(str(tmp_path))) == 0
    with pytest.raises(UserError, match="--width: got 7; a run has its size"):
        run(Arguments(str(tmp_path), width=7))
    with pytest.raises(UserError, match=r"--set: .* a run has its size"):
        run(Arguments(str(tmp_path), set=(("num_layers=2",),)))


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError, match=r"is a folder, but no run folder: it has no config.json"):
        run(Arguments(str(tmp_path)))
    for text in ("{", "[]", '{"architecture": "gru"}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(
            UserError, match=r"is not readable JSON|must hold an object|is not the config of a run"
        ):
            run(Arguments(str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64", ("vector", (64,), 0)),
        ("50x8", ("series", (50, 8), 0)),
        ("1x28x28", ("image", (1, 28, 28), 0)),
        ("tokens:35x10000", ("tokens", (35,), 10_000)),
        ("characters:24x50", ("characters", (24, 50), 262)),
    ],
)
def test_shapes(text, expected):
    assert parse_shape(text) == expected


@pytest.mark.parametrize(
    "text", ["", "x", "0", "3x", "3x-1", "1x2x3x4", "tokens:5", "tokens:1x2x3", "words:5x9", "²"]
)
def test_what_is_no_shape(text):
    with pytest.raises(UserError, match=r"--input: .* must be a shape of whole numbers above 0. Choices: 64"):
        parse_shape(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "lsmt"}, "model: got 'lsmt'; is not on the timeline"),
        ({"name": "lstm", "input": "64"}, "does not fit vector inputs with the task classification"),
        ({"name": "lstm", "task": "sorting"}, "--task: got 'sorting'; is not a task"),
        ({"name": "cnn", "task": "forecasting"}, "--task: got 'forecasting'; cnn is not for this task"),
        ({"name": "lstm", "set": (("depth=2",),)}, "--set depth: got '2'; there is no such field"),
        ({"name": "mlp-300", "width": 8}, "--width: got 8; a preset has its own widths"),
        ({"name": "lstm", "batch_size": 0}, "batch_size: got 0; must be at least 1"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        run(Arguments(**arguments))


def test_a_preset_keeps_its_classes_for_images_of_its_size():
    _, config = configured(Arguments(name="densenet-121", input="3x224x224"))
    assert costs(config).parameters == 7_978_856
    _, config = configured(Arguments(name="densenet-bc-100-12", input="1x28x28"))
    assert (config.output_size, config.input_shape) == (10, (1, 28, 28))


def test_concatenations_of_dense_blocks(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    small = ("growth_rate=3", "stem_channels=4", "blocks=2,3", "stem=cifar")
    run(Arguments("densenet", input="3x12x8", set=tuple((field,) for field in small)))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["denseblock1", "2", "4-10", "12x8", f"{4 * 96 * 21:,}", f"{4 * 96 * 10:,}", "2.1"] in rows
    assert ["all", "5", f"{4 * (96 * 21 + 24 * 38):,}", f"{4 * (96 * 10 + 24 * 14):,}", "2.3"] in rows
    run(Arguments("densenet", input="3x12x8", set=tuple((field,) for field in small), json=True))
    blocks = json.loads(capsys.readouterr().out)["costs"]["concatenations"]
    assert [block["one_buffer"] for block in blocks] == [960, 336]
    run(Arguments("cnn"))
    assert "Concatenations" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "shape", "sizes"),
    [
        ({"name": "rnnsearch", "input": "tokens:10x50"}, (10,), (50, 50, 10)),
        ({"name": "seq2seq"}, (35,), (10_000, 10_000, 35)),
        ({"name": "show-and-tell", "input": "3x32x32"}, (3, 32, 32), (0, 10_000, 12)),
    ],
)
def test_what_writes_is_shown_with_an_answer(arguments, shape, sizes):
    found = signature_of(**arguments)
    assert found.shape == shape
    assert (found.vocab_size, found.output_size, found.target_len) == sizes
    assert costs(configured(Arguments(**arguments))[1]).sequential_steps > 1


def test_kinds_of_layers_beside_one_with_heads(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    run(Arguments("transformer", input="tokens:20x50", width=16))
    printed = capsys.readouterr().out
    rows = [line.split()[:7] for line in printed.splitlines()]
    mixing, projections = 4 * 20 * 20 * 16 / 1e6, 8 * 20 * 16 * 16 / 1e6
    figures = [f"{value:.4g}" for value in (mixing, projections, mixing + projections)]
    assert ["self-attention", "n^2", "d", *figures, "4"] in rows
    assert "n = 20, d = 16, k = 3, r = 16" in printed
    assert "takes no less than recurrence, as n >= d" in " ".join(printed.split())
    run(Arguments("transformer", input="tokens:20x50", width=16, json=True))
    kinds = json.loads(capsys.readouterr().out)["layer_kinds"]
    assert [kind["path_length"] for kind in kinds] == [1, 20, 20, 10, 3, 2]
    run(Arguments("lstm"))
    assert "Kinds of layers" not in capsys.readouterr().out

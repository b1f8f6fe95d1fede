"""anncestry show: the tables, the same as JSON, and mistakes."""

import json

import pytest

from anncestry.cli.show import Arguments, run
from anncestry.errors import UserError
from anncestry.signature import Signature


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "lsmt"}, "model: got 'lsmt'; is not on the timeline"),
        ({"name": "lstm", "input": "64"}, "does not fit vector inputs with the task classification"),
        ({"name": "lstm", "task": "sorting"}, "task: got 'sorting'; is not a task"),
        ({"name": "cnn", "task": "forecasting"}, "task: got 'forecasting'; cnn is not for this task"),
        ({"name": "lstm", "set": (("depth=2",),)}, "--set depth: got '2'; there is no such field"),
        ({"name": "mlp-300", "width": 8}, "width: got 8; a preset has its own widths"),
        ({"name": "lstm", "batch_size": 0}, "batch_size: got 0; must be at least 1"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        run(Arguments(**arguments))

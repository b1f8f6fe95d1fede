"""What sets two models apart: names, runs and modules of one's own, as data and as text."""

import dataclasses
import json

import pytest

from anncestry.errors import UserError
from anncestry.inspection.differences.diff import USUAL
from anncestry.models.create import configure
from anncestry.runs.overview import diff

MODULE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden=5):
        super().__init__()
        self.inner, self.out = nn.Linear(4, hidden), nn.Linear(hidden, 3)

    def forward(self, x):
        return self.out(self.inner(x).relu())

class Wider(Net):
    def __init__(self):
        super().__init__(7)

class Needy(nn.Module):
    def __init__(self, size):
        super().__init__()

class Asking(Net):
    def forward(self, x):
        return super().forward(x if x.sum().item() > 0 else -x)

net = Net()
number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "nets_of_a_person.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "nets_of_a_person"


def between(a, b, *layers, **arguments):
    return diff(a, b, layers=layers or USUAL, **arguments).to_json()


def printed(a, b, *layers, **arguments) -> str:
    return str(diff(a, b, layers=layers or USUAL, **arguments))


@pytest.mark.parametrize("name", ["bert", "resnet-18", "perceptron"])
def test_a_model_and_itself_are_one_line(name):
    assert printed(name, name) == f"{name} and {name} are equal."
    found = between(name, name, "structure", "declared", *(["behaviour"] if name != "resnet-18" else []))
    assert found["equal"]
    assert found["structure"]["changes"] == []
    assert found["declared"]["undone"] == found["declared"]["done"] == found["declared"]["config"] == []


def test_bert_and_albert_on_one_screen():
    text = printed("bert", "albert")
    lines = text.splitlines()
    assert len(lines) < 50
    assert "@@ declared: common ancestor bert @@" in lines
    assert any(line.startswith("+ one block for all layers") for line in lines)
    assert "~ blocks.0-1 -> blocks.0  2 x Block -> one Block used 2 times" in lines
    assert "+ embeddings.widen  Linear, 8,320 parameters" in lines
    assert ["parameters", "1,760,394", "897,418", "x", "0.51"] in [line.split() for line in lines]


def test_what_was_done_is_undone_the_other_way_round():
    there, back = (between(*pair, "declared") for pair in (("bert", "gpt"), ("gpt", "bert")))
    assert [step["id"] for step in there["declared"]["undone"]] == ["bert"]
    assert there["declared"]["common"] == back["declared"]["common"] == "transformer"
    (undone,), (done,) = there["declared"]["undone"], back["declared"]["done"]
    assert (undone["removed"], undone["added"]) == (done["added"], done["removed"])


def test_each_layer_alone():
    for layer in ("declared", "structure", "cost"):
        found = between("mlp", "perceptron", layer)
        assert {"declared", "structure", "cost", "behaviour"} & found.keys() == {layer}


def test_both_get_the_same_input_where_both_fit_one():
    for a, b, kind, task in (
        ("lstm", "bert", "tokens", "classification"),
        ("mlp", "cnn", "image", "classification"),
        ("lstm", "gpt", "tokens", "language-model"),
        ("bert-base", "gpt", "tokens", "language-model"),
    ):
        found = between(a, b, "cost")
        assert found["b"]["signature"]["inputs"] == kind
        assert found["b"]["signature"]["task"] == task
        assert found["a"]["signature"]["shape"] == found["b"]["signature"]["shape"]
        assert found["cost"]["same_input"]


def test_inputs_of_their_own():
    text = printed("perceptron", "bert", "cost")
    assert "note: each is given an input of its own: perceptron vector 64, bert tokens 35" in text
    found = between("perceptron", "bert", "cost")
    assert found["cost"]["ratios"]["flops"] is None
    assert found["cost"]["ratios"]["parameters"] > 1


def test_sequences_are_cut_to_the_shorter():
    found = between("gpt2-small", "bert-tiny", "cost")
    assert found["cost"]["same_input"]
    assert any("language-model" in note for note in found["notes"])


def test_modules_of_a_person(module):
    text = printed(f"{module}:Net", f"{module}:Wider", input="4")
    assert "~ inner  weight 5x4 -> 7x4; bias 5 -> 7" in text
    assert ["parameters", "43", "59", "x", "1.37"] in [line.split() for line in text.splitlines()]
    assert "are not on the timeline" in text
    assert between(f"{module}:net", f"{module}:Net", "structure", input="4")["equal"]
    found = between(f"{module}:Net", "mlp", "cost")
    assert found["a"]["signature"] == found["b"]["signature"]  # what the other one reads


def test_a_module_that_cannot_be_traced_has_structure_and_parameters(module):
    text = printed(f"{module}:Asking", f"{module}:Wider", input="4")
    assert "~ inner  weight 5x4 -> 7x4; bias 5 -> 7" in text
    assert f"missing: {module}:Asking cannot be run without weights" in text
    assert ["parameters", "43", "59", "x", "1.37"] in [line.split() for line in text.splitlines()]
    text = printed(f"{module}:Net", f"{module}:Wider")
    assert "has no config that says what it reads; --input and --task say it" in text


@pytest.mark.parametrize(("attribute", "rule"), [("Needy", "cannot be made without"), ("number", "is a int")])
def test_what_makes_no_module(module, attribute, rule):
    with pytest.raises(UserError, match=rule):
        between(f"{module}:{attribute}", "mlp")


def make_run(folder, width, rate, accuracy):
    config = configure("mlp", {"input_shape": (4,), "output_size": 3, "hidden_sizes": (width,)})
    described = {
        "architecture": "mlp",
        "model": dataclasses.asdict(config),
        "signature": config.signature.to_json(),
        "data": {"name": "digits", "options": {}, "fingerprint": "x", "seed": 0},
        "training": {"learning_rate": rate, "seed": 0},
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "scores.json").write_text(json.dumps({"test": {"accuracy": accuracy}}))
    return str(folder)


def test_two_runs_of_one_architecture(tmp_path):
    a, b = make_run(tmp_path / "a", 5, 0.1, 0.5), make_run(tmp_path / "b", 7, 0.2, 0.75)
    declared = between(a, b)["declared"]
    assert declared["config"] == [{"name": "hidden_sizes", "a": [5], "b": [7]}]
    assert declared["training"] == [{"name": "learning_rate", "a": 0.1, "b": 0.2}]
    assert declared["scores"] == [{"name": "test.accuracy", "a": 0.5, "b": 0.75}]
    assert declared["data"] == []
    text = printed(a, b)
    assert "@@ declared: both are mlp @@" in text
    assert "~ test.accuracy  0.5 -> 0.75" in text


def test_a_folder_of_hugging_face_is_to_be_imported_first(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="Import it first: anncestry import"):
        between(str(tmp_path), "bert")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="is not readable JSON"):
        between(str(tmp_path), "bert")


def test_behaviour_in_text():
    text = printed("lstm", "gru", "behaviour", input="4x2")
    assert "@@ behaviour: they part at" in text
    rows = [line for line in text.splitlines() if line.startswith(tuple("░▒▓█"))]
    assert len(rows) == 4
    assert rows[0].count("·") == 12

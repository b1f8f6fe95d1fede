"""anncestry diff: as text and as JSON; mistakes are named."""

import json

import pytest

from anncestry.cli.main import main


def test_text(capsys):
    assert main(["diff", "bert", "bert"]) == 0
    assert capsys.readouterr().out == "bert and bert are equal.\n"
    assert main(["diff", "bert", "albert", "--all"]) == 0
    assert "@@ declared: common ancestor bert @@" in capsys.readouterr().out.splitlines()


def test_json(capsys):
    assert main(["diff", "lstm", "gru", "--json", "--cost", "--structure"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not found["equal"]
    assert found["cost"]["a"]["sequential_steps"] == 51
    assert {change["kind"] for change in found["structure"]["changes"]} >= {"changed"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("perceptron", "bert", "--input", "64"),
            "--input: got '64'; reads as vector, which does not fit bert",
        ),
        (("mlp", "lstm", "--task", "tagging"), "--task: got 'tagging'; does not fit mlp"),
        (("bert", "albrt"), "model: got 'albrt'; is not on the timeline. Choices: albert"),
        (("bert", "no/where"), "model: got 'no/where'; is no folder"),
        (("bert", "nowhere:Net"), "model: got 'nowhere:Net'; cannot be imported"),
        (("bert", "json:"), "must be written module:attribute"),
        (("mlp", "json:dump"), "cannot be made without arguments"),
        (("mlp", "json:lods"), "json has no lods. Choices: loads"),
    ],
)
def test_mistakes_are_named(capsys, arguments, message):
    assert main(["diff", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error

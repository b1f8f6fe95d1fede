"""anncestry log."""

import json
import xml.etree.ElementTree as ET

import pytest

from anncestry.cli.log import Arguments, run
from anncestry.cli.main import main


def test_a_commit(capsys):
    assert main(["log", "distilbert"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("commit 1910.01108 (HEAD -> distilbert, tag: distilbert-base)")
    assert "Merge:  bert roberta\n        roberta gave: dynamic masking" in printed
    assert "Author: Sanh et al.\nDate:   2019\nPaper:  Sanh et al., DistilBERT, a distilled" in printed
    assert "\n\n    DistilBERT\n\n    + knowledge distillation from a teacher's logits" in printed
    assert "\n    - half of the layers, segments, the pooler" in printed
    assert "\n\ncommit 1907.11692 (roberta, tag: " in printed
    assert "\x1b" not in printed  # no terminal, no colours


def test_colours(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    run(Arguments(name="adaline"))
    printed = capsys.readouterr().out
    assert "\x1b[33mcommit adaline" in printed
    assert "\x1b[32m    + the squared error" in printed
    assert "\x1b[31m    - the threshold" in printed
    monkeypatch.setenv("NO_COLOR", "1")
    run(Arguments(name="adaline"))
    assert "\x1b[3" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["list", "log"])
def test_filters(command, capsys):
    words = [command, *(["--all"] if command == "log" else []), "--json"]

    def asked(*more):
        assert main([*words, *more]) == 0
        return json.loads(capsys.readouterr().out)

    assert {row["year"] for row in asked("--since", "1989", "--until", "1997")} == {1989, 1990, 1997}
    assert {row["id"] for row in asked("--kind", "generative")} == {"autoencoder", "vae"}
    assert {row["kind"] for row in asked("--kind", "generative")} == {"generative"}
    captions = asked("--task", "captioning", "--since", "2015")
    assert captions
    assert all("captioning" in row["tasks"] and row["year"] >= 2015 for row in captions)
    assert asked("--until", "1900") == []


def test_a_picture(capsys, tmp_path):
    path = tmp_path / "tree.svg"
    run(Arguments(name="lstm", svg=path))
    assert "Family tree of 7 architectures: " in capsys.readouterr().out
    ids = {group.get("id") for group in ET.parse(path).iter("{http://www.w3.org/2000/svg}g")}
    assert {"lstm", "perceptron"} <= ids
    assert "gru" not in ids


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name: got None; say whose history, as in `anncestry log bert`, or ask for --all."),
        (["--forks", "--all"], "name: got None; say whose history"),
        (["bert", "--forks", "--all"], "--forks: got True; is a part of --all"),
        (["brt"], "model: got 'brt'; is not on the timeline. Choices: bert"),
        (["bert", "--kind", "convolutionl"], "--kind: got 'convolutionl'; is not a kind. Choices: convol"),
        (["bert", "--task", "flying"], "--task: got 'flying'; is not a task. Choices: classification"),
        (
            ["bert", "--since", "2018", "--until", "2017"],
            "--since: got 2018; must not come after --until 2017",
        ),
        (["bert", "--graph", "--reverse"], "--reverse: got True; a graph grows upwards only."),
        (["bert", "--until", "1900", "--svg", "tree.svg"], "--svg: got 'tree.svg'; nothing is left to draw."),
        (["bert", "--svg", "nowhere/tree.svg"], "--svg: got 'nowhere/tree.svg'; there is no folder nowhere"),
    ],
)
def test_mistakes(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["log", *words]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

"""What train and evaluate say of classes, of the weights that were kept, and of the time."""

import json

import pytest

from anncestry.cli.main import main


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rare")
    rows = [f"{n % 7},{n % 3},{'yes' if n % 20 == 0 else 'no'}" for n in range(200)]
    (folder / "t.csv").write_text("\n".join(["a,b,answer", *rows]))
    return folder


def test_a_run_tells_what_it_learns_what_it_kept_and_what_it_answers(rare, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    run = rare / "run"
    words = ["train", "mlp", "--data", f"csv:{rare / 't.csv'}", "--epochs", "5", "--evaluations", "5"]
    words += ["--learning-rate", "0.05", "--width", "4", "--out", str(run)]
    assert main(words) == 0
    shown = capsys.readouterr().out
    task = "Task: classification, column 'answer' (the last; --target names another): 2 classes (no, yes)"
    assert shown.index(task) < shown.index("Inputs: 2 columns (a, b)") < shown.index("steps,")
    assert "s in all: " in shown
    kept = json.loads((run / "scores.json").read_text())["kept"]
    assert kept["by"] == "loss"  # one class has 19 of 20
    place = f"of epoch {kept['epoch']:g} (step {kept['step']})"
    line = f"{place}, the best of 5 by validation loss ({kept['value']:.4g})"
    assert f"Kept: the weights {line}." in shown
    assert f"- weights: {line}" in (run / "README.md").read_text()
    assert "Every example of the test split is predicted to be 'no'" in shown
    assert main(["evaluate", str(run)]) == 0
    assert "precision" in capsys.readouterr().out
    assert main(["evaluate", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["by class"]["classes"] == ["no", "yes"]
    assert sum(found["by class"]["answered"]) == found["examples"] == sum(found["by class"]["true"])
    assert {"roc_auc", "macro_f1", "balanced_accuracy"} <= found.keys()


def test_another_figure_selects_by_name(rare, capsys):
    run = rare / "by-auc"
    words = ["train", "mlp", "--data", f"csv:{rare / 't.csv'}", "--epochs", "2", "--out", str(run)]
    assert main([*words, "--select", "roc_auc"]) == 0
    assert json.loads((run / "scores.json").read_text())["kept"]["by"] == "roc_auc"
    assert "--select roc_auc" in (run / "README.md").read_text()
    words[-1] = str(rare / "none")
    assert main([*words, "--select", "bleu"]) == 2
    assert not (rare / "none").exists()
    error = capsys.readouterr().err
    assert "--select: got 'bleu'; is not reported for this task. Choices: accuracy, loss," in error

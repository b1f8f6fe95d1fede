"""Run folders as earlier versions wrote them: each is read, asked, scored and resumed as it was then.

See `tests/fixtures/README.md`. They are asked as a person asks, by commands, so that nothing but what is
promised is held fast.
"""

import gzip
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import anncestry
from anncestry.cli.main import main

FIXTURES = Path(__file__).parents[1] / "fixtures"
FOLDERS = sorted(path.name for path in FIXTURES.glob("runs-*"))
RUNS: dict[tuple[str, str], dict[str, Any]] = {
    (folder, name): kept
    for folder in FOLDERS
    for name, kept in json.loads((FIXTURES / folder / "expected.json").read_text(encoding="utf-8")).items()
}


def those_with(part: str) -> Any:
    """The runs of which a part of ``expected.json`` was kept."""
    found = [run for run, kept in RUNS.items() if part in kept]
    return pytest.mark.parametrize(("folder", "name"), found, ids=lambda value: value)


@pytest.fixture(scope="module")
def copies(tmp_path_factory) -> Path:
    """All fixtures in a place of their own; those in the checkout are never written."""
    return shutil.copytree(FIXTURES, tmp_path_factory.mktemp("fixtures") / "all")


@pytest.fixture(autouse=True)
def _in_the_folder(copies, monkeypatch, request):
    """Within the folder of the run, as which its data are named."""
    if "folder" in request.fixturenames:
        monkeypatch.chdir(copies / request.getfixturevalue("folder"))


def close(found: Any, wanted: Any) -> bool:
    """Whether two values are the same but for rounding in their numbers."""
    if isinstance(wanted, float):
        return isinstance(found, int | float) and math.isclose(found, wanted, rel_tol=1e-4, abs_tol=1e-5)
    if isinstance(wanted, dict):
        return isinstance(found, dict) and found.keys() >= wanted.keys() and all(
            close(found[name], value) for name, value in wanted.items()
        )  # fmt: skip
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(close, found, wanted))
    return found == wanted


def history(run: Path) -> list[dict[str, Any]]:
    """The rows of a run's history, but for how long it took."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{**json.loads(line), "seconds": None} for line in lines]


@those_with("predict")
def test_it_answers_as_it_did(folder, name, capsys):
    kept = RUNS[folder, name]
    assert main(["predict", name, *kept["ask"], "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert close(found, kept["predict"]), (found, kept["predict"])


@those_with("evaluate")
def test_it_scores_as_it_did(folder, name):
    run, kept = anncestry.load(name), RUNS[folder, name]
    assert run.scores() == kept["scores"]
    found = run.evaluate()
    assert close(found, kept["evaluate"]), (found, kept["evaluate"])


@those_with("outputs")
def test_it_computes_as_it_did(folder, name):
    kept = RUNS[folder, name]
    outputs = anncestry.load(name).model(torch.tensor(kept["inputs"]))[0]
    torch.testing.assert_close(outputs, torch.tensor(kept["outputs"]))


@those_with("resumed")
def test_it_is_resumed_to_the_same_end(folder, name, tmp_path):
    kept = RUNS[folder, name]
    run = shutil.copytree(name, tmp_path / name)
    assert main(["train", "--resume", str(run), *kept["resumed"]["with"]]) == 0
    found = {"scores": anncestry.load(run).scores(), "history": history(run)}
    wanted = {part: kept["resumed"][part] for part in found}
    assert close(found, wanted), (found, wanted)


@those_with("ranking")
def test_a_race_goes_on(folder, name):
    assert main(["compare", "--resume", name]) == 0
    results = json.loads(Path(name, "results.json").read_text(encoding="utf-8"))
    assert results["status"] == "complete"
    found = {row["id"]: row["values"] for row in results["ranking"]["standings"]}
    assert found == RUNS[folder, name]["ranking"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_config_of_every_task_makes_the_tensors_that_were_saved(folder):
    wrong = []
    for kept in json.loads(gzip.decompress(Path("models.json.gz").read_bytes())):
        with torch.device("meta"):
            tensors = anncestry.create(kept["id"], **kept["config"]).state_dict()
        if {name: list(tensor.shape) for name, tensor in tensors.items()} != kept["tensors"]:
            lost, new = kept["tensors"].keys() - tensors.keys(), tensors.keys() - kept["tensors"].keys()
            wrong.append((kept["id"], kept["config"].get("task"), sorted(lost), sorted(new)))
    assert not wrong


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_in_it_names_a_machine(folder):
    for path in (*Path().glob("*/config.json"), *Path().glob("*/README.md")):
        assert not re.search(r'["\s:]/\w', path.read_text(encoding="utf-8")), path


def test_every_task_and_every_reader_has_a_fixture(copies):
    with pytest.raises(anncestry.UserError) as of_task:
        anncestry.Signature("unheard of", "vector", (1,), 1)  # type: ignore[arg-type]
    configs = [json.loads(path.read_text(encoding="utf-8")) for path in copies.glob("runs-*/*/config.json")]
    assert {config["signature"]["task"] for config in configs} == set(of_task.value.choices or ())
    copy = shutil.copytree(next(copies.glob("runs-*/table-classes")), copies / "other")
    (copy / "processor.json").write_text('{"kind": "unheard of"}')
    with pytest.raises(anncestry.UserError, match="unheard of") as of_reader:
        _ = anncestry.load(copy).processor
    readers = [
        json.loads(path.read_text(encoding="utf-8")) for path in copies.glob("runs-*/*/processor.json")
    ]
    assert {reader["kind"] for reader in readers} == set(of_reader.value.choices or ())

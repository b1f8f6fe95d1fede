"""Opening data by name: every source opens, opens again the same, and says what is wrong with a name."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from anncestry.data import DataOptions, Examples, load_data
from anncestry.data.sources.catalogue import SOURCES
from anncestry.errors import UserError

BUILT_IN = ["digits", "toy2d:xor", "toy2d:circles", "toy2d:moons", "toy2d:spirals", "pydoc", "mackey-glass"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_data_fit_their_signature(name: str) -> None:
    dataset = load_data(name)
    signature = dataset.signature
    assert dataset.name == name
    assert dataset.source is None
    assert dataset.notes
    expected_inputs, expected_targets = signature.example(5)
    batch = next(dataset.train.batches(5))
    assert batch.inputs.shape == expected_inputs.shape
    assert batch.inputs.dtype == expected_inputs.dtype
    assert batch.targets.shape == expected_targets.shape
    assert batch.targets.dtype == expected_targets.dtype
    assert len(dataset.train) > len(dataset.test) > 0
    assert len(dataset.validation) > 0
    if signature.is_categorical:
        assert all(int(batch.targets.max()) < signature.output_size for batch in dataset.test.batches(64))
        assert dataset.processor.target_scale is None
    if signature.task == "classification":
        assert len(dataset.classes) == signature.output_size


@pytest.mark.parametrize("name", BUILT_IN)
def test_name_options_and_seed_open_the_same_data_again(name: str) -> None:
    dataset = load_data(name, seed=3)
    again = load_data(dataset.name, DataOptions(**dataset.options), seed=3)
    assert again.fingerprint() == dataset.fingerprint()
    in_order = dataset.signature.task in ("language-model", "forecasting")
    assert (load_data(name, seed=4).fingerprint() == dataset.fingerprint()) == in_order


@pytest.mark.parametrize("name", ["digits", "toy2d:spirals", "mackey-glass"])
def test_inputs_are_standardised_with_the_training_split(name: str) -> None:
    train = load_data(name).train
    assert isinstance(train, Examples)
    axes = (0, 2, 3) if train.inputs.dim() == 4 else tuple(range(train.inputs.dim() - 1))
    deviation, mean = torch.std_mean(train.inputs, dim=axes, correction=0)
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=0.02, rtol=0)
    torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digit", "data: got 'digit'; is no data source. Choices: digits, adding."),
        ("tables:x", "is no data source. Choices: "),
        ("data.csv", "A file of your own has its kind in front, as in csv:data.csv."),
        ("~/pictures", "A file of your own has its kind in front"),
        ("", "data: got ''; is no data source. Choices: digits, toy2d:xor|circles|moons|spirals, pydoc"),
        ("csv", "data: got 'csv'; needs something behind a colon: csv:PATH."),
        ("images:", "data: got 'images:'; needs something behind a colon: images:DIR."),
        ("digits:8", "data: got 'digits:8'; takes nothing behind a colon: digits."),
        ("toy2d:moon", "toy2d: got 'moon'; is no known shape. Choices: moons"),
        ("csv:no/where.csv", "no/where.csv'; there is no such file."),
        ("text:no/where.txt", "no/where.txt'; there is no such file."),
        ("images:no/where", "no/where'; there is no such folder."),
        ("idx:no/where", "no/where'; there is no such folder."),
    ],
)
def test_a_wrong_name_says_what_is_there(name: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        load_data(name)
    assert message in str(error.value)


def test_case_and_underscores_do_not_matter() -> None:
    assert load_data("Mackey_Glass").name == "mackey-glass"
    assert load_data("TOY2D:Xor").name == "toy2d:xor"


def test_names_keep_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_text:1.txt").write_text("ab" * 100)
    monkeypatch.chdir(tmp_path)
    dataset = load_data("text:sub/../a_text:1.txt")
    assert dataset.source == tmp_path / "a_text:1.txt"
    assert dataset.name == f"text:{tmp_path}/a_text:1.txt"
    assert load_data(dataset.name).fingerprint() == dataset.fingerprint()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "digits",
            DataOptions(window=3),
            "window: got 3; is no option of the data source digits; it has. Choices: task",
        ),
        ("pydoc", DataOptions(target="x"), "target: got 'x'; is no option of the data source pydoc"),
        ("mackey-glass", DataOptions(skip_bad=True), "Choices: window, horizon"),
        ("toy2d:xor", DataOptions(header=False), "header: got False; is no option of the data source toy2d"),
    ],
)
def test_an_option_of_another_source_is_refused(name: str, options: DataOptions, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_data(name, options)


def test_the_catalogue_is_consistent() -> None:
    known = {field.name for field in dataclasses.fields(DataOptions)}
    assert {option for source in SOURCES for option in source.options} == known
    assert len({source.name for source in SOURCES}) == len(SOURCES)


def test_options_and_catalogue_import_no_torch() -> None:
    code = (
        "import sys, anncestry.data.options, anncestry.data.sources.catalogue, anncestry.data.sources;"
        "print([name for name in ('torch', 'numpy', 'PIL', 'sklearn') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"

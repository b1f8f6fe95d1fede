"""Real files, where they lie beside the checkout."""

import time
from pathlib import Path

import pytest

from anncestry.data import DataOptions, Examples, Stream, load_data
from anncestry.errors import UserError

TABLES = {
    "banknote_authentication.csv": (4, ("0", "1"), 1372),
    "ionosphere.csv": (34, ("b", "g"), 351),
    "iris.csv": (4, ("Iris-setosa", "Iris-versicolor", "Iris-virginica"), 150),
    "pima-indians-diabetes.csv": (8, ("0", "1"), 768),
    "sonar.csv": (60, ("M", "R"), 208),
    "wheat-seeds.csv": (7, ("1", "2", "3"), 210),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(shared: Path, name: str) -> None:
    dataset = load_data(f"csv:{shared / 'tabular' / name}")
    width, classes, count = TABLES[name]
    assert dataset.signature.task == "classification"
    assert dataset.signature.shape == (width,)
    assert dataset.classes == classes
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == count
    assert isinstance(dataset.train, Examples)
    assert dataset.train.inputs.isfinite().all()
    assert dataset.train.inputs.abs().max() < 30


def test_breast_cancer_has_missing_cells(shared: Path, tmp_path: Path) -> None:
    path = shared / "tabular" / "breast-cancer-wisconsin.data"
    with pytest.raises(UserError) as error:
        load_data(f"csv:{path}")
    assert "row 24, column 7: got '?'; every cell needs a value; 16 have none (column 7)." in str(error.value)
    whole = [line for line in path.read_text().splitlines() if "?" not in line]
    (tmp_path / "whole.csv").write_text("\n".join(whole))
    dataset = load_data(f"csv:{tmp_path / 'whole.csv'}")
    assert dataset.classes == ("2", "4")
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 683


def test_a_column_of_a_real_table_can_be_regressed(shared: Path) -> None:
    dataset = load_data(f"csv:{shared / 'tabular' / 'iris.csv'}", DataOptions(target="1"))
    assert dataset.signature.task == "regression"
    assert dataset.signature.shape == (3 + 3,)  # the species is a text with three values
    assert dataset.processor.target_scale == pytest.approx((0.83,), abs=0.05)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_idx(shared: Path, name: str) -> None:
    start = time.process_time()
    dataset = load_data(f"idx:{shared / name}")
    assert time.process_time() - start < 6  # 0.7 s on an idle core
    assert dataset.signature.shape == (1, 28, 28)
    assert dataset.classes == tuple("0123456789")
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [
        54_000,
        6000,
        10_000,
    ]
    if name == "mnist":
        assert dataset.processor.to_json()["mean"] == pytest.approx((0.1307,), abs=5e-4)
        assert dataset.processor.to_json()["scale"] == pytest.approx((0.3081,), abs=5e-4)
        assert isinstance(dataset.test, Examples)
        assert dataset.test.targets[:5].tolist() == [7, 2, 1, 0, 4]


def test_tinyshakespeare(shared: Path) -> None:
    dataset = load_data(f"text:{shared / 'tinyshakespeare' / 'input.txt'}")
    assert dataset.signature.vocab_size == 65
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [
        1_003_855,
        55_769,
        55_770,
    ]  # type: ignore
    assert isinstance(dataset.train, Stream)
    assert dataset.processor.decode_tokens(dataset.train.tokens[:14]) == "First Citizen:"  # pyright: ignore

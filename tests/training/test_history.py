"""The rows of a run on disk."""

import csv
import json

import pytest

from anncestry.errors import UserError
from anncestry.training.history import History


def test_rows_are_written_as_json_lines_and_csv(tmp_path):
    history = History()
    history.add({"step": 1, "epoch": 0.5, "seconds": 0.1, "split": "train", "loss": 2.0})
    history.add(
        {"step": 2, "epoch": 1.0, "seconds": 0.2, "split": "validation", "loss": 1.0, "accuracy": 0.5}
    )
    history.write(tmp_path)
    assert [
        json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()
    ] == history.rows
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["accuracy"] == ""
    assert rows[1]["accuracy"] == "0.5"
    assert history.last("train")["loss"] == 2.0
    assert history.last("test") == {}


def test_tensorboard_gets_every_figure(tmp_path):
    history = History(tmp_path)
    history.add({"step": 1, "epoch": 0.5, "seconds": 0.1, "split": "train", "loss": 2.0})
    history.close()
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_a_run_folder_that_was_deleted_is_not_made_again(tmp_path):
    """A folder with a snapshot and no config could not be used for anything."""
    import shutil

    from anncestry.training.settings import TrainingSettings
    from anncestry.training.train import train

    folder = tmp_path / "run"

    def delete(progress):
        shutil.rmtree(folder, ignore_errors=True)

    with pytest.raises(UserError, match="its folder does not exist"):
        train("mlp", "digits", out=folder, settings=TrainingSettings(max_steps=4), watch=delete)
    assert not folder.exists()

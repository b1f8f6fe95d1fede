"""What a name, a run folder, a config or a module of one's own stands for."""

import dataclasses
import json

import pytest

from anncestry.errors import UserError
from anncestry.models.create import configure, create
from anncestry.runs.overview import diff, summary
from anncestry.runs.run import Run
from anncestry.runs.subjects import config_class, configured, find_sides, is_free, is_preset
from anncestry.timeline import find

SIZES = {"input_size": 3, "hidden_size": 5, "output_size": 2}


@pytest.fixture
def run(tmp_path):
    config = configure("gru", SIZES)
    described = {"architecture": "gru", "model": dataclasses.asdict(config), "data": None}
    described |= {"signature": config.signature.to_json(), "training": {}}
    (tmp_path / "config.json").write_text(json.dumps(described))
    return tmp_path


def test_a_run_folder_has_its_size(run):
    config = configure("gru", SIZES)
    for subject in (str(run), run, Run(run)):
        assert configured(subject) == (find("gru"), config)
        assert config_class(subject) is type(config)
        assert summary(subject).config == config
        with pytest.raises(UserError, match="width: got 7; a run has its size"):
            summary(subject, width=7)
        with pytest.raises(UserError, match="num_layers: got 2; a run has its size"):
            summary(subject, num_layers=2)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError, match=r"is a folder, but no run folder: it has no config.json"):
        configured(str(tmp_path))
    for text in ("{", "[]", '{"architecture": "gru"}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(
            UserError, match=r"is not readable JSON|must hold an object|is not the config of a run"
        ):
            configured(str(tmp_path))


def test_names_configs_and_models_are_the_same_subject(run):
    config = configure("gru", SIZES)
    assert is_free("gru")
    assert is_preset("bert-base")
    assert not is_free(str(run))
    one, other, notes = find_sides(config, create("gru", **SIZES))
    assert (one.architecture, other.architecture) == (find("gru"), find("gru"))
    assert (one.trained, other.trained, notes) == (False, True, [])
    assert diff(config, create("gru", **SIZES), layers=["structure", "declared"]).equal
    assert summary(config).costs == summary(create("gru", **SIZES)).costs
    assert summary("gru", input="50x3", hidden_size=5).costs.parameters > 0
    with pytest.raises(UserError, match="width: got 3; a model has its size"):
        summary(config, width=3)

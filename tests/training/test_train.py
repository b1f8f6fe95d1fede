"""The front door in Python."""

import pytest

import anncestry
from anncestry.errors import UserError


def test_settings_may_be_named_one_by_one(tmp_path):
    run, fit = anncestry.train("lstm", "digits", out=tmp_path / "run", max_steps=2, batch_size=8)
    assert fit.step == 2
    assert run.config["training"]["batch_size"] == 8
    assert repr(run) == f"Run({str(tmp_path / 'run')!r}: lstm, trained on digits)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"level": "word"}, "level: got 'word'; says how data are read: give it in `data_options`"),
        ({"epoch": 2}, "epoch: got 2; is not a training setting. Choices: epochs"),
        ({"momentum": 0.5}, "momentum: got 0.5; has no effect without `optimizer=sgd`"),
        ({"settings": anncestry.TrainingSettings(), "epochs": 2}, "settings: got .*; gives all settings"),
    ],
)
def test_a_setting_that_is_none_is_named(changes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        anncestry.train("mlp", "digits", out=tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()

"""What the ledgers say of training: the settings that an architecture or a preset comes with."""

import pytest

from anncestry.timeline import find_preset, usual_settings
from anncestry.training.settings import TrainingSettings

ZAREMBA = {
    "zaremba-small": (20, 5, 4),
    "zaremba-medium": (35, 5, 6),
    "zaremba-large": (35, 10, 14),
}
"""Steps of a window, the limit of the gradient, and the epochs before the first decay: the paper's."""


def settings_of(name: str) -> TrainingSettings:
    return TrainingSettings(**usual_settings(name))


@pytest.mark.parametrize("name", ["mlp", "lenet-5", "autoencoder", "vae", "dilated-rnn"])
def test_adam_by_default(name):
    assert settings_of(name).optimizer == "adam"
    assert TrainingSettings(**{**usual_settings(name), "optimizer": "sgd"}).momentum == 0.9


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("mlp-800", {"augment": ""}),
        ("mlp-ciresan", {"augment": ""}),
        ("alexnet-2012", {"learning_rate": 0.01, "schedule": "constant"}),
        ("all-cnn-c", {"learning_rate": 0.05, "schedule": "constant"}),
        ("resnet-20", {"schedule": "steps", "learning_rate": 0.1, "epochs": 164}),
        ("resnet-110", {"warmup": 0.0, "warmup_steps": 0, "learning_rate": 0.1, "decay_on": "all"}),
        ("dilated-gru-9x20", {"optimizer": "rmsprop", "learning_rate": 1e-3, "clip_norm": 0.0}),
        ("tcn", {"clip_norm": 1.0}),
    ],
)
def test_what_presets_are_trained_with(name, fields):
    settings = settings_of(name)
    assert {field: getattr(settings, field) for field in fields} == fields


def test_sums_over_a_window_became_means():
    """A mean over T steps has the T-th part of the sum's gradient."""
    for name, (window, limit, _) in ZAREMBA.items():
        settings = settings_of(name)
        assert settings.learning_rate == pytest.approx(1.0 * window)
        assert settings.clip_norm == pytest.approx(limit / window)
    rhn, char_rnn = settings_of("rhn-ptb"), settings_of("char-rnn")
    assert (rhn.learning_rate, rhn.clip_norm) == (pytest.approx(0.2 * 35), pytest.approx(10 / 35))
    # RMSprop divides by the gradient's own size, so the rate stays.
    assert (char_rnn.learning_rate, char_rnn.clip_value) == (2e-3, pytest.approx(5 / 50))
    for name in (*ZAREMBA, "rhn-ptb", "char-rnn"):
        preset = find_preset(name)
        assert preset is not None
        assert preset.config["seq_len"] == preset.data["window"]


def test_zarembas_rate_falls_one_epoch_later():
    for name, (_, _, steady) in ZAREMBA.items():
        assert settings_of(name).decay_after == steady + 1


def test_forget_gates_of_the_presets():
    found = {}
    for name in (*ZAREMBA, "char-rnn"):
        preset = find_preset(name)
        assert preset is not None
        found[name] = preset.config.get("forget_bias", 1.0)
    assert found == {**dict.fromkeys(ZAREMBA, 0.0), "char-rnn": 1.0}

"""Models by name: what is built, and what a person is told who leaves something out."""

import json
import re

import pytest

import anncestry
from anncestry.errors import UserError
from anncestry.inspection.conformance import tiny_signature
from anncestry.models.cnn import CNNConfig
from anncestry.models.create import architecture_of, build, configure, required_fields
from anncestry.models.lstm import LSTM, LSTMConfig
from anncestry.models.stacked_lstm import StackedLSTM
from anncestry.signature import Signature
from anncestry.timeline import TIMELINE

DIGITS = Signature("classification", "image", (1, 8, 8), 10)


def test_explicit_sizes():
    model = anncestry.create("lstm", input_size=10, hidden_size=20, output_size=5)
    assert type(model) is LSTM
    assert model.config == LSTMConfig(input_size=10, hidden_size=20, output_size=5)


def test_names_are_forgiving():
    assert type(anncestry.create("Stacked_LSTM", input_size=1, hidden_size=1, output_size=1)) is StackedLSTM
    assert type(anncestry.create("deep-lstm", input_size=1, hidden_size=1, output_size=1)) is StackedLSTM


def test_a_signature_gives_the_sizes():
    model = anncestry.create("lstm", signature=DIGITS, width=32, dropout=0.5)
    assert model.config.signature == DIGITS
    assert (model.config.hidden_size, model.config.dropout) == (32, 0.5)


def test_a_preset_as_published_changed_and_for_other_data():
    assert configure("mlp-300-100", {}).hidden_sizes == (300, 100)
    assert configure("mlp-300-100", {"dropout": 0.2}).dropout == 0.2
    fitted = configure("mlp-300-100", {}, signature=DIGITS)
    assert (fitted.hidden_sizes, fitted.signature) == ((300, 100), DIGITS)


def test_values_from_json():
    config = configure("mlp", json.loads('{"input_shape": [2, 3], "hidden_sizes": [4], "output_size": 1}'))
    assert (config.input_shape, config.hidden_sizes) == ((2, 3), (4,))


def test_missing_sizes_are_listed():
    with pytest.raises(UserError) as caught:
        anncestry.create("lstm", hidden_size=20)
    assert str(caught.value) == (
        "lstm: got 'hidden_size=20'; also needs input_size, output_size."
        " Or give signature= to take the sizes from a learning problem."
    )
    with pytest.raises(UserError, match="got 'no sizes'; also needs input_shape, output_size"):
        anncestry.create("cnn")


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("lstm", {"hiden_size": 3}, "hiden_size: got 3; lstm has no such field. Choices: hidden_size"),
        ("lsmt", {}, "model: got 'lsmt'; is not on the timeline. Choices: lstm"),
        ("lstm", {"width": 8}, "width: got 8; scales an architecture for a signature"),
        (
            "mlp-300",
            {"width": 8, "signature": DIGITS},
            "width: got 8; scales an architecture for a signature",
        ),
        (
            "cnn",
            {"signature": Signature("classification", "vector", (3,), 2)},
            "model: got 'cnn'; does not fit vector",
        ),
        (
            "lstm",
            {"input_size": 0, "hidden_size": 1, "output_size": 1},
            "input_size: got 0; must be at least 1",
        ),
    ],
)
def test_mistakes(name, values, message):
    with pytest.raises(UserError, match=re.escape(message)):
        anncestry.create(name, **values)


@pytest.mark.parametrize("architecture", TIMELINE, ids=lambda architecture: architecture.id)
def test_every_config_knows_its_architecture(architecture):
    config = architecture.configure(tiny_signature(*min(architecture.fits)))
    assert type(build(config)) is architecture.model_class()
    assert type(config) is architecture_of(config).config_class()


def test_a_config_of_nobody():
    with pytest.raises(
        UserError, match="config: got 'int'; is the config of no architecture on the timeline"
    ):
        build(3)


def test_required_fields():
    assert required_fields(CNNConfig) == ["input_shape", "output_size"]

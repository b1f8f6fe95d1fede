"""The example that an architecture is shown with: its input as text, and what is left open."""

import pytest

from anncestry.errors import UserError
from anncestry.inspection.costs import costs
from anncestry.inspection.example_inputs import example_config, input_text, parse_input
from anncestry.signature import Signature
from anncestry.timeline import TIMELINE


def signature_of(**arguments):
    return example_config(**arguments)[1].signature


@pytest.mark.parametrize("architecture", TIMELINE, ids=lambda architecture: architecture.id)
def test_every_architecture_and_preset_has_something_to_show(architecture):
    assert architecture.fits_signature(signature_of(name=architecture.id))
    for preset in architecture.presets:
        shown = signature_of(name=preset.name)
        assert architecture.fits_signature(shown) or shown.task == "embedding"


def test_what_is_left_open_is_filled_in():
    assert signature_of(name="lstm") == Signature("classification", "series", (50, 8), 10)
    assert signature_of(name="lstm", task="forecasting") == Signature("forecasting", "series", (50, 8), 1)
    expected = Signature("language-model", "tokens", (35,), 10_000, 10_000)
    assert signature_of(name="lstm", task="language-model") == expected
    assert signature_of(name="lstm", input="tokens:5x9", task="classification").output_size == 10
    assert signature_of(name="mlp").inputs == "vector"
    assert signature_of(name="cnn", task="regression") == Signature("regression", "image", (1, 28, 28), 1)


def test_a_preset_keeps_its_size_until_another_input_is_given():
    assert signature_of(name="mlp-300").shape == (1, 28, 28)
    architecture, config = example_config("mlp-300", input="64")
    assert (architecture.id, config.hidden_sizes, config.input_shape) == ("mlp", (300,), (64,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64", ("vector", (64,), 0)),
        ("50x8", ("series", (50, 8), 0)),
        ("1x28x28", ("image", (1, 28, 28), 0)),
        ("tokens:35x10000", ("tokens", (35,), 10_000)),
        ("characters:24x50", ("characters", (24, 50), 262)),
    ],
)
def test_shapes(text, expected):
    assert parse_input(text) == expected
    kind, shape, vocab_size = expected
    task = "translation" if kind == "tokens" else "classification"
    assert input_text(Signature(task, kind, shape, 9, vocab_size, target_len=3)) == text


@pytest.mark.parametrize(
    "text", ["", "x", "0", "3x", "3x-1", "1x2x3x4", "tokens:5", "tokens:1x2x3", "words:5x9", "²"]
)
def test_what_is_no_shape(text):
    with pytest.raises(UserError, match=r"input: .* must be a shape of whole numbers above 0. Choices: 64"):
        parse_input(text)


def test_a_preset_keeps_its_classes_for_images_of_its_size():
    _, config = example_config("densenet-121", input="3x224x224")
    assert costs(config).parameters == 7_978_856
    _, config = example_config("densenet-bc-100-12", input="1x28x28")
    assert (config.output_size, config.input_shape) == (10, (1, 28, 28))


@pytest.mark.parametrize(
    ("arguments", "shape", "sizes"),
    [
        ({"name": "rnnsearch", "input": "tokens:10x50"}, (10,), (50, 50, 10)),
        ({"name": "seq2seq"}, (35,), (10_000, 10_000, 35)),
        ({"name": "show-and-tell", "input": "3x32x32"}, (3, 32, 32), (0, 10_000, 12)),
    ],
)
def test_a_generator_is_shown_with_a_target(arguments, shape, sizes):
    found = signature_of(**arguments)
    assert found.shape == shape
    assert (found.vocab_size, found.output_size, found.target_len) == sizes
    assert costs(example_config(**arguments)[1]).sequential_steps > 1

"""The catalogue: that it is in order, that its presets count what they say, what it answers to."""

import re
import subprocess
import sys
from dataclasses import fields

import pytest
import torch

from anncestry.errors import UserError
from anncestry.signature import GENERATION_TASKS, INPUT_KINDS, NUM_CHARACTERS, TASKS, Signature
from anncestry.timeline import TIMELINE, Architecture, find, find_preset, usual_settings
from anncestry.training.settings import TrainingSettings

EACH = pytest.mark.parametrize("architecture", TIMELINE, ids=lambda a: a.id)
PRESETS = [(a, preset) for a in TIMELINE for preset in a.presets]
NOT_YET_BUILT: set[str] = set()  # parents that a later entry will bring


def test_names_are_unique_and_spelt_alike():
    names = [n for a in TIMELINE for n in (a.id, *a.aliases, *(preset.name for preset in a.presets))]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


def test_it_is_chronological():
    years = [a.year for a in TIMELINE]
    assert years == sorted(years)
    assert years[0] == 1958


@EACH
def test_parents_come_first(architecture):
    ids = [a.id for a in TIMELINE]
    for parent in architecture.parents:
        assert parent in NOT_YET_BUILT or ids.index(parent) < ids.index(architecture.id)
    assert architecture.parents or architecture.id == "perceptron"


@EACH
def test_entries_are_complete(architecture):
    assert architecture.adds
    assert architecture.removes
    assert architecture.paper
    assert architecture.departures
    for departure in architecture.departures:
        assert all((departure.subject, departure.paper, departure.authors_code, departure.ours))
    assert architecture.fits
    assert all(inputs in INPUT_KINDS and task in TASKS for inputs, task in architecture.fits)


@EACH
def test_classes_are_where_the_entry_says(architecture):
    assert issubclass(architecture.model_class(), torch.nn.Module)
    shapes = {"vector": (5,), "image": (1, 8, 8), "series": (4, 3), "tokens": (6,), "characters": (6, 7)}
    for inputs, task in architecture.fits:
        vocab_size = {"tokens": 7, "characters": NUM_CHARACTERS}.get(inputs, 0)
        output_size = {"language-model": 7, "masked-lm": 7, "span": 2, "reconstruction": 64}.get(task, 3)
        writes = {"output_size": 9, "target_len": 4} if task in GENERATION_TASKS else {}
        sizes = {"output_size": output_size, "vocab_size": vocab_size, **writes}
        signature = Signature(task, inputs, shapes[inputs], **sizes)
        config = architecture.configure(signature)
        assert config.signature == signature.for_net
        if architecture.has_width:
            assert architecture.configure(signature, width=4) != architecture.configure(signature, width=5)


@pytest.mark.parametrize(("architecture", "preset"), PRESETS, ids=[preset.name for _, preset in PRESETS])
def test_presets_count_what_they_say(architecture, preset):
    with torch.device("meta"):
        model = architecture.build(architecture.config_class()(**preset.config))
    assert sum(parameter.numel() for parameter in model.parameters()) == preset.num_parameters
    assert preset.source
    assert find(preset.name) is architecture
    assert find_preset(preset.name) is preset


def test_published_sizes_are_among_the_presets():
    counts = {preset.name: preset.num_parameters for _, preset in PRESETS}
    assert counts["mlp-300"] == 238_510
    assert counts["mlp-ciresan"] == 11_972_510
    assert counts["lenet-5-modern"] == 61_706


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lstm", "lstm"),
        (" Stacked_LSTM ", "stacked-lstm"),
        ("averaged_perceptron", "averaged-perceptron"),
        ("elman", "rnn"),
        ("lms", "adaline"),
        ("convnet", "cnn"),
        ("lenet_5_modern", "cnn"),
    ],
)
def test_find(name, expected):
    assert find(name).id == expected


def test_find_names_the_nearest():
    with pytest.raises(UserError, match=r"model: got 'perceptorn'; is not on the timeline\. Choices: perce"):
        find("perceptorn")
    with pytest.raises(UserError, match=r"Choices: perceptron, adaline, mlp, jordan, .*, tcn, elmo, .*\."):
        find("zzz")
    assert find_preset("lstm") is None


def test_configure_says_what_fits_instead():
    tokens = Signature("language-model", "tokens", (8,), 9, 9)
    with pytest.raises(UserError) as caught:
        find("cnn").configure(tokens)
    message = (
        "model: got 'cnn'; does not fit tokens inputs with the task language-model. Choices: jordan, rnn"
    )
    assert str(caught.value).startswith(message)


def test_configure_knows_its_fields():
    signature = Signature("classification", "vector", (4,), 2)
    with pytest.raises(UserError) as caught:
        find("mlp").configure(signature, hidden_size=3)
    assert str(caught.value) == "hidden_size: got 3; mlp has no such field. Choices: hidden_sizes."
    assert find("mlp").configure(signature, hidden_sizes=(3,), dropout=0.1).hidden_sizes == (3,)


def test_fixed_fields_give_way_to_overrides():
    values = {field.name: getattr(find("mlp"), field.name) for field in fields(Architecture)}
    variant = Architecture(**{**values, "fixed": {"activation": "tanh"}})
    signature = Signature("classification", "vector", (4,), 2)
    assert variant.configure(signature).activation == "tanh"
    assert variant.configure(signature, activation="elu").activation == "elu"


def test_the_list_needs_no_torch():
    code = "import sys, anncestry.timeline as t; assert len(t.TIMELINE) > 9; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("name", "rate"), [("bert", 5e-5), ("gpt", 6.25e-5), ("gpt2", 6.25e-5)])
def test_a_task_has_a_recipe_of_its_own(name: str, rate: float) -> None:
    settings = TrainingSettings(**usual_settings(name, fine_tuning=True))
    assert (settings.learning_rate, settings.epochs, settings.schedule) == (rate, 3, "linear")
    assert 0 < settings.warmup <= 0.1

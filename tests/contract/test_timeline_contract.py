"""What every entry of the timeline promises, for every learning problem that it says it fits.

A new architecture is tested by standing on the timeline; nothing is added here for it.
"""

import dataclasses
import json

import pytest

from anncestry.errors import UserError
from anncestry.inspection.conformance import check_model, tiny_signature
from anncestry.inspection.costs import built_without_weights, costs
from anncestry.models.create import architecture_of, configure
from anncestry.rules import rules_of
from anncestry.timeline import TIMELINE, find, find_preset
from anncestry.training.settings import TrainingSettings

PROBLEMS = [
    (architecture, *pair)
    for architecture in TIMELINE
    for pair in sorted(architecture.fits)
    if pair[1] != "multi-label"  # the net of a classification: see below
]
every_problem = pytest.mark.parametrize(
    ("architecture", "inputs", "task"),
    PROBLEMS,
    ids=[f"{a.id}-{inputs}-{task}" for a, inputs, task in PROBLEMS],
)
every_architecture = pytest.mark.parametrize("architecture", TIMELINE, ids=lambda a: a.id)
every_preset = pytest.mark.parametrize(
    "preset", [preset for a in TIMELINE for preset in a.presets], ids=lambda preset: preset.name
)


def tiny_config(architecture, inputs, task):
    return architecture.configure(tiny_signature(inputs, task), width=8 if architecture.has_width else None)


@every_problem
def test_the_model_conforms(architecture, inputs, task):
    report = check_model(architecture.build(tiny_config(architecture, inputs, task)))
    assert report.ok, f"\n{report}"


@every_problem
def test_the_config_describes_its_problem_and_survives_json(architecture, inputs, task):
    signature = tiny_signature(inputs, task)
    config = tiny_config(architecture, inputs, task)
    assert config.signature == signature
    assert dataclasses.is_dataclass(config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.output_size = 1
    fields = json.loads(json.dumps(dataclasses.asdict(config)))
    assert configure(architecture.id, fields) == config


NUMBERS_OF_ANY_SIGN = {"forget_bias", "transform_bias"}
READ_ELSEWHERE = {"pattern"}  # a language of its own, see `CNNConfig.layers`


@every_architecture
def test_every_number_and_word_of_a_config_has_a_rule_that_is_heeded(architecture):
    inputs, task = min(pair for pair in architecture.fits if pair[1] != "multi-label")
    config = tiny_config(architecture, inputs, task)
    free = NUMBERS_OF_ANY_SIGN | READ_ELSEWHERE
    for name, rules in rules_of(type(config)).items():
        wrong = {int: -7, float: -7.0, str: "no such word"}.get(type(getattr(config, name)))
        if wrong is not None and name not in free:
            assert rules or name in ("inputs", "task"), f"{name}: say what it may be"  # those are literals
            with pytest.raises(UserError) as caught:
                dataclasses.replace(config, **{name: wrong})
            assert caught.value.field == name, caught.value


@every_architecture
def test_for_several_labels_it_is_the_net_of_a_classification(architecture):
    kinds = [kind for kind, task in architecture.fits if task == "classification"]
    labelled = [kind for kind, task in architecture.fits if task == "multi-label"]
    assert sorted(labelled) == ([] if architecture.one_class else sorted(kinds))
    for kind in labelled:
        signature = dataclasses.replace(tiny_signature(kind, "classification"), task="multi-label")
        assert architecture.fits_signature(signature)
        config = architecture.configure(signature)
        assert config == architecture.configure(tiny_signature(kind, "classification"))


@every_problem
def test_a_batch_has_its_costs(architecture, inputs, task):
    config = tiny_config(architecture, inputs, task)
    found = costs(config, batch_size=2)
    model = architecture.build(config)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert sum(layer.parameters for layer in found.layers) == found.parameters
    assert sum(layer.flops for layer in found.layers) == found.flops > 0


@every_architecture
def test_width_scales_it(architecture):
    signature = tiny_signature(*min(architecture.fits))
    if architecture.has_width:
        small, large = (costs(architecture.configure(signature, width=width)).parameters for width in (4, 8))
        assert small < large
    else:
        with pytest.raises(ValueError, match="width"):
            architecture.configure(signature, width=8)


@every_architecture
def test_the_entry_is_whole(architecture):
    for text in (architecture.name, architecture.paper, architecture.adds):
        assert text.strip()
    earlier = [a.id for a in TIMELINE[: TIMELINE.index(architecture)]]
    assert set(architecture.parents) <= set(earlier)
    assert architecture.fits
    assert architecture_of(tiny_config(architecture, *min(architecture.fits))).module == architecture.module
    TrainingSettings(**architecture.recipe)


def test_names_are_unique():
    names = [n for a in TIMELINE for n in (a.id, *a.aliases, *(preset.name for preset in a.presets))]
    assert len(names) == len(set(names))
    assert all(name == name.lower().replace("_", "-") for name in names)
    for name in names:
        assert find(name) is not None
    assert [a.year for a in TIMELINE] == sorted(a.year for a in TIMELINE)


@every_preset
def test_a_preset_counts_what_was_published(preset):
    assert find_preset(preset.name) is preset
    model = built_without_weights(configure(preset.name, {}))
    assert sum(parameter.numel() for parameter in model.parameters()) == preset.num_parameters

"""The page of a run's inside, made from Python; options that have no effect on it are refused."""

import pytest

from anncestry.errors import UserError
from anncestry.runs.inside.inspecting import inspect_run, kind_of_page
from anncestry.runs.inside.options import HEEDED, InspectOptions, applicable
from anncestry.runs.run import Run
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inside") / "run"
    train("lstm", "mackey-glass", out=folder, settings=TrainingSettings(max_steps=2), width=4)
    return Run(folder)


def test_a_page_is_made_in_python(run, tmp_path):
    page = inspect_run(run, [0.1 * step for step in range(24)], units=2, max_steps=4)
    assert page.facts[0].endswith(" steps back.")
    assert "<h1>Inside Long short-term memory</h1>" in page.html
    assert page.write(tmp_path / "x.html").read_text() == page.html


def test_options_without_effect_are_refused(run):
    assert kind_of_page(run) == "states"
    assert applicable("states", {"units": 3}, "LSTM") == InspectOptions(units=3)
    with pytest.raises(UserError, match="head: got 1; has no effect on the page of this LSTM"):
        applicable("states", {"head": 1}, "LSTM")
    with pytest.raises(UserError, match="option: got 'heads'; there is no such option"):
        inspect_run(run, "0.1 0.2", heads=1)
    with pytest.raises(UserError, match="units: got 0; must be at least 1"):
        inspect_run(run, "0.1 0.2", units=0)


def test_every_option_is_heeded_by_some_page():
    assert {name for names in HEEDED.values() for name in names} == set(InspectOptions.__dataclass_fields__)

"""What the ledgers of XLM and FlauBERT say that no other test holds."""

import pytest
import torch

from anncestry.models.create import create
from anncestry.timeline import find_preset, usual_settings
from anncestry.training.optimizers import Position, rate_factor
from anncestry.training.settings import TrainingSettings


@pytest.mark.parametrize("name", ["flaubert-base", "flaubert-large"])
def test_published_recipes(name):
    """24,000 steps of warm-up, on a line to 0."""
    settings = TrainingSettings(**usual_settings(name))
    assert settings.warmup_steps == 24_000
    steps = {0: 0.0, 23_999: 0.05, 200_000: 0.5, 400_000: 1.0}
    factors = [rate_factor(settings, Position(step, fraction, 0)) for step, fraction in steps.items()]
    assert factors == pytest.approx([1 / 24_000, 0.95, 0.5, 0.0])


@pytest.mark.parametrize(
    ("name", "count"),
    [("xlm-xnli15", 248_976_384), ("flaubert-base", 138_233_088), ("flaubert-large", 373_214_208)],
)
def test_published_counts(name, count):
    preset = find_preset(name)
    assert preset is not None
    with torch.device("meta"):
        assert sum(p.numel() for p in create(name).parameters()) == preset.num_parameters == count

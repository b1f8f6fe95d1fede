"""The summary of a model: the tables that suit it, in a notebook too."""

import pytest
from torch import nn

from anncestry.errors import UserError
from anncestry.inspection.example_inputs import example_config
from anncestry.inspection.summary import summarize
from anncestry.signature import Signature

SMALL = {"growth_rate": 3, "stem_channels": 4, "blocks": (2, 3), "stem": "cifar"}


def summary_of(name, **arguments):
    architecture, config = example_config(name, **arguments)
    return summarize(config, architecture=architecture)


def test_concatenations_of_dense_blocks():
    found = summary_of("densenet", input="3x12x8", fields=SMALL)
    rows = [line.split() for line in str(found).splitlines()]
    assert ["denseblock1", "2", "4-10", "12x8", f"{4 * 96 * 21:,}", f"{4 * 96 * 10:,}", "2.1"] in rows
    assert ["all", "5", f"{4 * (96 * 21 + 24 * 38):,}", f"{4 * (96 * 10 + 24 * 14):,}", "2.3"] in rows
    blocks = found.to_json()["costs"]["concatenations"]
    assert [block["one_buffer"] for block in blocks] == [960, 336]
    assert "Concatenations" not in str(summary_of("cnn"))


def test_kinds_of_layers_beside_one_with_heads():
    found = summary_of("transformer", input="tokens:20x50", width=16)
    rows = [line.split()[:7] for line in str(found).splitlines()]
    mixing, projections = 4 * 20 * 20 * 16 / 1e6, 8 * 20 * 16 * 16 / 1e6
    figures = [f"{value:.4g}" for value in (mixing, projections, mixing + projections)]
    assert ["self-attention", "n^2", "d", *figures, "4"] in rows
    assert "n = 20, d = 16, k = 3, r = 16" in str(found)
    assert "takes no less than recurrence, as n >= d" in " ".join(str(found).split())
    assert [kind["path_length"] for kind in found.to_json()["layer_kinds"]] == [1, 20, 20, 10, 3, 2]
    assert "Kinds of layers" not in str(summary_of("lstm"))


def test_a_module_of_ones_own():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    found = summarize(model, Signature("classification", "vector", (4,), 2))
    assert (found.name, found.architecture, found.config) == ("Sequential", None, None)
    assert found.costs.parameters == 15 + 8
    assert repr(found).startswith("Sequential\nclassification of vector inputs 4, 2 outputs\n")
    assert found.to_json()["config"] is None
    with pytest.raises(UserError, match="signature: got None; is needed for a model without a config"):
        summarize(model)


def test_a_notebook_shows_the_same():
    shown = summary_of("mlp", input="4", width=3)._repr_html_()
    assert shown.startswith("<pre ")
    assert "Multi-layer perceptron</span>" in shown
    assert "layers.1" in shown

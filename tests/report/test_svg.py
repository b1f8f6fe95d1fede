"""Text of the user's in figures stays what it is."""

import numpy as np
import pytest

from anncestry.report.inside.recurrent import influence_figure, picture, trace_figure
from anncestry.report.race.plots import forecast_plot

HOSTILE = ("cost_$ / rev_$", r"$\frac{$", "$", "$$", r"\$5 to $6$ & <b>", "$x^2$")


@pytest.mark.parametrize("text", HOSTILE)
def test_dollar_signs_begin_no_mathematics(text):
    errors = {"unit": text, "series": {"true": [1.0, 2.0, 4.0], "predicted": [1.5, 2.0, 3.0]}}
    drawn = forecast_plot(errors, "mlp", in_time=True)
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f">{shown}</text>" in drawn


def test_so_do_the_words_beside_a_heat_map():
    rng = np.random.default_rng(0)
    for figure in (
        trace_figure(rng.normal(size=(len(HOSTILE), 3)), HOSTILE, "h"),
        influence_figure(rng.random((len(HOSTILE), len(HOSTILE))), HOSTILE),
    ):
        assert picture(figure, "")
        (panel, *_) = figure.axes
        shown = [label.get_text() for label in panel.get_xticklabels()]
        assert all(label._preprocess_math(label.get_text())[1] is False for label in panel.get_xticklabels())
        assert len(shown) == len(HOSTILE)

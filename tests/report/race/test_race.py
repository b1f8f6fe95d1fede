"""The page: whole, self-contained, escaped, with every section."""

from html.parser import HTMLParser

import pytest

from anncestry.report.race.race import page

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Checks that tags close in order; collects text, attributes and ids."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.tags, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def values(reader, name):
    return [value for _, attribute, value in reader.attributes if attribute == name]


def test_the_sections_and_what_they_say(race):
    reader = Reader(page(race))
    sections = [value for tag, name, value in reader.attributes if (tag, name) == ("section", "id")]
    assert sections == ["ranking", "figures", "models", "method", "failures", "reproduce"]
    assert reader.tags.count("svg") == 4
    for sentence in (
        "cnn leads: accuracy 98.6 % [98.2, 99.0].",
        "Data: split at random",
        "logistic: stopped after 20 iterations",
        "CNN (1986). Somebody, Somewhere. To mlp it adds something; it removes full connection.",
        "9,610 parameters; width 50; 19 kFLOPs for one example; 35 µs for one prediction; 4 to 5 passes.",
        "Training ended when the time was up.",
        "Settings: optimizer adam, learning rate 0.001, batch size 32.",
        "It got 10 of 600 test examples wrong over 2 seeds; most often",
        "<script>alert('1')</script> taken for 8 (6).",
        "1,200 examples for training, 300 for validation, 300 for the test.",
        "Parts are drawn anew for each seed",
        "A <fast> CPU, 2 cores, 1 thread, Linux; Python 3.11, torch 2.13",
        "lstm failed (seed 0, 1): RuntimeError: <b>out of memory</b>",
        "anncestry compare --data 'csv:R&D <data>.csv'",
    ):
        assert sentence in reader.text


def test_nothing_is_fetched_and_nothing_runs(race):
    text = page(race)
    reader = Reader(text)
    assert "script" not in reader.tags
    assert "link" not in reader.tags
    assert all(value.startswith("data:image/png;base64,") for value in values(reader, "src"))
    assert all(value.startswith("#") for value in values(reader, "href"))
    assert "<script" not in text
    assert "@import" not in text
    assert all(part.startswith("#") for part in text.split("url(")[1:])
    assert not any(name.startswith("on") for _, name, _ in reader.attributes)


def test_ids_are_unique_and_references_reach_them(race):
    reader = Reader(page(race))
    ids = values(reader, "id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in values(reader, "href")} <= set(ids)


def test_figures_take_the_pages_colours(race):
    text = page(race)
    assert "currentColor" in text
    assert "#010203" not in text
    assert "#040506" not in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_the_same_race_gives_the_same_page(race):
    assert page(race) == page(race)


@pytest.mark.parametrize("runs", [0, 1, 2])
def test_a_race_that_had_hardly_begun(race, runs):
    race["runs"] = race["runs"][:runs]
    race["status"] = "interrupted"
    race["ranking"] = {"confidence": 0.95, "leader": None, "standings": [], "unfinished": ["cnn"]}
    reader = Reader(page(race))
    assert "No run was finished." in reader.text
    assert f"The race was interrupted: {runs} of 10 runs are here." in reader.text


def test_errors_of_forecasts_are_drawn_and_samples_are_shown(race):
    errors = {
        "unit": "sales <EUR>",
        "worst": [{"example": 7, "true": 3.0, "predicted": 1.0}],
        "series": {"true": [1.0, 2.0, 3.0], "predicted": [1.5, 2.0, 2.5]},
    }
    race["data"] |= {"task": "forecasting", "inputs": "series", "classes": []}
    race["runs"][1]["mistakes"] = errors
    reader = Reader(page(race))
    assert "Its largest errors in sales <EUR>: 1 for 3 (test example 7)." in reader.text
    assert reader.tags.count("svg") == 5
    race["data"]["task"] = "language-model"
    race["runs"][1]["mistakes"] = {"prompt": "once <upon>", "sample": " a time"}
    race["runs"][5]["mistakes"] = {}
    assert "once <upon> a time" in Reader(page(race)).text

"""Data sets of the hub, of which a stand-in for the package knows some."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from anncestry.data import DataOptions, load_data
from anncestry.errors import UserError

SMALL: Any = {"level": "wordpiece", "vocab_size": 60}


class Part(list):
    """Rows, with the names and the features that the package gives them."""

    def __init__(self, rows, names=None) -> None:
        super().__init__(rows)
        self.column_names = list(rows[0])
        self.features = {name: SimpleNamespace() for name in self.column_names}
        if names:
            self.features["label"] = SimpleNamespace(names=names)

    def __getitem__(self, name):
        return [row[name] for row in self] if isinstance(name, str) else super().__getitem__(name)


def reviews(count: int, secret: bool = False) -> Part:
    rows = [{"text": f"a film number {i}", "label": -1 if secret else i % 2} for i in range(count)]
    return Part(rows, ["bad", "good"])


def questions(count: int) -> Part:
    answers = {"text": ["a film"], "answer_start": [0]}
    return Part(
        [{"id": i, "question": "what", "context": f"a film {i}", "answers": answers} for i in range(count)]
    )


@pytest.fixture
def hub(monkeypatch):
    known = {
        ("reviews", None): {"train": reviews(20), "test": reviews(6), "unsupervised": reviews(3)},
        ("glue", "sst2"): {"train": reviews(20), "validation": reviews(6), "test": reviews(4, secret=True)},
        ("squad", None): {"train": questions(20), "validation": questions(4)},
        ("test-only", None): {"test": reviews(4)},
    }

    def load_dataset(name, config):
        if (name, config) not in known:
            raise ConnectionError(f"no network for {name}\nand more")
        return known[name, config]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))


def test_texts_with_classes(hub) -> None:
    dataset = load_data("hf:reviews", DataOptions(**SMALL))
    assert dataset.classes == ("bad", "good")
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [18, 2, 6]
    secret = load_data("hf:glue,sst2", DataOptions(**SMALL))
    assert [len(part) for part in (secret.train, secret.validation, secret.test)] == [18, 2, 6]
    with pytest.raises(UserError, match=r"text: got 'txt'; is no column of hf:reviews.*: text"):
        load_data("hf:reviews", DataOptions(text="txt", **SMALL))


def test_questions(hub) -> None:
    dataset: Any = load_data("hf:squad", DataOptions(**SMALL))
    assert dataset.signature.task == "span"
    assert [len(part.questions) for part in (dataset.train, dataset.validation, dataset.test)] == [18, 2, 4]


def test_what_cannot_be_had(hub, monkeypatch) -> None:
    with pytest.raises(UserError, match=r'cannot be had: "no network for none".*jsonl:PATH'):
        load_data("hf:none")
    with pytest.raises(UserError, match="has no training part"):
        load_data("hf:test-only")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"needs the package `datasets`.*jsonl:PATH, csv:PATH or squad:PATH"):
        load_data("hf:reviews")

"""The history of an architecture: which commits, in which order, as text, as a graph and as data."""

import pytest

from anncestry.drawings.history import log
from anncestry.errors import UserError
from anncestry.timeline import TIMELINE
from anncestry.timeline.ancestry import ancestors, descendants, main_line


def rows(**options):
    """The ids in the order in which they are shown."""
    return [row["id"] for row in log(**options).to_json()]


def test_a_preset_is_a_tag_of_its_architecture():
    assert str(log("bert-12x128")).startswith("commit 1810.04805 (HEAD -> bert, tag: bert-12x128, tag: ")
    assert rows(name="bert-12x128") == rows(name="bert")


def test_newest_first_or_oldest():
    ids = [entry.id for entry in ancestors("xlm")]
    assert rows(name="xlm") == ids[::-1]
    assert rows(name="xlm", reverse=True) == ids
    lines = repr(log("xlm", form="oneline")).splitlines()
    assert lines[0] == "1901.07291 (HEAD -> xlm) 2019 XLM"
    assert lines[-1] == "perceptron 1958 Perceptron"


def test_which_part_of_the_family():
    every = {entry.id for entry in TIMELINE}
    assert set(rows(all=True)) == set(rows(name="gru", all=True)) == every
    assert rows(name="xlm", first_parent=True)[::-1] == [entry.id for entry in main_line("xlm")]
    assert set(rows(name="bert", forks=True)) == {entry.id for entry in descendants("bert")}
    assert len(rows(name="bert", forks=True)) >= 14
    assert "show-and-tell" in rows(name="cnn", forks=True)
    assert "show-and-tell" not in rows(name="cnn", forks=True, first_parent=True)
    assert "densenet" in rows(name="cnn", forks=True, first_parent=True)


def test_the_data_have_what_a_commit_shows():
    elmo = log("elmo").to_json()[0]
    assert (elmo["commit"], elmo["authors"], elmo["year"]) == ("1802.05365", "Peters et al.", 2018)
    assert elmo["parents"] == ["residual-stack", "lstmp", "bilstm"]
    assert list(elmo["ideas"]) == ["lstmp", "bilstm"]
    assert (elmo["removed"], elmo["kept"]) == ([elmo["removes"]], [])


def test_a_graph():
    assert str(log("lstm", form="graph")).splitlines() == [
        "* lstm (HEAD -> lstm) 2000 Long short-term memory",
        "* lstm-1997 1997 Long short-term memory of 1997",
        "* rnn 1990 Simple recurrent network",
        "|\\",
        "| * jordan 1986 Jordan network",
        "|/",
        "* mlp 1986 Multi-layer perceptron",
        "|\\",
        "| * adaline 1960 ADALINE",
        "|/",
        "* perceptron 1958 Perceptron",
    ]
    assert str(log(all=True, form="graph", since=2000)).count("*") == sum(
        entry.year >= 2000 for entry in TIMELINE
    )


def test_a_notebook_shows_it_in_colours():
    shown = log("adaline")._repr_html_()
    assert '<span style="color: #008000; text-decoration-color: #008000">    + the squared error' in shown


def test_mistakes():
    with pytest.raises(UserError, match="name: got None; say whose history"):
        log()
    with pytest.raises(UserError, match="a graph grows upwards only"):
        log("bert", form="graph", reverse=True)

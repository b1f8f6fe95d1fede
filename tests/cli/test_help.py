"""The help of every command is read from its fields, in groups, and heeds the data that are given."""

import importlib
import warnings

import pytest
import tyro

from anncestry.cli.help import help_text
from anncestry.cli.main import COMMANDS, main
from anncestry.cli.options import options_of
from anncestry.data.sources.catalogue import SOURCES, Source, find_source, grouped_sources
from anncestry.errors import UserError

WITH_DATA = ("train", "compare", "evaluate")


def printed(command: str, *words: str) -> str:
    return help_text(command, importlib.import_module(f"anncestry.cli.{command}"), words)


def flags(text: str) -> set[str]:
    return {line.split()[0].rstrip(",") for line in text.splitlines() if line.startswith("  --")}


@pytest.mark.parametrize("command", COMMANDS)
def test_all_that_the_parser_takes_is_shown_with_one_default_at_most(command):
    arguments = importlib.import_module(f"anncestry.cli.{command}").Arguments
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        parser = tyro.extras.get_parser(arguments)
    known = {action.option_strings[-1] for action in parser._actions if len(action.option_strings) == 1}
    text = printed(command)
    assert known - {"--help"} <= flags(text)
    assert "{None}" not in text
    assert "default: None" not in text
    assert all(option.text for option in options_of(arguments))
    texts = [option.text.lower() for option in options_of(arguments)]
    assert all(text.count("default:") == 1 for text in texts if "(default:" in text)


def test_options_stand_in_groups():
    titles = [line for line in printed("train").splitlines() if line and not line.startswith((" ", "usage"))]
    kinds = ["data: tables", "data: texts", "data: images", "data: sequences"]
    groups = ["data", *kinds, "model", "optimization", "budget", "machine", "output"]
    assert [title for title in titles if title in groups] == groups
    assert "options" not in titles


def test_predictions_have_their_groups():
    lines = printed("predict").splitlines()
    groups = ["input", "generation", "beam search", "machine", "output"]
    assert [line for line in lines if line in (*groups, "options")] == groups
    assert "beam search" in printed("evaluate").splitlines()


def test_a_default_is_said_and_a_switch_that_is_off_says_none():
    text = printed("train")
    assert "(default: 64)" in text
    assert "--header, --no-header" in text
    assert "--no-cut" not in text
    assert "(default: False)" not in text


@pytest.mark.parametrize("command", WITH_DATA)
def test_given_data_leave_only_the_options_that_they_heed(command):
    every, some = flags(printed(command)), flags(printed(command, "--data", "csv:x.csv"))
    assert some < every
    assert {"--header", "--target"} <= some
    assert not {"--lag", "--image-size", "--masking", "--augment"} & some
    assert flags(printed(command, "--data=csv:x.csv")) == some


def test_choices_are_those_of_the_source():
    assert "{classification,reconstruction}" in printed("train", "--data", "digits")
    assert "{char,word,bpe}" in printed("compare", "--data", "parallel:a,b")
    assert "--augment" in flags(printed("train", "--data", "digits"))


def test_of_other_data_a_run_heeds_less():
    assert "--image-size" in flags(printed("train", "--data", "images:x"))
    heeded = flags(printed("evaluate", "--data", "images:x"))
    assert "--skip-bad" in heeded
    assert "--image-size" not in heeded


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_each_source_is_in_the_help_and_among_the_choices(source: Source):
    for command in WITH_DATA:
        lines = [line.split()[0] for line in printed(command).splitlines() if line.startswith("  ")]
        assert source.usage in lines
    with pytest.raises(UserError) as raised:
        find_source("qqqq")
    assert source.usage in raised.value.choices
    assert find_source(f"{source.name.upper()}:x") is source


def test_each_source_is_in_one_group():
    listed = [source for sources in grouped_sources().values() for source in sources]
    assert sorted(source.name for source in listed) == sorted(source.name for source in SOURCES)
    assert all(grouped_sources().values())


@pytest.mark.parametrize("command", ["train", "compare"])
def test_without_data_the_error_lists_the_sources(command, capsys):
    assert main([command, *(["mlp"] if command == "train" else [])]) == 2
    error = capsys.readouterr().err
    assert all(source.usage in error for source in SOURCES)


def test_help_for_no_source_is_an_error(capsys):
    assert main(["train", "--help", "--data", "cvs:x.csv"]) == 2
    assert "--data: got 'cvs:x.csv'; is no data source. Choices: csv:PATH." in capsys.readouterr().err


def test_what_stands_behind_two_hyphens_is_no_question(capsys):
    assert main(["predict", "nowhere", "--", "--help"]) == 2
    assert "is not a folder" in capsys.readouterr().err

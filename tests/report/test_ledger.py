"""anncestry show NAME --ledger: a block for each departure, with the switch as it is here; JSON."""

import dataclasses
import json

from anncestry.cli.main import main
from anncestry.inspection.example_inputs import example_config
from anncestry.models.create import configure
from anncestry.report.ledger import Ledger
from anncestry.timeline import TIMELINE, find


def printed(capsys, *words: str) -> str:
    assert main(["show", *words]) == 0
    return capsys.readouterr().out


def blocks(text: str) -> dict[str, str]:
    """Subject -> what is told of it, in one line."""
    _, *parts = text.strip().split("\n\n")
    return {part.splitlines()[0]: " ".join(" ".join(part.splitlines()[1:]).split()) for part in parts}


def test_every_part_of_a_departure_is_reported(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    told = printed(capsys, "gru", "--ledger", "--set", "reset=before")
    assert told.startswith("Gated recurrent unit (2014) Cho et al.")
    departures = find("gru").departures
    assert f"{len(departures)} departures" in told
    found = blocks(told)
    assert list(found) == [departure.subject for departure in departures]
    for departure in departures:
        block = found[departure.subject].replace(" ::", "::")
        assert f"paper {departure.paper} authors' code {departure.authors_code} ours " in block
        assert f"ours {departure.ours}" in block
        assert f"test tests/{departure.test}" in block
    assert "switch --set reset=...; here before" in found["reset gate"]


def test_an_option_of_training_is_shown_as_it_is_typed(capsys):
    assert "switch --optimizer test" in blocks(printed(capsys, "mlp", "--ledger"))["optimiser"]


def test_two_fields_are_two_switches(capsys):
    block = blocks(printed(capsys, "mlp", "--ledger", "--task", "classification"))["hidden unit"]
    assert "switch --set activation=...; here relu --set init=...; here he test" in block


def test_without_sizes_a_switch_has_the_value_that_was_published_or_none(capsys):
    """The defaults stand in the model's file, which would load PyTorch."""
    told = printed(capsys, "gpt2-small", "--ledger")
    found = blocks(told)
    assert "--set num_layers=...; here 12 --set num_heads=...; here 12" in found["default sizes"]
    assert "--set dropout=... " in " ".join(found.values())
    assert told.endswith("--input or --task: also what each switch stands at\n")
    assert "also what" not in printed(capsys, "gpt2-small", "--ledger", "--set", "dropout=0.2")


def test_no_line_is_longer_than_a_page(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for architecture in TIMELINE:
        architecture, config = example_config(architecture.id)
        Ledger(architecture, vars(config)).show()
        told = capsys.readouterr().out
        assert max(map(len, told.splitlines())) <= 100, architecture.id
        assert not [line for line in told.splitlines() if line.strip().startswith("_")], architecture.id
    wide = told
    monkeypatch.setenv("COLUMNS", "250")
    architecture, config = example_config(TIMELINE[-1].id)
    Ledger(architecture, vars(config)).show()
    assert capsys.readouterr().out == wide


def test_json_is_the_list(capsys):
    listed = json.loads(printed(capsys, "lstm", "--ledger", "--json"))
    assert listed == [dataclasses.asdict(departure) for departure in find("lstm").departures]


def test_a_preset_and_a_run_have_their_own_values(capsys, tmp_path):
    assert "here gru-reset-first" in printed(capsys, "dilated-gru-9x20", "--ledger")
    config = configure("gru", {"input_size": 3, "hidden_size": 5, "output_size": 2, "reset": "before"})
    described = {"architecture": "gru", "model": dataclasses.asdict(config)}
    described |= {"signature": dataclasses.asdict(config.signature), "training": {}, "data": None}
    (tmp_path / "config.json").write_text(json.dumps(described))
    assert "here before" in printed(capsys, str(tmp_path), "--ledger")
    assert main(["show", "grru", "--ledger"]) == 2

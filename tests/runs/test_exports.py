"""The table of exporters: what a run can be had as, and that a form is written whole or not at all."""

import typing

import pytest
import torch
from safetensors.torch import save_file

from anncestry.checkpoints.exporting import HUGGING_FACE
from anncestry.checkpoints.imported import Imported
from anncestry.cli.export import Arguments
from anncestry.cli.main import main
from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.runs.exports import EXPORTERS, Exporter, export_run, whole_folder
from anncestry.runs.imported import write_import


def a_run(folder, architecture, **config):
    """A run folder of a tiny random net."""
    torch.manual_seed(0)
    model = create(architecture, **config)
    return write_import(folder, Imported(architecture, config, model.state_dict()), folder)


@pytest.fixture(scope="module")
def perceptron(tmp_path_factory):
    return a_run(tmp_path_factory.mktemp("run") / "mlp", "mlp", input_shape=(3,), output_size=2)


def test_help_names_every_form_and_every_net_that_has_one(capsys):
    assert main(["export", "--help"]) == 0
    told = "".join(capsys.readouterr().out.split())  # lines may break at the hyphen of a name
    assert typing.get_args(typing.get_type_hints(Arguments)["to"]) == tuple(EXPORTERS)
    for name in (*EXPORTERS, *HUGGING_FACE):
        assert name in told, name


def test_a_run_without_such_a_form_learns_what_it_is_and_what_it_can_be(perceptron, tmp_path):
    rule = r"'huggingface'; transformers has no class of mlp; .* this run is mlp \("
    with pytest.raises(UserError, match=rule) as told:
        export_run(perceptron, "huggingface", tmp_path / "out")
    able = [form for form, row in EXPORTERS.items() if row.fault(perceptron) is None]
    assert told.value.choices == (able or None)
    with pytest.raises(UserError, match=r"'paper'; is not a form of weights. Choices: torch, keras"):
        export_run(perceptron, "paper", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_option_of_another_form_is_an_error(perceptron, tmp_path, monkeypatch):
    monkeypatch.setitem(EXPORTERS, "stone", Exporter("all", lambda run: None, lambda *_: (), ("int8",)))
    with pytest.raises(UserError, match=r"int8: got True; is no option of elmo. Choices: .*stone"):
        export_run(perceptron, "elmo", tmp_path / "out", int8=True)


def test_nothing_is_written_over(tmp_path, capsys):
    save_file(torch.nn.LSTM(2, 3).state_dict(), tmp_path / "lstm.safetensors")
    assert main(["import", str(tmp_path / "lstm.safetensors"), str(tmp_path / "run")]) == 0
    before = (tmp_path / "lstm.safetensors").read_bytes()
    assert main(["export", str(tmp_path / "run"), "--out", str(tmp_path / "lstm.safetensors")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "lstm.safetensors").read_bytes() == before


def test_a_folder_is_whole_or_not_there(tmp_path):
    def half(folder):
        with whole_folder(folder) as beside:
            (beside / "a").write_text("a")
            raise OSError(28, "No space left on device")

    for out in (tmp_path / "new", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(UserError, match="cannot be written: No space left"):
            half(out)
        with whole_folder(out) as beside:
            (beside / "a").write_text("a")
            assert not (out / "a").exists()
        assert (out / "a").read_text() == "a"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "new"]

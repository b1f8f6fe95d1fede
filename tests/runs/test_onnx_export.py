"""Runs as ONNX files: what onnxruntime answers, what stands beside the file, and what is refused.

A few architectures; ``python -m benchmarks.abilities`` exports every one.
"""

import json
import runpy
import sys

import numpy as np
import pytest
import torch

from anncestry.checkpoints import onnx_graph
from anncestry.checkpoints.onnx_graph import Graph, onnx_bytes
from anncestry.cli.main import main
from anncestry.data.processors import PackedClassesProcessor, SentenceProcessor
from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.runs.onnx_export import write_onnx
from anncestry.runs.run import Run
from anncestry.signature import Signature
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import train

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
pytest.importorskip("onnxscript", reason="needs the extra `onnx`")

TEXTS = ["a b", "b c a d d a", "c"]


def printed(folder, capsys, monkeypatch, *inputs):
    """The lines that the example prints."""
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["example.py", *inputs])
    runpy.run_path(str(folder / "example.py"), run_name="__main__")
    return capsys.readouterr().out.splitlines()


def expected(model, processor, texts):
    """The same by the model, text by text."""
    lines = []
    for text in texts:
        tokens, lengths = processor.encode([text])
        with torch.no_grad():
            found = model(tokens, lengths=lengths)
        shares = (found[0] if isinstance(found, tuple) else found).softmax(1)[0]
        lines.append(f"{processor.classes[shares.argmax()]} {shares.max():.3f}")
    return lines


def test_a_recurrent_net_reads_padded_batches_of_any_length(tmp_path, capsys, monkeypatch):
    processor = SentenceProcessor("word", ("<pad>", "<unk>", "a", "b", "c", "d"), ("yes", "no"))
    signature = Signature("classification", "tokens", (6,), 2, 6)
    model = create("lstm", signature=signature, width=5)
    notes = write_onnx("lstm", model, signature, processor, tmp_path)
    assert "onnxruntime computes the model's outputs" in notes[0]
    assert printed(tmp_path, capsys, monkeypatch, *TEXTS) == expected(model, processor, TEXTS)
    about = json.loads((tmp_path / "preprocessing.json").read_text())
    assert [part["shape"] for part in about["inputs"]] == [["batch", "length"], ["batch"]]
    assert about["outputs"] == [{"name": "scores", "type": "float32", "shape": ["batch", 2]}]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [(i.name, i.shape) for i in session.get_inputs()] == [
        (part["name"], part["shape"]) for part in about["inputs"]
    ]
    given = {part["name"]: np.array(about["example"][part["name"]]) for part in about["inputs"]}
    np.testing.assert_allclose(session.run(None, given)[0], about["answer"], rtol=1e-5, atol=1e-6)


def test_a_pretrained_reader_brings_its_tokenizer_and_integers_are_reported(tmp_path, capsys, monkeypatch):
    tokenizer = learn_tokenizer(["a b c d a b"], "wordpiece", 40)
    processor = PackedClassesProcessor(tokenizer, classes=("yes", "no"), max_tokens=12)
    signature = Signature("classification", "tokens", (12,), 2, len(tokenizer))
    model = create("bert", signature=signature, num_layers=1, hidden_size=16, num_heads=2).eval()
    (note,) = write_onnx("bert", model, signature, processor, tmp_path, int8=True)
    assert note.startswith("8-bit weights change outputs by")
    moved = float(note.split("by ")[1].split()[0])
    assert 0 < moved < 0.1
    assert b"DynamicQuantizeLinear" in (tmp_path / "model.onnx").read_bytes()
    classes = [line.split()[0] for line in printed(tmp_path, capsys, monkeypatch, *TEXTS)]
    assert classes == [line.split()[0] for line in expected(model, processor, TEXTS)]
    assert (tmp_path / "tokenizer.json").is_file()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A run on a table of numbers and names."""
    folder = tmp_path_factory.mktemp("table")
    rows = [f"{x / 40},{'uv'[x % 2]},{'yes' if x > 20 else 'no'}" for x in range(40)]
    (folder / "t.csv").write_text("\n".join(["x,kind,label", *rows]) + "\n")
    settings = TrainingSettings(max_steps=20, evaluations=1, learning_rate=0.05)
    run, _ = train("mlp", f"csv:{folder / 't.csv'}", out=folder / "run", width=4, settings=settings)
    return run


def test_the_command_writes_a_folder_that_answers_as_predict_does(table, tmp_path, capsys, monkeypatch):
    assert main(["export", str(table.folder), "--to", "onnx", "--out", str(tmp_path / "out")]) == 0
    found = printed(tmp_path / "out", capsys, monkeypatch, "0.9,u", "0.1,v")
    answers = [Run(table.folder).predict(row)[0] for row in ("0.9,u", "0.1,v")]
    assert [line.split()[0] for line in found] == [answer["class"] for answer in answers]
    graph = Graph(table.model, table.signature)
    assert (tmp_path / "out" / "model.onnx").read_bytes() == onnx_bytes(graph)[0], "not the same twice"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "example.py", "model.onnx", "preprocessing.json"
    ]  # fmt: skip


def test_a_file_that_answers_otherwise_is_not_kept(table, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "distance", lambda *_: 0.25)
    arguments = ["export", str(table.folder), "--to", "onnx", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(onnx_graph, "_exported", lambda graph: b"")
    assert main(arguments) == 2
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match=r"differ from the model's by 0.25 of the largest value"):
        onnx_bytes(Graph(table.model, table.signature))


def test_without_the_packages_the_extra_is_named(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        UserError, match=r"onnxruntime is missing\. Install them: pip install 'anncestry\[onnx\]'"
    ):
        onnx_bytes(Graph(table.model, table.signature))

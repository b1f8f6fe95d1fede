"""What Keras makes of exported nets: the same outputs, from a model or from weights."""

import os

import numpy as np
import pytest
import torch

from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.importing import import_weights
from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.runs.exports import export_run
from anncestry.runs.imported import write_import

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="needs keras (extra test)")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras

SERIES = {"input_size": 3, "hidden_size": 5, "output_size": 4}
TOKENS = {"inputs": "tokens", "input_size": 11, "embed_dim": 6, "hidden_size": 5, "output_size": 4}
IMAGE = {"input_shape": (2, 3, 4), "inputs": "image"}
CASES = [
    ("rnn", {**SERIES, "activation": "relu"}),
    ("lstm", {**TOKENS, "second_bias": True}),
    ("lstm", {**TOKENS, "embed_dim": 0, "task": "tagging"}),
    ("lstm", {**TOKENS, "output_size": 11, "embed_dim": 5, "tie_embeddings": True, "task": "language-model"}),
    ("stacked-lstm", {**SERIES, "task": "regression", "output_size": 1}),
    ("gru", {**SERIES, "num_layers": 2, "task": "forecasting"}),
    ("gru", {**SERIES, "inputs": "image", "input_size": 6, "in_channels": 2, "seq_len": 4}),
    ("bilstm", {**TOKENS, "num_layers": 2}),
    ("brnn", {**SERIES, "task": "tagging"}),
    ("mlp", {"input_shape": (7,), "output_size": 3, "hidden_sizes": (5, 4), "dropout": 0.1}),
    ("mlp", {**IMAGE, "output_size": 1, "task": "regression", "activation": "gelu"}),
]  # fmt: skip


def a_run(folder, architecture, config, processor=None):
    torch.manual_seed(0)
    model = create(architecture, **config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return write_import(folder, Imported(architecture, config, model.state_dict(), processor), folder)


def outputs_of(run, x, **more):
    with torch.no_grad():
        found = run.model(x, **more)
    found = found[0] if isinstance(found, tuple) else found
    classes = run.signature.task in ("classification", "tagging", "language-model")
    return (found.softmax(-1) if classes else found).numpy()


def inputs_of(run, count=3):
    signature = run.signature
    if signature.inputs == "tokens":
        return torch.randint(1, signature.vocab_size, (count, 8))
    return torch.randn(count, *signature.shape)


@pytest.mark.parametrize(("architecture", "config"), CASES)
def test_a_model_answers_alike(tmp_path, architecture, config):
    run = a_run(tmp_path / "run", architecture, config)
    export_run(run, "keras", tmp_path / "net.keras")
    export_run(run, "keras", tmp_path / "net.weights.h5")
    model, x = keras.models.load_model(tmp_path / "net.keras"), inputs_of(run)
    wanted = outputs_of(run, x)
    np.testing.assert_allclose(model.predict(x.numpy(), verbose=0), wanted, atol=1e-5, rtol=1e-5)
    for weights in model.weights:
        weights.assign(weights * 0)
    model.load_weights(tmp_path / "net.weights.h5")
    np.testing.assert_allclose(model.predict(x.numpy(), verbose=0), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", [0, 1, 2, 4, 7])
def test_what_was_exported_comes_back(tmp_path, case):
    architecture, config = CASES[case]
    run = a_run(tmp_path / "run", architecture, config)
    export_run(run, "keras", tmp_path / "net.keras")
    again = write_import(tmp_path / "again", import_weights(tmp_path / "net.keras"), tmp_path)
    assert again.architecture.id == architecture
    x = inputs_of(run)
    np.testing.assert_allclose(outputs_of(again, x), outputs_of(run, x), atol=1e-6, rtol=0)
    export_run(again, "keras", tmp_path / "back.keras")
    assert (tmp_path / "back.keras").read_bytes() == (tmp_path / "net.keras").read_bytes()


def test_sequences_that_are_filled_up(tmp_path):
    words = ["<pad>", "<unk>", *"abcdefghi"]
    reader = {"kind": "sentences", "level": "char", "vocabulary": words, "classes": ["x", "y"]}
    run = a_run(tmp_path / "run", "bilstm", {**TOKENS, "output_size": 2}, reader)
    export_run(run, "keras", tmp_path / "net.keras")
    model = keras.models.load_model(tmp_path / "net.keras")
    tokens, lengths = torch.tensor([[2, 3, 4, 5], [6, 7, 0, 0]]), torch.tensor([4, 2])
    wanted = outputs_of(run, tokens, lengths=lengths)
    np.testing.assert_allclose(model.predict(tokens.numpy(), verbose=0), wanted, atol=1e-5, rtol=1e-5)


def test_what_keras_does_not_have(tmp_path):
    run = a_run(tmp_path / "gru", "gru", {**SERIES, "reset": "before"})
    for form, name in (("keras", "net.keras"), ("torch", "net.safetensors")):
        with pytest.raises(UserError, match=r"reset: got 'before'.*Choices: after"):
            export_run(run, form, tmp_path / name)
    run = a_run(tmp_path / "mlp", "mlp", {"input_shape": (7,), "output_size": 3, "activation": "maxout"})
    with pytest.raises(UserError, match=r"activation: got 'maxout'; has no counterpart in Keras"):
        export_run(run, "keras", tmp_path / "net.keras")
    with pytest.raises(UserError, match=r"must end as Keras's files do. Choices: .keras, .weights.h5, .npz"):
        export_run(run, "keras", tmp_path / "net.h5")
    with pytest.raises(UserError, match="is a form of recurrent nets alone"):
        export_run(run, "keras", tmp_path / "net.npz")
    assert not list(tmp_path.glob("net*"))


def test_what_weights_alone_do_not_say_is_reported(tmp_path):
    run = a_run(tmp_path / "run", "rnn", {**SERIES, "activation": "relu"})
    assert export_run(run, "torch", tmp_path / "net.safetensors") == (
        "its units are ReLU: torch.nn.RNN(nonlinearity='relu')",
    )
    assert "keras.Sequential([InputLayer(" in export_run(run, "keras", tmp_path / "net.weights.h5")[-1]

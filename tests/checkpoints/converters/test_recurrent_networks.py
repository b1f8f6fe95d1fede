"""Recurrent networks of PyTorch and Keras become networks of ours that compute the same."""

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from anncestry.checkpoints.exporting import keras_arrays, torch_weights
from anncestry.checkpoints.importing import import_weights
from anncestry.checkpoints.store import load_weights, write_tensors
from anncestry.errors import UserError
from anncestry.timeline import find

B, T, D, H, K, V = 3, 5, 4, 6, 7, 9


def build(imported):
    architecture = find(imported.architecture)
    model = architecture.build(architecture.config_class()(**imported.config))
    load_weights(model, imported.tensors, "imported")
    return model.eval()


class Theirs(nn.Module):
    """The usual PyTorch module: embedding, recurrent layers, linear."""

    def __init__(self, kind=nn.LSTM, num_layers=1, bidirectional=False, vocab_size=0, outputs=K):
        super().__init__()
        if vocab_size:
            self.word_embeddings = nn.Embedding(vocab_size, D)
        self.encoder = kind(D, H, num_layers, batch_first=True, bidirectional=bidirectional)
        if outputs:
            self.fc = nn.Linear(2 * H if bidirectional else H, outputs)

    def forward(self, x):
        x = self.word_embeddings(x) if hasattr(self, "word_embeddings") else x
        y, _ = self.encoder(x)
        y = y if self.encoder.bidirectional else y[:, -1]
        if self.encoder.bidirectional:
            y = torch.cat([y[:, -1, :H], y[:, 0, H:]], 1)
        return self.fc(y) if hasattr(self, "fc") else y


def saved(module, path):
    save_file({name: tensor.contiguous() for name, tensor in module.state_dict().items()}, path)
    return path


@pytest.mark.parametrize(
    ("theirs", "architecture", "task"),
    [
        (lambda: Theirs(), "lstm", "classification"),
        (lambda: Theirs(num_layers=2), "stacked-lstm", "classification"),
        (lambda: Theirs(bidirectional=True), "bilstm", "classification"),
        (lambda: Theirs(nn.GRU, 2, outputs=1), "gru", "regression"),
        (lambda: Theirs(nn.RNN), "rnn", "classification"),
        (lambda: Theirs(nn.RNN, bidirectional=True), "brnn", "classification"),
        (lambda: Theirs(outputs=0), "lstm", "regression"),
        (lambda: Theirs(bidirectional=True, outputs=0), "bilstm", "regression"),
    ],
)
def test_a_torch_module_of_series(tmp_path, theirs, architecture, task):
    module = theirs()
    imported = import_weights(saved(module, tmp_path / "model.safetensors"))
    assert imported.architecture == architecture
    assert imported.config["task"] == task
    x = torch.randn(B, T, D)
    torch.testing.assert_close(build(imported)(x)[0], module(x), atol=1e-6, rtol=0)


def test_a_torch_module_of_tokens(tmp_path):
    module, tokens = Theirs(vocab_size=V), torch.randint(V, (B, T))
    imported = import_weights(saved(module, tmp_path / "a.safetensors"))
    assert imported.config["inputs"] == "tokens"
    assert (imported.config["input_size"], imported.config["embed_dim"]) == (V, D)
    torch.testing.assert_close(build(imported)(tokens)[0], module(tokens), atol=1e-6, rtol=0)
    language_model = Theirs(vocab_size=V, outputs=V)
    imported = import_weights(saved(language_model, tmp_path / "b.safetensors"))
    assert imported.config["task"] == "language-model"
    outputs = build(imported)(tokens)[0]
    torch.testing.assert_close(outputs[:, -1], language_model(tokens), atol=1e-6, rtol=0)


def test_the_state_dict_of_torch_nn_alone(tmp_path):
    module = nn.LSTM(D, H, 2, batch_first=True)
    imported = import_weights(saved(module, tmp_path / "model.safetensors"), "lstm")
    assert imported.architecture == "lstm"
    x = torch.randn(B, T, D)
    torch.testing.assert_close(build(imported)(x)[0], module(x)[0][:, -1], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("name", "layers"), [("rnn", 1), ("lstm", 1), ("stacked-lstm", 3), ("gru", 2), ("bilstm", 2)]
)
@pytest.mark.parametrize("to", ["torch", "keras"])
@pytest.mark.parametrize("tokens", [False, True])
def test_export_and_import_are_inverse(tmp_path, name, layers, to, tokens):
    architecture = find(name)
    sizes = {"inputs": "tokens", "input_size": V, "embed_dim": D} if tokens else {"input_size": D}
    config = architecture.config_class()(hidden_size=H, output_size=K, num_layers=layers, **sizes)
    model = architecture.build(config)
    path = tmp_path / ("weights.npz" if to == "keras" else "weights.safetensors")
    if to == "keras":
        np.savez(path, **keras_arrays(model.state_dict(), model.config))
    else:
        write_tensors(path, torch_weights(model.state_dict(), model.config))
    imported = import_weights(path)
    assert imported.architecture == name
    for field, value in imported.config.items():
        assert getattr(config, field) == value, field
    assert imported.tensors.keys() == model.state_dict().keys()
    assert all(torch.equal(imported.tensors[key], tensor) for key, tensor in model.state_dict().items())


def write_keras(path: Path, arrays, config):
    """A ``.keras`` archive as Keras 3 writes it."""
    numbers = {"kernel": 0, "recurrent_kernel": 1, "bias": 2, "embeddings": 0}
    with h5py.File(path.with_suffix(".h5"), "w") as store:
        for name, array in arrays.items():
            layer, part = name.split("/")
            cell = layer not in ("dense", "embedding")
            number = numbers[part] if cell or part != "bias" else 1
            store[f"layers/{layer}/{'cell/' if cell else ''}vars/{number}"] = array
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
        archive.write(path.with_suffix(".h5"), "model.weights.h5")


def test_a_keras_model_with_embedding_and_dense(tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        "embedding/embeddings": random.normal(size=(V, D)),
        "simple_rnn/kernel": random.normal(size=(D, H)),
        "simple_rnn/recurrent_kernel": random.normal(size=(H, H)) / 3,
        "simple_rnn/bias": random.normal(size=H),
        "dense/kernel": random.normal(size=(H, K)),
        "dense/bias": random.normal(size=K),
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    config = {"class_name": "SimpleRNN", "config": {"activation": "relu"}}
    write_keras(tmp_path / "model.keras", arrays, config)
    imported = import_weights(tmp_path / "model.keras")
    assert imported.architecture == "rnn"
    assert imported.config["activation"] == "relu"
    tokens = random.integers(V, size=(B, T))
    h = np.zeros((B, H))
    for t in range(T):
        x = arrays["embedding/embeddings"][tokens[:, t]]
        h = (
            x @ arrays["simple_rnn/kernel"]
            + h @ arrays["simple_rnn/recurrent_kernel"]
            + arrays["simple_rnn/bias"]
        )
        h = np.maximum(h, 0)
    expected = h @ arrays["dense/kernel"] + arrays["dense/bias"]
    outputs, _ = build(imported)(torch.from_numpy(tokens))
    np.testing.assert_allclose(outputs.detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    write_keras(tmp_path / "model.keras", arrays, {"class_name": "LSTM", "config": {"activation": "relu"}})
    with pytest.raises(UserError, match="LSTM: activation: got 'relu'; makes another function of it"):
        import_weights(tmp_path / "model.keras")


def changed(**tensors):
    state = Theirs(vocab_size=V).state_dict() | {name.replace("__", "."): t for name, t in tensors.items()}
    return {name: tensor for name, tensor in state.items() if tensor is not None}


@pytest.mark.parametrize(
    ("tensors", "text"),
    [
        (
            {"a": torch.ones(2, 2)},
            r"'a'; holds no network that is known here. Choices: .*torch.nn.RNN",
        ),
        (changed(other__weight_ih_l0=torch.ones(4, 4)), r"'encoder., other.'; must hold the weights of one"),
        (
            changed(norm__weight=torch.ones(4), norm__bias=torch.ones(4)),
            r"'norm.weight'; beside the",
        ),
        (changed(fc2__weight=torch.ones(2, 7)), r"'2 linear layers'; beside the recurrent layers"),
        (changed(fc__weight=torch.ones(7, 5)), r"\(7, 5\); the linear layer must read the 6 outputs"),
        (changed(fc__bias=torch.ones(3)), r"the linear layer must read the 6 outputs"),
        (
            changed(word_embeddings__weight=torch.ones(9, 5)),
            r"\(9, 5\); the embedding must have the 4",
        ),
        (
            Theirs(nn.GRU, bidirectional=True).state_dict(),
            r"'1 bidirectional GRU layer\(s\)'; no",
        ),
    ],
)
def test_what_cannot_be_imported_is_said(tmp_path, tensors, text):
    write_tensors(tmp_path / "model.safetensors", tensors)
    with pytest.raises(UserError, match=text):
        import_weights(tmp_path / "model.safetensors")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_before_biases_are_added(tmp_path, dtype):
    module = Theirs(nn.GRU).to(dtype)
    found = import_weights(saved(module, tmp_path / "m.safetensors"))
    assert {tensor.dtype for tensor in found.tensors.values()} == {torch.float32}
    x = torch.randn(B, T, D)
    torch.testing.assert_close(build(found)(x)[0], module.float()(x), atol=1e-6, rtol=0)


def test_every_assumption_is_a_note(tmp_path):
    told = "\n".join(import_weights(saved(Theirs(nn.RNN), tmp_path / "a.safetensors")).notes)
    for words in ("activation=tanh is assumed", "task=classification is assumed", "(batch, time, ...)"):
        assert words in told
    both = import_weights(saved(Theirs(bidirectional=True, outputs=0), tmp_path / "b.safetensors"))
    told = "\n".join(both.notes)
    for words in ("sigmoid gates (i, f, g, o)", "backwards at the first", "there is no linear layer"):
        assert words in told
    told = "\n".join(import_weights(saved(Theirs(vocab_size=V, outputs=V), tmp_path / "c.safetensors")).notes)
    assert "task=language-model is assumed" in told

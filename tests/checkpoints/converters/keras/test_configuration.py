"""Models that Keras made and saved: what is imported computes the same, and the rest is refused by name."""

import json
import os

import h5py
import numpy as np
import pytest
import torch

from anncestry.checkpoints.converters.keras.configuration import read_model
from anncestry.checkpoints.importing import import_weights
from anncestry.checkpoints.store import load_weights
from anncestry.errors import UserError
from anncestry.formats.keras import read_keras
from anncestry.models.create import create

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="Keras is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
L = keras.layers
T, D, V = 6, 3, 9
SERIES = (T, D)


def chain(*layers, shape=SERIES):
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input(shape), *layers])


def words():
    return L.Embedding(V, D)


def soft(units):
    return L.Dense(units, activation="softmax")


def loaded(path):
    found = import_weights(path)
    model = create(found.architecture, **found.config)
    load_weights(model, found.tensors, "imported")
    return found, model.eval()


def answers(found, model, inputs, lengths=None):
    """What Keras' model would put out: probabilities where it puts out those."""
    with torch.no_grad():
        outputs, _ = model(torch.as_tensor(inputs), lengths=lengths)
    return outputs


MODELS = {
    "binary": (lambda: chain(L.LSTM(4), L.Dense(1, activation="sigmoid")), "classification", "sigmoid"),
    "labels": (lambda: chain(L.LSTM(4), L.Dense(3, activation="sigmoid")), "multi-label", "each"),
    "classes": (lambda: chain(L.GRU(4), L.Dropout(0.5), soft(3)), "classification", "softmax"),
    "apart": (lambda: chain(L.GRU(4), L.Dense(3), L.Activation("softmax")), "classification", "softmax"),
    "free": (lambda: chain(L.LSTM(4), L.Dense(3, use_bias=False), L.Softmax()), "classification", "softmax"),
    "value": (lambda: chain(L.SimpleRNN(4, activation="relu"), L.Dense(1)), "regression", None),
    "both": (lambda: chain(L.Bidirectional(L.LSTM(4)), soft(3)), "classification", "softmax"),
    "stack": (
        lambda: chain(L.LSTM(4, return_sequences=True), L.LSTM(4), L.Dense(3, activation="softmax")),
        "classification", "softmax",
    ),
    "tags": (
        lambda: chain(
            words(), L.Bidirectional(L.LSTM(4, return_sequences=True)),
            L.TimeDistributed(L.Dense(3, activation="softmax")), shape=(T,),
        ),
        "tagging", "softmax",
    ),
    "text": (
        lambda: chain(words(), L.LSTM(4, return_sequences=True), soft(V), shape=(T,)),
        "language-model", "softmax",
    ),
    "bare": (lambda: chain(L.GRU(4)), "regression", None),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_those_of_keras(tmp_path, name):
    make, task, probabilities = MODELS[name]
    theirs = make()
    inputs = np.random.default_rng(0).normal(size=(2, T, D)).astype(np.float32)
    if theirs.input_shape == (None, T):
        inputs = np.random.default_rng(0).integers(1, V, size=(2, T))
    expected = np.asarray(theirs.predict(inputs, verbose=0))
    theirs.save(tmp_path / "m.keras")
    theirs.save(tmp_path / "m.h5")
    for file in ("m.keras", "m.h5"):
        found, model = loaded(tmp_path / file)
        assert found.config["task"] == task, file
        got = answers(found, model, inputs)
        if probabilities == "softmax":
            got = got.softmax(-1)
        if probabilities == "each":
            got = got.sigmoid()
        if probabilities == "sigmoid":
            got = got.softmax(-1)[:, 1:]
        np.testing.assert_allclose(got.numpy(), expected, atol=2e-6, rtol=0, err_msg=file)


def test_weights_alone_compute_the_same_and_every_assumption_is_a_note(tmp_path):
    theirs = chain(L.LSTM(4), L.Dropout(0.1), L.Dense(3))
    theirs.save_weights(tmp_path / "m.weights.h5")
    inputs = np.random.default_rng(0).normal(size=(2, T, D)).astype(np.float32)
    found, model = loaded(tmp_path / "m.weights.h5")
    expected = np.asarray(theirs.predict(inputs, verbose=0))
    np.testing.assert_allclose(answers(found, model, inputs).numpy(), expected, atol=2e-6, rtol=0)
    told = "\n".join(found.notes)
    for word in (
        "dropout",
        "task=classification is assumed",
        "sigmoid gates",
        "at each sequence's last step",
    ):
        assert word in told


def test_weights_alone_with_a_layer_that_computes_are_refused(tmp_path):
    theirs = chain(L.LSTM(4, return_sequences=True), L.GlobalAveragePooling1D(), L.Dense(3))
    theirs.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(UserError, match="global_average_pooling1d"):
        import_weights(tmp_path / "m.weights.h5")


def test_masked_zeros_behind_a_text_are_what_lengths_are(tmp_path):
    theirs = chain(L.Embedding(V, D, mask_zero=True), L.LSTM(4), L.Dense(2, activation="softmax"), shape=(T,))
    theirs.save(tmp_path / "m.keras")
    tokens = np.array([[3, 1, 4, 1, 5, 2], [6, 5, 3, 0, 0, 0]])
    found, model = loaded(tmp_path / "m.keras")
    got = answers(found, model, tokens, torch.tensor([6, 3])).softmax(-1)
    np.testing.assert_allclose(got.numpy(), theirs.predict(tokens, verbose=0), atol=2e-6, rtol=0)
    assert any("mask_zero=True" in note for note in found.notes)


def test_the_loss_says_what_a_linear_output_is(tmp_path):
    for loss, units, task, outputs in (
        (keras.losses.BinaryCrossentropy(from_logits=True), 1, "classification", 2),
        ("mse", 3, "regression", 3),
        (keras.losses.BinaryCrossentropy(from_logits=True), 3, "multi-label", 3),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), 3, "classification", 3),
    ):
        theirs = chain(L.LSTM(4), L.Dense(units))
        theirs.compile("sgd", loss)
        theirs.save(tmp_path / "m.keras")
        found = import_weights(tmp_path / "m.keras")
        assert (found.config["task"], found.config["output_size"]) == (task, outputs)
        assert not any("assumed" in note for note in found.notes)


REFUSED = {
    "hidden dense": (lambda: [L.LSTM(4), L.Dense(4, "relu"), L.Dense(2)], "Dense: activation.*'relu'"),
    "two dense": (lambda: [L.LSTM(4), L.Dense(4), L.Dense(2)], "Dense.*stands where no such layer is read"),
    "pooling": (
        lambda: [L.LSTM(4, return_sequences=True), L.GlobalMaxPooling1D(), L.Dense(2)],
        "'GlobalMaxPooling1D'",
    ),
    "rescaling": (lambda: [L.Rescaling(0.1), L.LSTM(4), L.Dense(2)], "'Rescaling'"),
    "normalization": (lambda: [L.Normalization(mean=1.0, variance=4.0), L.LSTM(4)], "'Normalization'"),
    "batch normalization": (lambda: [L.LSTM(4), L.BatchNormalization(), L.Dense(2)], "'BatchNormalization'"),
    "activation": (lambda: [L.LSTM(4), L.Dense(2), L.Activation("tanh")], "Activation.*'tanh'"),
    "merge mode": (lambda: [L.Bidirectional(L.LSTM(4), merge_mode="sum")], "merge_mode.*'sum'"),
    "backwards": (lambda: [L.LSTM(4, go_backwards=True)], "go_backwards.*True"),
    "gates": (
        lambda: [L.LSTM(4, recurrent_activation="hard_sigmoid")], "recurrent_activation.*'hard_sigmoid'",
    ),
    "units": (lambda: [L.GRU(4, activation="elu")], "activation.*'elu'"),
    "reset": (lambda: [L.GRU(4, reset_after=False)], "reset_after.*False"),
    "convolution": (lambda: [L.Conv1D(4, 2), L.LSTM(4)], "'Conv1D'"),
    "no recurrent layer": (lambda: [L.Flatten(), L.Dense(2)], "it has none"),
    "values of every step": (
        lambda: [L.LSTM(4, return_sequences=True), L.Dense(2, activation="sigmoid")], "sigmoid",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_computes_something_else_is_refused_by_name(tmp_path, name):
    make, message = REFUSED[name]
    chain(*make()).save(tmp_path / "m.keras")
    with pytest.raises(UserError, match=message):
        import_weights(tmp_path / "m.keras")


def test_a_network_that_is_no_chain_is_refused(tmp_path):
    inputs = keras.Input(SERIES)
    hidden = L.LSTM(4, return_sequences=True)(inputs)
    plain = keras.Model(inputs, L.Dense(2)(L.LSTM(4)(hidden)))
    plain.save(tmp_path / "chain.keras")
    assert import_weights(tmp_path / "chain.keras").architecture == "stacked-lstm"
    hidden, state, cell = L.LSTM(4, return_sequences=True, return_state=True)(inputs)
    keras.Model(inputs, L.LSTM(4)(hidden, initial_state=[state, cell])).save(tmp_path / "m.keras")
    with pytest.raises(UserError, match=r"return_state|wired otherwise"):
        import_weights(tmp_path / "m.keras")


def test_notes_and_damage():
    lstm = {"class_name": "LSTM", "config": {"stateful": True, "novel": 3, "dtype": "mixed_float16"}}
    mask = {"class_name": "Masking", "config": {"mask_value": -1.0}}
    told = "\n".join(read_model({"class_name": "Sequential", "config": {"layers": [mask, lstm]}}, "f").notes)
    for word in ("mask_value=-1.0", "stateful=True", "novel=3 is not known", "dtype=mixed_float16"):
        assert word in told
    for config in ({}, {"class_name": "Sequential"}, {"class_name": "Sequential", "config": {"layers": [3]}}):
        with pytest.raises(UserError, match="configuration of the Keras model is damaged"):
            read_model(config, "f")


def config_of(name, **options):
    layer = {"class_name": name, "config": options}
    return {
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "InputLayer", "config": {}}, layer]},
    }


def test_a_configuration_that_computes_something_else_is_refused(tmp_path):
    assert read_model(config_of("SimpleRNN"), "f").activation == "tanh"
    usual = config_of("LSTM", activation="tanh", recurrent_activation="sigmoid")
    assert read_model(usual, "f").activation is None
    ahead = {"class_name": "LSTM", "config": {}}
    half = {"class_name": "LSTM", "config": {"go_backwards": True}}
    read_model(config_of("Bidirectional", merge_mode="concat", layer=ahead, backward_layer=half), "f")
    with pytest.raises(UserError, match="Bidirectional: layer: go_backwards: got True"):
        read_model(config_of("Bidirectional", layer=half), "f")
    for name, option, value in [
        ("LSTM", "recurrent_activation", "hard_sigmoid"),
        ("LSTM", "go_backwards", True),
        ("GRU", "reset_after", False),
        ("SimpleRNN", "activation", "gelu"),
        ("Bidirectional", "merge_mode", "sum"),
    ]:
        with pytest.raises(UserError, match=f"{name}: {option}: got .*{value}"):
            read_model(config_of(name, **{option: value}), "f")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config_of("LSTM", go_backwards=True))
    with pytest.raises(UserError, match="go_backwards"):
        read_model(read_keras(tmp_path / "m.h5").config, "f")

"""Files of Keras 2 and 3 are read without Keras; what is damaged or of another kind is refused."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest
import torch

from anncestry.checkpoints.converters.keras.configuration import read_model
from anncestry.checkpoints.converters.keras.weights import from_keras
from anncestry.errors import UserError
from anncestry.formats.keras import read_keras

GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
D, H, B, T = 3, 4, 2, 6


def random_arrays(kind, num_layers, bidirectional):
    """Random weights of stacked layers, named and shaped as Keras has them."""
    random, arrays, size = np.random.default_rng(0), {}, D
    gates = GATES[kind] * H
    for depth in range(num_layers):
        layer = ("bidirectional" if bidirectional else kind) + (f"_{depth}" if depth else "")
        for way in ("/forward", "/backward") if bidirectional else ("",):
            shapes = {"kernel": (size, gates), "recurrent_kernel": (H, gates)}
            shapes["bias"] = (2, gates) if kind == "gru" else (gates,)
            for part, shape in shapes.items():
                arrays[f"{layer}{way}/{part}"] = random.normal(0, 0.5, shape).astype(np.float32)
        size = 2 * H if bidirectional else H
    return arrays


def write_keras3(file, arrays):
    """The layout of Keras 3: variables by number, layers by class and count, optimizer beside them."""
    order = ("kernel", "recurrent_kernel", "bias")
    with h5py.File(file, "w") as store:
        for name, array in arrays.items():
            layer, *way, part = name.split("/")
            place = f"layers/{layer}/" + "".join(f"{w}_layer/" for w in way)
            cell = "cell/" if "dense" not in layer else ""
            number = order.index(part) if cell else ("kernel", "bias").index(part)
            store[f"{place}{cell}vars/{number}"] = array
        store["optimizer/vars/0"] = np.zeros(3, np.float32)


def write_keras2(file, arrays, root="model_weights", config=None):
    """The layout of Keras 2: names with ``:0``, the order of the layers in an attribute."""
    layers = list(dict.fromkeys(name.split("/")[0] for name in arrays))
    with h5py.File(file, "w") as store:
        group = store.create_group(root) if root else store
        group.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            names = {}
            for name, array in arrays.items():
                first, *way, part = name.split("/")
                if first != layer:
                    continue
                inner = f"{way[0]}_lstm/lstm_cell/" if way else ("" if "dense" in layer else "lstm_cell/")
                names[f"{layer}/{inner}{part}:0"] = array
            group.create_group(layer).attrs["weight_names"] = [name.encode() for name in names]
            for name, array in names.items():
                group[layer][name] = array
        if config is not None:
            store.attrs["model_config"] = json.dumps(config)


def same(found, expected):
    return found.keys() == expected.keys() and all(
        np.array_equal(found[name], expected[name]) for name in found
    )


def with_dense(arrays):
    return arrays | {"dense/kernel": np.ones((4, 2), np.float32), "dense/bias": np.ones(2, np.float32)}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("root", ["model_weights", ""])
def test_reads_hdf5_of_keras_2(tmp_path, bidirectional, root):
    # Twelve layers: sorted by name, lstm_10 would come before lstm_2.
    arrays = with_dense(random_arrays("lstm", 12, bidirectional))
    write_keras2(tmp_path / "weights.h5", arrays, root)
    found = read_keras(tmp_path / "weights.h5").arrays
    assert same(found, arrays)
    assert list(found) == list(arrays)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_reads_hdf5_of_keras_3(tmp_path, bidirectional):
    arrays = with_dense(random_arrays("lstm", 12, bidirectional))
    write_keras3(tmp_path / "model.weights.h5", arrays)
    found = read_keras(tmp_path / "model.weights.h5").arrays
    assert same(found, arrays)
    expected = from_keras(arrays)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in from_keras(found).items())


def test_reads_a_keras_archive_with_its_configuration(tmp_path):
    arrays, weights = random_arrays("simple_rnn", 1, False), io.BytesIO()
    write_keras3(weights, arrays)
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config_of("SimpleRNN", activation="relu")))
        archive.writestr("model.weights.h5", weights.getvalue())
    found = read_keras(tmp_path / "model.keras")
    assert same(found.arrays, arrays)
    assert read_model(found.config, "f").activation == "relu"


def test_reads_npz_and_never_unpickles(tmp_path):
    arrays = random_arrays("gru", 2, True)
    np.savez(tmp_path / "weights.npz", **arrays)
    assert same(read_keras(tmp_path / "weights.npz").arrays, arrays)
    np.savez(tmp_path / "pickle.npz", a=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="allow_pickle=False"):
        read_keras(tmp_path / "pickle.npz")


def test_an_archive_of_something_else_is_refused(tmp_path):
    torch.save({"w": torch.ones(1)}, tmp_path / "model.zip")
    with pytest.raises(UserError, match="an archive of something else than Keras weights"):
        read_keras(tmp_path / "model.zip")


def config_of(name, **options):
    layer = {"class_name": name, "config": options}
    return {
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "InputLayer", "config": {}}, layer]},
    }


def test_files_that_are_not_what_they_say(tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        read_keras(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(UserError, match="is not a file of Keras weights"):
        read_keras(tmp_path / "text.h5")
    write_keras3(tmp_path / "cut.h5", random_arrays("lstm", 2, True))
    whole = (tmp_path / "cut.h5").read_bytes()
    for size in (10, 500, len(whole) // 2, len(whole) - 10):
        (tmp_path / "cut.h5").write_bytes(whole[:size])
        with pytest.raises(UserError, match="is not a file of Keras weights"):
            read_keras(tmp_path / "cut.h5")


def test_a_file_that_claims_more_than_it_holds_is_refused(tmp_path):
    with h5py.File(tmp_path / "bomb.h5", "w") as store:  # never written, so it takes no space
        store.create_dataset("layers/lstm/cell/vars/0", shape=(10**6, 10**6), chunks=(1000, 1000), dtype="f4")
    with pytest.raises(UserError, match="claims to hold more than 8 times its size"):
        read_keras(tmp_path / "bomb.h5")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(10**6))
    with pytest.raises(UserError, match="would unpack to more than 8 times its size"):
        read_keras(tmp_path / "bomb.npz")


def test_nothing_outside_the_file_is_read(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.ones((3, 16), np.float32)
    with h5py.File(tmp_path / "link.h5", "w") as store:
        store["layers/lstm/cell/vars/0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "secret")
    assert read_keras(tmp_path / "link.h5").arrays == {}
    (tmp_path / "raw").write_bytes(bytes(64))
    with h5py.File(tmp_path / "external.h5", "w") as store:
        store.create_dataset(
            "layers/lstm/cell/vars/0", (4, 4), "f4", external=[(str(tmp_path / "raw"), 0, 64)]
        )
    with pytest.raises(UserError, match="keeps layers/lstm/cell/vars/0 in another file"):
        read_keras(tmp_path / "external.h5")

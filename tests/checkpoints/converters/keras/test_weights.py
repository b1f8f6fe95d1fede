"""Keras' layers, written out from their formulas in NumPy, against our wirings under converted weights."""

import io
import itertools
import json
import zipfile

import h5py
import numpy as np
import pytest
import torch

from anncestry.checkpoints.converters.keras.configuration import read_model
from anncestry.checkpoints.converters.keras.weights import from_keras, to_keras
from anncestry.checkpoints.store import load_weights
from anncestry.errors import UserError
from anncestry.formats.keras import read_keras
from anncestry.layers.recurrent.cells import ElmanCell, GRUCell, LSTMCell
from anncestry.layers.recurrent.wirings import Bidirectional, Unrolled, stack

CELLS = {"simple_rnn": ElmanCell, "lstm": LSTMCell, "gru": GRUCell}
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
D, H, B, T = 3, 4, 2, 6
SHAPES = list(itertools.product(CELLS, (1, 2), (False, True)))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def simple_rnn(x, kernel, recurrent, bias):
    h, outputs = np.zeros((x.shape[0], H)), []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent + bias)
        outputs.append(h)
    return np.stack(outputs, 1)


def lstm(x, kernel, recurrent, bias):
    h, c, outputs = np.zeros((x.shape[0], H)), np.zeros((x.shape[0], H)), []
    for t in range(x.shape[1]):
        z = x[:, t] @ kernel + h @ recurrent + bias
        i, f, g, o = z[:, :H], z[:, H : 2 * H], z[:, 2 * H : 3 * H], z[:, 3 * H :]
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1)


def gru(x, kernel, recurrent, bias):
    """reset_after=True: the reset gate multiplies the recurrent product and its bias."""
    h, outputs = np.zeros((x.shape[0], H)), []
    for t in range(x.shape[1]):
        xz, xr, xh = np.split(x[:, t] @ kernel + bias[0], 3, axis=1)
        hz, hr, hh = np.split(h @ recurrent + bias[1], 3, axis=1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        h = z * h + (1 - z) * np.tanh(xh + r * hh)
        outputs.append(h)
    return np.stack(outputs, 1)


KERAS = {"simple_rnn": simple_rnn, "lstm": lstm, "gru": gru}


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


def keras_forward(kind, arrays, x):
    layers = list(dict.fromkeys(name.split("/")[0] for name in arrays))
    for layer in layers:
        if f"{layer}/kernel" in arrays:
            x = KERAS[kind](x, *(arrays[f"{layer}/{p}"] for p in ("kernel", "recurrent_kernel", "bias")))
        else:
            ahead, back = (
                [arrays[f"{layer}/{way}/{p}"] for p in ("kernel", "recurrent_kernel", "bias")]
                for way in ("forward", "backward")
            )
            y_back = KERAS[kind](x[:, ::-1], *back)[:, ::-1]
            x = np.concatenate([KERAS[kind](x, *ahead), y_back], axis=2)
    return x


def wiring(kind, num_layers, bidirectional):
    def layer(size):
        if bidirectional:
            return Bidirectional(Unrolled(CELLS[kind](size, H)), Unrolled(CELLS[kind](size, H)))
        return Unrolled(CELLS[kind](size, H))

    return stack(layer, D, num_layers)


@pytest.mark.parametrize(("kind", "num_layers", "bidirectional"), SHAPES)
def test_outputs_are_those_of_keras(kind, num_layers, bidirectional):
    arrays = random_arrays(kind, num_layers, bidirectional)
    ours = wiring(kind, num_layers, bidirectional)
    load_weights(ours, from_keras(arrays), "test")
    x = np.random.default_rng(1).normal(size=(B, T, D))
    y, _ = ours(torch.from_numpy(x).float())
    np.testing.assert_allclose(y.detach().numpy(), keras_forward(kind, arrays, x), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("kind", "num_layers", "bidirectional"), SHAPES)
def test_there_and_back_is_identical_and_keras_computes_the_same(kind, num_layers, bidirectional):
    torch.manual_seed(0)
    ours = wiring(kind, num_layers, bidirectional)
    arrays = to_keras(ours.state_dict())
    assert [(n, a.shape) for n, a in arrays.items()] == [
        (n, a.shape) for n, a in random_arrays(kind, num_layers, bidirectional).items()
    ]
    x = np.random.default_rng(1).normal(size=(B, T, D))
    y, _ = ours(torch.from_numpy(x).float())
    np.testing.assert_allclose(y.detach().numpy(), keras_forward(kind, arrays, x), atol=1e-6, rtol=0)
    back = from_keras(arrays)
    assert back.keys() == ours.state_dict().keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in ours.state_dict().items())


def test_reset_before_the_product_is_refused_as_another_function():
    arrays = random_arrays("gru", 1, False)
    with pytest.raises(UserError, match=r"bias \(12,\)'; a GRU's bias .* reset_after=False"):
        from_keras(arrays | {"gru/bias": arrays["gru/bias"][0]})
    with pytest.raises(UserError, match=r"no bias"):
        from_keras({name: array for name, array in arrays.items() if not name.endswith("bias")})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"lstm/recurrent_kernel": np.zeros((4, 9), np.float32)}, r"the kernels have the shapes \(D, G\)"),
        ({"lstm/recurrent_kernel": np.zeros(4, np.float32)}, r"the kernels have the shapes \(D, G\)"),
        ({"lstm/kernel": np.zeros((3, 16), np.int64)}, r"lstm/kernel: got 'int64'; weights are float16"),
        ({"lstm/bias": np.zeros(24, np.float32)}, r"bias must have the shape \(16,\)"),
        ({"lstm/other": np.zeros(1, np.float32)}, r"a recurrent layer has kernel, recurrent_kernel and bias"),
        (
            {"lstm_1/kernel": np.zeros((5, 16), np.float32)},
            r"layer 1: \(16, 5\)'; weight_ih must",
        ),
    ],
)
def test_what_is_wrong_with_the_arrays_is_said(changes, text):
    with pytest.raises(UserError, match=text):
        from_keras(random_arrays("lstm", 2, False) | changes, "weights.h5")


def test_no_recurrent_layer_is_an_error():
    with pytest.raises(UserError, match="holds no recurrent layer"):
        from_keras({"dense/kernel": np.zeros((2, 2), np.float32)})


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
    write_keras2(
        tmp_path / "m.h5", random_arrays("lstm", 1, False), config=config_of("LSTM", go_backwards=True)
    )
    with pytest.raises(UserError, match="go_backwards"):
        read_model(read_keras(tmp_path / "m.h5").config, "f")


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_layers_of_cudnn_are_read_as_keras_reads_them(kind):
    ours = random_arrays(kind, 1, False)
    kernel, recurrent, bias = (ours[f"{kind}/{part}"] for part in ("kernel", "recurrent_kernel", "bias"))
    gates = kernel.shape[1] // recurrent.shape[0]
    # cuDNN's memory of each gate is (H, D); Keras' arrays have the shape of its own kernels.
    theirs = {
        "kernel": np.hstack([k.T.reshape(k.shape) for k in np.hsplit(kernel, gates)]),
        "recurrent_kernel": np.hstack([k.T for k in np.hsplit(recurrent, gates)]),
        "bias": bias.reshape(-1) if kind == "gru" else np.concatenate([bias - 0.5, bias * 0 + 0.5]),
    }
    found = from_keras({f"cu_dnn{kind}/{part}": array for part, array in theirs.items()})
    for name, tensor in from_keras(ours).items():
        torch.testing.assert_close(found[name], tensor)


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

"""Keras' layers, written out from their formulas in NumPy, against our wirings under converted weights."""

import itertools

import numpy as np
import pytest
import torch

from anncestry.checkpoints.converters.keras.weights import from_keras, to_keras
from anncestry.checkpoints.store import load_weights
from anncestry.errors import UserError
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

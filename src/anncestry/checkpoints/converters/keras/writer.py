"""Recurrent networks and multi-layer perceptrons as files of Keras 3, written without Keras.

A model is a chain of layers; ``.keras`` holds its configuration and its weights, ``.weights.h5`` the weights
alone. Classes are answered by their probabilities, as Keras's own models do. Where our inputs are tokens
with a filler, which is 0, Keras passes over it (``mask_zero``).
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np
from torch import Tensor

from anncestry.checkpoints.converters.keras.weights import to_keras
from anncestry.errors import require
from anncestry.signature import EVERY_STEP, Signature

_ACTIVATIONS = {
    "identity": "linear", "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "elu": "elu", "selu": "selu",
    "softplus": "softplus", "gelu": "gelu", "silu": "silu",
}  # fmt: skip
_OUTPUTS = {"classification": "softmax", "language-model": "softmax", "tagging": "softmax",
            "multi-label": "sigmoid", "next-frame": "sigmoid"}  # fmt: skip
_RECURRENT = {"rnn": "SimpleRNN", "brnn": "SimpleRNN", "lstm": "LSTM", "stacked-lstm": "LSTM",
              "bilstm": "LSTM", "gru": "GRU"}  # fmt: skip
_SNAKE = {"SimpleRNN": "simple_rnn", "LSTM": "lstm", "GRU": "gru"}
_VERSION = "3.0.0"  # of Keras, whose files these are like
_DAY = (1980, 1, 1, 0, 0, 0)  # the first that an archive can hold: the same net makes the same bytes


class Layer(NamedTuple):
    """A layer of a chain.

    Attributes:
        kind: its class.
        options: of it, but for its name.
        weights: by their places in the layer: ``vars/0``, ``cell/vars/1``.
    """

    kind: str
    options: dict[str, Any]
    weights: Mapping[str, np.ndarray] = {}


def layers_of(
    architecture: str, tensors: Mapping[str, Tensor], config: Any, signature: Signature, masked: bool
) -> list[Layer]:
    """The chain of a net of ours.

    Args:
        architecture: ``mlp``, or one of those that PyTorch and Keras have recurrent layers for.
        tensors: its state dict, a recurrent net's as
            `anncestry.checkpoints.exporting.keras_arrays` takes it.
        signature: of its run.
        masked: whether token 0 fills up sequences.

    Raises:
        UserError: Keras has no such units.
    """
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    output = _OUTPUTS.get(signature.task, "linear")
    if architecture == "mlp":
        return _perceptron(arrays, config, signature, output)
    shape: tuple[int | None, ...] = {
        "tokens": (None,), "image": signature.shape, "series": (None, signature.shape[-1]),
    }[config.inputs]  # fmt: skip
    layers = [_input(shape, "int32" if config.inputs == "tokens" else "float32")]
    if config.inputs == "tokens":
        table = arrays.get("embedding.weight", np.eye(config.input_size, dtype=np.float32))  # else one-hot
        sizes = {"input_dim": len(table), "output_dim": table.shape[1], "mask_zero": masked}
        layers.append(Layer("Embedding", sizes, {"vars/0": table}))
    elif config.inputs == "image":  # row by row
        channels, height, width = signature.shape
        layers.append(Layer("Permute", {"dims": [2, 1, 3]}))
        layers.append(Layer("Reshape", {"target_shape": [height, channels * width]}))
    wiring = {n.removeprefix("wiring."): t for n, t in tensors.items() if n.startswith("wiring.")}
    layers += _recurrent(architecture, to_keras(wiring), config, signature.task in EVERY_STEP)
    dense = {"vars/0": arrays["readout.weight"].T, "vars/1": arrays["readout.bias"]}
    return [*layers, Layer("Dense", {"units": config.output_size, "activation": output}, dense)]


def _recurrent(
    architecture: str, arrays: Mapping[str, np.ndarray], config: Any, every_step: bool
) -> list[Layer]:
    kind, stack = _RECURRENT[architecture], {}
    for name, array in arrays.items():
        layer, _, part = name.partition("/")
        stack.setdefault(layer, {})[part] = array
    layers = []
    for depth, parts in enumerate(stack.values()):
        options: dict[str, Any] = {
            "units": config.hidden_size, "return_sequences": every_step or depth < len(stack) - 1,
            "activation": getattr(config, "activation", "tanh"),
        }  # fmt: skip
        options |= {} if kind == "SimpleRNN" else {"recurrent_activation": "sigmoid"}
        options |= {"reset_after": True} if kind == "GRU" else {}
        if "kernel" in parts:
            layers.append(Layer(kind, options, _cell(parts, "cell/")))
            continue
        halves = {way: {p.partition("/")[2]: a for p, a in parts.items() if p.startswith(way)}
                  for way in ("forward", "backward")}  # fmt: skip
        inner = {
            way: _described(kind, {**options, "name": f"{way}_layer", "go_backwards": way == "backward"})
            for way in halves
        }
        weights = {}
        for way, half in halves.items():
            weights |= _cell(half, f"{way}_layer/cell/")
        both = {"merge_mode": "concat", "layer": inner["forward"], "backward_layer": inner["backward"]}
        layers.append(Layer("Bidirectional", both, weights))
    return layers


def _cell(parts: Mapping[str, np.ndarray], place: str) -> dict[str, np.ndarray]:
    names = ("kernel", "recurrent_kernel", "bias")
    return {f"{place}vars/{number}": parts[name] for number, name in enumerate(names)}


def _perceptron(
    arrays: Mapping[str, np.ndarray], config: Any, signature: Signature, output: str
) -> list[Layer]:
    known = config.activation in _ACTIVATIONS
    require(known, "activation", config.activation, "has no counterpart in Keras", _ACTIVATIONS)
    layers = [_input(signature.shape, "float32"), Layer("Flatten", {})]
    names = sorted({name.rpartition(".")[0] for name in arrays}, key=lambda name: int(name.split(".")[1]))
    for name in names:
        weight, bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
        unit = output if name == names[-1] else _ACTIVATIONS[config.activation]
        options = {"units": len(weight), "activation": unit}
        layers.append(Layer("Dense", options, {"vars/0": weight.T, "vars/1": bias}))
        if config.dropout and name != names[-1]:
            layers.append(Layer("Dropout", {"rate": config.dropout}))
    return layers


def _input(shape: Sequence[int | None], dtype: str) -> Layer:
    return Layer("InputLayer", {"batch_shape": [None, *shape], "dtype": dtype})


def _described(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": kind, "config": dict(options), "registered_name": None}


def _named(layers: Sequence[Layer]) -> list[tuple[str, Layer]]:
    """Each layer with its name: its class in small letters, and its count from the second on."""
    counts: dict[str, int] = {}
    named = []
    for layer in layers:
        base = _SNAKE.get(layer.kind, "input_layer" if layer.kind == "InputLayer" else layer.kind.lower())
        count = counts[base] = counts.get(base, -1) + 1
        named.append((f"{base}_{count}" if count else base, layer))
    return named


def weights_bytes(layers: Sequence[Layer]) -> bytes:
    """A ``.weights.h5``."""
    file = io.BytesIO()
    with h5py.File(file, "w") as store:
        for name, layer in _named(layers):
            if layer.kind == "InputLayer":
                continue
            store.require_group(f"layers/{name}/vars")
            for place, array in layer.weights.items():
                store[f"layers/{name}/{place}"] = np.ascontiguousarray(array, dtype=np.float32)
    return file.getvalue()


def model_bytes(layers: Sequence[Layer]) -> bytes:
    """A ``.keras``."""
    listed = [_described(layer.kind, {**layer.options, "name": name}) for name, layer in _named(layers)]
    shape = layers[0].options["batch_shape"]
    model = {
        "module": "keras", "class_name": "Sequential", "registered_name": None,
        "config": {"name": "sequential", "trainable": True, "layers": listed, "build_input_shape": shape},
        "build_config": {"input_shape": shape},
    }  # fmt: skip
    parts = {
        "metadata.json": json.dumps({"keras_version": _VERSION, "date_saved": ""}).encode(),
        "config.json": json.dumps(model).encode(),
        "model.weights.h5": weights_bytes(layers),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, octets in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _DAY), octets)
    return file.getvalue()

"""Whole recurrent networks: a stack of recurrent layers, perhaps an embedding below and a linear layer above.

From safetensors of a PyTorch module that has one ``torch.nn.RNN``, ``LSTM`` or ``GRU``, and from what Keras
writes (`anncestry.formats.keras`). Without a linear layer the readout becomes the
identity: the outputs are the hidden units themselves. What a file does not say is assumed, with a note.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from anncestry.checkpoints.converters.keras.configuration import KerasModel, read_model
from anncestry.checkpoints.converters.keras.weights import from_keras
from anncestry.checkpoints.converters.recurrent_names import RecurrentSizes, from_state, measure
from anncestry.checkpoints.converters.torch_rnn import from_torch
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.store import some_of
from anncestry.errors import UserError, require
from anncestry.formats.keras import read_keras
from anncestry.timeline import find

_NAME = re.compile(r"(?P<module>.*?)(?P<name>(?:weight|bias)_(?:ih|hh|hr)_l[0-9]+(?:_reverse)?)")
_ARCHITECTURES = {
    ("rnn", False): ("rnn",),
    ("rnn", True): ("brnn",),
    ("lstm", False): ("lstm", "stacked-lstm"),
    ("lstm", True): ("bilstm",),
    ("gru", False): ("gru",),
}


_COMPUTES = re.compile(
    r"pooling|flatten|rescaling|reshape|concat|^add|subtract|multiply|average|maximum|minimum|^dot|lambda|permute|"
    r"cropping|padding|sampling|repeat|re_?lu|normali[sz]ation|discretization|hashing|attention|resizing"
)
"""Of names of layers without weights: those that change what passes."""


class _Parts(NamedTuple):
    wiring: dict[str, Tensor]
    embedding: Tensor | None  # (V, E)
    readouts: list[tuple[Tensor, Tensor]]  # (K, H) and (K,)
    unused: list[str]


def is_torch_module(files: ForeignFiles) -> bool:
    """Whether tensors have the names of PyTorch's recurrent layers."""
    return any(_NAME.fullmatch(name) for name in files.tensors)


def from_torch_module(files: ForeignFiles, wanted: str | None = None) -> Imported:
    """The network of a PyTorch module with one ``torch.nn.RNN``, ``LSTM`` or ``GRU``.

    Args:
        wanted: the id of the architecture that it must be; default: found from the weights.

    Raises:
        UserError: it has another number of them, or other parts; it is of another architecture.
    """
    parts = _torch_parts(files.weights, files.name)
    return _network(parts, wanted, files.name, KerasModel())


def is_keras(files: ForeignFiles) -> bool:
    """Whether it is a file of HDF5, or an archive without a pickle: one with a pickle is refused by what
    reads tensors, which says why."""
    return files.container is not None


def from_keras_file(files: ForeignFiles, wanted: str | None = None) -> Imported:
    """The network of a file of Keras.

    Args:
        wanted: the id of the architecture that it must be; default: found from the weights.

    Raises:
        UserError: it cannot be read; a layer or an option of it computes what ours do not.
    """
    arrays, config, silent = read_keras(files.path, files.container)
    said = _without_config(silent, files.name) if config is None else read_model(config, files.name)
    return _network(_keras_parts(arrays, files.name), wanted, files.name, said)


def _without_config(silent: tuple[str, ...], source: str) -> KerasModel:
    """What the names of layers without weights say."""
    computing = [name for name in silent if _COMPUTES.search(name)]
    rule = "are layers that compute what is not read here"
    require(not computing, source, some_of(computing), rule)
    if not silent:
        return KerasModel()
    note = f"of layers without weights the file has but names, and they were not heeded: {some_of(silent)}"
    return KerasModel(notes=(note,))


def _network(parts: _Parts, architecture: str | None, source: str, said: KerasModel) -> Imported:
    sizes = measure(from_state(parts.wiring, source), source)
    width = sizes.hidden_size * (2 if sizes.bidirectional else 1)
    if parts.unused or len(parts.readouts) > 1:
        names = parts.unused or [f"{len(parts.readouts)} linear layers"]
        rule = "beside the recurrent layers there may be one embedding below and one linear layer above"
        raise UserError(source, some_of(names), rule)
    weight, bias = parts.readouts[0] if parts.readouts else (torch.eye(width), torch.zeros(width))
    if weight.shape[1:] != (width,) or bias.shape != weight.shape[:1]:
        rule = f"the linear layer must read the {width} outputs of the recurrent layers"
        raise UserError(source, tuple(weight.shape), rule)
    config: dict[str, Any] = {
        "inputs": "series",
        "input_size": sizes.input_size,
        "hidden_size": sizes.hidden_size,
        "num_layers": sizes.num_layers,
    }
    tensors = {f"wiring.{name}": tensor for name, tensor in parts.wiring.items()}
    if parts.embedding is not None:
        vocab_size, embed_dim = parts.embedding.shape
        if embed_dim != sizes.input_size:
            rule = f"the embedding must have the {sizes.input_size} features the recurrent layers read"
            raise UserError(source, tuple(parts.embedding.shape), rule)
        tensors["embedding.weight"] = parts.embedding
        config |= {"inputs": "tokens", "input_size": vocab_size, "embed_dim": embed_dim}
    task, notes = _task(said, config, weight.shape[0], bool(parts.readouts), sizes, source)
    if said.output == "sigmoid" or (said.loss in ("classes", "labels") and said.output == "linear"):
        weight, bias = _two_classes(weight, bias)
    tensors |= {"readout.weight": weight, "readout.bias": bias}
    config |= {"task": task, "output_size": weight.shape[0]}
    if said.activation is not None:
        config["activation"] = said.activation
    if said.seq_len:
        config["seq_len"] = said.seq_len
    if said.every_step is None:
        notes += _assumed(sizes)
    return Imported(_architecture(sizes, architecture, source), config, tensors, notes=(*said.notes, *notes))


def _two_classes(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """A sigmoid's one output as the logits of two classes: softmax of 0 and z is sigmoid of z."""
    if len(weight) != 1:
        return weight, bias
    return torch.cat([torch.zeros_like(weight), weight]), torch.cat([torch.zeros_like(bias), bias])


def _task(
    said: KerasModel,
    config: Mapping[str, Any],
    outputs: int,
    linear: bool,
    sizes: RecurrentSizes,
    source: str,
) -> tuple[str, list[str]]:
    """The task, and notes on what was assumed of it."""
    both_ways, tokens = sizes.bidirectional, config["inputs"] == "tokens"
    if not linear:
        where = "at the last step" if not both_ways else "of both ends"
        return "regression", [f"there is no linear layer: the outputs are the hidden units {where}"]
    next_token = tokens and outputs == config["input_size"] and not both_ways and said.output != "sigmoid"
    if said.every_step:
        return _task_of_every_step(said, next_token, source), []
    if next_token:
        how = " (Keras has outputs at the last step alone)" if said.every_step is False else ""
        return "language-model", [f"task=language-model is assumed: outputs are as many as tokens{how}"]
    if outputs > 1 and (said.output == "sigmoid" or (said.output == "linear" and said.loss == "labels")):
        return "multi-label", []
    if said.output in ("softmax", "sigmoid") or said.loss in ("classes", "labels"):
        return "classification", []
    if said.loss == "values":
        return "regression", []
    task, other = ("regression", "classification") if outputs == 1 else ("classification", "regression")
    return task, [f"task={task} is assumed of {outputs} linear output(s) (set task={other})"]


def _task_of_every_step(said: KerasModel, next_token: bool, source: str) -> str:
    classes = said.output == "softmax" or (said.output == "linear" and said.loss in ("", "classes"))
    rule = "has values at every step (return_sequences=True); only classes of every step are read"
    require(classes, source, f"{said.output} output", rule)
    return "language-model" if next_token else "tagging"


def _assumed(sizes: RecurrentSizes) -> list[str]:
    """What weights alone do not say."""
    notes = []
    if sizes.cell == "rnn":
        notes.append("activation=tanh is assumed: weights do not say (set activation=relu)")
    else:
        gates = (
            "i, f, g, o" if sizes.cell == "lstm" else "r, z, n, the reset gate behind the recurrent product"
        )
        notes.append(f"the usual {sizes.cell.upper()} is assumed: sigmoid gates ({gates}), tanh units")
    where = (
        "at each sequence's last step"
        if not sizes.bidirectional
        else "of both ends: forwards at the last step, "
    )
    where += "backwards at the first" if sizes.bidirectional else ""
    notes.append(
        f"inputs are read as (batch, time, ...), and the output is taken {where}; weights do not say"
    )
    return notes


def _architecture(sizes: RecurrentSizes, wanted: str | None, source: str) -> str:
    found = _ARCHITECTURES.get((sizes.cell, sizes.bidirectional), ())
    ways = "bidirectional " if sizes.bidirectional else ""
    kind = f"{sizes.num_layers} {ways}{sizes.cell.upper()} layer(s)"
    if not found:
        raise UserError(source, kind, "no architecture of the timeline is made of these")
    if wanted is None:
        return found[-1] if sizes.num_layers > 1 else found[0]
    if find(wanted).id not in found:
        raise UserError("architecture", wanted, f"{source} holds {kind}", found)
    return find(wanted).id


def _torch_parts(tensors: Mapping[str, Tensor], source: str) -> _Parts:
    modules: dict[str, dict[str, Tensor]] = {}
    rest: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        match = _NAME.fullmatch(name)
        if match:
            modules.setdefault(match["module"], {})[match["name"]] = _float(name, tensor, source)
        else:
            rest[name] = tensor
    if len(modules) != 1:
        rule = "must hold the weights of one torch.nn.RNN, LSTM or GRU (weight_ih_l0, ...)"
        raise UserError(source, some_of(modules or tensors), rule)
    (weights,) = modules.values()
    embedding, readouts, unused = None, [], []
    for name, tensor in rest.items():
        prefix = name.removesuffix("weight")
        has_bias = f"{prefix}bias" in rest
        if "emb" in name.lower() and tensor.ndim == 2 and embedding is None and not has_bias:
            embedding = _float(name, tensor, source)
        elif name.endswith("weight") and tensor.ndim == 2:
            bias = rest.get(f"{prefix}bias", tensor.new_zeros(tensor.shape[0]))
            readouts.append((_float(name, tensor, source), _float(name, bias, source)))
        elif not (name.endswith("bias") and name.removesuffix("bias") + "weight" in rest):
            unused.append(name)
    return _Parts(from_torch(weights, source), embedding, readouts, unused)


def _float(name: str, tensor: Tensor, source: str) -> Tensor:
    """In float32, before anything is computed of it: sums of two biases in half precision lose digits."""
    rule = "weights are real numbers"
    require(tensor.is_floating_point(), source, f"{name} of {tensor.dtype}", rule)
    return tensor.float()


def _keras_parts(arrays: Mapping[str, np.ndarray], source: str) -> _Parts:
    layers: dict[str, dict[str, Tensor]] = {}
    for name, array in arrays.items():
        layer, _, part = name.rpartition("/")
        layers.setdefault(layer, {})[part] = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    embedding, readouts, unused = None, [], []
    for layer, parts in layers.items():
        if "recurrent_kernel" in parts:
            continue
        if set(parts) == {"embeddings"} and embedding is None and parts["embeddings"].ndim == 2:
            embedding = parts["embeddings"]
        elif "kernel" in parts and set(parts) <= {"kernel", "bias"} and parts["kernel"].ndim == 2:
            weight = parts["kernel"].t().contiguous()
            readouts.append((weight, parts.get("bias", weight.new_zeros(weight.shape[0]))))
        else:
            unused.append(layer)
    return _Parts(from_keras(arrays, source), embedding, readouts, unused)

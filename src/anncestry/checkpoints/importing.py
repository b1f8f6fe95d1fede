"""Whole networks from other programs' files: which architecture they are, its sizes, its weights.

Networks of images: see `anncestry.checkpoints.converters.image_networks`. Transformers: folders of
CTranslate2 and of Hugging Face's Marian, checkpoints of tensor2tensor, and modules with a
``torch.nn.Transformer`` and its embeddings; GPT and GPT-2; ELMo's options with its HDF5 file; each has its
converter. Of a recurrent network a file holds one stack of recurrent layers and, if it likes, an embedding
below and a linear layer above:

- safetensors of a PyTorch module that has one ``torch.nn.RNN``, ``LSTM`` or ``GRU``;
- what Keras writes (`anncestry.checkpoints.converters.keras_files`).

Without a linear layer the readout becomes the identity: the outputs are the hidden units themselves.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from anncestry.checkpoints.converters.bert import from_bert, is_bert
from anncestry.checkpoints.converters.bert_forks import from_bert_fork, is_bert_fork
from anncestry.checkpoints.converters.bert_kin import KIN
from anncestry.checkpoints.converters.beyond_bert import from_beyond_bert, is_beyond_bert
from anncestry.checkpoints.converters.beyond_bert_bart import from_bart, is_bart
from anncestry.checkpoints.converters.beyond_bert_families import FAMILIES
from anncestry.checkpoints.converters.ctranslate2 import from_ctranslate2
from anncestry.checkpoints.converters.elmo import find_elmo, from_elmo
from anncestry.checkpoints.converters.gpt import GPT_TYPES, from_gpt, is_gpt
from anncestry.checkpoints.converters.image_networks import from_torchvision, recognise
from anncestry.checkpoints.converters.keras import from_keras
from anncestry.checkpoints.converters.keras_files import activation_of, read_keras
from anncestry.checkpoints.converters.marian import from_marian, is_marian
from anncestry.checkpoints.converters.recurrent import RecurrentSizes, from_state, measure
from anncestry.checkpoints.converters.sentence_bert import from_sentence_bert, is_sentence_bert
from anncestry.checkpoints.converters.tensor2tensor import from_tensor2tensor
from anncestry.checkpoints.converters.torch_rnn import from_torch
from anncestry.checkpoints.converters.torch_transformer import from_torch_transformer, is_torch_transformer
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.store import holds_pickle, some_of
from anncestry.errors import UserError
from anncestry.timeline import find

_RECURRENT = re.compile(r"(?P<module>.*?)(?P<name>(?:weight|bias)_(?:ih|hh|hr)_l[0-9]+(?:_reverse)?)")
_ARCHITECTURES = {
    ("rnn", False): ("rnn",),
    ("rnn", True): ("brnn",),
    ("lstm", False): ("lstm", "stacked-lstm"),
    ("lstm", True): ("bilstm",),
    ("gru", False): ("gru",),
}


class _Parts(NamedTuple):
    wiring: dict[str, Tensor]
    embedding: Tensor | None  # (V, E)
    readouts: list[tuple[Tensor, Tensor]]  # (K, H) and (K,)
    unused: list[str]
    activation: str | None = None


class Row(NamedTuple):
    """One kind of foreign files.

    Attributes:
        what: how the last resort lists it.
        recognise: whether files are of this kind; it raises where they are but cannot be read.
        read: the network, given the files and the id of what it must be, if that was told.
    """

    what: str
    recognise: Callable[[ForeignFiles], bool]
    read: Callable[[ForeignFiles, str | None], Imported]


def import_weights(path: str | Path, architecture: str | None = None) -> Imported:
    """Read a foreign file of weights.

    What weights do not say is assumed: tanh units, an answer at the last step, and the task: a language
    model where the outputs are as many as the embedded tokens, regression for one output or none, else
    classification. The config can be changed before the model is built.

    Args:
        path: a safetensors or Keras file; of a Transformer a folder, or a file in it.
        architecture: the id of what it must be; found from the weights unless told.

    Raises:
        UserError: the file cannot be read (a pickle never is), holds something else than one network that
            is known here, or another architecture.
    """
    return _network(ForeignFiles(path), architecture, _ROWS)


def _network(files: ForeignFiles, architecture: str | None, rows: Sequence[Row]) -> Imported:
    """The network of the first kind that recognises the files."""
    for row in rows:
        if row.recognise(files):
            found = row.read(files, architecture)
            if architecture is not None and find(architecture).id != found.architecture:
                name = find(found.architecture).name
                rule = f"{files.name} holds a {name}"
                raise UserError("architecture", architecture, rule, [found.architecture])
            return found
    raise _unknown(files)


def _unknown(files: ForeignFiles) -> UserError:
    """What is said of files that nobody recognises: what they say they are, and what is known."""
    if files.model_type is not None:
        return UserError("model_type", files.model_type, "is no network that is read here", _MODEL_TYPES)
    said = files.config.get("architectures") if files.of_folder else None
    if said:
        return UserError("architectures", said, "is no network that is read here", _MODEL_TYPES)
    names = some_of(files.weights) or "no tensors"
    kinds = list(dict.fromkeys(row.what for row in _ROWS))
    return UserError(files.name, names, "holds no network that is known here", kinds)


def _recurrent(parts: _Parts, architecture: str | None, source: str) -> Imported:
    """The network of one stack of recurrent layers."""
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
    tensors = {f"wiring.{name}": tensor for name, tensor in parts.wiring.items()}
    tensors |= {"readout.weight": weight, "readout.bias": bias}
    config = {
        "task": "regression" if not parts.readouts or weight.shape[0] == 1 else "classification",
        "inputs": "series",
        "input_size": sizes.input_size,
        "hidden_size": sizes.hidden_size,
        "output_size": weight.shape[0],
        "num_layers": sizes.num_layers,
    }
    if parts.embedding is not None:
        vocab_size, embed_dim = parts.embedding.shape
        if embed_dim != sizes.input_size:
            rule = f"the embedding must have the {sizes.input_size} features the recurrent layers read"
            raise UserError(source, tuple(parts.embedding.shape), rule)
        tensors["embedding.weight"] = parts.embedding
        config |= {"inputs": "tokens", "input_size": vocab_size, "embed_dim": embed_dim}
        if weight.shape[0] == vocab_size and not sizes.bidirectional:
            config["task"] = "language-model"
    if parts.activation is not None:
        config["activation"] = parts.activation
    return Imported(_architecture(sizes, architecture, source), config, tensors)


def _is_ctranslate2(files: ForeignFiles) -> bool:
    return "model.bin" in files.names and (files.is_folder or files.path.name == "model.bin")


def _is_keras(files: ForeignFiles) -> bool:
    """By its first bytes. An archive with a pickle is left to `open_weights`, which says why not."""
    path = files.path
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        start = file.read(4)
    return start == b"\x89HDF" or (start == b"PK\x03\x04" and not holds_pickle(path))


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


def _tensors(files: ForeignFiles) -> Mapping[str, Tensor]:
    """The tensors, to be recognised by their names; none where they cannot be read and a config says of what
    type they are: then the type is what has to be told."""
    try:
        return files.weights
    except UserError:
        if files.model_type is None:
            raise
        return {}


def _is_recurrent(files: ForeignFiles) -> bool:
    return any(_RECURRENT.fullmatch(name) for name in _tensors(files))


def _torch_parts(tensors: Mapping[str, Tensor], source: str) -> _Parts:
    modules: dict[str, dict[str, Tensor]] = {}
    rest: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        match = _RECURRENT.fullmatch(name)
        if match:
            modules.setdefault(match["module"], {})[match["name"]] = tensor
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
            embedding = tensor
        elif name.endswith("weight") and tensor.ndim == 2:
            readouts.append((tensor, rest.get(f"{prefix}bias", tensor.new_zeros(tensor.shape[0]))))
        elif not (name.endswith("bias") and name.removesuffix("bias") + "weight" in rest):
            unused.append(name)
    return _Parts(from_torch(weights, source), embedding, readouts, unused)


def _keras_parts(path: Path, source: str) -> _Parts:
    arrays, model_config = read_keras(path)
    activation = activation_of(model_config)
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
    return _Parts(from_keras(arrays, source), embedding, readouts, unused, activation)


def _read_elmo(files: ForeignFiles, _: str | None) -> Imported:
    found = find_elmo(files.path)
    assert found is not None
    return from_elmo(found, files.name)


def _read_transformer(files: ForeignFiles, _: str | None) -> Imported:
    return from_torch_transformer(files.weights, files.name, files.weights.metadata, files.folder)


def _read_keras(files: ForeignFiles, wanted: str | None) -> Imported:
    return _recurrent(_keras_parts(files.path, files.name), wanted, files.name)


def _read_recurrent(files: ForeignFiles, wanted: str | None) -> Imported:
    return _recurrent(_torch_parts(files.weights, files.name), wanted, files.name)


_MODEL_TYPES = ("bert", *KIN, *FAMILIES, "bart", "marian", *GPT_TYPES)
_HUGGING_FACE = "a folder of Hugging Face's (" + ", ".join(_MODEL_TYPES) + ")"
_ROWS = (
    Row(
        "a folder of sentence-transformers",
        is_sentence_bert,
        lambda files, wanted: from_sentence_bert(files, lambda inner: _network(inner, wanted, _ROWS[1:])),
    ),
    Row("ELMo's options and HDF5", lambda files: find_elmo(files.path) is not None, _read_elmo),
    Row(_HUGGING_FACE, is_gpt, lambda files, _: from_gpt(files)),
    Row(_HUGGING_FACE, is_bert, lambda files, _: from_bert(files)),
    Row(_HUGGING_FACE, is_bert_fork, lambda files, _: from_bert_fork(files)),
    Row(_HUGGING_FACE, is_beyond_bert, lambda files, _: from_beyond_bert(files)),
    Row(_HUGGING_FACE, is_bart, lambda files, _: from_bart(files)),
    Row(
        "a folder of CTranslate2",
        _is_ctranslate2,
        lambda files, _: from_ctranslate2(files.folder, files.name),
    ),
    Row(_HUGGING_FACE, is_marian, lambda files, _: from_marian(files)),
    Row(
        "a checkpoint of tensor2tensor",
        lambda files: files.bundle is not None,
        lambda files, _: from_tensor2tensor(files.path, files.name),
    ),
    Row("a file of Keras", _is_keras, _read_keras),
    Row(
        "AlexNet, VGG, ResNet or DenseNet of torchvision or timm",
        lambda files: recognise(_tensors(files)) is not None,
        lambda files, wanted: from_torchvision(files.weights, files.name, wanted),
    ),
    Row(
        "a module with a torch.nn.Transformer",
        lambda files: is_torch_transformer(_tensors(files)),
        _read_transformer,
    ),
    Row("a module with one torch.nn.RNN, LSTM or GRU (weight_ih_l0, ...)", _is_recurrent, _read_recurrent),
)
"""The kinds of foreign files, each asked in turn; the files are opened once. Those that are told by the
names of their tensors come last."""

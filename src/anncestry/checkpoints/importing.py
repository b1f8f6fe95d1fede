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
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from anncestry.checkpoints.converters.bert import from_bert, is_bert
from anncestry.checkpoints.converters.bert_forks import from_bert_fork, is_bert_fork
from anncestry.checkpoints.converters.beyond_bert import from_beyond_bert, is_beyond_bert
from anncestry.checkpoints.converters.beyond_bert_bart import from_bart, is_bart
from anncestry.checkpoints.converters.ctranslate2 import from_ctranslate2
from anncestry.checkpoints.converters.elmo import find_elmo, from_elmo
from anncestry.checkpoints.converters.gpt import from_gpt, is_gpt
from anncestry.checkpoints.converters.image_networks import from_torchvision, recognise
from anncestry.checkpoints.converters.keras import from_keras
from anncestry.checkpoints.converters.keras_files import activation_of, read_keras
from anncestry.checkpoints.converters.marian import from_marian, is_marian
from anncestry.checkpoints.converters.recurrent import RecurrentSizes, from_state, measure
from anncestry.checkpoints.converters.sentence_bert import from_sentence_bert, is_sentence_bert
from anncestry.checkpoints.converters.tensor2tensor import from_tensor2tensor
from anncestry.checkpoints.converters.torch_rnn import from_torch
from anncestry.checkpoints.converters.torch_transformer import from_torch_transformer, is_torch_transformer
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.store import holds_pickle, read_tensors, some_of
from anncestry.errors import UserError, require
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
    path = Path(path)
    if is_sentence_bert(path):
        return from_sentence_bert(path, str(path), lambda inner: _network(inner, architecture))
    return _network(path, architecture)


def _network(path: Path, architecture: str | None) -> Imported:
    """The network of a file, or of a folder with one network in it."""
    source = str(path)
    elmo = find_elmo(path)
    if elmo is not None:
        return _checked(from_elmo(elmo, source), architecture, source)
    if is_gpt(path):
        return _checked(from_gpt(path, source), architecture, source)
    if is_bert(path):
        return _checked(from_bert(path, source), architecture, source)
    if is_bert_fork(path):
        return _checked(from_bert_fork(path, source), architecture, source)
    if is_beyond_bert(path):
        return _checked(from_beyond_bert(path, source), architecture, source)
    if is_bart(path):
        return _checked(from_bart(path, source), architecture, source)
    transformer = _transformer(path, source)
    if transformer is not None:
        _check_transformer(architecture, source)
        return transformer
    if _is_keras(path):
        return _recurrent(_keras_parts(path, source), architecture, source)
    if path.is_dir():
        found = [
            path / name for name in ("model.safetensors", "pytorch_model.bin") if (path / name).is_file()
        ]
        rule = "is a folder without model.bin, model.safetensors, or a checkpoint of TensorFlow"
        require(bool(found), "file", source, rule)
        path = found[0]  # a pickle is refused, with the reason
    tensors, metadata = read_tensors(path)
    if recognise(tensors) is not None:
        return from_torchvision(tensors, source, architecture)
    if is_torch_transformer(tensors):
        _check_transformer(architecture, source)
        return from_torch_transformer(tensors, source, metadata, path.parent)
    return _recurrent(_torch_parts(tensors, source), architecture, source)


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


def _transformer(path: Path, source: str) -> Imported | None:
    """The Transformer of a folder, or of a file of one; None where it is something else."""
    folder = path if path.is_dir() else path.parent
    if (path if path.is_file() else path / "model.bin").name == "model.bin" and (
        folder / "model.bin"
    ).is_file():
        return from_ctranslate2(folder, source)
    if (path.is_dir() or path.suffix in (".safetensors", ".bin", ".json")) and is_marian(folder):
        return from_marian(folder, source)
    if _is_bundle(path):
        return from_tensor2tensor(path, source)
    return None


def _is_bundle(path: Path) -> bool:
    """Whether it is a checkpoint of TensorFlow: its folder, its prefix or one of its files."""
    if path.is_dir():
        return (path / "checkpoint").is_file()
    return (
        path.name.endswith(".index")
        or ".data-" in path.name
        or path.with_name(path.name + ".index").is_file()
    )


def _check_transformer(wanted: str | None, source: str) -> None:
    if wanted is not None and find(wanted).id != "transformer":
        raise UserError("architecture", wanted, f"{source} holds a Transformer", ["transformer"])


def _checked(found: Imported, wanted: str | None, source: str) -> Imported:
    """What was found, where it is of the architecture that it must be."""
    if wanted is not None and find(wanted).id != found.architecture:
        name = find(found.architecture).name
        raise UserError("architecture", wanted, f"{source} holds a {name}", [found.architecture])
    return found


def _is_keras(path: Path) -> bool:
    """By its first bytes. An archive with a pickle is left to `read_tensors`, which says why not."""
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

"""Whole networks from other programs' files: which architecture they are, its sizes, its weights.

Networks of images: see `anncestry.checkpoints.converters.image_networks`. Transformers: folders of
CTranslate2 and of Hugging Face's Marian, checkpoints of tensor2tensor, and modules with a
``torch.nn.Transformer`` and its embeddings; GPT and GPT-2; ELMo's options with its HDF5 file; each has its
converter. Recurrent networks of PyTorch and Keras: see
`anncestry.checkpoints.converters.recurrent_networks`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from anncestry.checkpoints.converters.bert import from_bert, is_bert
from anncestry.checkpoints.converters.ctranslate2 import from_ctranslate2
from anncestry.checkpoints.converters.elmo import find_elmo, from_elmo
from anncestry.checkpoints.converters.gpt import GPT_TYPES, from_gpt, is_gpt
from anncestry.checkpoints.converters.hugging_face.bart import from_bart, is_bart
from anncestry.checkpoints.converters.hugging_face.bert_variant_rows import KIN
from anncestry.checkpoints.converters.hugging_face.bert_variants import from_bert_fork, is_bert_fork
from anncestry.checkpoints.converters.hugging_face.marian import from_marian, is_marian
from anncestry.checkpoints.converters.hugging_face.other_encoder_rows import FAMILIES
from anncestry.checkpoints.converters.hugging_face.other_encoders import from_beyond_bert, is_beyond_bert
from anncestry.checkpoints.converters.hugging_face.sentence_transformers import (
    from_sentence_bert,
    is_sentence_bert,
)
from anncestry.checkpoints.converters.image_networks import from_torchvision, recognise
from anncestry.checkpoints.converters.recurrent_networks import (
    from_keras_file,
    from_torch_module,
    is_recurrent,
)
from anncestry.checkpoints.converters.tensor2tensor import from_tensor2tensor
from anncestry.checkpoints.converters.torch_transformer import from_torch_transformer, is_torch_transformer
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.store import holds_pickle, some_of
from anncestry.errors import UserError
from anncestry.timeline import find


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

    What a file does not say is assumed, with a note. The config can be changed before the model is built.

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


def _tensors(files: ForeignFiles) -> Mapping[str, Tensor]:
    """The tensors, to be recognised by their names; none where they cannot be read and a config says of what
    type they are: then the type is what has to be told."""
    try:
        return files.weights
    except UserError:
        if files.model_type is None:
            raise
        return {}


def _read_elmo(files: ForeignFiles, _: str | None) -> Imported:
    found = find_elmo(files.path)
    assert found is not None
    return from_elmo(found, files.name)


def _read_transformer(files: ForeignFiles, _: str | None) -> Imported:
    return from_torch_transformer(files.weights, files.name, files.weights.metadata, files.folder)


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
    Row(
        "a file of Keras",
        _is_keras,
        lambda files, wanted: from_keras_file(files.path, files.name, wanted),
    ),
    Row(
        "AlexNet, VGG, ResNet or DenseNet of torchvision or timm",
        lambda files: recognise(_tensors(files)) is not None,
        lambda files, wanted: from_torchvision(
            files.weights, files.name, wanted, files.config if files.of_folder else None
        ),
    ),
    Row(
        "a module with a torch.nn.Transformer",
        lambda files: is_torch_transformer(_tensors(files)),
        _read_transformer,
    ),
    Row(
        "a module with one torch.nn.RNN, LSTM or GRU (weight_ih_l0, ...)",
        lambda files: is_recurrent(_tensors(files)),
        lambda files, wanted: from_torch_module(files.weights, files.name, wanted),
    ),
)
"""The kinds of foreign files, each asked in turn; the files are opened once. Those that are told by the
names of their tensors come last."""

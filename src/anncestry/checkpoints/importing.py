"""Whole networks from other programs' files: which architecture they are, its sizes, its weights.

Networks of images: see `anncestry.checkpoints.converters.image_networks`. Transformers: folders of
CTranslate2 and of Hugging Face's Marian, checkpoints of tensor2tensor, and modules with a
``torch.nn.Transformer`` and its embeddings; GPT and GPT-2; ELMo's options with its HDF5 file; each has its
converter. Recurrent networks of PyTorch and Keras: see
`anncestry.checkpoints.converters.recurrent_networks`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from anncestry.checkpoints.converters.bert import from_bert, is_bert
from anncestry.checkpoints.converters.ctranslate2 import from_ctranslate2, is_ctranslate2
from anncestry.checkpoints.converters.elmo import from_elmo, is_elmo
from anncestry.checkpoints.converters.gpt import GPT_TYPES, from_gpt, is_gpt
from anncestry.checkpoints.converters.hugging_face.bart import from_bart, is_bart
from anncestry.checkpoints.converters.hugging_face.bert_variant_rows import BERT_VARIANTS
from anncestry.checkpoints.converters.hugging_face.bert_variants import from_bert_variant, is_bert_variant
from anncestry.checkpoints.converters.hugging_face.marian import from_marian, is_marian
from anncestry.checkpoints.converters.hugging_face.other_encoder_rows import OTHER_ENCODERS
from anncestry.checkpoints.converters.hugging_face.other_encoders import from_other_encoder, is_other_encoder
from anncestry.checkpoints.converters.hugging_face.sentence_transformers import (
    encoder_of,
    is_sentence_transformers,
    with_parts,
)
from anncestry.checkpoints.converters.image_networks import from_image_network, is_image_network
from anncestry.checkpoints.converters.recurrent_networks import (
    from_keras_file,
    from_torch_module,
    is_keras,
    is_torch_module,
)
from anncestry.checkpoints.converters.tensor2tensor import from_tensor2tensor, is_tensor2tensor
from anncestry.checkpoints.converters.torch_transformer import from_torch_transformer, is_torch_transformer
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.store import some_of
from anncestry.errors import UserError
from anncestry.timeline import find


class Row(NamedTuple):
    """One kind of foreign files.

    Attributes:
        what: how the last resort lists it.
        recognise: whether files are of this kind; it raises where they are but cannot be read.
        read: the network, given the files and the id of what it must be; None: whatever it is.
    """

    what: str
    recognise: Callable[[ForeignFiles], bool]
    read: Callable[[ForeignFiles, str | None], Imported]


def import_weights(path: str | Path, architecture: str | None = None) -> Imported:
    """Read a foreign file of weights.

    What a file does not say is assumed, with a note. The config can be changed before the model is built.

    Args:
        path: a safetensors or Keras file; of a Transformer a folder, or a file in it.
        architecture: the id of what it must be; default: found from the weights.

    Raises:
        UserError: the file cannot be read (a pickle never is), holds something else than one network that
            is known here, or another architecture.
    """
    with ForeignFiles(path) as files:
        return _network(files, architecture, _ROWS)


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


def _from_sentence_transformers(files: ForeignFiles, wanted: str | None) -> Imported:
    """What is in the folder of the encoder, with the parts around it."""
    return with_parts(files, _network(encoder_of(files), wanted, _ROWS[1:]))


_MODEL_TYPES = ("bert", *BERT_VARIANTS, *OTHER_ENCODERS, "bart", "marian", *GPT_TYPES)
_HUGGING_FACE = "a folder of Hugging Face's (" + ", ".join(_MODEL_TYPES) + ")"
_ROWS = (
    Row("a folder of sentence-transformers", is_sentence_transformers, _from_sentence_transformers),
    Row("ELMo's options and HDF5", is_elmo, from_elmo),
    Row(_HUGGING_FACE, is_gpt, from_gpt),
    Row(_HUGGING_FACE, is_bert, from_bert),
    Row(_HUGGING_FACE, is_bert_variant, from_bert_variant),
    Row(_HUGGING_FACE, is_other_encoder, from_other_encoder),
    Row(_HUGGING_FACE, is_bart, from_bart),
    Row("a folder of CTranslate2", is_ctranslate2, from_ctranslate2),
    Row(_HUGGING_FACE, is_marian, from_marian),
    Row("a checkpoint of tensor2tensor", is_tensor2tensor, from_tensor2tensor),
    Row("a file of Keras", is_keras, from_keras_file),
    Row(
        "AlexNet, VGG, ResNet or DenseNet of torchvision or timm",
        is_image_network,
        from_image_network,
    ),
    Row("a module with a torch.nn.Transformer", is_torch_transformer, from_torch_transformer),
    Row(
        "a module with one torch.nn.RNN, LSTM or GRU (weight_ih_l0, ...)",
        is_torch_module,
        from_torch_module,
    ),
)
"""The kinds of foreign files, each asked in turn; the files are opened once. Those that are recognised by the
names of their tensors come last."""

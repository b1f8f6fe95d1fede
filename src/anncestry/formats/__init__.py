"""Containers of other programs, read without them: protocol buffers, TensorFlow's checkpoints, HDF5, Keras,
CTranslate2, SentencePiece."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.formats.ctranslate2_model import CTranslate2Model, read_ctranslate2
    from anncestry.formats.hdf5 import float_datasets, nodes_of
    from anncestry.formats.keras import KerasFile, read_keras
    from anncestry.formats.protobuf import Message
    from anncestry.formats.sentencepiece_model import unigram_bytes, unigram_json
    from anncestry.formats.tensorflow_bundle import list_bundle, read_bundle

__all__ = [
    "CTranslate2Model",
    "KerasFile",
    "Message",
    "float_datasets",
    "list_bundle",
    "nodes_of",
    "read_bundle",
    "read_ctranslate2",
    "read_keras",
    "unigram_bytes",
    "unigram_json",
]
__getattr__, __dir__ = hand_on(__name__)

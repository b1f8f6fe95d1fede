"""Containers of other programs, read without them: protocol buffers, TensorFlow's checkpoints, HDF5, Keras,
CTranslate2, SentencePiece."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.formats.ctranslate2_model import CTranslate2Model, read_ctranslate2
    from anncestry.formats.hdf5 import float_datasets, nodes_of, open_hdf5
    from anncestry.formats.keras import KerasFile, open_archive, read_keras
    from anncestry.formats.protobuf import Message
    from anncestry.formats.sentencepiece_model import unigram_bytes, unigram_json
    from anncestry.formats.tensorflow_bundle import Bundle, open_bundle

__all__ = [
    "Bundle",
    "CTranslate2Model",
    "KerasFile",
    "Message",
    "float_datasets",
    "nodes_of",
    "open_archive",
    "open_bundle",
    "open_hdf5",
    "read_ctranslate2",
    "read_keras",
    "unigram_bytes",
    "unigram_json",
]
__getattr__, __dir__ = hand_on(__name__)

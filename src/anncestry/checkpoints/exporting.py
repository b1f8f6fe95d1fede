"""Whole networks under the names of other programs: PyTorch's, Keras's, and Hugging Face's transformers."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from anncestry.checkpoints.converters.bert import (
    to_bert,
    to_sentence_bert,
    to_span_bert,
    to_struct_bert,
)
from anncestry.checkpoints.converters.encoder_names import NOTHING_KNOWN, Exported, TextFacts
from anncestry.checkpoints.converters.gpt import to_gpt
from anncestry.checkpoints.converters.hugging_face.bart import to_bart
from anncestry.checkpoints.converters.hugging_face.bert_variants import to_bert_variant
from anncestry.checkpoints.converters.hugging_face.other_encoder_rows import OTHER_ENCODERS
from anncestry.checkpoints.converters.hugging_face.other_encoders import to_other_encoder
from anncestry.checkpoints.converters.keras.weights import to_keras
from anncestry.checkpoints.converters.torch_rnn import to_torch
from anncestry.checkpoints.store import some_of
from anncestry.errors import UserError, require

RECURRENT = ("rnn", "lstm", "stacked-lstm", "gru", "bilstm", "brnn")
"""Nets of one stack of equal layers, as PyTorch and Keras have them."""
IMAGES = ("alexnet", "vgg", "resnet", "densenet")
"""Nets whose names are torchvision's."""
HUGGING_FACE: Mapping[str, Callable[[Mapping[str, Tensor], Any, TextFacts], Exported]] = {
    "bert": to_bert,
    "spanbert": to_span_bert,
    "structbert": to_struct_bert,
    "sentence-bert": to_sentence_bert,
    "bart": to_bart,
    **{name: partial(to_gpt, name) for name in ("gpt", "gpt2")},
    **{name: partial(to_other_encoder, name) for name in OTHER_ENCODERS},
    **{
        name: partial(to_bert_variant, name)
        for name in ("roberta", "camembert", "albert", "distilbert", "electra")
    },
}
"""What makes the files of each architecture that has a counterpart in transformers: from a state dict, a
config, and how the run reads texts."""


def torch_weights(tensors: Mapping[str, Tensor], config: Any) -> dict[str, Tensor]:
    """A recurrent net's weights: ``rnn.weight_ih_l0``, ``embedding.weight``, ``readout.weight``.

    Args:
        tensors: the state dict of one of `RECURRENT`.
        config: its config.

    Raises:
        UserError: they have no such units.
    """
    wiring, rest = apart(tensors, config)
    return {f"rnn.{name}": tensor for name, tensor in to_torch(wiring).items()} | rest


def keras_arrays(tensors: Mapping[str, Tensor], config: Any) -> dict[str, np.ndarray]:
    """The same by Keras's names: ``lstm/kernel``, ``embedding/embeddings``, ``dense/kernel``."""
    wiring, rest = apart(tensors, config)
    arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in rest.items()}
    below = {"embedding/embeddings": arrays["embedding.weight"]} if "embedding.weight" in arrays else {}
    above = {"dense/kernel": arrays["readout.weight"].T.copy(), "dense/bias": arrays["readout.bias"]}
    return below | to_keras(wiring) | above


def apart(tensors: Mapping[str, Tensor], config: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The wiring, with one vector of biases for each cell, and what is below and above it.

    Raises:
        UserError: a GRU resets before its recurrent product, which neither PyTorch nor Keras exports.
    """
    reset = getattr(config, "reset", "after")
    rule = "is another function than the GRU of PyTorch and of Keras (reset_after=True)"
    require(reset == "after", "reset", reset, rule, ["after"])
    wiring = {name.removeprefix("wiring."): t for name, t in tensors.items() if name.startswith("wiring.")}
    rest = {name: tensor for name, tensor in tensors.items() if not name.startswith("wiring.")}
    if "embedding.weight" in rest:  # a readout may be tied to it
        rest.setdefault("readout.weight", rest["embedding.weight"])
    unknown = set(rest) - {"embedding.weight", "readout.weight", "readout.bias"}
    if unknown or "readout.weight" not in rest:
        raise UserError("model", some_of(sorted(tensors)), "is not a recurrent network with one readout")
    for name in [name for name in wiring if name.endswith("cell.second_bias")]:
        bias = name.replace("second_bias", "bias")
        wiring[bias] = wiring[bias] + wiring.pop(name)
    return wiring, rest


def to_hugging_face(
    architecture: str,
    tensors: Mapping[str, Tensor],
    config: Any,
    facts: TextFacts = NOTHING_KNOWN,
) -> Exported:
    """The files of a network of ours, but for its tokenizer's; see `HUGGING_FACE`.

    Raises:
        UserError: there is no counterpart of it there.
    """
    require(architecture in HUGGING_FACE, "to", "huggingface", f"has no {architecture}", HUGGING_FACE)
    return HUGGING_FACE[architecture](tensors, config, facts)

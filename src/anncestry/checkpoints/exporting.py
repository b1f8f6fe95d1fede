"""Whole networks as folders that Hugging Face's transformers reads."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from anncestry.checkpoints.converters.bert import to_bert
from anncestry.checkpoints.converters.bert_forks import to_bert_fork
from anncestry.checkpoints.converters.beyond_bert import BEYOND_BERT, to_beyond_bert
from anncestry.checkpoints.converters.beyond_bert_bart import to_bart
from anncestry.checkpoints.converters.encoders import Exported
from anncestry.checkpoints.converters.gpt import to_gpt
from anncestry.errors import UserError
from anncestry.timeline import find

_ENCODERS: Mapping[str, Callable[[Mapping[str, Tensor], Any, Sequence[str], int], Exported]] = {
    "bert": to_bert,
    "bart": to_bart,
    **{name: partial(to_beyond_bert, name) for name in BEYOND_BERT},
    **{
        name: partial(to_bert_fork, name)
        for name in ("roberta", "camembert", "albert", "distilbert", "electra")
    },
}
_WRITERS = ("gpt", "gpt2")
EXPORTED = (*_WRITERS, *_ENCODERS)
"""The architectures that have a counterpart there."""


def to_hugging_face(
    architecture: str,
    tensors: Mapping[str, Tensor],
    config: Any,
    classes: Sequence[str] = (),
    max_tokens: int = 0,
) -> Exported:
    """The files of a network of ours, but for its tokenizer's.

    Args:
        architecture: its id.
        tensors: its state dict.
        config: its config.
        classes: the names of classes, tags or values, where it answers with such.
        max_tokens: of the longest text that is read; as the network has it unless told.

    Raises:
        UserError: there is no counterpart of it there.
    """
    if architecture in _WRITERS:
        made = to_gpt(tensors, config, architecture)
        return Exported(made.config, made.tensors)
    if architecture not in _ENCODERS:
        rule = f"holds {', '.join(EXPORTED)}; this run is another: {find(architecture).name}"
        raise UserError("--to", "huggingface", rule)
    return _ENCODERS[architecture](tensors, config, classes, max_tokens)

"""What every converter makes of a foreign file."""

from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor


class Imported(NamedTuple):
    """A network of ours made from a foreign file.

    Attributes:
        architecture: its id on the timeline.
        config: fields of its config.
        tensors: the state dict of its model.
        processor: the JSON of what reads its inputs, where the file says that; else None.
        notes: what was assumed, for a person to know.
        tokenizer: the folder whose files say how texts become tokens, where there are such files.
        reader: the JSON of the processor of texts, without its tokenizer; None for a language model, which
            continues texts. Two fields are not the processor's: ``lower``, texts are brought to lower case
            first, and ``fixed``, its ``max_tokens`` count whatever the tokenizer's files say.
        optional: parts of the names of tensors that are left out where the config has no use for them.
    """

    architecture: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    processor: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    tokenizer: Path | None = None
    reader: dict[str, Any] | None = None
    optional: tuple[str, ...] = ()

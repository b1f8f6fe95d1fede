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
        reader: the JSON of what reads texts with that tokenizer, but for the tokenizer; None where texts are
            read to go on with them. ``lower``: texts are brought to lower case first; ``told``: its
            ``max_tokens`` count, whatever the tokenizer's files say.
        optional: what is in the names of tensors that are left out where the config asks for none.
    """

    architecture: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    processor: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    tokenizer: Path | None = None
    reader: dict[str, Any] | None = None
    optional: tuple[str, ...] = ()

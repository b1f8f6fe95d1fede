"""Files of weights: ours (``store``), and those of other programs (``converters``)."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.checkpoints.imported import Imported
    from anncestry.checkpoints.importing import import_weights
    from anncestry.checkpoints.store import load_weights, read_tensors, write_tensors

__all__ = ["Imported", "import_weights", "load_weights", "read_tensors", "write_tensors"]
__getattr__, __dir__ = hand_on(__name__)

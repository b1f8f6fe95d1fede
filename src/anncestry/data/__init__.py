"""Data sources: ``load_data(name, options, seed)`` opens any of them."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.data.options import DataOptions
    from anncestry.data.sources import load_data, load_whole
    from anncestry.data.splits.dataset import Dataset, Examples, Processor, Split, Stream, Whole, epoch_order

__all__ = [
    "DataOptions",
    "Dataset",
    "Examples",
    "Processor",
    "Split",
    "Stream",
    "Whole",
    "epoch_order",
    "load_data",
    "load_whole",
]
__getattr__, __dir__ = hand_on(__name__)

"""Data sources: ``load_data(name, options, seed)`` opens any of them. Names are imported when first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anncestry.data.options import DataOptions
    from anncestry.data.sources import load_data, load_whole
    from anncestry.data.splits.dataset import Dataset, Examples, Processor, Split, Stream, Whole, epoch_order

_HOMES = {
    "DataOptions": "options",
    "Dataset": "splits.dataset",
    "Examples": "splits.dataset",
    "Processor": "splits.dataset",
    "Split": "splits.dataset",
    "Stream": "splits.dataset",
    "Whole": "splits.dataset",
    "epoch_order": "splits.dataset",
    "load_data": "sources",
    "load_whole": "sources",
}
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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'anncestry.data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"anncestry.data.{_HOMES[name]}"), name)

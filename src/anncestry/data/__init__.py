"""Data sources: ``load_data(name, options, seed)`` opens any of them. Names are imported when first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anncestry.data.dataset import Dataset, Examples, Processor, Split, Stream, Whole, epoch_order
    from anncestry.data.options import DataOptions
    from anncestry.data.sources import load_data, load_whole

_HOMES = {
    "DataOptions": "options",
    "Dataset": "dataset",
    "Examples": "dataset",
    "Processor": "dataset",
    "Split": "dataset",
    "Stream": "dataset",
    "Whole": "dataset",
    "epoch_order": "dataset",
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

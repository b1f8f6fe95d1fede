"""Data sources: ``load_data(name, options, seed)`` opens any of them."""

from anncestry.data.dataset import Dataset, Examples, Processor, Split, Stream, epoch_order
from anncestry.data.sources import DataOptions, load_data

__all__ = ["DataOptions", "Dataset", "Examples", "Processor", "Split", "Stream", "epoch_order", "load_data"]

"""Finding tensors in whatever holds them."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """The tensors of nested tuples, lists and dictionaries; anything else in them is passed over."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, dict):
        yield from tensors_in(tuple(tree.values()))
    elif isinstance(tree, tuple | list):
        for part in tree:
            yield from tensors_in(part)

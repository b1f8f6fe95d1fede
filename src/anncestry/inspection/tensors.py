"""Finding tensors in whatever holds them, and following them through a model."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Following(TorchDispatchMode):
    """Sees every operation that is called within; a subclass says what it makes of it."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: PyTorch would load its compiler, for a second, so as to keep it away from the subclass."""
        return False


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """The tensors of nested tuples, lists and dictionaries; anything else in them is passed over."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, dict):
        yield from tensors_in(tuple(tree.values()))
    elif isinstance(tree, tuple | list):
        for part in tree:
            yield from tensors_in(part)

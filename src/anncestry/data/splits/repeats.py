"""Whether what is tested was seen in training, as where rows of a table or texts come several times."""

from collections.abc import Hashable, Iterable

import numpy as np

from anncestry.arrays import Tensor

NOTEWORTHY = 0.1
"""The share of the test part from which on it is said."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def repeats_note(train: Iterable[Hashable], test: Iterable[Hashable], what: str) -> list[str]:
    """A note where much of the test part is in the training part too, targets and all.

    Args:
        train, test: the examples with their targets.
        what: they are called.
    """
    known, tested = set(train), list(test)
    count = sum(example in known for example in tested)
    if count < max(2, NOTEWORTHY * len(tested)):
        return []
    note = f"{count} of the {len(tested)} test {what} are also in the training part, the same in all"
    return [f"{note}: the test says less of new ones"]


def row_keys(inputs: Tensor, targets: Tensor) -> list[int]:
    """A number for each row of (N, D) numbers and its target, the same for equal rows."""
    keys = np.zeros(len(inputs), np.uint64)
    for part in (inputs.reshape(len(inputs), -1), targets.reshape(len(targets), -1)):
        for column in part.float().numpy().T:
            keys = keys * _FACTOR + np.ascontiguousarray(column + 0.0).view(np.uint32)  # -0 is 0
            keys ^= keys >> np.uint64(29)
    return keys.tolist()

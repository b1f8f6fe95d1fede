"""Where a run is scored beside its even places: after each of the first passes, then ever less often.

A small data set is learnt, and learnt by heart, within a few passes, and the even places of a long run may
all lie behind that. So places stand 1, 2, ... 8 passes from the start, and then a quarter further each time.
They depend on steps alone, never on a clock.
"""

from typing import Any


def unit_of(train: Any, validation: Any, batch_size: int) -> int:
    """The steps of a pass, or of a pass over the validation split where that is larger.

    So scoring, a third of the work of learning from as much, stays the smaller part.
    """
    return max(train.num_batches(batch_size), validation.num_batches(batch_size))


def next_place(step: int, unit: int) -> int:
    """The first place behind a step.

    Args:
        unit: steps from the start to the first place.
    """
    passes = 1
    while passes * unit <= step:
        passes += max(1, passes // 4)
    return passes * unit

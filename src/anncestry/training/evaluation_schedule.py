"""Early evaluations, besides the even ones of a run: after each of the first passes, then ever less often.

A small data set is learnt, and overfitted, within a few passes, and the even evaluations of a long run may
all come after that. So there are early ones after 1, 2, ... 8 passes, and then after a quarter more each.
They depend on steps alone, never on a clock.
"""

from typing import Any


def unit_of(train: Any, validation: Any, batch_size: int) -> int:
    """The steps of a pass, or of a pass over the validation split where that is larger.

    So evaluation, a third of the work of training on as much, stays the smaller part.
    """
    return max(train.num_batches(batch_size), validation.num_batches(batch_size))


def next_evaluation(step: int, unit: int) -> int:
    """The first step after ``step`` with an early evaluation.

    Args:
        unit: steps from the start to the first one.
    """
    passes = 1
    while passes * unit <= step:
        passes += max(1, passes // 4)
    return passes * unit

"""A loop over time whose number of steps is not known yet: what is exported reads sequences of any length.

In Python a loop is written out, step by step, for the one length it was traced with. PyTorch's ``scan`` keeps
it a loop, in an exported program as in ONNX.
"""

from collections.abc import Callable

import torch
from torch._higher_order_ops.scan import scan  # not public yet: used here alone

from anncestry.arrays import Bool, Float, Tensor
from anncestry.protocols import State, flatten_state, map_state


def scanned(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    x: Float[Tensor, "B T ..."],
    state: State,
    visible: Bool[Tensor, "B T"] | None = None,
) -> tuple[Float[Tensor, "B T H"], State]:
    """As `anncestry.layers.recurrent.wirings.each_step`; the state keeps its shapes and types.

    What is exported predicts: no gradient goes through the loop, as that of ``scan`` would ask for a batch of
    known size.
    """

    def refilled(parts: list[Tensor]) -> State:
        left = iter(parts)
        return map_state(lambda _: next(left), state)

    def body(carried: list[Tensor], seen: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        y_t, after = step(seen[0], refilled(carried))
        parts = list(flatten_state(after))
        if len(seen) > 1:
            inside = seen[1]
            rows = [inside.view(-1, *[1] * (part.dim() - 1)) for part in parts]
            parts = [torch.where(*trio) for trio in zip(rows, parts, carried, strict=True)]
            y_t = y_t.masked_fill(~inside.unsqueeze(1), 0)
        # what goes in must not come out as it is, nor anything twice
        return [part.clone() for part in parts], y_t.clone()

    over = [x.transpose(0, 1)] if visible is None else [x.transpose(0, 1), visible.transpose(0, 1)]
    # PyTorch compiles the body, and would take that of another loop for it that it has compiled before
    torch.compiler.reset()
    with torch.no_grad():
        after, y = scan(body, [part.clone() for part in flatten_state(state)], over)
    return y.transpose(0, 1), refilled(list(after))

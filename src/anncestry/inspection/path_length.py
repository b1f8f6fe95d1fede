"""Mean recurrent length: how far an input is from a later output, in steps that a gradient has to take.

S. Chang et al., "Dilated recurrent neural networks", 1710.02224, definition 2.1: the length of the shortest
path from the input at one time to the output n steps later, averaged over the lags n of one period (0 to
C - 1), for the worst place. A path goes up one edge for every layer, and back in time one edge for every
recurrent connection it takes; a layer with the lags {1, d} has both.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from torch import nn

from anncestry.errors import UserError, require
from anncestry.layers.recurrent.dilated import Dilated, Skip
from anncestry.layers.recurrent.wirings import Bidirectional, Unrolled

Lags = Sequence[frozenset[int]]  # of each layer, from the bottom


def layer_lags(model: nn.Module) -> list[frozenset[int]]:
    """The lags of every recurrent layer, read from the modules.

    Raises:
        UserError: the model has no recurrent layer, or reads in both directions.
    """
    found: list[frozenset[int]] = []
    inside: set[nn.Module] = set()
    for module in model.modules():
        if isinstance(module, Bidirectional):
            raise UserError(
                "model", type(model).__name__, "reads in both directions; a lag has no sign there"
            )
        if module in inside:
            continue
        if isinstance(module, Dilated):
            found.append(frozenset({module.dilation}))
            inside.update(module.modules())
        elif isinstance(module, Skip):
            found.append(frozenset({1, module.distance}))
        elif isinstance(module, Unrolled):
            found.append(frozenset({1}))
    if not found:
        raise UserError("model", type(model).__name__, "has no recurrent layer")
    return found


def path_lengths(lags: Lags, num_lags: int) -> list[int | None]:
    """The shortest way over n = 0, 1, ... steps: edges up, and the fewest lags that add up to n.

    A path may take its steps back in whichever layer has the lag, so only the union of the lags counts.
    None where no lags add up to n.
    """
    require(num_lags >= 1, "num_lags", num_lags, "must be at least 1")
    every = sorted(frozenset().union(*lags))
    fewest: list[int | None] = [0]
    for n in range(1, num_lags):
        ways = [fewest[n - lag] for lag in every if lag <= n]
        reached = [way for way in ways if way is not None]
        fewest.append(min(reached) + 1 if reached else None)
    return [None if way is None else way + len(lags) for way in fewest]


def searched_path_length(lags: Lags, n: int) -> int | None:
    """The same by search over the unrolled graph, node by node: the specification of `path_lengths`."""
    start, goal = (0, 0), (len(lags), n)  # (layer, time); layer 0 is the input
    distance: dict[tuple[int, int], int] = {start: 0}
    waiting = deque([start])
    while waiting:
        layer, time = node = waiting.popleft()
        if node == goal:
            return distance[node]
        after = [(layer + 1, time)] if layer < len(lags) else []
        after += [(layer, time + lag) for lag in (lags[layer - 1] if layer else ()) if time + lag <= n]
        for following in after:
            if following not in distance:
                distance[following] = distance[node] + 1
                waiting.append(following)
    return None


def mean_recurrent_length(model: Any, period: int | None = None) -> float:
    """The mean over the lags 0 to C - 1.

    Args:
        model: a recurrent model, or the lags of its layers.
        period: C; default: the largest lag.

    Raises:
        UserError: some lag cannot be reached at all (no layer has a connection to the step before).
    """
    lags = layer_lags(model) if isinstance(model, nn.Module) else list(model)
    period = period or max(max(layer) for layer in lags)
    lengths = path_lengths(lags, period)
    if any(length is None for length in lengths):
        n = lengths.index(None)
        raise UserError("lag", n, "cannot be reached: no connections add up to it", [sorted(x) for x in lags])
    return sum(length for length in lengths if length is not None) / period

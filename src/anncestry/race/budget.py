"""What every entrant of a race is given: seconds, parameters, floating-point operations."""

from dataclasses import dataclass

from anncestry.amounts import parse_count, parse_seconds
from anncestry.engine.meta import on_meta
from anncestry.rules import Checked, Positive, Size
from anncestry.signature import Signature
from anncestry.timeline import Architecture

DEFAULT_SECONDS = 20.0
DEFAULT_EPOCHS = 10


@dataclass(frozen=True, kw_only=True)
class Budget(Checked):
    """The same for every model and every seed. Whichever limit is met first ends a run.

    Attributes:
        seconds: of training alone; evaluation is not counted.
        params: the number of parameters every model with a width is sized to.
        flops: floating-point operations of training: three times those of the forward passes, two for a
            model with a learning rule of its own.
        epochs: passes over the training split.
        select: the metric that says which weights of a run are kept, and that the race is ranked by;
            default: the task's own. It is no limit, but it goes wherever the limits go.
    """

    seconds: Positive | None = None
    params: Size | None = None
    flops: Positive | None = None
    epochs: Size | None = None
    select: str | None = None

    @classmethod
    def of(
        cls,
        seconds: str | float | None = None,
        params: str | int | None = None,
        flops: str | float | None = None,
        epochs: int | None = None,
        select: str | None = None,
    ) -> "Budget":
        """The budget a person asked for, as text (``"2m"``, ``"50k"``) or as numbers.

        Without any limit a run gets 20 seconds; with ``params`` alone, 10 passes over the training split.

        Raises:
            UserError: text that is no amount, or an amount that is not above 0.
        """
        seconds = None if seconds is None else parse_seconds(seconds, "budget")
        params = None if params is None else round(parse_count(params, "params"))
        flops = None if flops is None else parse_count(flops, "flops")
        if seconds is None and flops is None and epochs is None:
            if params is None:
                seconds = DEFAULT_SECONDS
            else:
                epochs = DEFAULT_EPOCHS
        return cls(seconds=seconds, params=params, flops=flops, epochs=epochs, select=select)


def affordable_steps(flops: float, training_flops: float) -> int:
    """The steps that ``flops`` operations pay for, at least one.

    Args:
        training_flops: of one step with its whole batch (`anncestry.inspection.costs`).
    """
    return max(1, round(flops / max(training_flops, 1)))


def count_parameters(architecture: Architecture, signature: Signature, width: int | None = None) -> int:
    """The parameters it has at that width; nothing is allocated."""
    with on_meta():
        model = architecture.build(architecture.configure(signature, width=width))
    return sum(parameter.numel() for parameter in model.parameters())


def solve_width(architecture: Architecture, signature: Signature, target_params: int) -> int | None:
    """The width whose parameter count is nearest ``target_params``; None where the size is fixed.

    Parameters grow with the width, so doubling finds a bracket and halving closes it.
    """
    if not architecture.has_width:
        return None

    def count(width: int) -> int:
        return count_parameters(architecture, signature, width)

    low, high = 1, 2
    while count(high) < target_params:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < target_params else (low, middle)
    return min((low, high), key=lambda width: abs(count(width) - target_params))

"""What two models cost, figure by figure, each for the same number of examples.

FLOPs, activations and sequential steps go by the conventions of `anncestry.inspection.costs`. Beside them:

- **Training memory**: the activations, and 16 bytes for every weight: itself, its gradient and Adam's two
  averages in single precision. Of a model with a rule of its own: its weights alone.
- **Path length**: layers, or steps of recurrence, on the shortest way from the first input of a sequence to
  the output at the last, as in `anncestry.inspection.path_length`; a layer of self-attention is one. Not
  defined where a recurrent net reads in both directions, or a net generates a text.
- **Receptive field**: the height and width, in pixels, that a unit sees of the last feature maps of more than
  one position; of a temporal convolutional net the steps that an output sees.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import nn

from anncestry.inspection.costs import Costs, costs
from anncestry.inspection.path_length import layer_lags, path_lengths
from anncestry.layers.attention.attention import CrossAttention, SelfAttention
from anncestry.layers.attention.relative_attention import RelativeAttention
from anncestry.layers.recurrent.temporal import TemporalBlock, TemporalConvolution
from anncestry.protocols import EncoderDecoder, OwnRule
from anncestry.signature import Signature

BYTES = 4  # of a number in single precision
FIGURES = (
    "parameters", "flops", "training_flops", "training_bytes", "sequential_steps", "path_length",
    "receptive_field",
)  # fmt: skip
"""Fields of `Cost` that are compared."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The figures of one model; None where one is not defined.

    Attributes:
        training_bytes: see above, for ``batch_size`` examples.
        path_length: layers and steps from the first input to the last output.
        receptive_field: (height, width) in pixels, or (steps,).
        calls: how often each module was called, by its name.
    """

    batch_size: int
    parameters: int
    flops: int
    training_flops: int
    training_bytes: int
    sequential_steps: int
    path_length: int | None
    receptive_field: tuple[int, ...] | None
    calls: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        return {field: getattr(self, field) for field in ("batch_size", *FIGURES)}


def cost(model: nn.Module, signature: Signature, batch_size: int = 1) -> Cost:
    """The figures of a model, which is not changed; it is run without weights.

    Raises:
        UserError: the model cannot be run without weights.
        Exception: whatever a model that is not ours raises on such an input.
    """
    calls: Counter[str] = Counter()
    handles = [
        module.register_forward_pre_hook(_counter(name, calls)) for name, module in model.named_modules()
    ]
    try:
        found = costs(model, signature, batch_size=batch_size)
    finally:
        for handle in handles:
            handle.remove()
    weights = BYTES * found.parameters
    return Cost(
        batch_size=batch_size,
        parameters=found.parameters,
        flops=found.flops,
        training_flops=found.training_flops,
        training_bytes=weights if isinstance(model, OwnRule) else 4 * weights + found.activation_bytes,
        sequential_steps=found.sequential_steps,
        path_length=path_length(model, signature, calls),
        receptive_field=receptive_field(model, found),
        calls=dict(calls),
    )


def _counter(name: str, calls: Counter[str]):
    def count(module: nn.Module, arguments: Any) -> None:
        calls[name] += 1

    return count


def path_length(model: nn.Module, signature: Signature, calls: Counter[str]) -> int | None:
    """From the first input to the last output; None where it is not defined.

    Args:
        calls: how often each module is called: a shared layer is as many as its calls.
    """
    if signature.inputs not in ("series", "tokens") or isinstance(model, EncoderDecoder):
        return None
    modules = dict(model.named_modules())
    kinds = SelfAttention | RelativeAttention
    layers = sum(calls[name] for name, module in modules.items() if isinstance(module, kinds))
    if layers:
        return None if any(isinstance(module, CrossAttention) for module in modules.values()) else layers
    field = _steps_seen(model)
    if field is not None:
        blocks = sum(isinstance(module, TemporalBlock) for module in modules.values())
        return 2 * blocks if field >= signature.shape[0] else None  # two convolutions in each
    try:
        return path_lengths(layer_lags(model), signature.shape[0])[-1]
    except ValueError:  # no recurrent layer, or both directions
        return None


def receptive_field(model: nn.Module, found: Costs) -> tuple[int, ...] | None:
    """Of the last feature maps of more than one position, or the steps that a temporal net sees."""
    fields = [
        layer.receptive_field
        for layer in found.layers
        if layer.receptive_field is not None and max(layer.output_shape[2:], default=1) > 1
    ]
    if fields and max(fields) > (1, 1):
        return fields[-1]
    steps = _steps_seen(model)
    return None if steps is None else (steps,)


def _steps_seen(model: nn.Module) -> int | None:
    nets = (module for module in model.modules() if isinstance(module, TemporalConvolution))
    return next((net.receptive_field for net in nets), None)

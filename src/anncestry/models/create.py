"""Models by name: an architecture with explicit sizes, a preset, or whatever fits a learning problem."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from torch import nn

from anncestry.errors import UserError
from anncestry.models.building import build_checked
from anncestry.signature import Signature
from anncestry.stored import typed
from anncestry.timeline import TIMELINE, Architecture, check_fields, find, find_preset

DATA_FIELDS = (
    "task", "inputs", "input_shape", "input_size", "output_size", "seq_len", "target_len", "in_channels",
)  # fmt: skip
"""Config fields that a learning problem decides, whatever a preset has there."""


def create(
    name: str, /, *, signature: Signature | None = None, width: int | None = None, **config: Any
) -> nn.Module:
    """A new model with random weights.

    >>> anncestry.create("mlp", input_shape=(4,), hidden_sizes=(8,), output_size=3)
    MLP(
      (layers): Sequential(
        (0): Flatten(start_dim=1, end_dim=-1)
        (1): Linear(in_features=4, out_features=8, bias=True)
        (2): ReLU()
        (3): Linear(in_features=8, out_features=3, bias=True)
      )
    )
    >>> digits = anncestry.load_data("digits").signature
    >>> anncestry.create("lstm", signature=digits, width=64).config.hidden_size
    64
    >>> anncestry.create("lstn")
    Traceback (most recent call last):
        ...
    anncestry.errors.UserError: model: got 'lstn'; is not on the timeline. Choices: lstm, lstmp, bilstm.

    Args:
        name: an architecture, one of its aliases, or a preset.
        signature: takes the sizes from a learning problem in place of explicit ones.
        width: with ``signature``: the one number that scales the architecture (units, channels).
        config: fields of the architecture's config; they override a preset's or the signature's.

    Returns:
        A ``torch.nn.Module``; its ``config`` says how it was built.

    Raises:
        UserError: the name, or a field, is unknown; a size is missing; the architecture does not fit.
    """
    return build(configure(name, config, signature=signature, width=width))


def configure(
    name: str,
    values: Mapping[str, Any],
    *,
    signature: Signature | None = None,
    width: int | None = None,
    source: str = "",
) -> Any:
    """The config that `create` builds from.

    A preset keeps its own widths and depths for another learning problem, and takes the sizes of inputs
    and outputs from it. ``values`` may come from JSON, and ``source`` says from where: their types are
    checked, and lists become tuples.
    """
    architecture, preset = find(name), find_preset(name)
    check_fields(architecture.config_class(), dict(values), architecture.id)
    given = typed(architecture.config_class(), values, source or architecture.id)
    published = preset.config if preset else {}
    if width is not None and (preset is not None or signature is None):
        rule = "scales an architecture for a signature; a preset or explicit sizes leave nothing to scale"
        raise UserError("width", width, rule)
    if signature is not None:
        kept = {key: value for key, value in published.items() if key not in DATA_FIELDS}
        return architecture.configure(signature, width=width, **{**kept, **given})
    chosen = {**architecture.fixed, **published, **given}
    missing = [key for key in required_fields(architecture.config_class()) if key not in chosen]
    if missing:
        given_names = ", ".join(f"{key}={value!r}" for key, value in chosen.items()) or "no sizes"
        hint = "Or give signature= to take the sizes from a learning problem."
        raise UserError(architecture.id, given_names, f"also needs {', '.join(missing)}", hint=hint)
    return architecture.config_class()(**chosen)


def required_fields(config_class: type) -> list[str]:
    """The fields of a config dataclass that have no default."""
    return [f.name for f in fields(config_class) if f.default is MISSING and f.default_factory is MISSING]


def architecture_of(config: Any) -> Architecture:
    """The first entry of the timeline that is built from this class of config.

    Raises:
        UserError: it is the config of none.
    """
    kind = type(config)
    for architecture in TIMELINE:
        if (kind.__module__, kind.__name__) == (
            f"anncestry.models.{architecture.module}",
            architecture.config,
        ):
            return architecture
    known = sorted({architecture.config for architecture in TIMELINE})
    raise UserError("config", kind.__name__, "is the config of no architecture on the timeline", known)


def build(config: Any) -> nn.Module:
    """The model of a config, with random weights.

    Raises:
        UserError: there is not so much memory.
    """
    return build_checked(architecture_of(config), config)

"""Two models on the same input: where their activations part, and which inputs their outputs depend on.

Untrained ones are made with the same seed, and the second gets the first one's weights wherever their parts
are paired and of the same shape: what sets them apart then is how they are built. Trained ones are compared
as they are.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from anncestry.errors import UserError
from anncestry.inspection.influence import influence
from anncestry.inspection.tensors import tensors_in
from anncestry.protocols import outputs_of
from anncestry.signature import GENERATION_TASKS, Signature

MAX_STEPS = 16  # of the sequences that both read, where they read any length
MAX_PARAMETERS = 400_000_000  # of what is run here
PROBES = 4
EQUAL = 1e-5  # a relative difference that rounding makes


@dataclass(frozen=True, kw_only=True)
class Activation:
    """The outputs of two paired parts when they are first called.

    Attributes:
        a, b: their paths.
        shape_a, shape_b: of their first tensors.
        difference: |a - b| / max(|a|, |b|) in the Frobenius norm; None where the shapes differ.
        cosine: of the angle between them; None where the shapes differ or one is zero.
    """

    a: str
    b: str
    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    difference: float | None = None
    cosine: float | None = None

    @property
    def equal(self) -> bool:
        return self.difference is not None and self.difference <= EQUAL


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What was measured.

    Attributes:
        activations: in the order in which the first model calls its parts; the whole is the last, and its
            path is empty.
        influence_a, influence_b: (T, S) norms of d output_t / d input_s; None where there is no sequence.
        missing: what could not be measured, and why.
    """

    activations: tuple[Activation, ...] = ()
    influence_a: list[list[float]] | None = None
    influence_b: list[list[float]] | None = None
    missing: tuple[str, ...] = ()

    @property
    def parts_at(self) -> Activation | None:
        """The first place where they part."""
        return next((activation for activation in self.activations if not activation.equal), None)

    def to_json(self) -> dict[str, Any]:
        first = self.parts_at
        return {
            "parts_at": None if first is None else asdict(first),
            "activations": [
                asdict(activation) | {"equal": activation.equal} for activation in self.activations
            ],
            "influence": {"a": self.influence_a, "b": self.influence_b},
            "missing": list(self.missing),
        }


def behaviour(
    models: tuple[nn.Module, nn.Module],
    signatures: tuple[Signature, Signature],
    names: tuple[str, str],
    pairs: Sequence[tuple[str, str]],
) -> Behaviour:
    """Run two models on one random input; where their inputs are not of one shape, each on its own.

    Args:
        models: with weights; they are put in evaluation mode.
        names: of the models, for what is missing.
        pairs: the paths of parts that are paired, the whole left out.
    """
    same = signatures[0].inputs == signatures[1].inputs and signatures[0].shape == signatures[1].shape
    missing, kept, maps = [], [], []
    for model, signature, name in zip(models, _examples(signatures), names, strict=True):
        model.eval()
        try:
            found, given = _run(model, signature)
        except Exception as error:  # a person's own module may raise anything
            missing.append(f"{name} cannot be run: {_reason(error)}")
            found, given = None, None
        kept.append(found)
        maps.append(None)
        if given is not None and signature.inputs in ("series", "tokens", "characters"):
            try:
                maps[-1] = influence(model, given[0], PROBES, given[1]).tolist()
            except Exception as error:
                missing.append(f"the influence map of {name}: {_reason(error)}")
    first, second = kept
    activations: tuple[Activation, ...] = ()
    if first is not None and second is not None and same:
        activations = _compared(first, second, pairs)
    elif not same:
        missing.append("activations: the two read inputs of different shapes")
    return Behaviour(
        activations=activations, influence_a=maps[0], influence_b=maps[1], missing=tuple(missing)
    )


def share_weights(a: nn.Module, b: nn.Module, pairs: Sequence[tuple[str, str]]) -> None:
    """Give ``b`` the weights of ``a`` wherever parts are paired and weights have the same name and shape."""
    first, second = dict(a.named_modules()), dict(b.named_modules())
    with torch.no_grad():
        for at_a, at_b in (*pairs, ("", "")):
            given = dict(first[at_a].named_parameters(recurse=False))
            for name, weight in second[at_b].named_parameters(recurse=False):
                if name in given and given[name].shape == weight.shape:
                    weight.copy_(given[name])


def _examples(signatures: tuple[Signature, Signature]) -> list[Signature]:
    """The same with the words that both know, so that the examples are the same."""
    words = min(signature.vocab_size for signature in signatures)
    outputs = min(signature.output_size for signature in signatures)
    return [
        replace(
            of,
            vocab_size=words or of.vocab_size,
            output_size=outputs if of.task in GENERATION_TASKS else of.output_size,
        )
        for of in signatures
    ]


def _run(model: nn.Module, signature: Signature) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor | None]]:
    """The output of each part, in the order in which they end, and what the model was given."""
    if signature.inputs in ("series", "tokens", "characters") and signature.shape[0] > MAX_STEPS:
        length = min(signature.target_len, MAX_STEPS)
        short = replace(signature, shape=(MAX_STEPS, *signature.shape[1:]), target_len=length)
        try:
            return _run(model, short)
        except (RuntimeError, ValueError):
            pass  # it reads sequences of one length alone
    inputs, example = signature.example(1)
    targets = example if signature.task in GENERATION_TASKS else None
    kept: dict[str, Tensor] = {}

    def keeper(name: str):
        def keep(module: nn.Module, arguments: Any, output: Any) -> None:
            for tensor in tensors_in(output):
                kept.setdefault(name, tensor.detach())
                return

        return keep

    handles = [module.register_forward_hook(keeper(name)) for name, module in model.named_modules()]
    try:
        with torch.no_grad():
            outputs_of(model, inputs, targets=targets)
    finally:
        for handle in handles:
            handle.remove()
    return kept, (inputs, targets)


def _compared(
    first: dict[str, Tensor], second: dict[str, Tensor], pairs: Sequence[tuple[str, str]]
) -> tuple[Activation, ...]:
    partner = {**dict(pairs), "": ""}
    found = []
    for path, x in first.items():
        y = second.get(partner.get(path, "?"))
        if y is None:
            continue
        difference = cosine = None
        if x.shape == y.shape:
            x, y = x.double().flatten(), y.double().flatten()
            sizes = x.norm(), y.norm()
            difference = float((x - y).norm() / max(*sizes)) if max(*sizes) > 0 else 0.0
            cosine = float(x @ y / (sizes[0] * sizes[1])) if min(*sizes) > 0 else None
        shapes = {"shape_a": tuple(first[path].shape), "shape_b": tuple(second[partner[path]].shape)}
        found.append(Activation(a=path, b=partner[path], **shapes, difference=difference, cosine=cosine))
    return tuple(found)


def _reason(error: Exception) -> str:
    if isinstance(error, UserError):
        return error.rule
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"

"""What PyTorch's own tools ask of a module, one check for each.

A check takes an architecture's config and a learning problem, builds tiny models of it, and returns what is
wrong in one line, or nothing. The exceptions are in `anncestry.timeline.abilities`.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from anncestry.models.create import build
from anncestry.protocols import outputs_of
from anncestry.signature import Signature

ROUNDING = 1e-5  # of single precision, over the largest value

NEVER_CALLED = (nn.ModuleList, nn.ParameterList)
"""Containers without a ``forward``."""


def tensors_of(outputs: Any) -> Iterator[Tensor]:
    """All tensors in the outputs of a model, outermost first."""
    if isinstance(outputs, Tensor):
        yield outputs
    elif isinstance(outputs, tuple | list):
        for part in outputs:
            yield from tensors_of(part)


def answers(model: nn.Module, signature: Signature, batch_size: int = 2) -> list[Tensor]:
    """What the model answers to the example of its learning problem."""
    inputs, targets = signature.example(batch_size)
    return list(tensors_of(outputs_of(model, inputs, targets=targets)[0]))


def differences(found: list[Tensor], wanted: list[Tensor]) -> str:
    """The largest difference in one line; nothing where it is rounding."""
    worst = 0.0
    for got, expected in zip(found, wanted, strict=True):
        scale = max(1.0, expected.abs().max().item())
        difference = (got - expected).abs().max().item() / scale
        worst = difference if not difference <= worst else worst  # NaN is worst
    return "" if worst <= ROUNDING else f"outputs differ by {worst:.2g}"


def deferred(config: Any, signature: Signature, assign: bool = False) -> str:
    """Built without memory, given some that holds rubbish, and loaded: the same outputs.

    Args:
        assign: whether loading puts the saved tensors in the place of those without memory.
    """
    model = build(config).eval()
    with torch.device("meta"):
        late = build(config)
    if not assign:
        late._apply(_rubbish)  # what ``to_empty`` does, on an unlucky day
    late.load_state_dict(model.state_dict(), assign=assign)
    with torch.no_grad():
        return differences(answers(late.eval(), signature), answers(model, signature))


def _rubbish(tensor: Tensor) -> Tensor:
    return torch.full_like(tensor, float("nan") if tensor.is_floating_point() else True, device="cpu")


def silent(config: Any, signature: Signature, training: bool) -> list[str]:
    """The modules whose forward hooks do not fire in a forward pass."""
    model = build(config).train(training)
    fired: set[nn.Module] = set()
    for module in model.modules():
        module.register_forward_hook(lambda module, *_: fired.add(module))
    with torch.set_grad_enabled(training):
        answers(model, signature)
    callable_modules = [
        (name, m) for name, m in model.named_modules() if not isinstance(m, NEVER_CALLED) and not _idle(m)
    ]
    return [name for name, module in callable_modules if module not in fired]


def _idle(module: nn.Module) -> bool:
    """Whether it would hand on what it gets."""
    return isinstance(module, nn.Dropout) and (module.p == 0 or not module.training)


def watched_alike(config: Any, signature: Signature) -> str:
    """The outputs are the same while someone watches."""
    model = build(config).eval()
    with torch.no_grad():
        unwatched = answers(model, signature)
        for module in model.modules():
            module.register_forward_hook(lambda *_: None)
        return differences(answers(model, signature), unwatched)

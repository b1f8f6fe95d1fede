"""What PyTorch's own tools ask of a module, one check for each.

A check takes an architecture's config and a learning problem, builds tiny models of it, and returns what is
wrong in one line, or nothing. The exceptions are in `anncestry.timeline.abilities`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from anncestry.models.create import build
from anncestry.objectives import objective_for
from anncestry.protocols import EncoderDecoder, outputs_of
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


def outputs(model: nn.Module, signature: Signature, batch_size: int = 2) -> list[Tensor]:
    """The outputs of the model for the example of its learning problem."""
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
        return differences(outputs(late.eval(), signature), outputs(model, signature))


def _rubbish(tensor: Tensor) -> Tensor:
    return torch.full_like(tensor, float("nan") if tensor.is_floating_point() else True, device="cpu")


def silent(config: Any, signature: Signature, training: bool) -> list[str]:
    """The modules whose forward hooks do not fire in a forward pass."""
    model = build(config).train(training)
    fired: set[nn.Module] = set()
    for module in model.modules():
        module.register_forward_hook(lambda module, *_: fired.add(module))
    with torch.set_grad_enabled(training):
        outputs(model, signature)
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
        unwatched = outputs(model, signature)
        for module in model.modules():
            module.register_forward_hook(lambda *_: None)
        return differences(outputs(model, signature), unwatched)


# ---- compiling and exporting ----------------------------------------------------------------------------


def compiled(config: Any, signature: Signature) -> str:
    """Compiled, with gradients: the same outputs, and a gradient where there was one.

    The compiler's last stage, which makes machine code, is left out: what is traced is what is tried.
    """
    model = build(config).eval()
    wanted, grads = outputs(model, signature), _gradients(model, signature)
    torch.compiler.reset()
    fast: Any = torch.compile(model, backend="aot_eager")
    found = list(tensors_of(_called(fast, model, *signature.example(2))))
    return differences(found, wanted) or _same_gradients(_gradients(model, signature, fast), grads)


def exported(config: Any, signature: Signature) -> str:
    """Exported with batch and length free: the same outputs at three sizes.

    A cache for what is read later is not exported.
    """
    model = build(config).eval()
    names = {"x": "length" if signature.inputs in ("tokens", "series", "characters") else None}
    if signature.target_len:
        names["targets"] = "target_length"
    free = torch.export.Dim.DYNAMIC
    shapes = tuple({0: free} if axis is None else {0: free, 1: free} for axis in names.values())

    def sized(batch_size: int, length: int) -> tuple[Tensor, ...]:
        longest = min(length, getattr(config, "num_positions", length))
        shape = signature.shape if names["x"] is None else (longest, *signature.shape[1:])
        target_len = length if signature.target_len else 0
        return replace(signature, shape=shape, target_len=target_len).example(batch_size)[: len(names)]

    program = torch.export.export(model, sized(3, 5), dynamic_shapes=shapes, strict=False).module()
    with torch.no_grad():
        for sizes in ((1, 3), (2, 5), (4, 2)):
            given = sized(*sizes)
            found, wanted = list(tensors_of(program(*given))), list(tensors_of(model(*given)))
            if not found:
                return "there is no output"
            wrong = differences(found, wanted[: len(found)])
            if wrong:
                return f"batch and length {sizes}: {wrong}"
    return ""


# ---- several processes ----------------------------------------------------------------------------------


def distributed(config: Any, signature: Signature, asked: bool = True) -> str:
    """Three steps within ``DistributedDataParallel``; a process group must have been made.

    Args:
        asked: whether a net that fills in words is given the targets, as in training.
    """
    model = build(config).train()
    net = nn.parallel.DistributedDataParallel(model)
    for _ in range(3):
        _loss(model, signature, net, asked).backward()
    return ""


def sharded(config: Any, signature: Signature) -> str:
    """Sharded block by block, over one process: the same loss and gradients."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    model = build(config).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    torch.manual_seed(0)
    wanted = _loss(model, signature)
    grads = _gradients(model, signature)
    mesh = init_device_mesh("cpu", (1,))
    for block in _blocks(model):
        fully_shard(block, mesh=mesh)
        if hasattr(block, "look_up"):
            register_fsdp_forward_method(block, "look_up")
    fully_shard(model, mesh=mesh)
    torch.manual_seed(0)
    wrong = differences([_loss(model, signature).detach()], [wanted.detach()])
    found = {name: getattr(grad, "full_tensor", lambda grad=grad: grad)() for name, grad in
             _gradients(model, signature).items()}  # fmt: skip
    return wrong or _same_gradients(found, grads)


def _blocks(model: nn.Module) -> list[nn.Module]:
    """The modules of the outermost lists."""
    outer: list[str] = []
    blocks: list[nn.Module] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and not name.startswith(tuple(outer)):
            outer.append(f"{name}.")
            blocks += list(module)
    return blocks


def _called(net: Any, model: nn.Module, inputs: Tensor, targets: Tensor, asked: bool = False) -> Any:
    """The outputs of a net that is wrapped around a model."""
    if isinstance(model, EncoderDecoder):
        found = net(inputs, targets, None)
    elif getattr(model, "fills_in", False):
        found = net(inputs, lengths=None, targets=targets if asked else None)
    else:
        found = net(inputs)
    return found[0] if type(found) is tuple else found


def _loss(model: nn.Module, signature: Signature, net: Any = None, asked: bool = True) -> Tensor:
    objective, (inputs, targets) = objective_for(signature), signature.example(2)
    outputs = _called(model if net is None else net, model, inputs, targets, asked)
    return objective.loss(outputs, targets) / objective.count(targets)


def _gradients(model: nn.Module, signature: Signature, net: Any = None) -> dict[str, Tensor]:
    """Of the loss, by the names of the parameters that have one."""
    torch.manual_seed(0)
    model.zero_grad(set_to_none=True)
    loss = _loss(model, signature, net)
    if not loss.requires_grad:
        return {}
    loss.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def _same_gradients(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> str:
    if found.keys() != wanted.keys():
        return f"gradients of {sorted(found.keys() ^ wanted.keys())} on one side alone"
    wrong = differences([found[name] for name in wanted], list(wanted.values()))
    return f"gradients: {wrong}" if wrong else ""

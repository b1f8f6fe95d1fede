"""What a model costs, found without allocating a single weight.

The model is run once on PyTorch's *meta* device, where tensors have shapes and no contents, so that ten
billion parameters take no longer than ten. What is counted, and by which convention:

- **FLOPs**: matrix products, convolutions and attention; a multiplication and an addition are two. What
  works element by element (activations, gates, normalisation) and look-ups (embeddings) count nothing.
  A fused recurrent kernel is counted as the loop that it stands for.
- **A training step** is three forward passes: the backward pass computes a product for the inputs and one
  for the weights of each product of the forward pass. A model with a rule of its own (perceptron) has no
  backward pass; its update is one more product, so a step is two.
- **Activation memory**: the bytes of every tensor that autograd keeps for the backward pass, as the plain
  operations need them; tensors that share their memory count once, the weights and the batch itself not.
  A fused kernel may keep less or more.
- **Sequential steps**: the longest chain of such products in which each needs the result of the one
  before. The depth of a feed-forward net; about T for every recurrent layer that reads T steps.
"""

import copy
import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import flop_registry

from anncestry.engine.meta import on_meta, without_compiler
from anncestry.errors import UserError, require
from anncestry.inspection.concatenations import Concatenations, concatenations
from anncestry.inspection.receptive_field import FieldOfView
from anncestry.inspection.tensors import Following, tensors_in
from anncestry.layers.watching import unheeded
from anncestry.models.create import build
from anncestry.protocols import OwnRule, outputs_of
from anncestry.report.shown import Shown
from anncestry.signature import GENERATION_TASKS, Signature

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One row of the table: a module, without what its own rows below it account for.

    Attributes:
        name: where it sits in the model (the model's own share has the name of its class).
        type: its class.
        output_shape: of its first output tensor, with the batch.
        parameters: weights it holds.
        flops: of its forward pass.
        receptive_field: height and width, in pixels, of what one of its units sees of an image; None where
            its outputs are no feature maps.
    """

    name: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    flops: int
    receptive_field: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Costs(Shown):
    """What one batch costs; the conventions are those of the module's docstring.

    ``str`` is a table of the layers and of the whole, and a notebook shows it.

    Attributes:
        batch_size: B, examples in the batch that FLOPs and memory are given for.
        parameters: all weights, trained by gradient or not.
        flops: of one forward pass.
        training_flops: of one training step.
        activation_bytes: kept between forward and backward pass.
        sequential_steps: products that must wait for one another.
        layers: the rows, in the order of the first call; parameters and FLOPs add up to the totals.
        concatenations: what each dense block holds of one image; none in other nets.
    """

    batch_size: int
    parameters: int
    flops: int
    training_flops: int
    activation_bytes: int
    sequential_steps: int
    layers: tuple[LayerCost, ...]
    concatenations: tuple[Concatenations, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All fields as plain data."""
        return asdict(self)

    def show(self, console: "Console | None" = None) -> None:
        """Print the layers and the whole."""
        from rich.console import Console

        from anncestry.report.costs import print_layers, print_total

        console = console or Console()
        print_layers(console, self.layers)
        print_total(console, self)


def costs(model: Any, signature: Signature | None = None, *, batch_size: int = 1) -> Costs:
    """Parameters, FLOPs, activation memory, sequential steps and a table of the layers.

    >>> model = anncestry.create("lstm", input_size=10, hidden_size=20, output_size=5)
    >>> anncestry.costs(model, batch_size=32)
      layer             type       output     parameters       FLOPs
     ────────────────────────────────────────────────────────────────
      embedding         Identity   32x16x10            0           0
      input_dropout     Dropout    32x16x10            0           0
      wiring.layers.0   Unrolled   32x16x20        2,480   2,457,600
      dropout           Dropout    32x20               0           0
      readout           Linear     32x5              105       6,400
     parameters             2,585  10,340 bytes in single precision
     FLOPs, forward     2,464,000  for 32 examples; a multiplication and an addition are two
     FLOPs, training    7,392,000  3 x forward
     activation memory    325,120  bytes kept for the backward pass of 32 examples
     sequential steps          17  matrix products that wait for one another
    >>> anncestry.costs(model).parameters
    2585

    Args:
        model: a model, which is neither changed nor run, or a config of the timeline, which is not built.
        signature: the learning problem; default: that of the config.
        batch_size: B, examples in the batch.

    Returns:
        The totals as fields (``parameters``, ``flops``, ...), and ``layers``, a `LayerCost` each.

    Raises:
        UserError: there is no signature, or the model cannot be run without weights.
    """
    require(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
    if isinstance(model, nn.Module):
        config, shadow = getattr(model, "config", None), _without_weights(model)
    else:
        config, shadow = model, built_without_weights(model)
    signature = signature or getattr(config, "signature", None)
    if signature is None:
        rule = "is needed for a model without a config: it gives the shape of the input"
        raise UserError("signature", None, rule)
    return _measure(shadow, meta_batch(shadow, signature, batch_size), meta_targets(signature, batch_size))


def built_without_weights(config: Any) -> nn.Module:
    return without_weights(lambda: build(config))


def without_weights(make: Callable[[], nn.Module]) -> nn.Module:
    """The model that a function makes, on the meta device."""
    with on_meta():
        model = make()
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.dim() == 0:  # a count, which may decide how much there is to do
                setattr(module, name, torch.zeros((), dtype=buffer.dtype, device="cpu"))
    return model


def _without_weights(model: nn.Module) -> nn.Module:
    """A copy on the meta device; the weights themselves are never copied, counts stay what they are."""
    shadows: dict[int, Any] = {}
    for weight in model.parameters():
        shadows[id(weight)] = nn.Parameter(weight.detach().to("meta"), requires_grad=weight.requires_grad)
    for buffer in model.buffers():
        shadows[id(buffer)] = buffer.to("meta") if buffer.dim() else buffer.clone()
    return copy.deepcopy(model, shadows)


def meta_batch(model: nn.Module, signature: Signature, batch_size: int) -> Tensor:
    """Inputs of a learning problem, (B, \\*shape), without contents."""
    shape = (batch_size, *signature.shape)
    if signature.inputs in ("tokens", "characters"):
        return torch.empty(shape, dtype=torch.int64, device="meta")
    kinds = (parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())
    return torch.empty(shape, dtype=next(kinds, torch.float32), device="meta")


def meta_targets(signature: Signature, batch_size: int) -> Tensor | None:
    """Targets of a model that generates a text, without contents; None for any other."""
    if signature.task not in GENERATION_TASKS:
        return None
    return torch.empty((batch_size, signature.target_len), dtype=torch.int64, device="meta")


def _measure(model: nn.Module, x: Tensor, targets: Tensor | None = None) -> Costs:
    model.train()  # dropout keeps its masks
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()  # keeps as much either way, and refuses to train on a single value
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage  # holding the storage keeps its address from being used again
        return tensor

    view, products = FieldOfView(x), _Products()
    calls = _Calls(model, products, view)
    autograd = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    try:
        with torch.enable_grad(), unheeded(), without_compiler(), autograd, view, products:
            outputs_of(model, x, targets=targets)
    except (RuntimeError, NotImplementedError) as error:
        rule = f"cannot be run without weights (on the meta device): {error}"
        raise UserError("model", type(model).__name__, rule) from error

    for tensor in (x, *model.parameters(), *model.buffers()):
        kept.pop(tensor.untyped_storage()._cdata, None)
    flops = products.flops
    return Costs(
        batch_size=x.shape[0],
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        flops=flops,
        training_flops=(2 if isinstance(model, OwnRule) else 3) * flops,
        activation_bytes=sum(storage.nbytes() for storage in kept.values()),
        sequential_steps=products.longest,
        layers=tuple(calls.rows()),
        concatenations=concatenations(calls.modules, calls.shapes),
    )


class _Products(Following):
    """Counts the FLOPs of products, and the longest chain of them.

    PyTorch's ``FlopCounterMode`` would count as much, but loads the compiler.

    Attributes:
        flops: so far.
        longest: products in the longest chain so far: each is one behind the last that it was made from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = self.longest = 0
        self.places: dict[int, tuple[torch.UntypedStorage, int]] = {}  # by memory: views share a place

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, count = kwargs or {}, flop_registry.get(func._overloadpacket)
        if count is None:  # it may be made of products
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        before = max((self._place(tensor) for tensor in tensors_in((args, kwargs))), default=0)
        result = func(*args, **kwargs)
        if count is not None:
            self.flops += count(*args, **kwargs, out_val=result)
        place = before + (count is not None)
        for tensor in tensors_in(result):
            storage = tensor.untyped_storage()
            self.places[storage._cdata] = (storage, max(place, self._place(tensor)))
        self.longest = max(self.longest, place)
        return result

    def _place(self, tensor: Tensor) -> int:
        return self.places.get(tensor.untyped_storage()._cdata, (None, 0))[1]


class _Calls:
    """Which modules are called, what each returns first, and the FLOPs that each spends outside of others."""

    def __init__(self, model: nn.Module, products: _Products, view: FieldOfView) -> None:
        self.products, self.counted, self.view = products, 0, view
        self.modules = dict(model.named_modules())
        self.stack: list[str] = []
        self.shapes: dict[str, tuple[int, ...]] = {}  # in the order of the first call
        self.fields: dict[str, tuple[int, int]] = {}
        self.flops = dict.fromkeys(self.modules, 0)
        self.callers: set[str] = set()
        for name, module in self.modules.items():
            module.register_forward_pre_hook(functools.partial(self._enter, name))
            module.register_forward_hook(functools.partial(self._leave, name))

    def _enter(self, name: str, module: nn.Module, args: Any) -> None:
        self._settle()
        self.callers.update(self.stack[-1:])
        self.stack.append(name)
        self.shapes.setdefault(name, ())

    def _leave(self, name: str, module: nn.Module, args: Any, output: Any) -> None:
        self._settle()
        self.stack.pop()
        for tensor in itertools.islice(tensors_in(output), 1):
            self.shapes[name] = self.shapes[name] or tuple(tensor.shape)
            if field := self.view.of(tensor):
                self.fields[name] = field.size

    def _settle(self) -> None:
        """What was counted since the last event was spent by the innermost call."""
        total = self.products.flops
        if self.stack:
            self.flops[self.stack[-1]] += total - self.counted
        self.counted = total

    def rows(self) -> Iterator[LayerCost]:
        """Every module that calls no other, and every other one with a share of its own."""
        parameters = dict.fromkeys(self.shapes, 0)
        for path, parameter in self.modules[""].named_parameters():
            owner = path.rpartition(".")[0]
            while owner not in parameters:  # a cell's weights belong to the layer that unrolls it
                owner = owner.rpartition(".")[0]
            parameters[owner] += parameter.numel()
        for name, shape in self.shapes.items():
            if name not in self.callers or parameters[name] or self.flops[name]:
                kind = type(self.modules[name]).__name__
                yield LayerCost(
                    name=name or kind,
                    type=kind,
                    output_shape=shape,
                    parameters=parameters[name],
                    flops=self.flops[name],
                    receptive_field=self.fields.get(name),
                )

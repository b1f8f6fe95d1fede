"""How a trained model is run: without gradients, and in bfloat16 where that is asked for and pays."""

import copy
import functools
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.engine.int8 import int8_kind
from anncestry.engine.precision import fast_float32
from anncestry.engine.threads import fastest_threads
from anncestry.engine.weight_cache import caching_weights
from anncestry.errors import require

PRECISIONS = ("32", "bf16", "int8")


@dataclass(frozen=True)
class Prediction:
    """How a model predicts.

    Attributes:
        precision: ``32``; ``bf16``: weights and all that is computed in bfloat16; ``int8``: the products of
            linear layers in 8-bit integers, and all else in bfloat16 where this processor is fast at it.
        weight_cache: what was made of the weights, for the next time (`engine.weight_cache`).
        contests: what was found out about threads, for the next time (`engine.threads`).
    """

    precision: str = "32"
    weight_cache: dict = field(default_factory=dict)
    contests: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(self.precision in PRECISIONS, "precision", self.precision, "must be one of", PRECISIONS)

    def prepared(self, model: nn.Module) -> nn.Module:
        """The model that predicts in this precision: a copy, where its weights are other ones.

        Raises:
            UserError: int8 is asked for and this processor or PyTorch has no such products.
        """
        if self.precision == "int8":
            rule = "needs a processor with products of 8-bit integers, and a PyTorch with oneDNN or FBGEMM"
            require(int8_kind() is not None, "precision", self.precision, rule)
        return model if self.precision == "32" else in_bfloat16(model, always=self.precision == "bf16")

    @contextmanager
    def scope(self, device: torch.device) -> Iterator[None]:
        """For predicting, in the calling thread: `inference` in this precision."""
        with inference(device, self.weight_cache), self.caching_weights():
            yield

    def caching_weights(self) -> AbstractContextManager:
        """What a thread beside the one that is within `scope` needs of its own, with ``torch.no_grad``."""
        return caching_weights(self.weight_cache, int8=self.precision == "int8")

    def threads(self, device: torch.device, kind: str, *sizes: int) -> AbstractContextManager:
        """For one call of a kind of work, within `scope`: the number of threads with which it is fastest
        (`engine.threads.fastest_threads`)."""
        return fastest_threads(self.contests, kind, *sizes) if device.type == "cpu" else nullcontext()


@contextmanager
def inference(device: torch.device, weight_cache: dict | None = None) -> Iterator[None]:
    """For scoring and predicting: no gradients, the fast float32 products, weights laid out once.

    The weights must not be changed within it.

    Args:
        weight_cache: where what was laid out stays for the next time (`caching_weights`).
    """
    with torch.no_grad(), fast_float32(device), caching_weights(weight_cache):
        yield


@functools.cache
def bfloat16_is_faster() -> bool:
    """Whether this processor's bfloat16 products are clearly faster than its float32 ones: measured once.

    A processor without the instructions emulates them, about ten times slower. Takes a few milliseconds.
    """
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    random = torch.Generator().manual_seed(0)
    x, weight = torch.randn(64, 512, generator=random), torch.randn(2048, 512, generator=random)

    def fastest(dtype: torch.dtype) -> float:
        a, b = x.to(dtype), weight.to(dtype)
        times = []
        for _ in range(7):
            start = time.perf_counter()
            nn.functional.linear(a, b)
            times.append(time.perf_counter() - start)
        return min(times)

    with torch.no_grad(), fast_float32(torch.device("cpu")):
        return fastest(torch.bfloat16) < 0.8 * fastest(torch.float32)


def in_bfloat16(model: nn.Module, always: bool = False) -> nn.Module:
    """A copy of ``model`` that predicts in bfloat16, where that is faster; else ``model`` itself.

    It is called as the model is: real inputs are rounded on the way in and outputs come back in float32; the
    state stays in bfloat16. ``step`` called by itself wants bfloat16 inputs. Two to three digits remain.

    Args:
        always: also where this processor is slower at it.
    """
    if not (always or bfloat16_is_faster()):
        return model
    rounded = copy.deepcopy(model).requires_grad_(False)
    for module in rounded.modules():
        if isinstance(module, nn.BatchNorm2d):  # kernels take its statistics up before they are rounded
            continue
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            if tensor.is_floating_point():
                tensor.data = tensor.data.to(torch.bfloat16)
    rounded.register_forward_pre_hook(_round_inputs)
    rounded.register_forward_hook(_widen_outputs)
    return rounded


def as_computed(model: nn.Module, inputs: Tensor) -> Tensor:
    """Real inputs in the precision of a model's weights, for who calls a part of it; tokens as they are."""
    rounded = inputs.is_floating_point() and any(w.dtype == torch.bfloat16 for w in model.parameters())
    return inputs.to(torch.bfloat16) if rounded else inputs


def _round_inputs(module: nn.Module, inputs: tuple) -> tuple:
    first: Tensor = inputs[0]
    return (first.to(torch.bfloat16) if first.is_floating_point() else first, *inputs[1:])


def _widen_outputs(module: nn.Module, inputs: tuple, outputs):
    if isinstance(outputs, tuple):
        return outputs[0].float(), *outputs[1:]
    return outputs.float()

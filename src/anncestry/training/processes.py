"""Where training runs: one process on one device, or several that add their gradients up."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.errors import require
from anncestry.training.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class OneProcess:
    """What Lightning Fabric does, as far as there is anything to do for one process on one device.

    Fabric takes nearly two seconds to load.

    Args:
        device: all is done there.
        lower: in mixed precision, with products in bfloat16.
    """

    world_size, global_rank, is_global_zero = 1, 0, True

    def __init__(self, device: torch.device, lower: bool) -> None:
        self.device, self.lower = device, lower

    def launch(self) -> None:
        """Nothing is to be started."""

    def barrier(self) -> None:
        """There is nobody to wait for."""

    def autocast(self) -> AbstractContextManager[Any]:
        """In it products are computed in the precision of training."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.lower)

    def setup(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, Any]:
        """Both, ready for `backward`; the model computes in the precision of training."""
        return (_Lower(model, self) if self.lower else model), optimizer

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss to those of the weights."""
        loss.backward()

    def no_backward_sync(self, model: nn.Module) -> AbstractContextManager[None]:
        """Nobody adds gradients up."""
        return nullcontext()

    def to_device(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Them, on the device."""
        return tuple(tensor.to(self.device) for tensor in tensors)


class _Lower(nn.Module):
    """A model whose products are computed in bfloat16; what it returns is in single precision."""

    def __init__(self, model: nn.Module, processes: OneProcess) -> None:
        super().__init__()
        self.model, self.processes = model, processes

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = _floats_as(torch.bfloat16, args), _floats_as(torch.bfloat16, kwargs)
        with self.processes.autocast():
            outputs = self.model(*args, **kwargs)
        return _floats_as(torch.float32, outputs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.model, name)


def _floats_as(dtype: torch.dtype, tree: Any) -> Any:
    """The tree with its tensors of real numbers in another type."""
    if isinstance(tree, Tensor):
        return tree.to(dtype) if tree.is_floating_point() else tree
    if isinstance(tree, dict):
        return {key: _floats_as(dtype, part) for key, part in tree.items()}
    if isinstance(tree, tuple | list):
        parts = [_floats_as(dtype, part) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return tree


def make_fabric(settings: TrainingSettings) -> "Fabric | OneProcess":
    """Lightning Fabric for the settings' devices and precision, not launched; for one device what is like it.

    Raises:
        UserError: there is no such device.
    """
    accelerator = settings.accelerator
    there = accelerator != "cuda" or torch.cuda.is_available()
    require(
        there, "accelerator", accelerator, "this machine has no GPU that PyTorch can use", ("auto", "cpu")
    )
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() and settings.devices == 1 else "cpu"
    lower = settings.precision == "bf16"
    if settings.devices == 1 and "TORCHELASTIC_RUN_ID" not in os.environ:
        return OneProcess(torch.device("cuda", 0) if accelerator == "cuda" else torch.device("cpu"), lower)
    from lightning_fabric import Fabric

    strategy = "ddp" if settings.devices > 1 else "auto"
    precision = "bf16-mixed" if lower else "32-true"
    return Fabric(accelerator=accelerator, devices=settings.devices, strategy=strategy, precision=precision)

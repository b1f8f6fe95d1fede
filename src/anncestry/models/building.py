"""Models of a config that nobody vouches for: counted before any memory is taken.

The model is made on PyTorch's *meta* device first, where tensors have shapes and no contents, and every
parameter and buffer is counted as it is registered; the making stops at the one that is too many.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from anncestry.engine.meta import on_meta
from anncestry.errors import UserError
from anncestry.timeline import Architecture

MOST_TENSORS = 50_000
"""Parameters and buffers of the largest network that is made here; a ResNet of 1,202 layers has 8,000."""
_SPARE = 4
"""How often the weights of a file may be registered while a model is made: tied tables and parts that are
replaced count again."""
_TOO_LARGE = ("overflow", "too large", "out of range", "too many", "negative dimension", "invalid shape")
_NO_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "failed to allocate",
    "bad alloc",
)


class _TooMany(Exception):
    """The count has gone beyond its limit."""


class _Count:
    def __init__(self, tensors: int, numbers: int | None, octets: int | None) -> None:
        self.limits = tensors, numbers, octets
        self.tensors = self.numbers = self.octets = 0

    def add(self, module: nn.Module, name: str, tensor: Tensor | None) -> None:
        if tensor is None:
            return
        self.tensors += 1
        self.octets += tensor.numel() * tensor.element_size()
        if isinstance(tensor, nn.Parameter):
            self.numbers += tensor.numel()
        found = self.tensors, self.numbers, self.octets
        if any(limit is not None and got > limit for got, limit in zip(found, self.limits, strict=True)):
            raise _TooMany


def build_checked(
    architecture: Architecture,
    config: Any,
    weights: Mapping[str, Tensor] | None = None,
    source: str = "model",
) -> nn.Module:
    """The model of a config with random weights, made once it is known that it can be.

    Args:
        weights, source: as in `without_memory`.

    Raises:
        UserError: as in `without_memory`.
    """
    if weights is None and torch.get_default_device().type == "meta":  # it will take no memory
        return architecture.build(config)
    shadow = without_memory(architecture, config, weights, source)
    octets = sum(
        tensor.numel() * tensor.element_size() for tensor in (*shadow.parameters(), *shadow.buffers())
    )
    with memory_explained(source, architecture.id, octets):
        return architecture.build(config)


def without_memory(
    architecture: Architecture,
    config: Any,
    weights: Mapping[str, Tensor] | None = None,
    source: str = "model",
) -> nn.Module:
    """The model of a config on the meta device.

    Args:
        weights: what the model is to be filled with; it must not have many more parameters than these.
        source: where the config is from, for the message.

    Raises:
        UserError: it has more parameters than ``weights``, or needs more memory than there is.
    """
    memory, most_tensors, held = available_memory(), MOST_TENSORS, None
    if weights is not None:
        held = sum(tensor.numel() for tensor in weights.values())
        most_tensors = min(MOST_TENSORS, _SPARE * len(weights) + 100)
    count = _Count(most_tensors, None if held is None else _SPARE * held + 1_000_000, memory)
    with torch.random.fork_rng(devices=[]), _counting(count), on_meta():
        try:
            return architecture.build(config)
        except _TooMany:
            pass
        except (RuntimeError, OverflowError, MemoryError, ValueError, TypeError) as error:
            if isinstance(error, UserError) or not _is_of_size(error):
                raise
            rule = f"its sizes are beyond what can be described ({_first_line(error)})"
            raise UserError(source, architecture.id, rule) from error
    raise UserError(source, architecture.id, _too_many(count, weights, memory))


def _too_many(count: _Count, weights: Mapping[str, Tensor] | None, memory: int | None) -> str:
    if memory is not None and count.octets > memory:
        return f"its weights need {in_words(count.octets)} of memory or more; there are {in_words(memory)}"
    if weights is None:
        return f"it has more than {MOST_TENSORS:,} tensors"
    held = sum(tensor.numel() for tensor in weights.values())
    by_config = f"{count.numbers:,} parameters or more in {count.tensors:,} tensors or more"
    return f"by its config it has {by_config}; the weights hold {held:,} in {len(weights):,}"


@contextlib.contextmanager
def memory_explained(field: str, value: object, octets: int) -> Iterator[None]:
    """Out of memory within becomes a `UserError` that says what was needed.

    Args:
        octets: what is needed at least.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        memory = available_memory()
        there = "" if memory is None else f", and {in_words(memory)} are left"
        rule = f"needs more memory than there is: at least {in_words(octets)}{there}"
        raise UserError(
            field, value, rule, hint="Make the model, its inputs or the batch smaller."
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was refused, by Python, by PyTorch or by its device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(mark in str(error).lower() for mark in _NO_MEMORY)


def _is_of_size(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, OverflowError | MemoryError) or any(mark in text for mark in _TOO_LARGE)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


@contextlib.contextmanager
def _counting(count: _Count) -> Iterator[None]:
    handles = [
        torch_module.register_module_parameter_registration_hook(count.add),
        torch_module.register_module_buffer_registration_hook(count.add),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def available_memory() -> int | None:
    """Bytes that this process can still take: of the machine, of its control group and of its own limit; None
    where no system says."""
    found = [_of_machine(), _of_group(), _of_limit()]
    return min((octets for octets in found if octets is not None), default=None)


def _of_machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _of_group() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            return max(0, int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    return None


def _of_limit() -> int | None:
    try:
        import resource  # Unix alone has it
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))
    return limit


def in_words(octets: int) -> str:
    """``16.0 GB``."""
    size = float(octets)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} PB" if size < 1e9 else f"{size:.1e} PB"

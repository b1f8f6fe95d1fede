"""Batch normalisation and the ReLU behind it, as ``ReLU(a x + b)``, on a matrix with a row for each position.

By PyTorch's operators a normalisation passes six to eight times over the same numbers, most of all on the
way back; the kernels pass once, or twice where a sum has to be known first. a, b and the sums are in float32
where x is in bfloat16; the kernels round nothing in between.
"""

import torch

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.library import address, kernel, threads_for

CHUNK = 2**20  # numbers that the plain operators work on at once, while they are in the cache
_NAMES = {torch.float32: "float", torch.bfloat16: "bfloat16"}


def wide(dtype: torch.dtype) -> torch.dtype:
    """What is added up in."""
    return torch.promote_types(dtype, torch.float32)


def chunks(num_rows: int, num_columns: int) -> list[slice]:
    """Parts of the rows, so many that their numbers stay in the cache."""
    size = max(256, CHUNK // num_columns)
    return [slice(first, first + size) for first in range(0, num_rows, size)]


def column_statistics(x: Float[Tensor, "N C"]) -> tuple[Float[Tensor, "C"], Float[Tensor, "C"]]:
    """The mean and the variance, divided by N, of each column."""
    native = _kernel("norm_statistics", "pippiii", x) if len(x) else None
    if native is None:
        return plain_column_statistics(x)
    mean, variance = x.new_empty(2, x.shape[1], dtype=torch.float32)
    native(address(x), x.stride(0), address(mean), address(variance), *_size(x))
    return mean, variance


def plain_column_statistics(x: Float[Tensor, "N C"]) -> tuple[Float[Tensor, "C"], Float[Tensor, "C"]]:
    """In two passes; ``torch.var_mean`` takes several times as long down the columns."""
    parts, of = chunks(*x.shape), wide(x.dtype)
    mean = torch.stack([x[rows].sum(0, dtype=of) for rows in parts]).sum(0) / x.shape[0]
    squares = torch.stack([torch.sub(x[rows], mean).square_().sum(0) for rows in parts])
    return mean, squares.sum(0) / x.shape[0]


def norm_relu(x: Float[Tensor, "N C"], a: Float[Tensor, "C"], b: Float[Tensor, "C"]) -> Float[Tensor, "N C"]:
    """``ReLU(a x + b)``."""
    native = _kernel("norm_relu", "pipppiii", x, a, b)
    if native is None:
        return plain_norm_relu(x, a, b)
    y = torch.empty(x.shape, dtype=x.dtype)
    native(address(x), x.stride(0), address(a), address(b), address(y), *_size(x))
    return y


def plain_norm_relu(
    x: Float[Tensor, "N C"], a: Float[Tensor, "C"], b: Float[Tensor, "C"]
) -> Float[Tensor, "N C"]:
    """`norm_relu` by PyTorch's operators."""
    return torch.addcmul(b.to(x.dtype), x, a.to(x.dtype)).relu_()


def relu_sums(
    g: Float[Tensor, "N C"],
    x: Float[Tensor, "N C"],
    a: Float[Tensor, "C"],
    b: Float[Tensor, "C"],
    into: Float[Tensor, "N C"] | None = None,
) -> tuple[Float[Tensor, "C"], Float[Tensor, "C"]]:
    """The sums of g' and of g' x down the columns, g' the gradient g where ``a x + b > 0`` and else 0.

    Args:
        g: the gradient behind the ReLU.
        into: gets ``a g'`` added.
    """
    native = _kernel("norm_relu_sums", "ppipppippiii", x, a, b)
    if native is None or not _alike(g, x) or (into is not None and not _laid_out(into)):
        return plain_relu_sums(g, x, a, b, into)
    sums, products = x.new_empty(2, x.shape[1], dtype=torch.float32)
    stride = 0 if into is None else into.stride(0)
    parts = (address(x), x.stride(0), address(a), address(b), address(into), stride)
    native(address(g), *parts, address(sums), address(products), *_size(x))
    return sums, products


def plain_relu_sums(
    g: Float[Tensor, "N C"],
    x: Float[Tensor, "N C"],
    a: Float[Tensor, "C"],
    b: Float[Tensor, "C"],
    into: Float[Tensor, "N C"] | None = None,
) -> tuple[Float[Tensor, "C"], Float[Tensor, "C"]]:
    """`relu_sums` by PyTorch's operators, some rows at a time so that bfloat16 loses little."""
    sums, products = torch.zeros(2, x.shape[1], dtype=wide(x.dtype))
    for rows in chunks(*x.shape):
        back = torch.ops.aten.threshold_backward(g[rows], plain_norm_relu(x[rows], a, b), 0)
        if into is not None:
            into[rows].addcmul_(back, a.to(x.dtype))
        sums += back.sum(0, dtype=sums.dtype)
        products += back.mul_(x[rows]).sum(0, dtype=sums.dtype)
    return sums, products


def relu_back(
    g: Float[Tensor, "N C"],
    x: Float[Tensor, "N C"],
    a: Float[Tensor, "C"],
    b: Float[Tensor, "C"],
    slope: Float[Tensor, "C"],
    level: Float[Tensor, "C"],
) -> Float[Tensor, "N C"]:
    """``a g' + slope x + level``, with the g' of `relu_sums`; g may be overwritten."""
    native = _kernel("norm_relu_back", "ppippppiii", x, a, b, slope, level)
    if native is None or not _alike(g, x):
        return plain_relu_back(g, x, a, b, slope, level)
    parts = (address(part) for part in (a, b, slope, level))
    native(address(g), address(x), x.stride(0), *parts, *_size(x))
    return g


def plain_relu_back(
    g: Float[Tensor, "N C"],
    x: Float[Tensor, "N C"],
    a: Float[Tensor, "C"],
    b: Float[Tensor, "C"],
    slope: Float[Tensor, "C"],
    level: Float[Tensor, "C"],
) -> Float[Tensor, "N C"]:
    """`relu_back` by PyTorch's operators."""
    back = torch.ops.aten.threshold_backward(g, plain_norm_relu(x, a, b), 0)
    constant = torch.addcmul(level.to(x.dtype), x, slope.to(x.dtype))
    return torch.addcmul(constant, back, a.to(x.dtype))


def _kernel(name: str, arguments: str, x: Tensor, *columns: Tensor):
    """The kernel, where it can read a matrix and what belongs to its columns."""
    if x.dtype not in _NAMES or not _laid_out(x) or torch.is_grad_enabled():
        return None
    if not all(part.dtype == torch.float32 and part.is_contiguous() for part in columns):
        return None
    return kernel(f"{name}_{_NAMES[x.dtype]}", arguments)


def _laid_out(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.stride(1) == 1


def _alike(g: Tensor, x: Tensor) -> bool:
    return g.dtype == x.dtype and g.shape == x.shape and g.is_contiguous()


def _size(x: Tensor) -> tuple[int, int, int]:
    return *x.shape, threads_for(x.numel())  # pyright: ignore[reportReturnType]

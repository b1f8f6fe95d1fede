import pytest
import torch

from anncestry.engine.native import dense_block as module
from anncestry.engine.native.dense_block import AverageProduct, Bottleneck, Bottlenecks


def layers(read=5, growth_rate=3, narrow=12, count=3, dtype=torch.float32):
    """Layers with bounds on either side, one of them on both."""
    torch.manual_seed(0)
    made = []
    for m in range(read, read + growth_rate * count, growth_rate):
        low, high = torch.randn(m) - 1, torch.full((m,), torch.inf)
        low[1], high[1], low[2], high[2] = -torch.inf, 0.3, 0.0, 0.0
        parts = (
            low,
            high,
            torch.randn(narrow, m),
            torch.randn(narrow),
            torch.randn(growth_rate, narrow, 3, 3),
        )
        made.append(Bottleneck(*(part.to(dtype) for part in parts)))
    return made


def exact(X, made, height, width):
    """By plain operators in float64."""
    X = X.double()
    for low, high, narrow, bias, spread in (Bottleneck(*(part.double() for part in one)) for one in made):
        m = len(low)
        h = (X[:, :m].clamp(low, high) @ narrow.t() + bias).relu()
        h = h.view(-1, height, width, len(bias)).permute(0, 3, 1, 2)
        y = torch.conv2d(h, spread, padding=1).permute(0, 2, 3, 1)
        X[:, m : m + len(spread)] = y.reshape(-1, len(spread))
    return X


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "sizes", [{}, {"growth_rate": 32, "narrow": 128, "count": 2}, {"narrow": 48, "read": 17}]
)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 3), (3, 1, 31), (0, 4, 4), (1, 13, 20)])
@torch.no_grad()
def test_it_is_the_plain_one(instructions, monkeypatch, threads, sizes, shape):
    monkeypatch.setattr(module, "POSITIONS", 40)  # two images at a time, or one
    images, height, width = shape
    made = layers(**sizes)
    X = torch.randn(images * height * width, made[-1].narrow.shape[1] + made[0].spread.shape[0])
    wanted = exact(X, made, height, width)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        Bottlenecks(made)(X, height, width)
    finally:
        torch.set_num_threads(before)
    assert ((X - wanted).abs() <= 1e-6 * wanted.norm()).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@torch.no_grad()
def test_rows_apart_and_other_types_are_plain(instructions, dtype):
    made = layers(dtype=dtype)
    X = torch.randn(24, 20).to(dtype)[:, :14]
    wanted = exact(X, made, 6, 4)
    Bottlenecks(made)(X, 6, 4)
    tolerance = {torch.float32: 1e-6, torch.bfloat16: 1e-2, torch.float64: 1e-13}[dtype]
    assert ((X - wanted).abs() <= tolerance * wanted.norm()).all()


@torch.no_grad()
def test_what_is_no_number_stays_none(instructions):
    made = layers(count=1)
    X = torch.zeros(9, 8)
    X[4, 0] = torch.nan
    Bottlenecks(made)(X, 3, 3)
    assert X[:, 5:].isnan().all() or instructions == "0"  # oneDNN's ReLU makes 0 of it


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(1, 5, 1, 1), (2, 40, 5, 3), (0, 4, 4, 4), (1, 33, 30, 20)])
@pytest.mark.parametrize("dense", [True, False])
@torch.no_grad()
def test_a_transition_is_the_plain_one(instructions, threads, shape, dense):
    low, high = torch.randn(shape[1]) - 1, torch.full(shape[1:2], torch.inf)
    low[1], high[1], low[2], high[2] = -torch.inf, 0.3, 0.0, 0.0
    kernels, bias, x = torch.randn(21, shape[1], 1, 1), torch.randn(21), torch.randn(shape)
    if dense:
        x = x.contiguous(memory_format=torch.channels_last)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = AverageProduct(low, high, kernels, bias)(x)
    finally:
        torch.set_num_threads(before)
    between = torch.clamp(x.double(), low[:, None, None], high[:, None, None])
    averages = torch.nn.functional.avg_pool2d(between, 2, ceil_mode=True)
    wanted = torch.conv2d(averages, kernels.double(), bias.double())
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_maps_that_do_not_fit_are_not_read():
    kernels = torch.randn(4, 6, 1, 1)
    with pytest.raises(RuntimeError):
        AverageProduct(torch.zeros(6), torch.ones(6), kernels, torch.zeros(4))(torch.randn(2, 5, 4, 4))
    with pytest.raises(RuntimeError):
        Bottlenecks(layers())(torch.randn(4, 9), 2, 2)

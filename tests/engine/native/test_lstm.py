import pytest
import torch

from anncestry.engine.native.lstm import NativeLSTM, plain_lstm


def given(B, T, D, H):
    torch.manual_seed(0)
    shapes = ((B, T, D), (4 * H, D), (4 * H, H), (4 * H,), (4 * H,), (B, H), (B, H))
    x, *weights, h, c = (torch.randn(shape) for shape in shapes)
    return x, tuple(weights), h, c


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 4, 5, 7), (20, 5, 33, 40), (31, 2, 8, 64)])
@torch.no_grad()
def test_it_is_the_plain_one(instructions, threads, shape):
    if not NativeLSTM.works():
        return  # the plain one is called in its place
    x, weights, h, c = given(*shape)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = NativeLSTM(weights)(x, h, c)
    finally:
        torch.set_num_threads(before)
    wanted = plain_lstm(x.double(), tuple(w.double() for w in weights), h.double(), c.double())
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a.double(), b.double(), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_rows_apart_and_what_is_given_stays(instructions):
    if not NativeLSTM.works():
        return
    _, weights, h, c = given(4, 6, 5, 9)
    apart = torch.randn(6, 4, 5).transpose(0, 1)
    kept = h.clone(), c.clone()
    for a, b in zip(NativeLSTM(weights)(apart, h, c), plain_lstm(apart, weights, h, c), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    assert torch.equal(h, kept[0])
    assert torch.equal(c, kept[1])


@torch.no_grad()
def test_large_sums_saturate_and_what_is_no_number_stays_none(instructions):
    if not NativeLSTM.works():
        return
    x, weights, h, c = given(2, 3, 4, 8)
    found = NativeLSTM(weights)(1e4 * x, h, c)
    for a, b in zip(found, plain_lstm(1e4 * x, weights, h, c), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    x[1, 1, 0] = torch.nan
    y = NativeLSTM(weights)(x, h, c)[0]
    assert y[1, 1:].isnan().all()
    assert y[0].isfinite().all()


@pytest.mark.wrong_shapes
@torch.no_grad()
def test_what_does_not_fit_the_weights_is_not_read():
    if not NativeLSTM.works():
        return
    x, weights, h, c = given(2, 3, 4, 8)
    layer = NativeLSTM(weights)
    for wrong in (
        (x[..., :3], h, c),
        (x, h[:1], c),
        (x, h, c[:, :7]),
        (x.double(), h, c),
        (x, h, c.double()),
    ):
        with pytest.raises(RuntimeError):
            layer(*wrong)


@pytest.mark.parametrize("level", [-30.0, -60.0, -1e4, 60.0])
@torch.no_grad()
def test_a_saturated_unit_behind_an_open_gate(instructions, level):
    if not NativeLSTM.works():
        return
    H = 3
    bias = torch.zeros(4 * H)
    bias[2 * H : 3 * H] = level  # the new content; the gates are half open
    weights = (torch.zeros(4 * H, 2), torch.zeros(4 * H, H), bias, torch.zeros(4 * H))
    x, h, c = torch.zeros(1, 1, 2), torch.zeros(1, H), torch.full((1, H), 4 * level)
    for a, b in zip(NativeLSTM(weights)(x, h, c), plain_lstm(x, weights, h, c), strict=True):
        torch.testing.assert_close(a, b)

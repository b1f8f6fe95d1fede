"""Attention, its cache and positions against formulas, and the cache against a full pass."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.engine.native.cache_attention import smallest_type
from anncestry.engine.weight_cache import caching_weights
from anncestry.errors import UserError
from anncestry.layers.attention import attention
from anncestry.layers.attention.attention import FEW, CrossAttention, SelfAttention, attention_weights
from anncestry.layers.attention.blocks import FeedForward, PostNorm, PreNorm
from anncestry.layers.attention.key_value_cache import KeyValueCache
from anncestry.layers.attention.positions import Learned, Sinusoidal, sinusoids


def self_attention(width=12, heads=3, **options):
    return SelfAttention(width, heads, **options).double()


@pytest.mark.parametrize("options", [{}, {"bias": True}, {"head_size": 5}])
def test_self_attention_is_that_of_torch(options):
    mine = self_attention(**options)
    k, x, visible = mine.head_size, torch.randn(2, 5, 12).double(), torch.ones(2, 1, 1, 5, dtype=torch.bool)
    visible[1, ..., 3:] = False
    q, keys, values = (part.unflatten(-1, (3, k)).transpose(1, 2) for part in mine.qkv(x).chunk(3, -1))
    scores = (q @ keys.transpose(2, 3) / math.sqrt(k)).masked_fill(~visible, -math.inf)
    expected = mine.out((scores.softmax(-1) @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(mine(x, visible), expected)
    torch.testing.assert_close(attention_weights(q, keys, visible), scores.softmax(-1))


def test_no_position_sees_the_future_and_padding_changes_nothing():
    mine, x = self_attention(), torch.randn(1, 6, 12).double().requires_grad_()
    for place in range(6):
        (gradient,) = torch.autograd.grad(mine(x, causal=True)[0, place].sum(), x)
        assert gradient[0, place + 1 :].eq(0).all()
        assert gradient[0, : place + 1].ne(0).any(1).all()
    visible = torch.tensor([True, True, True, True, False, False]).view(1, 1, 1, 6)
    torch.testing.assert_close(mine(x, visible)[:, :4], mine(x[:, :4]))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_products_are_the_fused_kernel(causal, masked, monkeypatch):
    q, keys, values = (torch.randn(2, 3, 4, 5).double().requires_grad_() for _ in range(3))
    visible = torch.tensor([[True, True, False, True], [True, False, False, False]]).view(2, 1, 1, 4)
    visible, found = (visible if masked else None), []
    for limit in (attention.SHORT, 0):
        monkeypatch.setattr(attention, "SHORT", limit)
        seen = attention.scaled_dot_product(q, keys, values, visible, causal)
        found.append([seen, *torch.autograd.grad(seen.sin().sum(), (q, keys, values))])
    for got, expected in zip(*found, strict=True):
        torch.testing.assert_close(got, expected)


def test_weights_are_of_the_causal_positions():
    q, keys = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    weights = attention_weights(q, keys, causal=True)
    assert weights.triu(1).eq(0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 4))


def test_queries_keys_and_values_may_be_the_same():
    own, cross, x = self_attention(), CrossAttention(12, 3).double(), torch.randn(2, 5, 12).double()
    with torch.no_grad():
        cross.query.weight.copy_(own.qkv.weight[:12])
        cross.keys_values.weight.copy_(own.qkv.weight[12:])
        cross.out.weight.copy_(own.out.weight)
    torch.testing.assert_close(cross(x, *cross.look_up(x)), own(x))


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.lists(st.integers(0, 2), min_size=6, max_size=6), st.booleans()), min_size=1, max_size=6
    )
)
def test_hypotheses_that_take_over_a_past_see_that_past(steps):
    """Two sources with three hypotheses each, whose parents are drawn, against a pass over each text."""
    random = torch.Generator().manual_seed(0)
    mine, beam = self_attention(), 3
    prompt = torch.randn(2, 4, 12, generator=random).double()
    with torch.no_grad():
        cache = KeyValueCache.empty(1, 3, 4, prompt[:, 0], positions=2).extended(2, 4)
        torch.testing.assert_close(mine(prompt, cache=cache), mine(prompt, causal=True))
        pasts = [prompt[row // beam] for row in range(6)]
        cache = cache.reordered(torch.arange(2).repeat_interleave(beam))
        for parents, again in steps:
            new = torch.randn(6, 12, generator=random).double()
            grown = cache.extended(6)
            if again:  # another continuation, which must leave no trace
                mine(torch.randn(2, 3, 12, generator=random).double(), cache=cache.extended(6))
            found = mine(new.view(2, beam, 12), cache=grown).flatten(0, 1)
            pasts = [torch.cat([past, token[None]]) for past, token in zip(pasts, new, strict=True)]
            for row, past in enumerate(pasts):
                expected = mine(past[None], causal=True)[0, -1]
                torch.testing.assert_close(found[row], expected)
            rows = torch.tensor([row // beam * beam + parent for row, parent in enumerate(parents)])
            cache, pasts = grown.reordered(rows), [pasts[row] for row in rows]
            assert cache.length == len(pasts[0])


def test_a_cache_of_fewer_sources_is_small_and_right():
    mine, x = self_attention(), torch.randn(4, 3, 12).double()
    with torch.no_grad():
        cache = KeyValueCache.empty(1, 3, 4, x[:, 0]).extended(4, 3)
        mine(x, cache=cache)
        left = torch.tensor([1, 3])
        cache, new = cache.reordered(left, left), torch.randn(2, 1, 12).double()
        found = mine(new, cache=cache.extended(2))
    torch.testing.assert_close(found, mine(torch.cat([x[left], new], 1), causal=True)[:, -1:])
    assert cache.num_sources == 2


def test_positions_are_the_formulas():
    p, i, d = 7, 2, 12
    paper, marian, t2t = (
        sinusoids(9, d, layout) for layout in ("interleaved", "concatenated", "tensor2tensor")
    )
    angle = p / 10000 ** (2 * i / d)
    assert paper[p, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
    assert paper[p, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)
    assert marian[p, i].item() == pytest.approx(math.sin(angle), abs=1e-6)
    assert marian[p, d // 2 + i].item() == pytest.approx(math.cos(angle), abs=1e-6)
    assert t2t[p, i].item() == pytest.approx(math.sin(p / 10000 ** (i / (d / 2 - 1))), abs=1e-6)
    torch.testing.assert_close(sinusoids(3, d, first=4), sinusoids(7, d)[4:])
    table = Sinusoidal(d)
    torch.testing.assert_close(table(600, 5), sinusoids(605, d)[600:])  # more than were made at first


@pytest.mark.parametrize("layout", ["interleaved", "tensor2tensor"])
def test_a_shift_of_position_is_a_rotation(layout):
    table = sinusoids(60, 8, layout).double().numpy()
    pairs = [(0, 1), (2, 3), (4, 5), (6, 7)] if layout == "interleaved" else [(i, i + 4) for i in range(4)]
    for sine, cosine in pairs:
        plane = table[:, sine] + 1j * table[:, cosine]
        np.testing.assert_allclose(plane[10:] / plane[:-10], plane[10] / plane[0], atol=1e-5)


def test_errors_name_what_is_wrong():
    with pytest.raises(UserError, match=r"length: got 9; .*num_positions, which is 8"):
        Learned(4, 8)(4, 5)
    with pytest.raises(UserError, match=r"positions: got 'rotary'.*interleaved"):
        Sinusoidal(4, "rotary")
    with pytest.raises(UserError, match="width: got 5; must be even"):
        sinusoids(3, 5)


def test_where_the_norm_is():
    net, x = FeedForward(6, 9), torch.randn(4, 6)
    post, pre = PostNorm(6), PreNorm(6)
    torch.testing.assert_close(post(x, net), torch.nn.functional.layer_norm(x + net(x), (6,), eps=1e-6))
    torch.testing.assert_close(pre(x, net), x + net(torch.nn.functional.layer_norm(x, (6,), eps=1e-6)))
    rolled = x[[2, 0, 3, 1]]  # the same weights at every place
    torch.testing.assert_close(net(rolled), net(x)[[2, 0, 3, 1]])


@pytest.mark.parametrize("queries", [1, FEW, FEW + 1])
@pytest.mark.parametrize("visible", [None, torch.tensor([True, True, False, True, False]).view(1, 1, 1, 5)])
def test_the_queries_of_a_beam_see_what_those_of_a_target_see(queries, visible):
    layer, memory = CrossAttention(64, 2), torch.randn(3, 5, 64)
    visible = None if visible is None else visible.expand(3, -1, -1, -1)
    x, (keys, values) = torch.randn(3, queries, 64), layer.look_up(memory)
    wanted = layer(x, keys, values, visible)  # with gradients: never by the kernel
    with torch.no_grad():
        torch.testing.assert_close(layer(x, keys, values, visible), wanted)


@torch.no_grad()
def test_a_cache_of_8_bit_products_is_kept_in_fewer_bits():
    """And says nearly the same: to a kernel, and where many queries are attended to plainly."""
    torch.manual_seed(0)
    attention = SelfAttention(64, 2).eval()
    x = torch.randn(2, 90, 64)
    with caching_weights(int8=True):
        narrow = KeyValueCache.empty(1, 2, 32, x)
    wide = KeyValueCache.empty(1, 2, 32, x)
    assert wide.layer(0)[0].dtype == torch.float32
    assert narrow.layer(0)[0].dtype == smallest_type(torch.float32, 32)
    for part in (x[:, :5], x[:, 5:6], x[:, 6:]):  # a prompt, a token, more than a kernel takes
        narrow, wide = (cache.extended(2, part.shape[1]) for cache in (narrow, wide))
        found, wanted = (attention(part, cache=cache) for cache in (narrow, wide))
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, wanted, atol=1e-2, rtol=1e-2)

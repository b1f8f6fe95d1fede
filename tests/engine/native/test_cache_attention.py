import pytest
import torch

from anncestry.engine.native.cache_attention import cache_attention, fits, plain_cache_attention
from anncestry.engine.threads import limited_threads

F, B = torch.float32, torch.bfloat16
TYPES = [(F, F), (B, B), (F, B)]
# sources, heads, queries, positions, features of a head
SIZES = [(1, 1, 1, 1, 16), (2, 3, 1, 77, 64), (3, 2, 4, 33, 32), (0, 2, 1, 5, 32), (1, 12, 1, 600, 128)]


def cache(sources, heads, positions, size, dtype):
    """Keys and values as a cache holds them: views of a room with more positions."""
    room = torch.randn(2, sources, heads, positions + 5, size).to(dtype)
    return room[0, :, :, :positions], room[1, :, :, :positions]


def some_marks(sources, queries, positions):
    marks = torch.rand(sources, queries, positions) < 0.4
    marks[..., -1] = True
    return marks


def assert_alike(found, wanted, dtype):
    tolerance = 1e-5 if dtype == F else 2e-2
    torch.testing.assert_close(found.float(), wanted.float(), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(("dtype", "kept"), TYPES)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("marked", [False, True])
@torch.no_grad()
def test_it_is_the_plain_one(instructions, dtype, kept, sizes, threads, marked):
    sources, heads, queries, positions, size = sizes
    keys, values = cache(sources, heads, positions, size, kept)
    queried = torch.randn(sources, queries, heads * size).to(dtype)
    marks = some_marks(sources, queries, positions) if marked else None
    assert fits(queried, keys, values, marks) == (instructions != "0")
    with limited_threads(threads):
        found = cache_attention(queried, keys, values, marks)
    wanted = plain_cache_attention(queried.float(), keys.float(), values.float(), marks)
    assert found.dtype == dtype
    assert_alike(found, wanted, dtype)


@pytest.mark.parametrize(("dtype", "kept"), TYPES)
@torch.no_grad()
def test_new_keys_and_values_are_written_first(instructions, dtype, kept):
    keys, values = cache(2, 3, 20, 32, kept)
    projected, marks = torch.randn(2, 4, 3 * 96).to(dtype), some_marks(2, 4, 20)
    plain_keys, plain_values = keys.clone(), values.clone()
    old = keys[:, :, :16].clone()
    found = cache_attention(projected, keys, values, marks)
    wanted = plain_cache_attention(projected, plain_keys, plain_values, marks)
    assert_alike(found, wanted, dtype)
    assert torch.equal(keys, plain_keys)
    assert torch.equal(values, plain_values)
    assert torch.equal(keys[:, :, :16], old)


@torch.no_grad()
def test_one_row_of_marks_serves_all_queries_of_a_source(instructions):
    keys, values = cache(2, 2, 9, 16, F)
    queried, marks = torch.randn(2, 3, 32), some_marks(2, 1, 9)
    found = cache_attention(queried, keys, values, marks)
    assert_alike(found, plain_cache_attention(queried, keys, values, marks.expand(2, 3, 9)), F)


@torch.no_grad()
def test_what_the_kernel_cannot_take_is_computed_plainly(instructions):
    keys, values = cache(2, 2, 9, 24, F)  # no kernel for such heads
    queried = torch.randn(2, 1, 48)
    assert not fits(queried, keys, values)
    assert_alike(cache_attention(queried, keys, values), plain_cache_attention(queried, keys, values), F)
    keys, values = cache(2, 2, 9, 32, F)
    strided = torch.randn(2, 64, 1).transpose(1, 2)[..., :].expand(2, 1, 64)
    backwards = torch.randn(2, 2, 32, 9).transpose(2, 3)
    assert not fits(strided, backwards, backwards)
    assert_alike(
        cache_attention(strided, backwards, values), plain_cache_attention(strided, backwards, values), F
    )


def test_with_gradients_the_plain_one_runs(instructions):
    keys, values = cache(1, 2, 9, 32, F)
    queried = torch.randn(1, 1, 64, requires_grad=True)
    assert not fits(queried, keys, values)
    cache_attention(queried, keys, values).sum().backward()
    assert queried.grad is not None


@torch.no_grad()
def test_what_is_no_number_stays_none(instructions):
    keys, values = cache(1, 1, 9, 16, F)
    queried = torch.full((1, 1, 16), torch.nan)
    found = cache_attention(queried, keys, values)
    assert found.isnan().all() or instructions == "0"  # there it is what PyTorch makes of it


@pytest.mark.wrong_shapes
@torch.no_grad()
def test_what_is_there_for_one_source_alone_is_not_read_beyond_its_end(instructions):
    keys, values = cache(3, 2, 5, 16, torch.float32)
    queries, marks = torch.randn(3, 1, 32), torch.tensor([True, True, False, True, False]).view(1, 1, 5)
    assert not fits(queries, keys, values, marks)
    assert not fits(queries[:1], keys, values)
    assert not fits(queries, keys, values, torch.zeros(3, 1, 5))  # numbers that are added to scores
    assert not fits(queries, keys, values, marks[..., :4].expand(3, 1, 4))
    found = cache_attention(queries, keys, values, marks)
    torch.testing.assert_close(found, plain_cache_attention(queries, keys, values, marks.expand(3, 1, 5)))

import pytest
import torch

from anncestry.engine.native import packed_attention as module
from anncestry.engine.native.packed_attention import packed_attention, plain_packed_attention

TEXTS = ([], [0], [1], [7], [0, 3, 0, 1, 0], [2, 31, 32, 33, 1], [15, 16, 17, 200], [4, 4, 4])


def rows_of(lengths, heads, size, dtype):
    """Queries, keys and values as one projection makes them, and where the texts are."""
    rows = torch.randn(sum(lengths), 3 * heads * size) * 2
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    return *(part.unflatten(1, (heads, size)) for part in rows.to(dtype).chunk(3, dim=1)), offsets


def wanted(queries, keys, values, offsets, causal):
    return plain_packed_attention(queries.double(), keys.double(), values.double(), offsets, causal)


@pytest.mark.parametrize("lengths", TEXTS)
@pytest.mark.parametrize("size", [1, 5, 32, 40, 64])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_it_is_the_plain_one(instructions, lengths, size, causal, dtype):
    parts = rows_of(lengths, 3, size, dtype)
    found = packed_attention(*parts, causal)
    assert found.dtype == dtype
    assert found.is_contiguous()
    tolerance = 2e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(found.double(), wanted(*parts, causal), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("threads", [1, 2])
@torch.no_grad()
def test_a_text_alone_and_many_are_the_same(instructions, monkeypatch, threads):
    """With scores far apart, of rows enough for several threads."""
    monkeypatch.setattr(module, "threads_for", lambda numbers: threads)
    queries, keys, values, offsets = rows_of([90, 3, 40], 2, 32, torch.float32)
    queries = queries * 50
    found = packed_attention(queries, keys, values, offsets)
    torch.testing.assert_close(
        found.double(), wanted(queries, keys, values, offsets, False), atol=2e-4, rtol=2e-4
    )
    alone = packed_attention(queries[90:93], keys[90:93], values[90:93], torch.tensor([0, 3]))
    torch.testing.assert_close(found[90:93], alone, atol=0, rtol=0)


@torch.no_grad()
def test_other_layouts(instructions):
    """Heads that lie apart, features that do, and offsets of another type."""
    queries, keys, values, offsets = rows_of([6, 2], 2, 8, torch.float32)
    parts = queries.transpose(0, 1).contiguous().transpose(0, 1), keys[..., ::2].repeat(1, 1, 2), values
    torch.testing.assert_close(
        packed_attention(*parts, offsets.int()), wanted(*parts, offsets, False).float(), atol=1e-5, rtol=1e-5
    )


def test_with_gradients_the_plain_one_runs(instructions):
    queries, keys, values, offsets = rows_of([3, 2], 1, 4, torch.float32)
    packed_attention(queries.requires_grad_(), keys, values, offsets).sum().backward()
    assert queries.grad is not None


@pytest.mark.wrong_shapes
@torch.no_grad()
def test_keys_of_fewer_rows_are_not_read_beyond_their_end(instructions):
    queries, keys = torch.randn(6, 2, 16), torch.randn(3, 2, 16)
    offsets = torch.tensor([0, 6])
    found = packed_attention(queries, keys, keys, offsets)
    torch.testing.assert_close(found, plain_packed_attention(queries, keys, keys, offsets))

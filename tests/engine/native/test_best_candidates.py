"""The best next tokens, by the kernel and by PyTorch's operators, are what sorting all of them finds."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anncestry.engine.native.best_candidates import (
    CHUNK,
    MOST,
    _best_of_all,
    _best_of_chunks,
    best_candidates,
    best_of_log_probs,
)

SIZES = [1, 2, 7, 4 * CHUNK, 4 * CHUNK + 1, 1300, 5 * CHUNK - 1, 8 * CHUNK, 9000]
a_search = given(
    num_sources=st.integers(0, 3),
    beam=st.integers(1, 5),
    vocab_size=st.sampled_from(SIZES),
    count=st.integers(1, 12),
    seed=st.integers(0, 10**6),
)
often = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def drawn(num_sources, beam, vocab_size, random):
    """(N, k, V) whose best are near the end, where the last chunk is; (N, k) of which some are missing."""
    log_probs = torch.randn(num_sources, beam, vocab_size, generator=random)
    log_probs += torch.linspace(0, 3, vocab_size)
    before = torch.randn(num_sources, beam, generator=random)
    before[:, 1:][torch.rand(num_sources, beam - 1, generator=random) < 0.3] = -torch.inf
    return log_probs, before


def check(found, log_probs, before, count):
    """They are the largest, each once, and of equal ones the first."""
    values, rows, tokens = found
    totals = log_probs + before.unsqueeze(-1)
    wanted = totals.flatten(1).sort(dim=1, descending=True, stable=True).values
    wanted = torch.nn.functional.pad(wanted, (0, count), value=-torch.inf)[:, :count]
    torch.testing.assert_close(values, wanted, check_dtype=False, atol=2e-5, rtol=1e-5)
    assert values.shape == rows.shape == tokens.shape
    assert ((tokens >= 0) & (tokens < log_probs.shape[-1]) & (rows >= 0) & (rows < before.shape[1])).all()
    for n in range(len(values)):
        real = values[n] > -torch.inf
        torch.testing.assert_close(
            totals[n, rows[n], tokens[n]][real], wanted[n][real], check_dtype=False, atol=2e-5, rtol=1e-5
        )
        pairs = list(zip(rows[n][real].tolist(), tokens[n][real].tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)


@a_search
@settings(deadline=None)
@pytest.mark.parametrize("chunked", [False, True])
def test_of_log_probs(num_sources, beam, vocab_size, count, seed, chunked):
    random = torch.Generator().manual_seed(seed)
    log_probs, before = (part.double() for part in drawn(max(num_sources, 1), beam, vocab_size, random))
    log_probs[torch.rand(log_probs.shape, generator=random) < (0.0, 0.3, 0.999)[seed % 3]] = -torch.inf
    kept = log_probs.clone()
    can_be_chunked = vocab_size >= CHUNK and beam * (vocab_size // CHUNK) >= count
    function = _best_of_chunks if chunked and can_be_chunked else best_of_log_probs
    found = function(log_probs, before, count)
    assert torch.equal(kept, log_probs)
    check(found, log_probs, before, count)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("threads", [1, 2])
@a_search
@often
@torch.no_grad()
def test_of_logits(instructions, dtype, threads, num_sources, beam, vocab_size, count, seed):
    random = torch.Generator().manual_seed(seed)
    logits, before = drawn(num_sources, beam, vocab_size, random)
    logits = (logits * (1, 10, 100)[seed % 3]).flatten(0, 1).to(dtype)
    if seed % 5 == 0:
        logits[:, ::3] = -torch.inf
    forbidden = [] if vocab_size < 3 else [vocab_size - 1, 1, 1]
    kept, threads_before = logits.clone(), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = best_candidates(logits, before, count, forbidden)
    finally:
        torch.set_num_threads(threads_before)
    assert torch.equal(kept, logits)
    if vocab_size == 1 and seed % 5 == 0:  # all of it is minus infinity, which is no distribution
        assert found[0][:, 0].isnan().all()
        return
    log_probs = logits.double().log_softmax(-1)
    log_probs[:, forbidden] = -torch.inf
    check(
        found,
        log_probs.view(num_sources, beam, vocab_size),
        before,
        count,
    )


@torch.no_grad()
def test_of_equal_ones_the_first_is_first(instructions):
    if instructions == "0":
        pytest.skip("PyTorch promises no order")
    logits = torch.zeros(2, 200)
    logits[:, [150, 70, 69]] = 5.0
    _, parents, tokens = best_candidates(logits, torch.zeros(1, 2), 8, [70])
    assert parents.tolist() == [[0, 0, 1, 1, 0, 0, 0, 0]]
    assert tokens.tolist() == [[69, 150, 69, 150, 0, 1, 2, 3]]


@torch.no_grad()
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("where", [3, 999, slice(None)])
def test_no_number_comes_first(instructions, value, where):
    logits = torch.zeros(4, 1000)
    logits[1, where] = value
    values = best_candidates(logits, torch.zeros(2, 2), 2)[0]
    assert values[0, 0].isnan()
    assert values[1].isfinite().all()


@pytest.mark.parametrize("function", [_best_of_all, _best_of_chunks])
def test_no_log_prob_comes_first(function):
    log_probs = torch.zeros(1, 2, 1000)
    log_probs[0, 1, 3] = torch.nan
    assert function(log_probs, torch.zeros(1, 2), 2)[0][0, 0].isnan()


@torch.no_grad()
def test_what_the_kernel_does_not_take(instructions):
    logits, before = torch.randn(6, 2000), torch.randn(3, 2)
    wanted = best_candidates(logits, before, 4, [2])
    for other in (
        best_candidates(logits.double(), before, 4, [2]),
        best_candidates(logits.t().contiguous().t(), before, 4, [2]),
    ):
        torch.testing.assert_close(other[0].float(), wanted[0])
        assert torch.equal(torch.stack(other[1:]), torch.stack(wanted[1:]))
    many = best_candidates(logits, before, MOST + 1)
    assert many[0].shape == (3, MOST + 1)
    check(many, logits.double().log_softmax(-1).view(3, 2, -1), before, MOST + 1)


@torch.no_grad()
def test_fewer_logits_than_hypotheses_are_refused(instructions):
    with pytest.raises(RuntimeError):
        best_candidates(torch.randn(3, 10), torch.zeros(2, 2), 4)

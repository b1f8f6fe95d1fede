"""The quick way to the best next tokens finds what sorting all of them finds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.decoding.candidates import CHUNK, _best_of_all, _best_of_chunks, best_candidates


@given(
    num_sources=st.integers(1, 3),
    beam=st.integers(1, 5),
    vocab_size=st.sampled_from([1, 2, 7, 4 * CHUNK, 4 * CHUNK + 1, 1300, 5 * CHUNK - 1, 8 * CHUNK, 9000]),
    count=st.integers(1, 12),
    chunked=st.booleans(),
    forbidden=st.sampled_from([0.0, 0.3, 0.999]),
    seed=st.integers(0, 10**6),
)
@settings(deadline=None)
def test_they_are_those_of_a_sort(num_sources, beam, vocab_size, count, chunked, forbidden, seed):
    random = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(num_sources, beam, vocab_size, generator=random).double()
    log_probs += torch.linspace(0, 3, vocab_size)  # the best near the end, where the last chunk is
    log_probs[torch.rand(log_probs.shape, generator=random) < forbidden] = -torch.inf
    before = torch.randn(num_sources, beam, generator=random).double()
    before[:, 1:][torch.rand(num_sources, beam - 1, generator=random) < 0.3] = -torch.inf
    kept = log_probs.clone()
    can_be_chunked = vocab_size >= CHUNK and beam * (vocab_size // CHUNK) >= count
    function = _best_of_chunks if chunked and can_be_chunked else best_candidates
    values, rows, tokens = function(log_probs, before, count)
    assert torch.equal(kept, log_probs)
    totals = (log_probs + before.unsqueeze(-1)).flatten(1).sort(dim=1, descending=True).values
    wanted = torch.nn.functional.pad(totals, (0, count), value=-torch.inf)[:, :count]
    torch.testing.assert_close(values, wanted)
    assert tokens.max() < vocab_size
    assert rows.max() < beam
    for n in range(num_sources):
        found = log_probs[n, rows[n], tokens[n]] + before[n, rows[n]]
        real = values[n] > -torch.inf
        torch.testing.assert_close(found[real], values[n][real])
        pairs = list(zip(rows[n][real].tolist(), tokens[n][real].tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("function", [_best_of_all, _best_of_chunks])
def test_no_number_comes_first(function):
    log_probs = torch.zeros(1, 2, 1000)
    log_probs[0, 1, 3] = torch.nan
    assert function(log_probs, torch.zeros(1, 2), 2)[0][0, 0].isnan()

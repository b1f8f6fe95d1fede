"""Sorted batches side by side answer as one text after the other does."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from anncestry.inference.batched import batches_by_length, encode
from anncestry.models.create import create


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 100))
def test_every_text_is_in_one_batch_of_bounded_size(lengths, tokens):
    batches = batches_by_length(torch.tensor(lengths), tokens)
    rows = torch.cat(batches).tolist()
    assert sorted(rows) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[row] for row in batch.tolist())
        assert len(batch) == 1 or len(batch) * longest <= tokens
    assert [lengths[row] for row in rows] == sorted(lengths, reverse=True)


def test_texts_in_batches_are_as_texts_alone():
    torch.manual_seed(0)
    model = create(
        "bert", task="embedding", input_size=50, output_size=24, hidden_size=24, num_layers=2, num_heads=2
    ).eval()
    lengths = torch.randint(1, 30, (64,))
    inputs = torch.randint(0, 50, (64, 30))
    together = encode(model, inputs, lengths)
    with torch.no_grad():
        alone = [model(row[None, :length]) for row, length in zip(inputs, lengths.tolist(), strict=True)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)

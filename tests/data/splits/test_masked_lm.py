"""Blocks with masked tokens: packed as the tokenizer does, the same to every process and at every score."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data.corruption.masking import KINDS
from anncestry.data.corruption.sentence_pairs import PAIRS
from anncestry.data.readers.token_files import TokenFile
from anncestry.data.splits.dataset import epoch_order
from anncestry.data.splits.masked_lm import MaskedBlocks
from anncestry.errors import UserError
from anncestry.protocols import IGNORED, Batch
from anncestry.tokenizers.spec import Special, Template
from anncestry.tokenizers.tokenizer import Tokenizer

WORDS = tuple(f"w{i}" for i in range(50)) + tuple(f"##p{i}" for i in range(20))
BERT = Tokenizer(
    "wordpiece", ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS), Special(0, 1, 2, 3, 3, 4), "bert"
)


def text_of(lines: int = 200, seed: int = 0) -> TokenFile:
    random = np.random.default_rng(seed)
    ends = np.concatenate([[0], random.integers(1, 15, lines).cumsum()])
    tokens = random.integers(5, len(BERT), ends[-1]).astype(np.uint16)
    return TokenFile(tokens, ends, np.arange(0, lines + 1, 5), torch.zeros(16, dtype=torch.uint8))


def blocks(masking: str = "tokens", pairs: str = "none", window: int = 24, lines: int = 200) -> MaskedBlocks:
    return MaskedBlocks.of(text_of(lines), BERT, masking, pairs, window)


def whole(batch: Batch) -> list[torch.Tensor]:
    lengths = (
        torch.full((len(batch.inputs),), batch.inputs.shape[1]) if batch.lengths is None else batch.lengths
    )
    return [batch.inputs, batch.targets, lengths]


def originals(batch: Batch) -> torch.Tensor:
    """The texts again: what was hidden is in the targets."""
    targets = batch.targets.clone()
    targets[:, 0] = IGNORED  # where the relation is asked
    return torch.where(targets == IGNORED, batch.inputs, targets)


@pytest.mark.parametrize("template", ["bert", "roberta", "xlnet"])
@pytest.mark.parametrize("pairs", PAIRS)
def test_texts_are_packed_as_the_tokenizer_does(template: Template, pairs: str) -> None:
    tokenizer = Tokenizer("wordpiece", BERT.tokens, BERT.special, template)
    if template == "xlnet" and pairs != "none":
        with pytest.raises(
            UserError, match=r"pairs: got .*; is asked at the first token, where the template"
        ):
            MaskedBlocks.of(text_of(), tokenizer, "tokens", pairs, 24)
        return
    split = MaskedBlocks.of(text_of(), tokenizer, "tokens", pairs, 24)
    plan = split._scored_plan[:50]
    tokens, lengths = split.gather(plan)
    for (a, a_end, b, b_end, _), row, length in zip(plan.tolist(), tokens, lengths.tolist(), strict=True):
        second = None if pairs == "none" else split.text.tokens[b:b_end].tolist()
        expected = tokenizer.pack(split.text.tokens[a:a_end].tolist(), second)
        assert row[:length].tolist() == expected
        assert (row[length:] == 0).all()


@pytest.mark.parametrize("pairs", PAIRS)
def test_a_pass_has_every_block_once_with_its_relation(pairs: str) -> None:
    split = blocks(pairs=pairs)
    expected, _ = split.gather(split._scored_plan)
    read = [
        torch.nn.functional.pad(originals(batch), (0, 24 - batch.inputs.shape[1]))
        for batch in split.batches(7)
    ]
    assert torch.equal(torch.cat(read), expected)
    relations = torch.cat([batch.targets[:, 0] for batch in split.batches(7)])
    wanted = (
        torch.from_numpy(split._scored_plan[:, 4]) if pairs != "none" else torch.full((len(split),), IGNORED)
    )
    assert torch.equal(relations, wanted)
    if pairs == "none":
        shuffled = [row for batch in split.batches(7, epoch_order(0, 0)) for row in originals(batch).tolist()]
        strip = [[token for token in row if token] for row in shuffled]
        assert sorted(strip) == sorted([token for token in row if token] for row in expected.tolist())
        assert strip != [[token for token in row if token] for row in expected.tolist()]


@settings(deadline=None, max_examples=25)
@given(
    masking=st.sampled_from(KINDS),
    pairs=st.sampled_from(PAIRS),
    batch_size=st.integers(1, 40),
    start=st.integers(0, 3),
    parts=st.integers(1, 4),
    seed=st.none() | st.integers(0, 3),
)
def test_parts_and_resumed_passes_are_those_of_the_whole(
    masking: str, pairs: str, batch_size: int, start: int, parts: int, seed: int | None
) -> None:
    split = blocks(masking, pairs, lines=60)

    def order() -> torch.Generator | None:
        return None if seed is None else epoch_order(seed, 2)

    batches = list(split.batches(batch_size, order()))
    assert len(batches) == split.num_batches(batch_size)
    resumed = list(split.batches(batch_size, order(), start))
    assert len(resumed) == max(0, len(batches) - start)
    for one, other in zip(batches[start:], resumed, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(whole(one), whole(other), strict=True))
    shares = [list(split.batches(batch_size, order(), part=slice(i, None, parts))) for i in range(parts)]
    for index, batch in enumerate(batches):
        for number in range(parts):
            mine = shares[number][index]
            rows = slice(number, None, parts)
            if not len(batch.inputs[rows]):  # nothing is left: a row of which nothing is asked
                assert (mine.targets == IGNORED).all()
                continue
            length = mine.inputs.shape[1]
            assert torch.equal(mine.inputs, batch.inputs[rows, :length])
            assert torch.equal(mine.targets, batch.targets[rows, :length])
            assert (batch.targets[rows, length:] == IGNORED).all()


def test_passes_differ_and_their_order_hangs_on_seed_and_epoch_alone() -> None:
    split = blocks(pairs="next")
    first, again, other = (
        [originals(batch) for batch in split.batches(8, epoch_order(0, epoch))] for epoch in (0, 0, 1)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("masking", KINDS)
def test_scores_always_see_the_same_masks(masking: str) -> None:
    split = blocks(masking, "next")

    def rows(batch_size: int) -> list[list[list[int]]]:
        found = []
        for batch in split.batches(batch_size):
            inputs, targets, lengths = whole(batch)
            for row, target, length in zip(inputs, targets, lengths.tolist(), strict=True):
                found.append([row[:length].tolist(), target[:length].tolist()])
        return found

    assert rows(1) == rows(7) == rows(64) == rows(100) == rows(10**4)


def test_training_draws_other_masks_in_every_pass() -> None:
    split = blocks(lines=30)
    chosen = []
    for epoch in range(20):
        for batch in split.batches(64, epoch_order(0, epoch)):
            order = originals(batch).tolist()
            chosen.append([(batch.targets[order.index(row)] != IGNORED).tolist() for row in sorted(order)])
    assert len({str(row) for row in chosen}) == 20


def test_bad_windows_are_refused() -> None:
    with pytest.raises(
        UserError, match="window: got 6; has no room for words beside 5 special tokens and texts"
    ):
        blocks(pairs="next", window=6)

"""Texts with masked tokens: read, filled in, and travelling as JSON; vectors of texts."""

import json

import pytest
import torch

from anncestry.data.processors import MaskedTokensProcessor, VectorProcessor, processor_from_json
from anncestry.errors import UserError
from anncestry.protocols import IGNORED
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "all", "work", "and", "no", "play", "##s", "dull")
SPECIAL = Special(pad=0, unknown=1, begin=2, separator=3, end=3, mask=4)
TOKENIZER = Tokenizer("wordpiece", WORDS, SPECIAL, "bert", lowercase=True)


def scores_of(*tokens):
    """Scores whose best words are these, and the one behind each the next best."""
    scores = torch.zeros(len(tokens), len(WORDS))
    for row, token in enumerate(tokens):
        scores[row, token], scores[row, token - 1] = 8.0, 4.0
    return scores


def test_masked_tokens_are_read_and_predicted():
    processor = MaskedTokensProcessor(TOKENIZER)
    lines, inputs = processor.read("All [MASK] and no play[MASK]")
    assert lines == ["All [MASK] and no play[MASK]"]
    assert inputs.tolist() == [[2, 5, 4, 7, 8, 9, 4, 3]]
    targets = processor.mask_targets(inputs)
    assert (targets != IGNORED).tolist() == [[False, False, True, False, False, False, True, False]]
    (row,) = processor.fill_in(inputs, scores_of(6, 10))
    assert row["filled"] == "all work and no plays"
    first, second = row["masks"]
    assert [word for word, _ in first[:2]] == ["work", "all"]
    assert [word for word, _ in second[:2]] == ["##s", "play"]
    assert len(first) == 5
    wanted = scores_of(6)[0].softmax(-1)
    assert first[0][1] == pytest.approx(wanted[6].item())


def test_each_text_gets_its_own_words(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("[MASK] work\nall work and [MASK] [MASK]\nplay\t[MASK]\n")
    processor = MaskedTokensProcessor(TOKENIZER)
    _, inputs = processor.read(path)
    rows = processor.fill_in(inputs, scores_of(5, 8, 9, 11))
    assert [row["filled"] for row in rows] == ["all work", "all work and no play", "play dull"]
    assert [len(row["masks"]) for row in rows] == [1, 2, 1]


def test_a_text_that_hides_nothing_is_reported():
    with pytest.raises(UserError, match=r"all work.*must have a \[MASK\].*Paris is the"):
        MaskedTokensProcessor(TOKENIZER).read("all work")


def test_a_mask_of_another_name():
    tokens = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "b", "Ġa", "Ġb", "Ġ")
    special = Special(pad=1, unknown=3, begin=0, separator=2, end=2, mask=4)
    merges = (("Ġ", "a"), ("Ġ", "b"))
    tokenizer = Tokenizer("byte-bpe", tokens, special, "roberta", merges=merges)
    processor = MaskedTokensProcessor(tokenizer)
    for text in ("a [MASK]", "a <mask>"):
        _, inputs = processor.read(text)
        assert (inputs == 4).sum() == 1
    outputs = torch.zeros(1, len(tokenizer))
    outputs[0, 8], outputs[0, 6] = 9.0, 8.0
    (row,) = processor.decode(outputs)
    assert [word for word, _ in row["words"][:2]] == ["b", "b"]  # with a blank before it, and without
    assert row["words"][0][1] > row["words"][1][1]


def test_a_tokenizer_without_a_mask_is_reported():
    special = Special(unknown=1, begin=2, separator=3, end=3)
    processor = MaskedTokensProcessor(Tokenizer("wordpiece", WORDS, special, "bert"))
    with pytest.raises(UserError, match="has no mask token"):
        processor.read("all [MASK]")


@pytest.mark.parametrize("kind", [MaskedTokensProcessor, VectorProcessor])
def test_processors_travel_as_json(kind):
    processor = kind(TOKENIZER, max_tokens=9, cut=True)
    assert processor_from_json(json.loads(json.dumps(processor.to_json()))) == processor


def test_vectors():
    rows = VectorProcessor(TOKENIZER).decode(torch.tensor([[0.5, 1.0], [2.0, -1.0]]))
    assert rows == [{"vector": [0.5, 1.0]}, {"vector": [2.0, -1.0]}]

"""Pieces of words, learnt from a text."""

import json

import pytest
import torch

from anncestry.data.processors import PieceTextProcessor, processor_from_json
from anncestry.data.processors.pieces import LEVELS
from anncestry.errors import UserError

TEXT = "the cat sat on the mat; the dog sat on the log.\n" * 20


@pytest.mark.parametrize("level", LEVELS)
def test_it_survives_json(level):
    processor = PieceTextProcessor.learn(TEXT, level, 300)
    again = processor_from_json(json.loads(json.dumps(processor.to_json())))
    assert again == processor
    tokens = again.encode("the dog sat")
    assert tokens.tolist() == processor.tokenizer.encode("the dog sat")
    assert again.decode_tokens(tokens) == "the dog sat"


def test_bytes_come_back_exactly():
    processor = PieceTextProcessor.learn(TEXT, "byte-bpe", 300)
    text = " The Grüße\n\n\tof  東京 🙂 "
    assert processor.decode_tokens(processor.encode(text)) == text
    assert len(processor.vocabulary) <= 300


def test_rows_without_a_piece_are_no_text():
    """Tables of published weights may have more rows than the tokenizer has tokens."""
    processor = PieceTextProcessor.learn(TEXT, "byte-bpe", 300)
    size = len(processor.vocabulary)
    tokens = processor.encode("the cat")
    assert processor.decode_tokens(torch.cat([tokens, torch.tensor([size, size + 7])])) == "the cat"
    outputs = torch.zeros(1, size + 8)
    outputs[0, size + 7] = 9.0
    ((best,),) = ([row["next"] for row in processor.decode(outputs)],)
    assert set(best) <= set(processor.vocabulary)


def test_read(tmp_path):
    processor = PieceTextProcessor.learn(TEXT, "byte-bpe", 300)
    (tmp_path / "prompt.txt").write_text("the cat")
    labels, tokens = processor.read(tmp_path / "prompt.txt")
    assert labels == ["prompt.txt"]
    assert tokens.tolist() == [processor.tokenizer.encode("the cat")]
    with pytest.raises(UserError, match="must be a text"):
        processor.read("")

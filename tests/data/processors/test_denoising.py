"""Texts of which something is missing: read, cut, and travelling as JSON."""

import json

import pytest
import torch

from anncestry.data.processors import DenoisingProcessor, processor_from_json
from anncestry.errors import UserError
from anncestry.signature import END
from anncestry.tokenizers.learning import learn_tokenizer

LEARNT = learn_tokenizer(["the cat sat on the mat."], "byte-bpe", 280).with_special(
    "roberta", pad="<pad>", begin="<s>", end="</s>", separator="</s>", unknown="<unk>", mask="<mask>"
)


@pytest.fixture
def processor() -> DenoisingProcessor:
    return DenoisingProcessor.of(LEARNT, 9)


@pytest.mark.parametrize("mask", ["<mask>", "[MASK]"])
def test_a_mask_is_one_token_however_it_is_written(processor: DenoisingProcessor, mask: str) -> None:
    (item,) = processor.read_each(f"the {mask} sat.")
    special = processor.tokenizer.special
    encode = processor.source.encode
    assert item.value == [*encode("the"), special.mask, *encode("sat."), END]
    assert item.label == f"the {mask} sat."
    assert processor.cut(["the mask sat."])[0] == encode("the mask sat.")


def test_what_is_too_long_is_cut_and_reported(processor: DenoisingProcessor) -> None:
    (item,) = processor.read_each("the cat sat on the mat. " * 9)
    assert isinstance(item.value, list)
    assert len(item.value) == 10
    assert item.value[-1] == END
    assert "only its first 9 of" in item.note


def test_both_sides_travel_as_one_tokenizer(processor: DenoisingProcessor) -> None:
    fields = json.loads(json.dumps(processor.to_json()))
    assert set(fields) == {"kind", "tokenizer", "max_tokens"}
    again = processor_from_json(fields)
    assert again == processor
    assert isinstance(again, DenoisingProcessor)
    assert again.tokenizer == processor.tokenizer


def test_the_likeliest_tokens_up_to_the_end(processor: DenoisingProcessor) -> None:
    tokens = torch.tensor([[*processor.target.encode("the mat"), END, 9]])
    outputs = torch.nn.functional.one_hot(tokens, len(processor.target)).float()
    assert processor.decode(outputs) == [{"translation": "the mat"}]


def test_a_tokenizer_without_a_mask_is_reported() -> None:
    with pytest.raises(UserError, match="has no mask token"):
        DenoisingProcessor.of(learn_tokenizer(["a b"], "byte-bpe", 300), 9)

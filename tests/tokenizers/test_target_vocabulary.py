"""A tokenizer as a vocabulary of writing: our four tokens first, the others as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anncestry.errors import UserError
from anncestry.signature import BEGIN, END, PAD, UNKNOWN
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.target_vocabulary import TargetTokenizer
from anncestry.tokenizers.tokenizer import Tokenizer

LEARNT = learn_tokenizer(
    ["the cat sat on the mat.", "A dog ran, after the cat!"], "byte-bpe", 280
).with_special(
    "roberta", pad="<pad>", begin="<s>", end="</s>", separator="</s>", unknown="<unk>", mask="<mask>"
)
PIECES = TargetTokenizer.of(LEARNT)


def test_our_tokens_come_first_and_the_others_in_their_order() -> None:
    special = PIECES.tokenizer.special
    assert (special.pad, special.unknown, special.begin, special.end) == (PAD, UNKNOWN, BEGIN, END)
    assert PIECES.tokens[:4] == ("<pad>", "<unk>", "<s>", "</s>")
    assert PIECES.tokens[4:] == tuple(token for token in LEARNT.tokens if token not in PIECES.tokens[:4])
    assert PIECES.tokens[special.mask] == "<mask>"
    assert special.separator == END
    assert len(PIECES) == len(LEARNT)
    assert TargetTokenizer.of(PIECES.tokenizer) == PIECES
    with pytest.raises(UserError, match="must begin with its pad, unknown, begin, end"):
        TargetTokenizer(LEARNT)


def test_scores_go_with_their_tokens() -> None:
    tokens = ("▁a", "<s>", "</s>", "<pad>", "b", "<unk>")
    special = Special(pad=3, unknown=5, begin=1, end=2)
    found = TargetTokenizer.of(Tokenizer("unigram", tokens, special, scores=(-1.0, 0, 0, 0, -2.0, -9.0)))
    assert found.tokenizer.scores == (0, -9.0, 0, 0, -1.0, -2.0)
    assert found.tokens == ("<pad>", "<unk>", "<s>", "</s>", "▁a", "b")


def test_the_first_word_is_cut_as_any_other() -> None:
    first, second = PIECES.encode_all(["the cat", "cat"])
    assert first[-len(second) :] == second
    assert PIECES.decode(first + second) == "the cat cat"
    assert PIECES.encode("  ") == []


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_texts_come_back(text: str) -> None:
    tokens = PIECES.encode(text)
    assert PIECES.decode([BEGIN, *tokens, END, *tokens]) == text.strip()
    assert not set(tokens) & set(range(4))


def test_special_tokens_are_read_where_that_is_asked() -> None:
    mask = PIECES.tokenizer.special.mask
    assert mask not in PIECES.encode("the <mask> sat")
    (read,) = PIECES.encode_all(["the <mask> sat"], special=True)
    assert read == [*PIECES.encode("the"), mask, *PIECES.encode("sat")]


def test_what_cannot_be_written_is_reported() -> None:
    gpt = learn_tokenizer(["a b"], "byte-bpe", 300)
    with pytest.raises(UserError, match="has no token for: pad, unknown"):
        TargetTokenizer.of(gpt)
    with pytest.raises(UserError, match="has one token for two of"):
        TargetTokenizer.of(Tokenizer("byte-bpe", ("a", "b", "c"), Special(pad=0, unknown=0, begin=1, end=2)))

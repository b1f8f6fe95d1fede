"""Vocabularies: what a token is, and that a text comes back as it was."""

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.signature import BEGIN, END, PAD, UNKNOWN
from anncestry.tokenizers.vocabulary import JOINER, SPACE, SPECIAL, Vocabulary, normalise, split_words

KINDS = ("word", "char", "bpe")
TEXTS = [
    "A dog runs. Don't say \"it's (3.5, or 1,000)\"!",
    "L'homme qu'il voit -- aujourd'hui -- a un t-shirt.",
    "Zwei junge weiße Männer sind im Freien (in der Nähe) ...",
    "今日は2021年10月4日です。",
]


def pieces(vocabulary: Vocabulary, text: str) -> list[str]:
    return [vocabulary.tokens[token] for token in vocabulary.encode(text)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_of_the_training_split_comes_back(kind):
    vocabulary = Vocabulary.learn(TEXTS, kind, size=400 if kind == "bpe" else None)
    assert vocabulary.tokens[:4] == SPECIAL
    for text in TEXTS:
        tokens = vocabulary.encode(text)
        assert min(tokens) > END
        assert vocabulary.decode(tokens) == text
    again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary
    assert again.encode_all(TEXTS) == [vocabulary.encode(text) for text in TEXTS]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=30), min_size=1, max_size=4), lowercase=st.booleans())
def test_any_text_comes_back(kind, texts, lowercase):
    vocabulary = Vocabulary.learn([*texts, "x"], kind, size=2000, lowercase=lowercase)
    for text in texts:
        wanted = normalise(text, lowercase)
        lookalike = {"word": (JOINER, "\u25a0"), "bpe": (SPACE, "_"), "char": ("", "")}[kind]
        if lookalike[0]:
            wanted = wanted.replace(*lookalike)
        assert vocabulary.decode(vocabulary.encode(text)) == wanted


def test_words_and_where_no_blank_was():
    vocabulary = Vocabulary.learn(TEXTS)
    assert pieces(vocabulary, TEXTS[0]) == [
        "A", "dog", "runs", "￭.", "Don", "￭'t", "say", '"￭', "it", "￭'s", "(￭", "3.5", "￭,", "or", "1,000",
        "￭)", '￭"', "￭!",
    ]  # fmt: skip
    assert pieces(vocabulary, "L'homme qu'il") == ["L'￭", "homme", "qu'￭", "il"]
    assert split_words("the dogs' 'old' t-shirt") == ["the", "dogs", "'", "'", "old", "'", "t-shirt"]
    assert split_words("हिन्दी में") == ["हिन्दी", "में"]  # whose vowel signs are no letters to Python


def test_what_was_never_seen_is_unknown():
    words = Vocabulary.learn(["a b a", "a c"], "word", min_count=2)
    assert words.tokens == (*SPECIAL, "a")
    assert words.encode("a b a zebra") == [4, UNKNOWN, 4, UNKNOWN]
    assert words.decode([4, UNKNOWN, END, 4]) == "a <unk>"
    chars = Vocabulary.learn(["abc"], "char")
    assert chars.encode("aÿb") == [4, UNKNOWN, 5]
    subwords = Vocabulary.learn(["abc abc abd"], "bpe", size=20)
    assert subwords.encode("aÿb")[-2:-1] == [UNKNOWN]
    assert subwords.encode("ÿÿ").count(UNKNOWN) == 2  # one for each character


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_holds_a_special_token(kind):
    texts = ["<end> <pad> <begin> <unk>", "< e n d >"] * 3
    vocabulary = Vocabulary.learn(texts, kind, size=100)
    assert not {PAD, BEGIN, END} & set(vocabulary.encode("<end> <pad> <begin>"))
    assert vocabulary.decode(vocabulary.encode("<end> <pad>")) == "<end> <pad>"


def test_blank_texts_have_no_tokens():
    for kind in KINDS:
        vocabulary = Vocabulary.learn(TEXTS, kind)
        assert vocabulary.encode_all(["", " \t ", "a"])[:2] == [[], []]
        assert vocabulary.decode([BEGIN, PAD, END, 5]) == ""


def test_subwords_join_what_is_frequent():
    vocabulary = Vocabulary.learn(["lower lowest low newest"] * 5, "bpe", size=40)
    assert pieces(vocabulary, "low") == [f"{SPACE}low"]
    assert len(vocabulary) <= 40
    assert "".join(pieces(vocabulary, "lowlow")) == f"{SPACE}lowlow"
    with pytest.raises(ValueError, match="vocab_size: got 8; must have room for the 13 characters"):
        Vocabulary.learn(["abcdefgh"], "bpe", size=8)


def test_the_same_texts_give_the_same_subwords_in_every_process():
    program = (
        "from anncestry.tokenizers.vocabulary import Vocabulary;"
        "import sys, json;"
        "print(json.dumps(Vocabulary.learn(json.loads(sys.argv[1]) * 3, 'bpe', size=150).to_json()))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program, json.dumps(TEXTS)], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    here = json.dumps(Vocabulary.learn(TEXTS * 3, "bpe", size=150).to_json())
    assert runs == {here + "\n"}


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="vocab_size: got 4; must be above the 4 special tokens"):
        Vocabulary.learn(["a"], "word", size=4)
    with pytest.raises(ValueError, match="min_count: got 3; no word of the training texts occurs so often"):
        Vocabulary.learn(["a b"], "word", min_count=3)
    assert Vocabulary.learn(["b a b"], "word", size=5).tokens[4:] == ("b",)

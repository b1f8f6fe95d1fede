"""Subwords of other programs: what is cut comes back."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anncestry.signature import UNKNOWN
from anncestry.tokenizers.subwords import alphabet_of, cut_subwords, join_subwords
from anncestry.tokenizers.vocabulary import SPECIAL, Vocabulary

LETTERS = ["the_", "th", "e_", "in_", ", _", *"abcdefghijklmnopqrstuvwxyz_,.!()\\;u0123456789 "]
SUBWORDS = dict.fromkeys(LETTERS)
ALPHABET = alphabet_of(list(SUBWORDS))


def cut(text):
    return cut_subwords(text, SUBWORDS, ALPHABET, max(map(len, SUBWORDS)))


@pytest.mark.parametrize(
    ("text", "subwords"),
    [
        ("the", ["the_"]),
        ("in the", ["in_", "the_"]),
        ("the, in", ["the_", ", _", "in_"]),
        ("thea", ["th", "e", "a", "_"]),
        ("_", ["\\", "u", "_"]),
        ("\\", ["\\", "\\", "_"]),
        ("é", ["\\", "2", "3", "3", ";", "_"]),
        ("a  b", ["a", "_", " ", " ", "_", "b", "_"]),
        ("", []),
    ],
)
def test_by_hand(text, subwords):
    assert cut(text) == subwords
    assert join_subwords(subwords) == text


@given(st.text())
def test_every_text_comes_back(text):
    assert join_subwords(cut(text)) == text


def test_a_vocabulary_of_them():
    vocabulary = Vocabulary("subword", (*SPECIAL, *SUBWORDS))
    tokens = vocabulary.encode(" the  é_ ")
    assert [vocabulary.tokens[token] for token in tokens[:1]] == ["the_"]
    assert vocabulary.decode(tokens) == "the é_"
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


def best_cut(word, scores):
    """The likeliest pieces of a word, over all ways to cut it."""
    best = {0: (0.0, [])}
    for end in range(1, len(word) + 1):
        ways = [
            (best[start][0] + scores[word[start:end]], [*best[start][1], word[start:end]])
            for start in range(end)
            if start in best and word[start:end] in scores
        ]
        if ways:
            best[end] = max(ways)
    return best[len(word)][1]


PIECES = {
    "▁": -2.0,
    "▁a": -3.1,
    "b": -3.2,
    "ab": -3.0,
    "▁ab": -7.0,
    "a": -3.3,
    "ba": -3.7,
    "bab": -9.0,
    "c": -4.0,
}


@given(st.lists(st.text("abc", min_size=1, max_size=8), max_size=4))
def test_unigrams_are_the_likeliest(words):
    vocabulary = Vocabulary("unigram", (*SPECIAL, *PIECES), pieces=(("<unk>", 0.0), *PIECES.items()))
    text = " ".join(words)
    tokens = vocabulary.encode(text)
    found = [vocabulary.tokens[token] for token in tokens]
    wanted = [piece for word in words for piece in best_cut(f"▁{word}", PIECES)]
    assert "".join(found) == "".join(wanted)
    score = sum(PIECES[piece] for piece in found)
    assert math.isclose(score, sum(PIECES[piece] for piece in wanted), rel_tol=1e-6)
    assert vocabulary.decode(tokens) == text


def test_pieces_that_are_no_tokens_and_languages():
    tokens = (*SPECIAL, ">>fr<<", *(piece for piece in PIECES if piece != "c"))
    vocabulary = Vocabulary("unigram", tokens, pieces=(("<unk>", 0.0), *PIECES.items()), charsmap=b"")
    assert vocabulary.encode(">>fr<< c") == [4, tokens.index("▁"), UNKNOWN]
    assert vocabulary.encode("☃☃") == [tokens.index("▁"), UNKNOWN]
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


def test_pieces_between_blanks():
    vocabulary = Vocabulary("pieces", (*SPECIAL, "a@@", "b"))
    assert vocabulary.encode(" a@@ b  x") == [4, 5, UNKNOWN]
    assert vocabulary.decode([4, 5, UNKNOWN, 3, 4]) == "a@@ b <unk>"

"""Tokenizers of pre-trained models: published ids, special tokens, places, and learning from a person's own
text."""

import gzip
import json
import pickle
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from anncestry.errors import UserError
from anncestry.tokenizers.files import read_tokenizer
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "un",
    "##aff",
    "##able",
    "he",
    "##llo",
    ",",
    "café",
    "cafe",
    "我",
]
BERT = Tokenizer("wordpiece", tuple(WORDS), Special(0, 1, 2, 3, 3, 4), "bert", lowercase=True)
TEXTS = [
    "Which team represented the AFC at Super Bowl 50?",
    "Mr. Smith didn’t say \"it's\" -- he'll go…\n\nNext line: naïve café, 今日は 2021 🙂!",
    "The dogs' toys weren't anywhere near the house, were they?",
]


@pytest.fixture(scope="module")
def vocab(shared) -> Path:
    folder = shared.parent / "vocab"
    if not folder.is_dir():
        pytest.skip("needs the published vocabularies in ../shared/vocab")
    return folder


@pytest.fixture(scope="module")
def bert(vocab) -> Tokenizer:
    return read_tokenizer(vocab / "bert-base-uncased")


@pytest.fixture(scope="module")
def gpt(vocab) -> Tokenizer:
    return read_tokenizer(vocab / "openai-gpt")


@pytest.fixture(scope="module")
def gpt2(vocab) -> Tokenizer:
    return read_tokenizer(vocab / "gpt2")


def pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    return [tokenizer.tokens[i] for i in tokenizer.encode(text)]


def test_bert_cuts_all_questions_as_published(vocab, bert):
    folder = vocab / "bert-wordpiece-expected"
    with gzip.open(folder / "question_tokens.json.gz") as file:
        questions = json.load(file)
    ids = json.loads((folder / "tokenized_questions.json").read_text())
    found = bert.encode_all([question["original"] for question in questions])
    assert len(found) == 10_570
    assert found == ids
    assert [[bert.tokens[i] for i in row] for row in found] == [
        question["wordpiece"] for question in questions
    ]


def test_bert_reads_its_published_files(vocab, bert):
    assert (len(bert), bert.lowercase, bert.template) == (30_522, True, "bert")
    assert bert.special == Special(pad=0, unknown=100, begin=101, separator=102, end=102, mask=103)
    cased = read_tokenizer(vocab / "bert-base-cased")
    assert (len(cased), cased.lowercase) == (28_996, False)
    assert cased.special == bert.special
    assert pieces(cased, "Émile naïve") != pieces(bert, "Émile naïve") == ["emile", "naive"]


def test_gpt2_cuts_as_published(vocab, gpt2):
    expected = json.loads((vocab / "gpt2-expected" / "encoded_tokens.json").read_text())
    assert gpt2.encode(expected["text"]) == expected["token_ids"]
    assert pieces(gpt2, expected["text"]) == expected["bpe_tokens"]
    assert gpt2.decode(expected["token_ids"]) == expected["text"]
    assert len(gpt2) == 50_257
    assert gpt2.special == Special(begin=50_256, end=50_256)


def test_gpt_knows_its_published_ids(gpt):
    assert (len(gpt), gpt.tokens[:3], gpt.tokens[477]) == (40_478, ("<unk>", ".", ","), "th")
    assert gpt.tokens[40_477] == "\n</w>"
    assert gpt.special == Special(unknown=0)
    assert gpt.encode("snowman ☃") == [gpt.id_of("snowman</w>"), 0]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Mr. Smith didn’t say “it's” -- he'll", "mr. smith did n't say \" it 's \" -- he 'll"),
        ("go to the U.S. at p.m.; goin' home…wait", "go to the u.s. at p.m. ; goin' home ... wait"),
        ("I cannot, I'd've gonna 'em!!", "i can not , i 'd 've gon na 'em ! !"),
        ("'hello' the dogs' toys. o'clock, ma'am", "' hello ' the dogs ' toys . o'clock , ma'am"),
        ("a — b – c―d t-shirt ---", "a - b - c - d t - shirt ---"),
        ("  so am I.)  \r\n \n Next", "so am i. ) \n next"),
    ],
)
def test_gpt_splits_words_as_its_training_did(gpt, text, wanted):
    found = [token for token in pieces(gpt, text) if token != "\n</w>"]
    assert found == [word + "</w>" for word in wanted.split()]
    assert gpt.decode(gpt.encode(text)) == wanted


def test_gpt_gets_its_tokens_of_fine_tuning(gpt):
    tuned = gpt.with_special("gpt", begin="<start>", separator="<delimiter>", end="<extract>")
    assert (tuned.special.begin, tuned.special.separator, tuned.special.end) == (40_478, 40_479, 40_480)
    assert tuned.pack([5]) == [40_478, 5, 40_480]
    assert tuned.pack([5], [6, 7]) == [40_478, 5, 40_479, 6, 7, 40_480]
    assert tuned.encode("a <start> b") == gpt.encode("a <start> b")
    assert tuned.encode("a <start> b", special=True) == [gpt.id_of("a</w>"), 40_478, gpt.id_of("b</w>")]
    assert tuned.decode(tuned.pack(gpt.encode("a b"))) == "a b"


def test_wordpiece_by_hand():
    assert pieces(BERT, "Unaffable, hello") == ["un", "##aff", "##able", ",", "he", "##llo"]
    assert pieces(BERT, "unaffables CAFÉ 我我") == ["[UNK]", "cafe", "我", "我"]
    accents = Tokenizer("wordpiece", BERT.tokens, BERT.special, "bert", lowercase=True, strip_accents=False)
    assert pieces(accents, "CAFÉ") == ["café"]
    together = Tokenizer("wordpiece", BERT.tokens, BERT.special, "bert", split_cjk=False)
    assert pieces(together, "我我") == ["[UNK]"]


def test_a_word_of_200_characters_is_the_longest():
    letters = Tokenizer("wordpiece", ("[UNK]", "a", "##a"), Special(unknown=0))
    assert letters.encode("a" * 200) == [1, *[2] * 199]
    assert letters.encode("a" * 201) == [0]


@pytest.mark.parametrize(
    ("template", "one", "two"),
    [
        ("bert", [2, 7, 3], [2, 7, 3, 8, 3]),
        ("roberta", [2, 7, 3], [2, 7, 3, 3, 8, 3]),
        ("xlnet", [7, 3, 2], [7, 3, 8, 3, 2]),
        ("gpt", [2, 7, 3], [2, 7, 3, 8, 3]),
        ("none", [7], [7, 8]),
    ],
)
def test_special_tokens_stand_round_texts(template, one, two):
    tokenizer = Tokenizer("wordpiece", BERT.tokens, BERT.special, template)
    assert tokenizer.pack([7]) == one
    assert tokenizer.pack([7], [8]) == two
    assert tokenizer.pack([7], []) == [i for i in two if i != 8]


def test_special_tokens_in_a_text_are_text_unless_one_asks():
    assert BERT.encode("un[MASK]") == [5, 1, 1, 1]
    assert BERT.encode("un[MASK]", special=True) == [5, 4]
    assert BERT.decode([2, 5, 4, 3]) == "un"
    assert BERT.decode([2, 5, 4, 3], keep_special=True) == "[CLS] un [MASK] [SEP]"


def test_a_blank_before_a_masked_word_belongs_to_it():
    tokenizer = learn_tokenizer(TEXTS, "byte-bpe", 300).with_special(mask="<mask>")
    assert tokenizer.encode("a <mask>.", special=True) == [
        *tokenizer.encode("a"),
        300,
        *tokenizer.encode("."),
    ]


def test_pieces_of_words(bert, gpt2):
    assert BERT.encode_words(["unaffable", "\x00", "hello,"]) == [[5, 6, 7], [1], [8, 9, 10]]
    words = ["It", "is", "unaffable", "!"]
    assert [*chain(*gpt2.encode_words(words))] == gpt2.encode(" It is unaffable !")
    assert [*chain(*bert.encode_words(words))] == bert.encode(" ".join(words))


@pytest.mark.parametrize("name", ["bert", "gpt", "gpt2"])
def test_positions_are_those_of_the_text(name, request):
    tokenizer = request.getfixturevalue(name)
    for text in TEXTS:
        ids, places = tokenizer.encode_with_offsets(text)
        assert ids == tokenizer.encode(text)
        assert places == sorted(places)
        found = [text[start:end] for start, end in places]
        assert not any(piece != piece.strip() for piece in found)
        # every character that is no blank is read
        read = {i for start, end in places for i in range(start, end)}
        assert {i for i, c in enumerate(text) if not c.isspace()} <= read
    assert tokenizer.encode_with_offsets("")[1] == []


def test_positions_of_an_answer(bert, gpt2):
    text = "  In 1066, Wilhelm der Eroberer\twon."
    for tokenizer in (bert, gpt2):
        ids, places = tokenizer.encode_with_offsets(text)
        first = next(i for i, (start, _) in enumerate(places) if start == text.index("Wilhelm"))
        last = next(i for i, (_, end) in enumerate(places) if end == text.index("\t"))
        assert text[places[first][0] : places[last][1]] == "Wilhelm der Eroberer"
        assert len(ids) == len(places)


def test_half_a_surrogate_pair_is_no_character(gpt2):
    assert gpt2.encode("a\ud800b") == gpt2.encode("a\ufffdb")
    assert gpt2.encode_with_offsets("\ud800 \udc00b")[1][-1] == (3, 4)
    assert BERT.encode("un\udfff") == [5]


@pytest.mark.parametrize("kind", ["wordpiece", "byte-bpe", "word-bpe"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_learning_from_a_text(kind, lowercase):
    tokenizer = learn_tokenizer(TEXTS * 3, kind, 340, lowercase)
    assert len(tokenizer) <= 340
    assert len(tokenizer) > 130
    assert tokenizer.lowercase == lowercase
    assert Tokenizer.from_json(json.loads(json.dumps(tokenizer.to_json()))) == tokenizer
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer
    for text in TEXTS:
        ids = tokenizer.encode(text)
        if kind == "byte-bpe":
            assert tokenizer.decode(ids) == (text.lower() if lowercase else text)
        else:
            assert tokenizer.special.unknown not in ids
    ends = {"wordpiece": (0, "[PAD]"), "byte-bpe": (-1, "<|endoftext|>"), "word-bpe": (0, "<unk>")}
    place, token = ends[kind]
    assert tokenizer.tokens[place] == token


def test_learning_is_the_same_in_every_process():
    program = (
        "import sys, hashlib, json; from anncestry.tokenizers.learning import learn_tokenizer\n"
        "texts = json.loads(sys.stdin.read())\n"
        "found = [learn_tokenizer(texts, k, 340).to_json() for k in ('wordpiece', 'byte-bpe', 'word-bpe')]\n"
        "print(hashlib.sha256(json.dumps(found).encode()).hexdigest())"
    )
    done = [
        subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(TEXTS),
            capture_output=True,
            text=True,
            check=True,
        )
        for _ in range(2)
    ]
    assert done[0].stdout == done[1].stdout != ""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tokenizer("words", ("a",)), "kind: got 'words'.*Choices: wordpiece, byte-bpe"),
        (lambda: Tokenizer("byte-bpe", ("a",), template="t5"), "template: got 't5'"),
        (lambda: Tokenizer("byte-bpe", ()), "tokens: .*must not be empty"),
        (lambda: Tokenizer("byte-bpe", ("a", "b", "a")), "tokens: got 'a'; no token may stand twice"),
        (lambda: Tokenizer("wordpiece", ("a",)), "special.unknown: .*wordpiece needs it"),
        (lambda: Tokenizer("byte-bpe", ("a",), Special(mask=1)), "special.mask: got 1; must be one of 1"),
        (lambda: Tokenizer("byte-bpe", ("a",), template="roberta"), "special.*the template roberta needs it"),
        (lambda: Tokenizer("unigram", ("a",), Special(unknown=0)), "scores: got 0; needs one for each of 1"),
        (lambda: Tokenizer("byte-bpe", ("a",), added=("b",)), "added: .*must be among the tokens"),
        (lambda: Tokenizer("byte-bpe", ("a",), merges=(("a", "b"),)).encode("a"), "tokenizer: .*is damaged"),
        (lambda: BERT.with_special(start="x"), "special: got 'start'; is no kind"),
        (lambda: learn_tokenizer(TEXTS, "unigram", 100), "level: got 'unigram'; is no level of pieces"),
        (
            lambda: learn_tokenizer(TEXTS, "byte-bpe", 256),
            "vocab_size: got 256; must have room for 256 bytes",
        ),
        (lambda: learn_tokenizer(TEXTS, "wordpiece", 50), "vocab_size: got 50; must have room for"),
        (lambda: learn_tokenizer(TEXTS, "word-bpe", 50), "vocab_size: got 50; must have room for"),
        (lambda: learn_tokenizer([" "], "wordpiece", 50), "texts: .*nothing to learn from"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("kind", ["byte-bpe", "word-bpe", "wordpiece"])
def test_a_word_of_a_hundred_thousand_letters_is_learnt_in_parts(kind: Any) -> None:
    """Whole, it takes minutes: what learning a word costs grows with the square of its length."""
    learnt = learn_tokenizer(["a" * 100_000 + " \udc80", "the cat"], kind, 290)
    assert max(map(len, learnt.tokens)) <= 2004

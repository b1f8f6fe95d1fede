"""Files of tokenizers: what is written is read again, by us and by transformers, and damage is named."""

import dataclasses
import json
import struct
from pathlib import Path

import pytest

from anncestry.errors import UserError
from anncestry.tokenizers import settings as tokenizer_settings
from anncestry.tokenizers.files import read_tokenizer, write_tokenizer
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.tokenizers.spec import Special
from anncestry.tokenizers.tokenizer import Tokenizer

TEXTS = [
    "Which team represented the AFC at Super Bowl 50?",
    "Mr. Smith didn’t say \"it's\" -- he'll go…\n\nNext line: naïve café, 今日は 2021 🙂!",
    "  The dogs' toys  weren't anywhere, near 9,000 ''houses''. ",
]
ROBERTA = {
    "pad": "<pad>",
    "unknown": "<unk>",
    "begin": "<s>",
    "separator": "</s>",
    "end": "</s>",
    "mask": "<mask>",
}


def learnt() -> dict[str, Tokenizer]:
    bytes_ = learn_tokenizer(TEXTS * 3, "byte-bpe", 400)
    roberta = dataclasses.replace(bytes_, special=Special()).with_special("roberta", **ROBERTA)
    words = learn_tokenizer(TEXTS * 3, "word-bpe", 300, True)
    bert = learn_tokenizer(TEXTS * 3, "wordpiece", 300, True)
    return {
        "bert": bert,
        "bert-100": dataclasses.replace(bert, max_word_length=100),
        "bert-cased": learn_tokenizer(TEXTS * 3, "wordpiece", 300),
        "bert-accents": dataclasses.replace(bert, strip_accents=False, split_cjk=False),
        "gpt2": bytes_,
        "gpt2-lower": learn_tokenizer(TEXTS * 3, "byte-bpe", 400, True),
        "roberta": roberta,
        "roberta-space": dataclasses.replace(roberta, prefix_space=True),
        "gpt": words.with_special("gpt", begin="<start>", separator="<delimiter>", end="<extract>"),
        "gpt-plain": words,
        "added": dataclasses.replace(
            bert, tokens=(*bert.tokens, "AFC at", "<eop>"), added=("AFC at",), marks=("<eop>",)
        ),
    }


LEARNT = learnt()


@pytest.mark.parametrize("name", LEARNT)
def test_what_is_written_is_read_again(name, tmp_path):
    tokenizer = LEARNT[name]
    write_tokenizer(tokenizer, tmp_path / "new")
    again = read_tokenizer(tmp_path / "new")
    assert again == tokenizer
    assert again.encode_all(TEXTS) == tokenizer.encode_all(TEXTS)


@pytest.mark.parametrize("name", [n for n in LEARNT if n not in ("added", "gpt2-lower")])
def test_the_older_files_say_the_same(name, tmp_path):
    tokenizer = LEARNT[name]
    write_tokenizer(tokenizer, tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    again = read_tokenizer(tmp_path)
    # these files have no place for a longest word, nor for how GPT packs texts
    again = dataclasses.replace(again, max_word_length=tokenizer.max_word_length, template=tokenizer.template)
    assert again == tokenizer


@pytest.mark.parametrize("name", LEARNT)
def test_transformers_reads_what_is_written(name, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = LEARNT[name]
    write_tokenizer(tokenizer, tmp_path)
    peer = AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        ids = tokenizer.encode(text, special=True)
        assert peer(text)["input_ids"] == tokenizer.pack(ids)
        assert peer(text, text)["input_ids"] == tokenizer.pack(ids, ids)
        assert peer.decode(ids) == tokenizer.decode(ids, keep_special=True)
    roles = {"pad": "pad", "mask": "mask", "separator": "sep"}
    for ours, theirs in roles.items():
        assert getattr(peer, f"{theirs}_token_id") == getattr(tokenizer.special, ours)
    known = {"bert-100": "BertTokenizer", "gpt2": "GPT2Tokenizer", "roberta": "RobertaTokenizer"}
    if name in known:
        assert type(peer).__name__ == known[name]
    if tokenizer.special.mask is not None:
        mask = tokenizer.tokens[tokenizer.special.mask]
        text = f"the {mask}, he"
        assert peer(text, add_special_tokens=False)["input_ids"] == tokenizer.encode(text, special=True)


def peers():
    """Tokenizers of transformers, made from vocabularies of ours without a download."""
    from tokenizers import AddedToken
    from transformers import (
        AlbertTokenizer,
        BertTokenizerFast,
        CamembertTokenizer,
        GPT2TokenizerFast,
        OpenAIGPTTokenizer,
        RobertaTokenizerFast,
        XLNetTokenizer,
    )

    # as the published files have it; the class itself would leave the blank before it
    mask = AddedToken("<mask>", lstrip=True)

    def table(name):
        return {token: place for place, token in enumerate(LEARNT[name].tokens)}

    def joins(name):
        return list(LEARNT[name].merges)

    letters = sorted({c for text in TEXTS for c in text.lower() if not c.isspace()})
    scored = [(c, -5.0) for c in ["▁", *letters, "▁the", "▁team", "▁dogs", "ere", "▁bowl"]]
    albert = [("<pad>", 0.0), ("<unk>", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), ("[MASK]", 0.0), *scored]
    names = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]
    fairseq = ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>"]
    return {
        "bert": lambda: BertTokenizerFast(vocab=table("bert")),
        "bert-cased": lambda: BertTokenizerFast(vocab=table("bert-cased"), do_lower_case=False),
        "bert-accents": lambda: BertTokenizerFast(vocab=table("bert"), strip_accents=False),
        "gpt2": lambda: GPT2TokenizerFast(vocab=table("gpt2"), merges=joins("gpt2")),
        "roberta": lambda: RobertaTokenizerFast(
            vocab=table("roberta"), merges=joins("roberta"), mask_token=mask
        ),
        "roberta-space": lambda: RobertaTokenizerFast(
            vocab=table("roberta"), merges=joins("roberta"), mask_token=mask, add_prefix_space=True
        ),
        "gpt": lambda: OpenAIGPTTokenizer(vocab=table("gpt-plain"), merges=joins("gpt-plain")),
        "albert": lambda: AlbertTokenizer(vocab=albert),
        "albert-cased": lambda: AlbertTokenizer(vocab=albert, do_lower_case=False, keep_accents=True),
        "xlnet": lambda: XLNetTokenizer(vocab=[*((n, 0.0) for n in names), *scored], do_lower_case=True),
        "camembert": lambda: CamembertTokenizer(
            vocab=[*((n, 0.0) for n in fairseq), *scored, ("<mask>", 0.0)]
        ),
    }


PEERS = (
    "bert",
    "bert-cased",
    "bert-accents",
    "gpt2",
    "roberta",
    "roberta-space",
    "gpt",
    "albert",
    "albert-cased",
    "xlnet",
    "camembert",
)


@pytest.mark.parametrize("name", PEERS)
def test_what_transformers_writes_is_read(name, tmp_path):
    peer = peers()[name]()
    peer.save_pretrained(tmp_path)
    tokenizer = read_tokenizer(tmp_path)
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert peer(text)["input_ids"] == tokenizer.pack(ids)
        assert peer(text, TEXTS[0])["input_ids"] == tokenizer.pack(ids, tokenizer.encode(TEXTS[0]))
    if tokenizer.special.mask is not None:
        text = f"the {peer.mask_token} he"
        assert peer(text, add_special_tokens=False)["input_ids"] == tokenizer.encode(text, special=True)
    write_tokenizer(tokenizer, tmp_path / "again")
    assert read_tokenizer(tmp_path / "again") == tokenizer
    assert len(tokenizer) == len(peer)


def test_an_unknown_token_is_not_found_in_a_text():
    """Special pieces of unigrams have the score 0; no text is cut into them."""
    tokens = ("<unk>", "<s>", "▁", "<", "s", ">", "▁a")
    scores = (0.0, 0.0, -1.0, -2.0, -2.0, -2.0, -1.5)
    tokenizer = Tokenizer("unigram", tokens, Special(unknown=0, begin=1), scores=scores)
    assert tokenizer.encode("a <s>") == [6, 2, 3, 4, 5]
    assert tokenizer.encode("a <s>", special=True) == [6, 1]
    assert tokenizer.decode([6, 2, 3, 4, 5]) == "a <s>"


# SentencePiece


def varint(number):
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def spiece(pieces, kind=1):
    out = b""
    for piece, score, type_ in pieces:
        out += field(1, field(1, piece.encode()) + field(2, float(score)) + field(3, type_))
    return out + field(2, field(3, kind))


NORMAL, UNKNOWN, CONTROL = 1, 2, 3
LETTERS = [
    ("▁", -2, NORMAL),
    ("▁the", -1, NORMAL),
    ("9,", -1, NORMAL),
    *((c, -4, NORMAL) for c in 'abcdehtE9,"é'),
]


def test_albert_and_xlnet_have_the_ids_of_their_pieces(tmp_path):
    names = [
        ("<pad>", 0, CONTROL),
        ("<unk>", 0, UNKNOWN),
        *((f"[{n}]", 0, CONTROL) for n in ("CLS", "SEP", "MASK")),
    ]
    (tmp_path / "spiece.model").write_bytes(spiece([*names, *LETTERS]))
    albert = read_tokenizer(tmp_path)
    assert albert.special == Special(pad=0, unknown=1, begin=2, separator=3, end=3, mask=4)
    assert (albert.template, albert.lowercase) == ("bert", True)
    cut = [albert.tokens[i] for i in albert.encode("The ``é'' 9,9 z")]
    assert cut == ["▁the", "▁", '"', "e", '"', "▁", "9", ",", "9", "▁", "<unk>"]
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false, "keep_accents": true}')
    cased = read_tokenizer(tmp_path)
    assert [cased.tokens[i] for i in cased.encode("Eé")] == ["▁", "E", "é"]
    names = ["<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>"]
    (tmp_path / "spiece.model").write_bytes(
        spiece([("<unk>", 0, UNKNOWN), *((n, 0, CONTROL) for n in names), *LETTERS])
    )
    (tmp_path / "tokenizer_config.json").unlink()
    xlnet = read_tokenizer(tmp_path)
    assert xlnet.special == Special(pad=5, unknown=0, begin=3, separator=4, end=2, mask=6)
    assert (xlnet.template, xlnet.lowercase, xlnet.marks) == ("xlnet", False, ("<s>", "<eod>"))
    assert xlnet.pack([9], [10]) == [9, 4, 10, 4, 3]


def test_camembert_has_the_ids_of_fairseq(tmp_path):
    names = [("<unk>", 0, UNKNOWN), ("<s>", 0, CONTROL), ("</s>", 0, CONTROL)]
    (tmp_path / "sentencepiece.bpe.model").write_bytes(spiece([*names, *LETTERS]))
    camembert = read_tokenizer(tmp_path)
    assert camembert.tokens[:8] == (
        "<s>NOTUSED",
        "<pad>",
        "</s>NOTUSED",
        "<unk>",
        "<unk>NOTUSED",
        "<s>",
        "</s>",
        "▁",
    )
    assert camembert.special == Special(
        pad=1, unknown=3, begin=5, separator=6, end=6, mask=len(camembert) - 1
    )
    assert camembert.template == "roberta"
    (tmp_path / "config.json").write_text('{"model_type": "xlm-roberta"}')
    assert read_tokenizer(tmp_path).tokens[:5] == ("<s>", "<pad>", "</s>", "<unk>", "▁")


# damage

VOCAB = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n"
PAIRS = {"vocab.json": '{"a": 0, "b": 1, "ab": 2}', "merges.txt": "#version: 0.2\na b\n"}
JSON = {
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "a": 1}},
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": None,
}
STRANGE = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
    "special_tokens": {"a": {"id": "a", "ids": [1], "tokens": ["a"]}},
}


def changed(**model):
    return json.dumps({**JSON, "model": {**JSON["model"], **model}})


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "folder: .*holds no tokenizer that is known here.*Choices: tokenizer.json, vocab.txt"),
        ({"vocab.txt": ""}, "vocab.txt'; must have a token on each line"),
        ({"vocab.txt": "[UNK]\n[CLS]\n[SEP]\na\n"}, r"vocab.txt'; a vocabulary of BERT must hold \[MASK\]"),
        ({"vocab.txt": VOCAB + "a\n"}, "vocab.txt'; no token may stand twice; 'a' has the ids 5 and 7"),
        ({"vocab.txt": b"[UNK]\n\xff\n"}, "vocab.txt'; must be text in UTF-8"),
        (
            {"vocab.txt": VOCAB, "tokenizer_config.json": '{"mask_token": "<m>"}'},
            "tokenizer_config.json'; names the mask_token '<m>', which is not in",
        ),
        (
            {"vocab.txt": VOCAB, "tokenizer_config.json": '{"do_lower_case": "no"}'},
            "tokenizer_config.json: got 'no'; do_lower_case must be true or false",
        ),
        ({"vocab.txt": VOCAB, "tokenizer_config.json": "{"}, "tokenizer_config.json'; is not readable JSON"),
        (
            {"vocab.txt": VOCAB, "tokenizer_config.json": "[" * 100000},
            "tokenizer_config.json'; is not readable JSON",
        ),
        (
            {"vocab.txt": VOCAB, "special_tokens_map.json": "[]"},
            "special_tokens_map.json'; must hold an object",
        ),
        (
            {"vocab.txt": VOCAB, "added_tokens.json": '{"c": 9}'},
            "must add tokens without a gap: 'c' is 9 and not 7",
        ),
        (
            {"vocab.txt": VOCAB, "added_tokens.json": '{"c": 5}'},
            "says that token 5 is 'c', and vocab.txt says 'a'",
        ),
        ({"vocab.txt": VOCAB, "added_tokens.json": '{"c": "x"}'}, "added_tokens.json'; must give .* ids"),
        (
            {**PAIRS, "vocab.json": '{"a": 0, "b": 2}'},
            "vocab.json'; ids must go from 0 without a gap; there is no token 1",
        ),
        ({**PAIRS, "vocab.json": '{"a": 0, "b": 0}'}, "vocab.json'; no id may stand twice"),
        ({**PAIRS, "vocab.json": '{"a": "x"}'}, "vocab.json'; must give each token of the vocab its id"),
        ({**PAIRS, "merges.txt": "a b c\n"}, "merges.txt'; must have two pieces on each line"),
        ({**PAIRS, "merges.txt": "a c\n"}, "merges.txt'; is damaged"),
        ({**PAIRS, "merges.txt": "a b 9\n"}, "merges.txt'; counts its pairs, as XLM's and FlauBERT's do"),
        ({"tokenizer.json": "not JSON"}, "tokenizer.json'; is not readable JSON"),
        ({"tokenizer.json": "{}"}, "tokenizer.json'; must have a model with a vocab"),
        ({"tokenizer.json": '{"model": 3}'}, "tokenizer.json'; must have a model with a vocab"),
        ({"tokenizer.json": changed(type="WordLevel")}, "has a model of type WordLevel; known are BPE"),
        (
            {"tokenizer.json": changed(continuing_subword_prefix="@@")},
            "must write pieces that go on as ## and not @@",
        ),
        ({"tokenizer.json": changed(unk_token="?")}, r"the unknown token '\?' is not in the vocab"),
        ({"tokenizer.json": changed(type="BPE", merges=[])}, "byte pairs must be of bytes or of words"),
        (
            {"tokenizer.json": changed(type="BPE", merges=[], byte_fallback=True)},
            "byte_fallback is not known here",
        ),
        ({"tokenizer.json": changed(type="BPE", merges=["a"])}, "a merge must have two pieces"),
        ({"tokenizer.json": changed(type="Unigram")}, "must give each piece of the vocab its score"),
        ({"tokenizer.json": changed(type="Unigram", vocab=[["a", 0]])}, "must say which piece is unknown"),
        ({"tokenizer.json": changed(type="Unigram", vocab=[["a", "x"]], unk_id=0)}, "is damaged"),
        (
            {"tokenizer.json": json.dumps({**JSON, "normalizer": {"type": "New"}})},
            "tokenizer.json'; is damaged",
        ),
        ({"tokenizer.json": json.dumps({**JSON, "normalizer": "New"})}, "tokenizer.json'; is damaged"),
        (
            {"tokenizer.json": json.dumps({**JSON, "added_tokens": [3]})},
            "must give each added token its id and content",
        ),
        (
            {"tokenizer.json": json.dumps({**JSON, "post_processor": STRANGE})},
            "puts special tokens in a way that is not known",
        ),
        (
            {"tokenizer.json": json.dumps({**JSON, "post_processor": {"type": "BertProcessing"}})},
            "is damaged",
        ),
        ({"spiece.model": b"PK\3\4 no"}, "spiece.model'; is not a model of SentencePiece, or damaged"),
        ({"spiece.model": spiece(LETTERS)}, "spiece.model'; must have one unknown piece"),
        ({"spiece.model": spiece(LETTERS, kind=2)}, "spiece.model'; holds no unigrams"),
        (
            {"spiece.model": spiece([("<unk>", 0, UNKNOWN), *LETTERS])},
            r"spiece.model'; special\.\w+ .*the template bert needs it",
        ),
    ],
)
def test_damage_is_named(files, message, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        read_tokenizer(tmp_path)


def test_what_is_too_large_or_no_folder_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="must be a folder"):
        read_tokenizer(Path(tmp_path / "none"))
    monkeypatch.setattr(tokenizer_settings, "LARGEST", 10)
    (tmp_path / "vocab.txt").write_text(VOCAB)
    with pytest.raises(UserError, match=r"vocab.txt'; has 35 bytes; no file of a tokenizer has more than 10"):
        read_tokenizer(tmp_path)


def test_files_of_other_systems_are_read(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"\xef\xbb\xbf" + VOCAB.replace("\n", "\r\n").encode())
    found = read_tokenizer(tmp_path)
    assert found.tokens == tuple(VOCAB.split())
    assert found.lowercase
    (tmp_path / "vocab.txt").write_text(VOCAB + "A")
    assert not read_tokenizer(tmp_path).lowercase


def test_old_files_of_hugging_face_are_read(tmp_path):
    """Models without a type, merges as text, a post-processor of BERT's own."""
    whole = {
        "added_tokens": [
            {"id": 0, "content": "[UNK]", "special": True},
            {"id": 4, "content": "new", "special": False},
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "n": 3},
        },
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    found = read_tokenizer(tmp_path)
    assert (found.tokens[4:], found.added, found.rules, found.lowercase) == (("new",), ("new",), "", True)
    assert found.encode("n newn N") == [3, 4, 3, 3]
    whole |= {
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False},
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["</s>", 1],
            "cls": ["<s>", 0],
            "trim_offsets": True,
            "add_prefix_space": False,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False},
        "model": {"vocab": {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "ab": 4}, "merges": ["a b"]},
        "added_tokens": [],
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    found = read_tokenizer(tmp_path)
    assert (found.kind, found.template, found.rules) == ("byte-bpe", "roberta", "")
    assert found.pack(found.encode("aba")) == [0, 4, 2, 1]

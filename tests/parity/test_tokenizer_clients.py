"""Tokenizers of Hugging Face's folders: the ids, and the types of tokens, that transformers' own give."""

import json

import pytest
import transformers
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from anncestry.tokenizers.files import read

TEXTS = (
    "the us was",
    "The US Was, user!",
    "a [SEP] b",
    "a<s>b </s> c <mask>d",
    "[MASK] here [CLS]",
    "[E1] bill [/E1]x",
    "x [UNK] y <unk> <pad>[PAD]",
    "tab\tline\nend\r\n  two  blanks ",
    "naïve CAFÉ ﬁ Ǆ",
    "今日は中文x",
    "\U0001f642 a\u200db \U0001f469\u200d\U0001f469",
    "\xa0a\u3000b\xadc\x00d\x07",
    "<e1>bar</e1> BARbar bar",
    "don't 9,000 ''it''",
    "<|user|>hi<|user|>",
    "<sep> <cls>",
    "ÉÉ é",
    "<|endoftext|>a",
    "a" * 101 + " ab" * 3,
)
LETTERS = "abcdefghilmnoprstuvwxyzABESU019'[]<>/|!,"
WORDS = ["the", "us", "user", "was", "bill", "bar", "bar", "a", "##s", "##ar", "##er", "cafe", "café", "it"]


def wordpieces():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *WORDS, *LETTERS, *(f"##{c}" for c in LETTERS), "今", "中"]
    return {piece: place for place, piece in enumerate(dict.fromkeys(pieces))}


def byte_pairs(*special):
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ġ", "a"), ("u", "s"), ("b", "a"), ("ba", "r")]
    tokens = [*special, *letters, *("".join(pair) for pair in merges)]
    return {token: place for place, token in enumerate(tokens)}, merges


def unigrams(*special):
    pieces = ["▁", *LETTERS, "▁the", "▁us", "bar", "▁was", "é", "今", "ar", "'", '"']
    return [*((s, 0.0) for s in special), *((p, -3.0 - i / 9) for i, p in enumerate(dict.fromkeys(pieces)))]


def gpt_pairs():
    merges = [("t", "h"), ("th", "e</w>"), ("u", "s</w>")]
    letters = [*LETTERS, *(f"{c}</w>" for c in LETTERS)]
    tokens = dict.fromkeys(["<unk>", *letters, *("".join(pair) for pair in merges)])
    return {token: place for place, token in enumerate(tokens)}, merges


ENDS = ("<s>", "<pad>", "</s>", "<unk>")
XLNET = ("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>")
ALBERT = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
CAMEMBERT = ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>")
FAMILIES = {
    "bert": lambda: transformers.BertTokenizer(vocab=wordpieces()),
    "bert-cased": lambda: transformers.BertTokenizer(vocab=wordpieces(), do_lower_case=False),
    "bert-accents": lambda: transformers.BertTokenizer(
        vocab=wordpieces(), strip_accents=False, tokenize_chinese_chars=False
    ),
    "distilbert": lambda: transformers.DistilBertTokenizer(vocab=wordpieces()),
    "roberta": lambda: transformers.RobertaTokenizer(
        **dict(zip(("vocab", "merges"), byte_pairs(*ENDS, "<mask>"), strict=True))
    ),
    "roberta-space": lambda: transformers.RobertaTokenizer(
        **dict(zip(("vocab", "merges"), byte_pairs(*ENDS, "<mask>"), strict=True)), add_prefix_space=True
    ),
    "gpt2": lambda: transformers.GPT2Tokenizer(
        **dict(zip(("vocab", "merges"), byte_pairs("<|endoftext|>"), strict=True))
    ),
    "gpt": lambda: transformers.OpenAIGPTTokenizer(
        **dict(zip(("vocab", "merges"), gpt_pairs(), strict=True))
    ),
    "albert": lambda: transformers.AlbertTokenizer(vocab=unigrams(*ALBERT)),
    "albert-cased": lambda: transformers.AlbertTokenizer(
        vocab=unigrams(*ALBERT), do_lower_case=False, keep_accents=True
    ),
    "xlnet": lambda: transformers.XLNetTokenizer(vocab=unigrams(*XLNET)),
    "camembert": lambda: transformers.CamembertTokenizer(vocab=[*unigrams(*CAMEMBERT), ("<mask>", 0.0)]),
    "xlm-roberta": lambda: transformers.XLMRobertaTokenizer(vocab=[*unigrams(*ENDS), ("<mask>", 0.0)]),
}  # fmt: skip
TYPES = {"roberta-space": "roberta", "bert-cased": "bert", "bert-accents": "bert", "albert-cased": "albert",
         "gpt": "openai-gpt"}  # fmt: skip


def same(folder):
    """Every text, alone and in a pair, has their ids; types are those that they send."""
    peer, facts = transformers.AutoTokenizer.from_pretrained(folder), read(folder)
    tokenizer = facts.tokenizer
    encoded = tokenizer.encode_all(TEXTS, facts.reads_special)
    for text, ids in zip(TEXTS, encoded, strict=True):
        theirs = peer(text)["input_ids"]
        assert tokenizer.pack(ids) == theirs, (text, [tokenizer.tokens[i] for i in tokenizer.pack(ids)],
                                               peer.convert_ids_to_tokens(theirs))  # fmt: skip
    found = peer(TEXTS[0], TEXTS[1])
    assert tokenizer.pack(encoded[0], encoded[1]) == found["input_ids"]
    sent = found.get("token_type_ids")
    assert any(facts.types[1]) == bool(sent and any(sent))
    assert len(tokenizer) == len(peer)
    return facts


@pytest.fixture(params=FAMILIES)
def family(request, tmp_path):
    name = request.param
    made = FAMILIES[name]()
    config = {"model_type": TYPES.get(name, name)}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return made, tmp_path


def test_ids_are_those_of_the_client(family):
    made, folder = family
    made.save_pretrained(folder)
    assert not same(folder).notes


def test_tokens_that_were_added_keep_their_flags(family):
    made, folder = family
    made.add_special_tokens({"extra_special_tokens": ["[E1]", "[/E1]", AddedToken("<|user|>", rstrip=True)]})
    made.add_tokens([AddedToken("us", single_word=True), AddedToken("BAR", normalized=False), "<e1>",
                     AddedToken("</e1>", lstrip=True)])  # fmt: skip
    made.save_pretrained(folder)
    facts = same(folder)
    assert "[E1]" in facts.tokenizer.marks
    path = folder / "tokenizer_config.json"  # as transformers 4 wrote it
    said = json.loads(path.read_text())
    listed = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    said["added_tokens_decoder"] = {str(token.pop("id")): token for token in listed}
    said["additional_special_tokens"] = said.pop("extra_special_tokens")
    path.write_text(json.dumps(said))
    same(folder)


def test_a_class_heeds_its_settings_and_not_the_file(family):
    made, folder = family
    made.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text())
    flags = ("do_lower_case", "strip_accents", "tokenize_chinese_chars", "add_prefix_space", "keep_accents")
    for flag in flags:
        said[flag] = not said.get(flag)
    path.write_text(json.dumps(said))
    same(folder)
    for flag in flags:  # what is missing is the class's own
        del said[flag]
    path.write_text(json.dumps(said))
    same(folder)
    path.unlink()
    same(folder)


def test_a_file_runs_as_it_stands_without_a_class(family):
    made, folder = family
    made.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text()) | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "do_lower_case": False,
    }
    path.write_text(json.dumps(said))
    whole = json.loads((folder / "tokenizer.json").read_text())
    if whole["model"]["type"] == "WordPiece":
        whole["model"]["max_input_chars_per_word"] = 50
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    same(folder)


@pytest.mark.parametrize("name", ["bert", "distilbert", "roberta", "gpt2"])
def test_special_tokens_are_text_where_a_file_says_so(tmp_path, name):
    made, folder = FAMILIES[name](), tmp_path
    (folder / "config.json").write_text(json.dumps({"model_type": name}))
    made.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"split_special_tokens": True}))
    assert not same(folder).reads_special


@pytest.mark.parametrize("name", ["bert", "bert-cased", "distilbert"])
def test_a_vocabulary_alone(tmp_path, name):
    made = FAMILIES[name]()
    (tmp_path / "config.json").write_text(json.dumps({"model_type": TYPES.get(name, name)}))
    vocab = made.get_vocab()
    (tmp_path / "vocab.txt").write_text("".join(f"{token}\n" for token in sorted(vocab, key=vocab.get)))
    same(tmp_path)


def test_blanks_behind_a_word_of_a_vocabulary_do_not_belong_to_it(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    vocab = FAMILIES["bert"]().get_vocab()
    lines = (token + "  " * (token in ("the", "##s")) for token in sorted(vocab, key=vocab.get))
    (tmp_path / "vocab.txt").write_text("\n".join(lines))
    same(tmp_path)


@pytest.mark.parametrize("place", ["tokenizer_config.json", "special_tokens_map.json", "decoder"])
@pytest.mark.parametrize("blanks", [True, False])
def test_of_flags_in_two_files_those_count_that_the_client_heeds(tmp_path, place, blanks):
    """Those of ``added_tokens_decoder``, then those of ``tokenizer.json``."""
    FAMILIES["roberta"]().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    path = tmp_path / "tokenizer.json"
    whole = json.loads(path.read_text())
    mask = next(token for token in whole["added_tokens"] if token["content"] == "<mask>")
    mask["lstrip"] = blanks
    path.write_text(json.dumps(whole))
    number, told = mask.pop("id"), {"__type": "AddedToken", **mask, "lstrip": not blanks}
    path = tmp_path / "tokenizer_config.json"
    said = json.loads(path.read_text())
    if place == "decoder":
        said["added_tokens_decoder"] = {str(number): told}
    elif place == path.name:
        said["mask_token"] = told
    else:
        (tmp_path / place).write_text(json.dumps({"mask_token": told}))
    path.write_text(json.dumps(said))
    found = same(tmp_path).tokenizer
    ids = found.encode_all(["the <mask>"], True)[0]
    assert (found.tokens.index("Ġ") in ids) == (blanks == (place == "decoder"))


def test_a_special_token_without_a_place_round_a_text_is_found_whole(tmp_path):
    made = FAMILIES["bert"]()
    made.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"bos_token": "us", "eos_token": "[MASK]"}))
    assert "us" in same(tmp_path).tokenizer.marks


def test_what_is_not_heeded_is_noted(tmp_path):
    made = FAMILIES["bert"]()
    made.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    more = {
        "do_basic_tokenize": False,
        "never_split": ["x"],
        "truncation_side": "left",
        "model_max_length": 7,
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | more))
    facts = read(tmp_path)
    told = " ".join(facts.notes)
    assert "do_basic_tokenize=false, never_split" in told
    assert "truncation_side=left" in told
    assert facts.max_tokens == 7
    backend = Backend.from_file(str(tmp_path / "tokenizer.json"))
    assert backend.get_vocab_size() == len(facts.tokenizer)

"""The files of tokenizers: Hugging Face's ``tokenizer.json``, and the vocabularies that the authors
published.

* ``tokenizer.json``: everything in one (`anncestry.tokenizers.tokenizer_json`).
* ``vocab.txt``: WordPiece, a token a line (BERT).
* ``vocab.json`` or ``encoder.json`` with ``merges.txt`` or ``vocab.bpe``: byte pairs of bytes (GPT-2,
  RoBERTa), or of characters where tokens end with ``</w>`` (GPT); ``encoder_bpe_40000.json`` with
  ``vocab_40000.bpe``: GPT's own.
* ``spiece.model``, ``sentencepiece.bpe.model``: SentencePiece's unigrams (ALBERT, XLNet; CamemBERT).

What stands beside them says which tokens are special (`anncestry.tokenizers.settings`).
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from anncestry.errors import UserError, require
from anncestry.tokenizers import library as tokenizer_backend
from anncestry.tokenizers import tokenizer_json
from anncestry.tokenizers.bpe import END_OF_WORD
from anncestry.tokenizers.settings import Settings, octets_of, parsed
from anncestry.tokenizers.tokenizer import Tokenizer
from anncestry.tokenizers.transformers_classes import bert_words, is_known, sends_types
from anncestry.user_files import split_lines

_TABLES = (
    ("vocab.json", "encoder.json", "encoder_bpe_40000.json"),
    ("merges.txt", "vocab.bpe", "vocab_40000.bpe"),
)
_NO_LIMIT = 1e12  # transformers writes 1e30 where there is none
_PIECES = ("spiece.model", "sentencepiece.bpe.model")


class Facts(NamedTuple):
    """What the files of a tokenizer say.

    Attributes:
        tokenizer: how texts become tokens.
        notes: what was not heeded, and what counts where files differ.
        types: of the parts of one text, and of those of two, the types that a model reads; all 0 where it
            reads none.
        max_tokens: of the longest input; None where no file says it.
        reads_special: whether special tokens that somebody typed are read as such.
    """

    tokenizer: Tokenizer
    notes: tuple[str, ...]
    types: tuple[tuple[int, ...], tuple[int, ...]]
    max_tokens: int | None
    reads_special: bool


def read(folder: Path) -> Facts:
    """What the files of a folder say.

    Raises:
        UserError: there is none, it is damaged, or it cuts texts in a way that is not known here.
    """
    require(folder.is_dir(), "folder", str(folder), "must be a folder with the files of a tokenizer")
    settings = Settings.read(folder)
    values, notes = settings.values, ()
    if not is_known(settings.reader):
        notes = (f"tokenizer_class={settings.reader} is not known here: its files are read as they stand",)
    path, found = _found(folder, settings)
    try:
        found.tokenizer.encode("a")  # it can run; else the error names the file
    except UserError as error:
        raise UserError("file", str(path), error.rule) from error
    types = found.types
    if settings.of_hugging_face and not sends_types(settings.reader, values):
        types = tuple(0 for _ in types[0]), tuple(0 for _ in types[1])
    longest = values.get("model_max_length", values.get("max_len"))
    known = isinstance(longest, int | float) and 0 < longest < _NO_LIMIT
    if values.get("truncation_side", "right") != "right":
        notes += ("truncation_side=left is not heeded: what is too long is refused, or cut at its end",)
    if values.get("padding_side", "right") != "right" and found.tokenizer.template != "xlnet":
        notes += ("padding_side=left is not heeded: texts of a batch are filled behind their ends",)
    reads = settings.of_hugging_face and not values.flag("split_special_tokens", False)
    notes += (*found.notes, *values.notes())
    return Facts(found.tokenizer, notes, types, int(longest) if known else None, reads)


def _found(folder: Path, settings: Settings) -> tuple[Path, tokenizer_json.Read]:
    """The file of the vocabulary, and what it says."""
    whole = folder / "tokenizer.json"
    if whole.is_file():
        return whole, tokenizer_json.read(whole, settings)
    if (folder / "vocab.txt").is_file():
        return folder / "vocab.txt", _typed(_wordpiece(folder / "vocab.txt", settings))
    tables = [next((folder / n for n in names if (folder / n).is_file()), None) for names in _TABLES]
    if tables[0] and tables[1]:
        return tables[1], _typed(_byte_pairs(tables[0], tables[1], settings))
    for name in _PIECES:
        if (folder / name).is_file():
            from anncestry.tokenizers.sentencepiece import read_pieces

            return folder / name, _typed(read_pieces(folder / name, settings))
    known = ("tokenizer.json", "vocab.txt", "vocab.json and merges.txt", *_PIECES)
    raise UserError("folder", str(folder), "holds no tokenizer that is known here", known)


def _typed(tokenizer: Tokenizer) -> tokenizer_json.Read:
    """With the types that models of its template were trained with: a text's number."""
    return tokenizer_json.Read(
        tokenizer, tokenizer_json.types_of(tokenizer_json.post_processor(tokenizer, 2))
    )


def _wordpiece(path: Path, settings: Settings) -> Tokenizer:
    tokens = [line.rstrip(" \t") for line in split_lines(_text(path))]
    while tokens and not tokens[-1]:
        tokens.pop()
    require(bool(tokens), "file", str(path), "must have a token on each line; it is empty")
    for token in ("[UNK]", "[CLS]", "[SEP]", "[MASK]"):
        if settings.names_none(token) and token not in tokens:
            rule = f"a vocabulary of BERT must hold {token}; only tokenizer_config.json can name another"
            raise UserError("file", str(path), rule)
    # Google's programs have an option for whether a model is cased; the vocabulary of a cased one shows it.
    cased = any(re.search("[A-Z]", token) for token in tokens if not re.fullmatch(r"\[.*\]|<.*>", token))
    theirs = settings.of_hugging_face
    lowercase = settings.flag("do_lower_case", theirs or not cased)
    return settings.assemble(
        path,
        "wordpiece",
        tokens,
        "bert",
        lowercase=lowercase,
        strip_accents=settings.choice("strip_accents"),
        max_word_length=100 if theirs else 200,
        split_cjk=settings.flag("tokenize_chinese_chars", True),
    )


def _byte_pairs(table: Path, joins: Path, settings: Settings) -> Tokenizer:
    tokens = tokenizer_json.in_order(table, parsed(table))
    lines = split_lines(_text(joins))
    if lines[0].startswith("#version"):
        lines = lines[1:]
    pairs = [tuple(line.split(" ")) for line in lines if line.strip()]
    counted = [pair[2] for pair in pairs[:3] if len(pair) == 3]
    rule = "counts its pairs, as XLM's and FlauBERT's do; their words are Moses', which are not known here"
    require(not counted or not all(map(str.isdecimal, counted)), "file", str(joins), rule)
    wrong = next((pair for pair in pairs if len(pair) != 2), None)
    require(wrong is None, "file", str(joins), f"must have two pieces on each line, not {wrong}")
    words = any(token.endswith(END_OF_WORD) for token in tokens)
    fields: dict[str, Any] = {"merges": tuple(pairs)}
    if words and settings.reader == "OpenAIGPTTokenizer":
        fields |= {"lowercase": True, "rules": json.dumps(bert_words())}
        return settings.assemble(table, "word-bpe", tokens, "none", **fields)
    if words:
        fields["lowercase"] = settings.flag("do_lower_case", True)
        return settings.assemble(table, "word-bpe", tokens, "none", **fields)
    fields["prefix_space"] = settings.flag("add_prefix_space", False)
    template = "roberta" if {"<s>", "</s>"} <= set(tokens) else "none"
    return settings.assemble(table, "byte-bpe", tokens, template, **fields)


def _text(path: Path) -> str:
    try:
        return octets_of(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("file", str(path), f"must be text in UTF-8 ({error})") from error


def write_tokenizer(tokenizer: Tokenizer, folder: Path, max_tokens: int = 0, num_texts: int = 1) -> None:
    """The files from which transformers and `read` make it again; see `anncestry.tokenizers.tokenizer`."""
    t = tokenizer
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": tokenizer_backend.added(t, read_special=True),
        **tokenizer_backend.rules(t),
        "post_processor": tokenizer_json.post_processor(t, num_texts),
        "model": tokenizer_backend.model(t, read_special=True),
    }
    _write_json(folder / "tokenizer.json", whole)
    names = tokenizer_json.special_tokens_map(t)
    types = ["token_type_ids"] if num_texts > 1 else []
    settings = {
        "tokenizer_class": _class_of(t, num_texts), "do_lower_case": t.lowercase, **names,
        "model_input_names": ["input_ids", *types, "attention_mask"],
        # the token that XLNet classifies from stands last
        "padding_side": "left" if t.template == "xlnet" else "right", "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
    }  # fmt: skip
    settings |= {"model_max_length": max_tokens} if max_tokens else {}
    named = {name: text for name, text in names.items() if text is not None}
    _write_json(folder / "special_tokens_map.json", named)
    if t.kind == "wordpiece":
        settings |= {"strip_accents": t.strip_accents, "tokenize_chinese_chars": t.split_cjk}
        require("\n" not in "".join(t.tokens), "tokens", "a line's end", "cannot be in a vocab.txt")
        (folder / "vocab.txt").write_text(
            "".join(f"{token}\n" for token in t.tokens), encoding="utf-8", newline="\n"
        )
    elif t.kind != "unigram":
        settings |= {"add_prefix_space": t.prefix_space}
        _write_json(folder / "vocab.json", {token: position for position, token in enumerate(t.tokens)})
        lines = ["#version: 0.2", *map(" ".join, t.merges), ""]
        (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8", newline="\n")
    _write_json(folder / "tokenizer_config.json", settings)


def _class_of(t: Tokenizer, num_texts: int) -> str:
    """The class of transformers; a special one only where its own rules are the same.

    Those make a tokenizer anew from its vocabulary, whatever ``tokenizer.json`` says.
    """
    plain = dataclasses.replace(t, rules="") == t and not t.added and not t.marks
    if plain and t.kind == "wordpiece" and t.template == "bert" and t.max_word_length == 100:
        return "BertTokenizer"
    if plain and t.kind == "byte-bpe" and not t.lowercase and t.template in ("none", "roberta"):
        if t.template == "none":
            return "GPT2Tokenizer"
        if num_texts == 1:  # it does not distinguish texts
            return "RobertaTokenizer"
    return "PreTrainedTokenizerFast"


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a folder of Hugging Face's, or of GPT's, GPT-2's or BERT's own files.

    Raises:
        UserError: there is none, it is damaged, or it cuts texts in a way that is not known here.
    """
    return read(Path(folder)).tokenizer

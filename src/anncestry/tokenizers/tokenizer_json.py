"""Hugging Face's ``tokenizer.json``: vocabulary, rules and special tokens in one file, both ways."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

from anncestry.errors import UserError, require
from anncestry.fields import Fields
from anncestry.tokenizers import bpe as byte_pairs
from anncestry.tokenizers import unigram as tokenizer_pieces
from anncestry.tokenizers import wordpiece
from anncestry.tokenizers.bpe import END_OF_WORD
from anncestry.tokenizers.settings import USUAL, Settings, flags_of, parsed
from anncestry.tokenizers.spec import Template, packed_parts
from anncestry.tokenizers.tokenizer import Tokenizer
from anncestry.tokenizers.transformers_classes import made_anew

_IDLE = ("version", "truncation", "padding", "model")
_IDLE_IN_MODEL = ("type", "vocab", "merges", "fuse_unk", "unk_id")
_MODELS = ("BPE", "WordPiece", "Unigram")


class Read(NamedTuple):
    """What a ``tokenizer.json`` says.

    Attributes:
        types: of the parts of one text, and of those of two, the types that models read.
        notes: what was not heeded, and what counts where files differ.
    """

    tokenizer: Tokenizer
    types: tuple[tuple[int, ...], tuple[int, ...]]
    notes: tuple[str, ...] = ()


def read(path: Path, settings: Settings) -> Read:
    """The tokenizer of a ``tokenizer.json``.

    Raises:
        UserError: it is damaged, or cuts texts in a way that is not known here.
    """
    whole = parsed(path)
    try:
        model = whole.get("model")
        rule = "must have a model with a vocab"
        require(isinstance(model, dict) and "vocab" in model, "file", str(path), rule)
        made, notes = made_anew(settings.reader, settings.values, whole, settings.names)
        fields = Fields(made, path.name, _IDLE)
        cut = Fields(made["model"], f"the model in {path.name}", _IDLE_IN_MODEL)
        found = _read(path, settings, fields, cut)
        types = types_of(made.get("post_processor"))
        return Read(found, types, (*notes, *fields.notes(), *cut.notes()))
    except UserError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UserError("file", str(path), f"is damaged ({error!r})") from error


def _read(path: Path, settings: Settings, whole: Fields, model: Fields) -> Tokenizer:
    from tokenizers import pre_tokenizers

    kind = model.get("type") or _older(model)
    require(kind in _MODELS, "file", str(path), f"has a model of type {kind}; known are {', '.join(_MODELS)}")
    own = {name: whole.get(name) for name in ("normalizer", "pre_tokenizer", "decoder")}
    template, known = _template(path, whole.get("post_processor"))
    settings = _with_added(path, settings, whole.get("added_tokens") or [])
    if kind == "Unigram":
        return _unigram(path, settings, model, own, template, known)
    tokens = in_order(path, model["vocab"], settings.added)
    if kind == "WordPiece":
        prefix = model.get("continuing_subword_prefix", wordpiece.CONTINUES)
        require(
            prefix == wordpiece.CONTINUES,
            "file",
            str(path),
            f"must write pieces that go on as ## and not {prefix}",
        )
        known = {"unknown": _id(path, tokens, model.get("unk_token", "[UNK]")), **known}
        fields: dict[str, Any] = {"max_word_length": model.get("max_input_chars_per_word", 100)}
        cleaned = own["normalizer"] or {}
        flags = {
            "lowercase": cleaned.get("lowercase", False),
            "strip_accents": cleaned.get("strip_accents"),
            "split_cjk": cleaned.get("handle_chinese_chars", True),
        }
        fields |= _rules(own, wordpiece.rules(**flags), flags)
        return settings.assemble(path, "wordpiece", tokens, template, known, **fields)
    for name in ("byte_fallback", "ignore_merges", "dropout", "continuing_subword_prefix"):
        require(not model.get(name), "file", str(path), f"{name} is not known here")
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model.get("merges", [])]
    wrong = next((pair for pair in merges if len(pair) != 2), None)
    require(wrong is None, "file", str(path), f"a merge must have two pieces, not {wrong}")
    fields = {"merges": tuple((first, second) for first, second in merges)}
    lowercase = any(mark in json.dumps(own["normalizer"]) for mark in ('"Lowercase"', '"lowercase": true'))
    if '"ByteLevel"' in json.dumps([own["pre_tokenizer"], own["normalizer"]]):
        space = bool((own["pre_tokenizer"] or {}).get("add_prefix_space"))
        flags = {"lowercase": lowercase, "prefix_space": space}
        fields |= _rules(own, byte_pairs.byte_rules(**flags), flags)
        if set(pre_tokenizers.ByteLevel.alphabet()) <= set(tokens):
            model.ignore("unk_token")  # no byte is unknown
        require(not model.get("end_of_word_suffix"), "file", str(path), "bytes have no end_of_word_suffix")
        return settings.assemble(path, "byte-bpe", tokens, template, known, **fields)
    require(not model.get("fuse_unk"), "file", str(path), "fuse_unk is not known here")
    suffix = model.get("end_of_word_suffix")
    require(
        suffix == END_OF_WORD,
        "file",
        str(path),
        f"byte pairs must be of bytes or of words that end with {END_OF_WORD}",
    )
    known = {"unknown": _id(path, tokens, model.get("unk_token") or "<unk>"), **known}
    fields |= _rules(own, byte_pairs.word_rules(lowercase), {"lowercase": lowercase})
    return settings.assemble(path, "word-bpe", tokens, template, known, **fields)


def in_order(path: Path, vocab: Any, added: dict[str, int] | None = None) -> list[str]:
    """The tokens in the order of their ids.

    Args:
        added: tokens with ids, which may fill gaps of the vocabulary.
    """
    ids = isinstance(vocab, dict) and all(isinstance(position, int) for position in vocab.values())
    require(ids and bool(vocab), "file", str(path), "must give each token of the vocab its id")
    by_position = {position: token for token, position in vocab.items()}
    rule = "no id may stand twice in the vocab"
    require(len(by_position) == len(vocab), "file", str(path), rule)
    top = max(by_position)
    for token, position in (added or {}).items():
        if position < top and token not in vocab:
            by_position.setdefault(position, token)
    gap = next((position for position in range(len(by_position)) if position not in by_position), None)
    require(gap is None, "file", str(path), f"ids must go from 0 without a gap; there is no token {gap}")
    return [by_position[position] for position in range(len(by_position))]


def _older(model: Mapping[str, Any]) -> str:
    """The type where old files do not say it."""
    if isinstance(model["vocab"], list):
        return "Unigram"
    return "BPE" if "merges" in model else "WordPiece"


def _id(path: Path, tokens: list[str], token: str) -> int:
    require(token in tokens, "file", str(path), f"the unknown token {token!r} is not in the vocab")
    return tokens.index(token)


def _rules(own: dict[str, Any], ours: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """The fields for how texts are cleaned and split: plain where it is as we do it, else as it stands."""
    if _plain(own) == _plain(ours):
        return flags
    return {"rules": json.dumps(own), "lowercase": flags["lowercase"]}


def _plain(rules: dict[str, Any]) -> Any:
    """Without what has no effect on ids or texts: `tokenizers` writes these or not, as it is old."""
    idle = {"trim_offsets", "use_regex"}

    def strip(part: Any) -> Any:
        if isinstance(part, dict):
            byte_level = part.get("type") == "ByteLevel"
            if byte_level and part.get("use_regex") is False:
                return part
            kept = {k: strip(v) for k, v in part.items() if not (byte_level and k in idle)}
            return kept
        return [strip(p) for p in part] if isinstance(part, list) else part

    plain = {name: strip(part) for name, part in rules.items()}
    if (plain["decoder"] or {}).get("type") == "ByteLevel":
        plain["decoder"] = "ByteLevel"  # which takes all its settings and heeds none
    return plain


def _unigram(
    path: Path,
    settings: Settings,
    model: Fields,
    own: dict[str, Any],
    template: Template,
    known: dict[str, int],
) -> Tokenizer:
    vocab = model["vocab"]
    pairs = isinstance(vocab, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in vocab)
    require(pairs and bool(vocab), "file", str(path), "must give each piece of the vocab its score")
    require(not model.get("byte_fallback"), "file", str(path), "byte_fallback is not known here")
    unknown = model.get("unk_id")
    if not isinstance(unknown, int) or not 0 <= unknown < len(vocab):
        raise UserError("file", str(path), "must say which piece is unknown")
    flags = {"lowercase": '"Lowercase"' in json.dumps(own["normalizer"])}
    fields = _rules(own, tokenizer_pieces.rules(flags["lowercase"]), flags)
    fields["scores"] = tuple(float(score) for _, score in vocab)
    tokens = [str(token) for token, _ in vocab]
    return settings.assemble(path, "unigram", tokens, template, {"unknown": unknown, **known}, **fields)


def _with_added(path: Path, settings: Settings, tokens: list[Any]) -> Settings:
    """What the file itself says of tokens that are found whole."""
    good = all(isinstance(t, dict) and isinstance(t.get("id"), int) and "content" in t for t in tokens)
    require(good, "file", str(path), "must give each added token its id and content")
    marks = [token["content"] for token in tokens if token.get("special")]
    return dataclasses.replace(
        settings.with_marks(tuple(marks)),
        added={**settings.added, **{token["content"]: token["id"] for token in tokens}},
        whole=(*settings.whole, *(token["content"] for token in tokens if not token.get("special"))),
        flags={
            **settings.flags,
            **{t["content"]: flags_of(t) for t in tokens if t["content"] not in settings.decoded},
        },
    )


def _template(path: Path, processor: Any) -> tuple[Template, dict[str, int]]:
    """How special tokens are put round texts, and the ids of those that this shows."""
    steps = [processor] if isinstance(processor, dict) else []
    while steps and steps[0].get("type") in ("Sequence", "ByteLevel"):
        steps = [*steps[0].get("processors", []), *steps[1:]]
    if not steps:
        return "none", {}
    step = steps[0]
    if step["type"] in ("RobertaProcessing", "BertProcessing"):
        begin, end = step["cls"][1], step["sep"][1]
        template = "roberta" if step["type"] == "RobertaProcessing" else "bert"
        return template, {"begin": begin, "separator": end, "end": end}
    ids = {name: token["ids"][0] for name, token in step.get("special_tokens", {}).items()}
    seen = [[_part(piece, ids) for piece in step[form]] for form in ("single", "pair")]
    for template in get_args(Template):
        known: dict[str, int] = {}
        # Each role is one id wherever it stands.
        fits = all(
            len(found) == len(form)
            and all(
                found[i] == role if role in ("A", "B") else known.setdefault(role, found[i]) == found[i]
                for i, role in enumerate(form)
            )
            for found, form in zip(seen, packed_parts(template), strict=True)
        )
        if fits and not {"A", "B"} & set(known.values()):
            if template in ("bert", "roberta"):
                one = known.get("separator", known.get("end", 0))
                known = {"separator": one, "end": one, **known}
            return template, known
    rule = f"its post_processor puts special tokens in a way that is not known here: {seen[0]} and {seen[1]}"
    raise UserError("file", str(path), rule)


def types_of(processor: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The types of the parts of one text, and of those of two."""
    steps = [processor] if isinstance(processor, dict) else []
    while steps and steps[0].get("type") in ("Sequence", "ByteLevel"):
        steps = [*steps[0].get("processors", []), *steps[1:]]
    if not steps:
        return (0,), (0, 1)
    if steps[0]["type"] == "RobertaProcessing":
        return (0,) * 3, (0,) * 6
    if steps[0]["type"] == "BertProcessing":
        return (0,) * 3, (0, 0, 0, 1, 1)
    single, pair = (
        tuple(int(next(iter(piece.values())).get("type_id", 0)) for piece in steps[0][form])
        for form in ("single", "pair")
    )
    return single, pair


def _part(piece: dict[str, Any], ids: dict[str, int]) -> Any:
    return piece["Sequence"]["id"] if "Sequence" in piece else ids[piece["SpecialToken"]["id"]]


def post_processor(t: Tokenizer, num_texts: int = 1) -> dict[str, Any] | None:
    """The template, in the form of a ``tokenizer.json``.

    Args:
        num_texts: as for `anncestry.tokenizers.files.write_tokenizer`; a separator ends a text.
    """
    if t.template == "none":
        return None
    used: dict[str, Any] = {}

    def form(parts: tuple[str, ...]) -> list[dict[str, Any]]:
        found, ended = [], 0
        for part in parts:
            text = min(ended, num_texts - 1)
            if part in ("A", "B"):
                found.append({"Sequence": {"id": part, "type_id": text}})
                continue
            position = getattr(t.special, part)
            token = t.tokens[position]
            used[token] = {"id": token, "ids": [position], "tokens": [token]}
            found.append({"SpecialToken": {"id": token, "type_id": text}})
            ended += position == t.special.separator
        return found

    single, pair = map(form, packed_parts(t.template))
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": used}


def special_tokens_map(t: Tokenizer) -> dict[str, Any]:
    """The special tokens by Hugging Face's names; None for one that a reader would take for special."""
    as_cls = {"bert": ("cls",), "xlnet": ("cls",), "roberta": ("cls", "bos")}
    begin = as_cls.get(t.template, ("bos",))
    names = {"pad": ("pad",), "unknown": ("unk",), "begin": begin, "separator": ("sep",), "end": ("eos",)}
    found: dict[str, Any] = {}
    for role, aliases in {**names, "mask": ("mask",)}.items():
        position = getattr(t.special, role)
        for alias in aliases:
            if position is not None and not (role == "end" and t.template == "bert"):
                found[f"{alias}_token"] = t.tokens[position]
            elif position is None and any(t.id_of(text) is not None for text in USUAL[alias]):
                found[f"{alias}_token"] = None
    if t.marks:
        found["additional_special_tokens"] = list(t.marks)
    return found

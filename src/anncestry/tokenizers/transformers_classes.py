"""What transformers' classes make of a ``tokenizer.json``.

A class of its own (``BertTokenizer``) takes the vocabulary, the merges and the added tokens of the file, and
makes the rest anew from ``tokenizer_config.json``: where the two differ, the latter counts. Only
``PreTrainedTokenizerFast`` runs the file as it stands. Which class it is, ``tokenizer_config.json`` says,
else ``config.json``, there by ``tokenizer_class`` or ``model_type``.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from anncestry.fields import Fields
from anncestry.tokenizers import bpe as byte_pairs
from anncestry.tokenizers import unigram as tokenizer_pieces
from anncestry.tokenizers import wordpiece
from anncestry.tokenizers.subwords import SPACE

_OF_TYPES = {
    "bert": "BertTokenizer", "distilbert": "BertTokenizer", "electra": "BertTokenizer",
    "mobilebert": "BertTokenizer", "roberta": "RobertaTokenizer", "bart": "RobertaTokenizer",
    "camembert": "CamembertTokenizer", "xlm-roberta": "XLMRobertaTokenizer", "albert": "AlbertTokenizer",
    "xlnet": "XLNetTokenizer", "gpt2": "GPT2Tokenizer", "openai-gpt": "OpenAIGPTTokenizer",
}  # fmt: skip
_SAME = {
    "ElectraTokenizer": "BertTokenizer", "MobileBertTokenizer": "BertTokenizer",
    "BartTokenizer": "RobertaTokenizer", "LongformerTokenizer": "RobertaTokenizer",
}  # fmt: skip
_AS_IT_STANDS = ("", "PreTrainedTokenizer", "TokenizersBackend", "PythonBackend")  # without the ending Fast
_SEND_TYPES = ("BertTokenizer",)
_Names = Mapping[str, str | None]
_KINDS = {
    "WordPiece": ("BertTokenizer", "DistilBertTokenizer"),
    "BPE": ("RobertaTokenizer", "GPT2Tokenizer", "OpenAIGPTTokenizer"),
    "Unigram": ("AlbertTokenizer", "XLNetTokenizer", "CamembertTokenizer", "XLMRobertaTokenizer"),
}


def class_of(config: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """The class that reads a folder; empty for one that takes ``tokenizer.json`` as it stands.

    Args:
        config: of ``tokenizer_config.json``.
        model: of ``config.json``.
    """
    said = config.get("tokenizer_class") or model.get("tokenizer_class")
    found = str(said).removesuffix("Fast") if said else _OF_TYPES.get(str(model.get("model_type")), "")
    return "" if found in _AS_IT_STANDS else _SAME.get(found, found)


def sends_types(name: str, config: Fields) -> bool:
    """Whether a class gives a model the text each token belongs to (``token_type_ids``)."""
    sent = config.get("model_input_names")
    return "token_type_ids" in sent if isinstance(sent, list) else name in _SEND_TYPES


def is_known(name: str) -> bool:
    """Whether it is clear what a class makes of a file."""
    return not name or any(name in names for names in _KINDS.values())


def made_anew(
    name: str, config: Fields, whole: dict[str, Any], called: _Names
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """``(the tokenizer.json that a class runs, notes)``; the file's own where the class has another kind.

    Args:
        name: of the class.
        config: of ``tokenizer_config.json``.
        whole: of ``tokenizer.json``.
        called: the special tokens, by Hugging Face's names.
    """
    model = whole["model"]
    kind = model.get("type") or (
        "Unigram" if isinstance(model["vocab"], list) else "BPE" if "merges" in model else "WordPiece"
    )
    if name not in _KINDS.get(kind, ()):
        return whole, ()
    made = {**whole, **_MADE[name](config, whole, called)}
    notes = []
    for part in ("normalizer", "pre_tokenizer"):
        if part in whole and _bare(made[part]) != _bare(whole[part]):
            notes.append(f"{part} {json.dumps(made[part], ensure_ascii=False)[:160]}")
    for field, value in made["model"].items():
        if (
            field in model
            and field not in ("vocab", "merges", "type")
            and (model[field] or None) != (value or None)
        ):
            notes.append(f"{field} {json.dumps(value)}")
    if not notes:
        return made, ()
    differences = "; ".join(notes)
    return made, (f"{name} heeds tokenizer_config.json where tokenizer.json says otherwise: {differences}",)


def _bare(part: Any) -> Any:
    """Without what changes no id."""
    if isinstance(part, dict):
        if part.get("type") == "Sequence":
            steps = [_bare(s) for s in part.get("normalizers", part.get("pretokenizers", []))]
            return steps[0] if len(steps) == 1 else steps or None
        idle = ("trim_offsets", "use_regex", "str_rep", "split", "precompiled_charsmap", "add_prefix_space")
        return {k: v for k, v in part.items() if k not in idle or (k == "add_prefix_space" and v)}
    return part


def _bert(config: Fields, whole: dict[str, Any], called: _Names) -> dict[str, Any]:
    unknown = called.get("unk") or "[UNK]"
    lower = config.flag("do_lower_case", True)
    rules = wordpiece.rules(
        lower, config.choice("strip_accents"), config.flag("tokenize_chinese_chars", True)
    )
    model = {"type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": wordpiece.CONTINUES,
             "max_input_chars_per_word": 100}  # fmt: skip
    names = _named(called, cls="[CLS]", sep="[SEP]")
    forms = ([0, "A", 1], [0, "A", 1, "B", 1]), ([0, 0, 0], [0, 0, 0, 1, 1])
    return {**rules, "model": {**whole["model"], **model}, "post_processor": _packed(whole, names, *forms)}


def _roberta(config: Fields, whole: dict[str, Any], called: _Names) -> dict[str, Any]:
    made = _gpt2(config, whole, called)
    names = _named(called, cls="<s>", sep="</s>")
    positions = {name: _position(whole, name) for name in names}
    if None in positions.values():
        return {**made, "post_processor": whole.get("post_processor")}
    ends = {"cls": [names[0], positions[names[0]]], "sep": [names[1], positions[names[1]]]}
    return {**made, "post_processor": {"type": "RobertaProcessing", **ends}}


def _gpt2(config: Fields, whole: dict[str, Any], called: _Names) -> dict[str, Any]:
    model = {"dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
             "fuse_unk": False, "byte_fallback": False, "ignore_merges": False}  # fmt: skip
    rules = byte_pairs.byte_rules(False, config.flag("add_prefix_space", False))
    return {**rules, "model": {**whole["model"], **model}}


def _gpt(config: Fields, whole: dict[str, Any], called: _Names) -> dict[str, Any]:
    model = {"dropout": None, "unk_token": called.get("unk") or "<unk>", "fuse_unk": False,
             "continuing_subword_prefix": "", "end_of_word_suffix": byte_pairs.END_OF_WORD}  # fmt: skip
    return {**bert_words(), "model": {**whole["model"], **model}}


def bert_words() -> dict[str, Any]:
    """Words as BERT's, of which `OpenAIGPTTokenizer` joins the characters."""
    decoder = {"type": "BPEDecoder", "suffix": byte_pairs.END_OF_WORD}
    return {**wordpiece.rules(True, None, True), "decoder": decoder}


def _albert(config: Fields, whole: dict[str, Any], called: _Names) -> dict[str, Any]:
    strip = not config.flag("keep_accents", False)
    rules = tokenizer_pieces.rules(config.flag("do_lower_case", True), strip, True, _charsmap(whole))
    rules = _prepended(rules, config.flag("add_prefix_space", True))
    names = _named(called, cls="[CLS]", sep="[SEP]")
    forms = ([0, "A", 1], [0, "A", 1, "B", 1]), ([0, 0, 0], [0, 0, 0, 1, 1])
    return {
        **rules,
        "model": {**whole["model"], "unk_id": 1},
        "post_processor": _packed(whole, names, *forms),
    }


def _xlnet(config: Fields, whole: dict[str, Any], called: _Names) -> dict[str, Any]:
    rules = tokenizer_pieces.rules(config.flag("do_lower_case", False), True, True, _charsmap(whole))
    names = _named(called, sep="<sep>", cls="<cls>")
    forms = (["A", 0, 1], ["A", 0, "B", 0, 1]), ([0, 0, 2], [0, 0, 1, 1, 2])
    config.ignore("remove_space", "keep_accents")
    unknown = config.get("unk_id", 0)
    packed = _packed(whole, names, *forms)
    return {**rules, "model": {**whole["model"], "unk_id": unknown}, "post_processor": packed}


def _fairseq(
    config: Fields, whole: dict[str, Any], called: _Names, unknown: int | None = None
) -> dict[str, Any]:
    rules = tokenizer_pieces.rules(charsmap=_charsmap(whole))
    rules = _prepended(rules, config.flag("add_prefix_space", True))
    if unknown is None:
        name = called.get("unk") or "<unk>"
        unknown = next((at for at, pair in enumerate(whole["model"]["vocab"]) if pair[0] == name), 0)
    names = _named(called, bos="<s>", eos="</s>")
    forms = ([0, "A", 1], [0, "A", 1, 1, "B", 1]), ([0, 0, 0], [0, 0, 0, 0, 0, 0])
    packed = _packed(whole, names, *forms)
    return {**rules, "model": {**whole["model"], "unk_id": unknown}, "post_processor": packed}


_MADE: dict[str, Callable[[Fields, dict[str, Any], _Names], dict[str, Any]]] = {
    "BertTokenizer": _bert, "DistilBertTokenizer": _bert, "RobertaTokenizer": _roberta,
    "GPT2Tokenizer": _gpt2, "OpenAIGPTTokenizer": _gpt, "AlbertTokenizer": _albert,
    "XLNetTokenizer": _xlnet, "CamembertTokenizer": _fairseq,
    "XLMRobertaTokenizer": lambda config, whole, called: _fairseq(config, whole, called, 3),
}  # fmt: skip


def _named(called: _Names, **usual: str) -> list[str]:
    """What special tokens are called, which are usually called so."""
    return [called.get(role) or name for role, name in usual.items()]


def _prepended(rules: dict[str, Any], always: bool) -> dict[str, Any]:
    """Whether a blank is put before a text."""
    if always:
        return rules
    space = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "never", "split": True}
    steps = [{"type": "WhitespaceSplit"}, space]
    return {**rules, "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps}, "decoder": space}


def _charsmap(whole: dict[str, Any]) -> str:
    """SentencePiece's compiled normaliser, where the file has one."""
    found = whole.get("normalizer") or {}
    steps = found.get("normalizers", [found])
    return next((step["precompiled_charsmap"] for step in steps if step.get("type") == "Precompiled"), "")


def _packed(whole: dict[str, Any], names: list[str], forms: Any, types: Any) -> dict[str, Any] | None:
    """How special tokens are put round one text and round two; None where they are not in the vocabulary.

    Args:
        forms: of each the parts: a text's name, or the number of a special token.
        types: of each part its type.
    """
    positions = [_position(whole, name) for name in names]
    if None in positions:
        return whole.get("post_processor")

    def form(parts: list[Any], of_parts: list[int]) -> list[dict[str, Any]]:
        return [
            {"Sequence": {"id": part, "type_id": kind}}
            if isinstance(part, str)
            else {"SpecialToken": {"id": names[part], "type_id": kind}}
            for part, kind in zip(parts, of_parts, strict=True)
        ]

    tokens = {
        name: {"id": name, "ids": [at], "tokens": [name]} for name, at in zip(names, positions, strict=True)
    }
    single, pair = (form(*both) for both in zip(forms, types, strict=True))
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens}


def _position(whole: dict[str, Any], token: str) -> int | None:
    """The id of a token of the vocabulary, or of those that are added."""
    vocab = whole["model"]["vocab"]
    if isinstance(vocab, dict) and token in vocab:
        return vocab[token]
    found = [at for at, pair in enumerate(vocab) if pair[0] == token] if isinstance(vocab, list) else []
    found += [t.get("id") for t in whole.get("added_tokens") or [] if t.get("content") == token]
    return found[0] if found else None

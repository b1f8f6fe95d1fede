"""What stands beside a vocabulary: which tokens are special, and how texts are read.

``tokenizer_config.json``, ``special_tokens_map.json`` and ``added_tokens.json`` of Hugging Face; any may be
missing.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anncestry.errors import UserError, require
from anncestry.fields import Fields
from anncestry.stored import read_object
from anncestry.tokenizers.library import FLAGS, usual_flags
from anncestry.tokenizers.spec import Kind, Special, Template
from anncestry.tokenizers.tokenizer import Tokenizer
from anncestry.tokenizers.transformers_classes import class_of

LARGEST = 256 * 2**20
"""Bytes of a file; the largest published one has 17 million."""
USUAL = {
    "pad": ("[PAD]", "<pad>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]", "<cls>", "<s>"),
    "sep": ("[SEP]", "<sep>", "</s>"),
    "bos": ("<s>", "<|endoftext|>"),
    "eos": ("</s>", "<|endoftext|>"),
    "mask": ("[MASK]", "<mask>"),
}
"""What special tokens are called where no file says so; their names are Hugging Face's."""
_CONFIG = "tokenizer_config.json"
_ADDED = ("added_tokens_decoder", "additional_special_tokens", "extra_special_tokens")
_IDLE = (  # of bookkeeping, of decoding, of padding, or defaults of options that a caller gives
    "tokenizer_class", "name_or_path", "special_tokens_map_file", "tokenizer_file", "vocab_file", "backend",
    "is_local", "local_files_only", "processor_class", "use_fast", "clean_up_tokenization_spaces", "errors",
    "trim_offsets", "verbose", "chat_template", "padding_side", "pad_to_multiple_of", "pad_token_type_id",
    "stride", "max_length", "truncation_strategy", "legacy", "init_inputs", "transformers_version",
    "model_input_names", "do_lower_case", "strip_accents", "tokenize_chinese_chars", "add_prefix_space",
    "keep_accents", "remove_space", "unk_id", "auto_map", "_commit_hash", "model_max_length", "max_len",
    "truncation_side", "split_special_tokens", "padding", "truncation",
)  # fmt: skip
_POSITIONS: dict[Template, dict[str, tuple[str, ...]]] = {
    "bert": {"begin": ("cls",), "separator": ("sep",), "end": ("sep",)},
    "roberta": {"begin": ("cls", "bos"), "separator": ("sep", "eos"), "end": ("sep", "eos")},
    "xlnet": {"begin": ("cls",), "separator": ("sep",), "end": ("eos",)},
    "gpt": {"begin": ("bos",), "separator": ("sep",), "end": ("eos",)},
    "ended": {"begin": ("bos",), "separator": ("sep",), "end": ("eos",)},
    "none": {"begin": ("bos",), "separator": ("sep",), "end": ("eos",)},
}
_COMMON = {"pad": ("pad",), "unknown": ("unk",), "mask": ("mask",)}


@dataclass(frozen=True)
class Settings:
    """What the files beside a vocabulary say.

    Attributes:
        values: of ``tokenizer_config.json``.
        names: the texts of special tokens by Hugging Face's names (``cls``); None where it says there is
            none.
        added: tokens behind the vocabulary's own, and their ids.
        marks: special tokens without a role of their own.
        whole: tokens that are no special ones, and yet are found whole in a text.
        model: what ``config.json`` or the class says the model is; empty where neither does.
        source: the file that names the special tokens.
        flags: how tokens are found in a text, where a file says it.
        decoded: those of ``flags`` that count though a ``tokenizer.json`` says otherwise.
        reader: the class of transformers that reads the folder; empty for one that takes a
            ``tokenizer.json`` as it stands.
        of_hugging_face: whether a file says that it is a folder of transformers' at all.
    """

    values: Fields = field(default_factory=lambda: Fields({}, _CONFIG))
    names: dict[str, str | None] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    model: str = ""
    source: Path = Path(_CONFIG)
    flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    decoded: frozenset[str] = frozenset()
    reader: str = ""
    of_hugging_face: bool = False

    @classmethod
    def read(cls, folder: Path) -> "Settings":
        config, special = folder / _CONFIG, folder / "special_tokens_map.json"
        values, model = Fields(_object(config), _CONFIG, _IDLE), _object(folder / "config.json")
        listed_there = "added_tokens_decoder" in values  # then no other file adds any, as in transformers
        merged = values.values_by_name if listed_there else {**values.values_by_name, **_object(special)}
        values.ignore(*(f"{name}_token" for name in USUAL), *_ADDED)
        names = {name: _content(merged[f"{name}_token"]) for name in USUAL if f"{name}_token" in merged}
        added: dict[str, int] = {}
        flags: dict[str, tuple[str, ...]] = {}
        marks: list[str] = []
        for position, token in _of(merged.get("added_tokens_decoder"), dict).items():
            text = _content(token)
            if text is not None:
                added[text] = int(position) if str(position).isdecimal() else -1
            if text is not None and isinstance(token, dict):
                flags[text] = flags_of(token)
                marks += [text] if token.get("special") else []
        whole, decoded = [text for text in added if text not in marks], frozenset(flags)
        further = merged.get("additional_special_tokens") or merged.get("extra_special_tokens")
        listed = list(further.values()) if isinstance(further, dict) else _of(further, list)
        standing = [merged[f"{name}_token"] for name in USUAL if f"{name}_token" in merged]
        for token in [*listed, *standing]:
            text = _content(token)
            if isinstance(token, dict) and text is not None:
                flags.setdefault(text, flags_of({"normalized": False, **token}))
            if token in listed and text:
                marks.append(text)
        if not listed_there:
            added = _object(folder / "added_tokens.json")
            whole = [text for text in added if text not in marks and text not in names.values()]
        wrong = [token for token, position in added.items() if not isinstance(position, int) or position < 0]
        require(not wrong, "file", str(folder / "added_tokens.json"), f"must give {wrong[:3]} ids")
        said = str(model.get("model_type") or values.get("tokenizer_class") or "")
        theirs = bool(said) or config.is_file() or special.is_file()
        return cls(
            values, names, added, tuple(dict.fromkeys(marks)), tuple(whole), said,
            config if config.is_file() else special, flags, decoded, class_of(values, model), theirs,
        )  # fmt: skip

    def with_marks(self, marks: tuple[str, ...]) -> "Settings":
        return dataclasses.replace(self, marks=tuple(dict.fromkeys((*self.marks, *marks))))

    def flag(self, name: str, default: bool) -> bool:
        return self.values.flag(name, default)

    def choice(self, name: str) -> bool | None:
        return self.values.choice(name)

    def names_none(self, token: str) -> bool:
        """Whether no file gives another name to what is usually called so."""
        return not any(token in usual and name in self.names for name, usual in USUAL.items())

    def assemble(
        self,
        path: Path,
        kind: Kind,
        tokens: list[str],
        template: Template,
        known: dict[str, int] | None = None,
        **fields: Any,
    ) -> Tokenizer:
        """The tokenizer of a vocabulary.

        Args:
            path: of the vocabulary, for errors.
            tokens: of the vocabulary; those that are added stand behind them.
            known: ids of special tokens by our names, where the vocabulary's file gives them.
        """
        own = len(tokens)
        tokens = list(tokens)
        for token, position in sorted(self.added.items(), key=lambda pair: pair[1]):
            if position < own:
                rule = f"says that token {position} is {token!r}, and {path.name} says {tokens[position]!r}"
                require(tokens[position] == token, "file", str(self.source), rule)
                continue
            rule = f"must add tokens without a gap: {token!r} is {position} and not {len(tokens)}"
            require(position == len(tokens), "file", str(self.source), rule)
            tokens.append(token)
        tokens += [mark for mark in dict.fromkeys(self.marks) if mark not in tokens]
        index = {token: position for position, token in enumerate(tokens)}
        if len(index) < len(tokens):
            position = next(position for position, token in enumerate(tokens) if index[token] != position)
            token = tokens[position]
            rule = f"no token may stand twice; {token!r} has the ids {position} and {index[token]}"
            raise UserError("file", str(path), rule)
        positions = {
            role: self._position(names, index) for role, names in {**_COMMON, **_POSITIONS[template]}.items()
        }
        special = Special(**{**positions, **(known or {})})
        with_role = {tokens[position] for position in vars(special).values() if position is not None}
        named = (text for text in self.names.values() if text is not None)  # without a role round a text
        marks = tuple(m for m in dict.fromkeys((*self.marks, *named)) if m in index and m not in with_role)
        others = {*with_role, *marks}
        added = [token for token in (*self.whole, *tokens[own:]) if token not in others]
        fields["own"] = own if own < len(tokens) else 0
        if kind == "unigram":
            fields["scores"] = (*fields["scores"], *(0.0 for _ in tokens[own:]))
        fields |= {"added": tuple(dict.fromkeys(added)), "marks": marks}
        try:
            made = Tokenizer(kind, tuple(tokens), special, template, **fields)
            how = sorted((token, flags) for token, flags in self.flags.items() if token in index)
            odd = tuple(pair for pair in how if pair[1] != usual_flags(made, index[pair[0]]))
            return dataclasses.replace(made, flags=odd) if odd else made
        except UserError as error:
            raise UserError("file", str(path), f"{error.field} ({error.value}): {error.rule}") from error

    def _position(self, names: tuple[str, ...], index: dict[str, int]) -> int | None:
        """The id of the first of these tokens that there is."""
        for name in names:
            if name in self.names:
                text = self.names[name]
                if text is not None:
                    rule = f"names the {name}_token {text!r}, which is not in the vocabulary"
                    require(text in index, "file", str(self.source), rule)
                    return index[text]
                continue
            found = next((index[text] for text in USUAL[name] if text in index), None)
            if found is not None:
                return found
        return None


def octets_of(path: Path) -> bytes:
    """A file that is not too large to be one of a tokenizer."""
    try:
        size = path.stat().st_size
        rule = f"has {size} bytes; no file of a tokenizer has more than {LARGEST}"
        require(size <= LARGEST, "file", str(path), rule)
        return path.read_bytes()
    except OSError as error:
        raise UserError("file", str(path), f"cannot be read ({error})") from error


def parsed(path: Path) -> dict[str, Any]:
    """The object of a JSON file."""
    return read_object(path)


def _object(path: Path) -> dict[str, Any]:
    return parsed(path) if path.is_file() else {}


def _of(value: Any, kind: type) -> Any:
    return value if isinstance(value, kind) else kind()


def flags_of(token: dict[str, Any]) -> tuple[str, ...]:
    """Which flags of an added token are on."""
    usual = {"normalized": not token.get("special", False)}
    return tuple(flag for flag in FLAGS if token.get(flag, usual.get(flag, False)) is True)


def _content(token: Any) -> str | None:
    """The text of a token that stands as a text, or with how it is found."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None

"""Folders of sentence-transformers: an encoder, and how its tokens' vectors become one of the text.

``modules.json`` lists the parts: a Transformer in a folder of its own or in this one, a Pooling with its
``config.json``, and at the end perhaps a Normalize, which brings vectors to length 1.
``sentence_bert_config.json`` says how many tokens of a text are read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from anncestry.checkpoints.converters.encoders import Exported, Reads
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.errors import UserError, require
from anncestry.stored import read_json, read_object

_MODULES, _SETTINGS = "modules.json", "sentence_bert_config.json"
_PARTS = ("Transformer", "Pooling", "Normalize")
_POOLINGS = {
    "mean": "pooling_mode_mean_tokens", "first": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens",
}  # fmt: skip
_ALIKE = "config_sentence_transformers.json"
_FOLDER = "1_Pooling"
_TYPE = "sentence_transformers.models."
_WITHOUT_TEXT = "its vectors are of whole texts"


class _Module(NamedTuple):
    kind: str
    folder: Path


def is_sentence_bert(files: ForeignFiles) -> bool:
    """Whether a folder says of which parts it is made."""
    return files.is_folder and _MODULES in files.names


def from_sentence_bert(files: ForeignFiles, read: Callable[[ForeignFiles], Imported]) -> Imported:
    """The encoder of a folder, with what brings its tokens' vectors together.

    Args:
        read: reads the folder of the encoder.

    Raises:
        UserError: a file is missing or damaged; a part is of a kind that is not known here, or the encoder
            embeds no texts.
    """
    source = files.name
    modules = _modules(files.path)
    kinds = tuple(module.kind for module in modules)
    known = kinds in (_PARTS, _PARTS[:2])
    require(known, source, list(kinds), f"must be made of {', '.join(_PARTS)}, the last one or not")
    found = read(ForeignFiles(modules[0].folder))
    embeds = found.config.get("task") == "embedding"
    require(embeds, source, found.config.get("task"), f"must hold a body without a head: {_WITHOUT_TEXT}")
    pooling = _pooling(modules[1].folder / "config.json", source)
    config = {**found.config, "pooling": pooling, "unit_length": len(modules) == len(_PARTS)}
    settings = modules[0].folder / _SETTINGS
    said = read_object(settings) if settings.is_file() else {}
    reader = dict(found.reader or {})
    longest = said.get("max_seq_length")
    if isinstance(longest, int) and longest > 0:
        reader["max_tokens"] = min(longest, reader.get("max_tokens", longest))
    notes = tuple(note for note in found.notes if not note.startswith("pooling="))
    if said.get("do_lower_case"):
        notes += ("texts must be given in lower case: the encoder was trained on such",)
    kept = {n: t for n, t in found.tensors.items() if not n.startswith("pooler.")}
    return found._replace(config=config, tensors=kept, reader=reader, notes=notes)


def of_sentences(made: Exported, config: Any, reads: Reads, poolers: str = "") -> Exported:
    """The same with the files that make a folder one of sentence-transformers', where it gives vectors.

    Args:
        config: of a network of ours.
        reads: how it reads texts.
        poolers: the class of theirs, where it has a pooler.
    """
    if config.task != "embedding":
        return made
    if config.pooling == "pooler":
        note = "its vectors are pooler_output there; sentence-transformers would take the mean of all tokens"
        return made._replace(notes=(*made.notes, note))
    note = (f"there is no pooler: {poolers} takes add_pooling_layer=False to load it",) if poolers else ()
    files = _sentence_files(config, reads.max_tokens or config.num_positions)
    return made._replace(files={**made.files, **files}, notes=(*made.notes, *note))


def _sentence_files(config: Any, max_tokens: int) -> dict[str, Any]:
    """``modules.json`` and what it names."""
    kinds = _PARTS if config.unit_length else _PARTS[:2]
    folders = ("", _FOLDER, "2_Normalize")
    pooled = {"word_embedding_dimension": config.hidden_size}
    pooled |= {name: pooling == config.pooling for pooling, name in _POOLINGS.items()}
    pooled |= {"pooling_mode_mean_sqrt_len_tokens": False}
    return {
        _MODULES: [
            {"idx": place, "name": str(place), "path": folders[place], "type": f"{_TYPE}{kind}"}
            for place, kind in enumerate(kinds)
        ],
        f"{_FOLDER}/config.json": pooled,
        _SETTINGS: {"max_seq_length": max_tokens, "do_lower_case": False},
        _ALIKE: {
            "model_type": "SentenceTransformer",
            "prompts": {},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }


def _modules(path: Path) -> list[_Module]:
    file = path / _MODULES
    try:
        listed = read_json(file)
        modules = [_Module(entry["type"].rpartition(".")[2], path / entry["path"]) for entry in listed]
    except (TypeError, KeyError, AttributeError) as error:
        rule = f"must be a JSON list of parts, each with a type and a path ({error!r})"
        raise UserError("file", str(file), rule) from error
    inside = all(path.resolve() in (m.folder.resolve(), *m.folder.resolve().parents) for m in modules)
    require(inside, "file", str(file), "names a folder outside of its own")
    return modules


def _pooling(file: Path, source: str) -> str:
    """How vectors are brought together."""
    said = read_object(file)
    if isinstance(said.get("pooling_mode"), str):  # as later versions write it
        on = [
            {"cls": "pooling_mode_cls_token"}.get(m, f"pooling_mode_{m}_tokens")
            for m in [said["pooling_mode"]]
        ]
    else:
        on = sorted(
            name for name, value in said.items() if name.startswith("pooling_mode_") and value is True
        )
    found = [pooling for pooling, name in _POOLINGS.items() if [name] == on]
    require(bool(found), source, on, "must bring vectors together in one known way", _POOLINGS.values())
    return found[0]

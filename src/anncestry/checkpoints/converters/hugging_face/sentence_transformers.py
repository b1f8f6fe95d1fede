"""Folders of sentence-transformers, both ways: an encoder, and how the vectors of tokens are pooled.

``modules.json`` lists the parts: a Transformer in a folder of its own or in this one, a Pooling with its
``config.json``, perhaps a Dense with weights of its own, and at the end perhaps a Normalize, which brings
vectors to length 1. Of a cross-encoder it lists the Transformer alone. ``sentence_bert_config.json``, or
the tokenizer, says how many tokens of a text are read, ``config_sentence_transformers.json`` what is put
before it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from anncestry.checkpoints.converters.encoder_names import Exported, TextFacts
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.errors import UserError, require
from anncestry.fields import Fields

_MODULES, _SETTINGS = "modules.json", "sentence_bert_config.json"
_PARTS = ("Transformer", "Pooling", "Dense", "Normalize")
_POOLINGS = {
    "mean": "pooling_mode_mean_tokens", "first": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens",
    "mean-sqrt": "pooling_mode_mean_sqrt_len_tokens", "last": "pooling_mode_lasttoken",
    "weighted-mean": "pooling_mode_weightedmean_tokens",
}  # fmt: skip
_MODES_OF = {"mean": "mean", "first": "cls", "max": "max", "mean-sqrt": "mean_sqrt_len_tokens",
             "last": "lasttoken", "weighted-mean": "weightedmean"}  # fmt: skip
_ACTIVATIONS = {"identity": ("Identity",), "tanh": ("Tanh",), "relu": ("ReLU",), "gelu": ("GELU",),
                "sigmoid": ("Sigmoid",)}  # fmt: skip
_KNOWN = ("Sigmoid", "Identity")
_MADE_OF = (_PARTS[:1], _PARTS[:2], _PARTS[:3], (*_PARTS[:2], "Normalize"), _PARTS)
_BODIES = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
_SETTINGS_OF = tuple(f"sentence_{body}_config.json" for body in _BODIES)
_ALIKE = "config_sentence_transformers.json"
_DIMENSIONS = ("word_embedding_dimension", "embedding_dimension")
_IDLE = (  # of bookkeeping, and of what is done with vectors afterwards
    "__version__", "model_type", "similarity_fn_name", "transformer_task", "modality_config",
    "module_output_name", "processing_kwargs", "unpad_inputs",
)  # fmt: skip
_FOLDER = "1_Pooling"
_TYPE = "sentence_transformers.models."
_WITHOUT_TEXT = "its vectors are of whole texts"


class _Module(NamedTuple):
    kind: str
    files: ForeignFiles


def is_sentence_transformers(files: ForeignFiles) -> bool:
    """Whether a folder says of which parts it is made."""
    return files.is_folder and _MODULES in files.names


def encoder_of(files: ForeignFiles) -> ForeignFiles:
    """The folder of the Transformer that `is_sentence_transformers` found.

    Raises:
        UserError: the list of parts is damaged, or names another part first.
    """
    return _modules(files)[0].files


def with_parts(files: ForeignFiles, found: Imported) -> Imported:
    """The encoder of a folder, with the pooling of its tokens' vectors; or a cross-encoder, which classifies
    a pair of texts.

    Args:
        found: what was read of `encoder_of` the files.

    Raises:
        UserError: a file is missing or damaged; a part is of a kind that is not known here, or the encoder
            embeds no texts.
    """
    source, modules = files.name, _modules(files)
    kinds = tuple(module.kind for module in modules)
    whole = files.json(_ALIKE, _IDLE) if _ALIKE in files.names else Fields({}, _ALIKE)
    inner = modules[0].files
    task = found.config.get("task")
    settings = next((name for name in _SETTINGS_OF if name in inner.names), None)
    said = inner.json(settings, _IDLE) if settings else Fields({}, _SETTINGS)
    reader, longest = dict(found.reader or {}), said.get("max_seq_length")
    if isinstance(longest, int) and longest > 0:  # it counts, whatever the tokenizer says
        reader |= {"max_tokens": min(longest, reader.get("max_tokens", longest)), "fixed": True}
    reader |= {"lower": True} if said.flag("do_lower_case", False) else {}
    notes = tuple(note for note in found.notes if not note.startswith("pooling="))
    prompt, more = _prompt(whole)
    if kinds == _PARTS[:1]:
        classifies = task in ("classification", "regression")
        require(classifies, source, task, "must classify texts where no part pools vectors")
        require(not prompt, whole.source, prompt, "is a prompt of a cross-encoder, which is not read here")
        if reader.get("kind") == "packed-values":
            used = _answers_through(whole.get("activation_fn"), reader, source)
            reader |= {"sigmoid": used}
        notes += (*more, *said.notes(), *whole.notes())
        return found._replace(reader=reader, notes=notes)
    whole.ignore("activation_fn")
    require(task == "embedding", source, task, f"must hold a body without a head: {_WITHOUT_TEXT}")
    pooling = _pooling(modules[1].files, source, prompt)
    config = {**found.config, "pooling": pooling, "unit_length": kinds[-1] == "Normalize"}
    kept = {n: t for n, t in found.tensors.items() if not n.startswith("pooler.")}
    if "Dense" in kinds:
        dense, tensors = _dense(modules[2].files, config["hidden_size"])
        config, kept = {**config, **dense}, {**kept, **tensors}
    if prompt:
        reader["prompt"] = prompt
        more = (f"prompt={prompt!r} is put before every text, as {_ALIKE} says", *more)
    notes += (*more, *said.notes(), *whole.notes())
    return found._replace(config=config, tensors=kept, reader=reader, notes=notes)


def _prompt(whole: Fields) -> tuple[str, tuple[str, ...]]:
    """What is put before every text, and a note on what is put before some."""
    prompts, name = whole.get("prompts") or {}, whole.get("default_prompt_name")
    fits = isinstance(prompts, dict) and all(isinstance(text, str | None) for text in prompts.values())
    require(fits, whole.source, prompts, "prompts must name texts")
    rule = "default_prompt_name must be one of the prompts"
    require(name is None or name in prompts, whole.source, name, rule, prompts)
    others = [f"{key}={text!r}" for key, text in prompts.items() if text and key != name]
    notes = (f"prompts are put before no text, where they are not written into it: {', '.join(others)}",)
    return (prompts.get(name) or "") if name is not None else "", notes if others else ()


def _answers_through(activation: Any, reader: Mapping[str, Any], source: str) -> bool:
    """Whether a cross-encoder's value is the sigmoid of its output, as it usually is for one value."""
    if activation is None:
        return not reader.get("names")
    kind = str(activation).rpartition(".")[2]
    require(kind in ("Sigmoid", "Identity"), source, activation, "is an unknown activation_fn", _KNOWN)
    return kind == "Sigmoid"


def _dense(files: ForeignFiles, width: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The fields and the tensors of the layer behind the pooling."""
    said = files.json("config.json")
    size, said_width = said.size("out_features"), said.size("in_features")
    require(said_width == width, str(files.folder), said_width, "in_features must be those of the encoder")
    said.must_be("use_residual", False)
    for name in ("module_input_name", "module_output_name"):
        said.must_be(name, said.get(name) and "sentence_embedding")
    names = {path: name for name, paths in _ACTIVATIONS.items() for path in paths}
    kind = str(said.value("activation_function", "Tanh")).rpartition(".")[2]
    require(kind in names, str(files.folder), kind, "is an unknown activation_function", names)
    weights = files.weights
    held = [part for part in ("weight", "bias") if f"linear.{part}" in weights]
    tensors = {f"dense.{part}": weights[f"linear.{part}"].float() for part in held}
    rule = f"must hold linear.weight of ({size}, {width})"
    weight = tensors.get("dense.weight")
    require(weight is not None and weight.shape == (size, width), str(files.folder), list(weights), rule)
    said.ignore("bias")
    tensors.setdefault("dense.bias", torch.zeros(size))
    notes = said.notes()
    require(not notes, str(files.folder), "; ".join(notes), "says what is not known of a Dense")
    return {"dense_size": size, "dense_activation": names[kind], "output_size": size}, tensors


def of_sentences(made: Exported, config: Any, facts: TextFacts, poolers: str = "") -> Exported:
    """The same with the files that make a folder one of sentence-transformers', where it gives vectors.

    Args:
        config: of a network of ours.
        facts: how it reads texts.
        poolers: the class of theirs, where it has a pooler.
    """
    if config.task != "embedding":
        return made
    if config.pooling == "pooler":
        note = "its vectors are pooler_output there; sentence-transformers would take the mean of all tokens"
        return made._replace(notes=(*made.notes, note))
    note = (f"there is no pooler: {poolers} takes add_pooling_layer=False to load it",) if poolers else ()
    files = _sentence_files(config, facts.max_tokens or config.num_positions)
    return made._replace(files={**made.files, **files}, notes=(*made.notes, *note))


def _sentence_files(config: Any, max_tokens: int) -> dict[str, Any]:
    """``modules.json`` and what it names."""
    require(
        not config.dense_size,
        "dense_size",
        config.dense_size,
        "is not exported to sentence-transformers",
        [0],
    )
    kinds = (*_PARTS[:2], "Normalize") if config.unit_length else _PARTS[:2]
    folders = ("", _FOLDER, "2_Normalize")
    pooled = {"word_embedding_dimension": config.hidden_size}
    pooled |= {name: pooling == config.pooling for pooling, name in _POOLINGS.items()}
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


def _modules(files: ForeignFiles) -> list[_Module]:
    """The parts, without those of training."""
    path, file = files.path, files.path / _MODULES
    try:
        listed = [(entry["type"].rpartition(".")[2], entry["path"]) for entry in files.value(_MODULES)]
        places = [(path / folder).resolve() for _, folder in listed]
    except (TypeError, KeyError, AttributeError) as error:
        rule = f"must be a JSON list of parts, each with a type and a path ({error!r})"
        raise UserError("file", str(file), rule) from error
    inside = all(path.resolve() in (place, *place.parents) for place in places)
    require(inside, "file", str(file), "names a folder outside of its own")
    modules = [_Module(kind, files.inside(folder)) for kind, folder in listed if kind != "Dropout"]
    kinds = tuple(module.kind for module in modules)
    rule = f"must be made of {', '.join(_PARTS)}, the last two or not; or of a Transformer that classifies"
    require(kinds in _MADE_OF, files.name, list(kinds), rule)
    return modules


def _pooling(files: ForeignFiles, source: str, prompt: str) -> str:
    """How the vectors of tokens are pooled."""
    said = files.json("config.json", _DIMENSIONS)
    mode = said.get("pooling_mode")
    modes = [mode] if isinstance(mode, str) else mode if isinstance(mode, list) else []
    if not modes:  # as earlier versions write it
        flags = [name for name in said if name.startswith("pooling_mode_") and said[name] is True]
        names = {name: pooling for pooling, name in _POOLINGS.items()}
        modes = [_MODES_OF.get(names.get(name, ""), name) for name in flags]
    found = [pooling for pooling, theirs in _MODES_OF.items() if [theirs] == modes]
    require(bool(found), source, modes, "must pool vectors in one known way", _MODES_OF.values())
    skips = said.get("include_prompt", True) is False and bool(prompt)
    require(not skips, source, False, "include_prompt leaves the prompt out of the pooling: not known here")
    return found[0]

"""What the converters of BERT and its variants share: tables of tensor names, projections, and checks.

A converter gives the names of a file's tensors (`bert_names`) and the config with which our model is built;
`fitted` does the rest, `foreign` the way back:

>>> names = bert_names("roberta.")
>>> names.rename("roberta.encoder.layer.3.attention.self.query.weight")
'blocks.3.attention.q.weight'
>>> names.reverse().rename("blocks.3.feed_forward.out.bias")
'roberta.encoder.layer.3.output.dense.bias'

Queries, keys and values are apart in all of these files, and one matrix in ours.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from anncestry.checkpoints.converters.transformer_names import join_projections, split_projections
from anncestry.checkpoints.rename import KeyMap
from anncestry.checkpoints.store import some_of
from anncestry.errors import require
from anncestry.fields import Fields
from anncestry.models.building import without_memory
from anncestry.models.create import configure
from anncestry.timeline import find

BLOCK: Mapping[str, str] = {
    "attention.self.query": "attention.q",
    "attention.self.key": "attention.k",
    "attention.self.value": "attention.v",
    "attention.output.dense": "attention.out",
    "attention.output.LayerNorm": "around_attention.norm",
    "intermediate.dense": "feed_forward.inner",
    "output.dense": "feed_forward.out",
    "output.LayerNorm": "around_feed_forward.norm",
}
"""Modules of a layer of theirs, and of a block of ours."""
EMBEDDINGS: Mapping[str, str] = {
    "embeddings.word_embeddings": "embeddings.words",
    "embeddings.position_embeddings": "embeddings.positions.embedding",
    "embeddings.token_type_embeddings": "embeddings.segments",
    "embeddings.LayerNorm": "embeddings.norm",
}
"""Modules below the layers."""
POOLER: Mapping[str, str] = {"pooler.dense": "pooler.linear"}
ACTIVATIONS: Mapping[str, str] = {  # the first of two names is the one that is written
    "gelu": "gelu", "gelu_new": "gelu-tanh", "gelu_pytorch_tanh": "gelu-tanh", "gelu_fast": "gelu-tanh",
    "relu": "relu", "silu": "silu", "swish": "silu",
}  # fmt: skip
"""Their names of the functions of feed-forward nets, and ours."""


class Exported(NamedTuple):
    """What Hugging Face reads.

    Attributes:
        config: of config.json.
        tensors: of model.safetensors.
        files: further files of JSON, by their paths in the folder.
        notes: what is not quite the same there.
        folders: further nets, by the names of their folders in the folder.
    """

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    files: Mapping[str, Any] = {}
    notes: tuple[str, ...] = ()
    folders: Mapping[str, "Exported"] = {}


class TextFacts(NamedTuple):
    """What is known of how a run reads texts and names its classes.

    Attributes:
        classes: the names of classes, tags or values; default: their numbers.
        max_tokens: of the longest text that is read; 0: as many as the network has positions.
        pad, begin, end: the ids of these special tokens; None where there are none, or no tokenizer.
        multi_label: whether a text may have several of the classes.
        rows: (V,) which token of ours each row of their table of words is; empty where the order is ours.
    """

    classes: tuple[str, ...] = ()
    max_tokens: int = 0
    pad: int | None = None
    begin: int | None = None
    end: int | None = None
    multi_label: bool = False
    rows: tuple[int, ...] = ()

    def special_tokens(self) -> dict[str, int]:
        """The fields of a config.json that say which tokens are special."""
        named = {"pad_token_id": self.pad, "bos_token_id": self.begin, "eos_token_id": self.end}
        return {name: place for name, place in named.items() if place is not None}

    def labels(self, config: Any) -> dict[str, Any]:
        """The fields of a config.json that name classes, given a config of ours; none for other tasks."""
        if config.task not in (*_PROBLEMS, "tagging"):
            return {}
        names = self.classes or [f"LABEL_{place}" for place in range(config.output_size)]
        problem = "multi_label_classification" if self.multi_label else _PROBLEMS.get(config.task)
        return labelled(names) | ({"problem_type": problem} if problem else {})


NOTHING_KNOWN = TextFacts()
"""Nothing is known."""
_PROBLEMS = {"classification": "single_label_classification", "regression": "regression"}


def bert_names(
    prefix: str = "bert.",
    heads: Mapping[str, str] | None = None,
    layer: str = "encoder.layer.{l}",
    block: Mapping[str, str] = BLOCK,
    embeddings: Mapping[str, str] = EMBEDDINGS,
    pooler: Mapping[str, str] = POOLER,
) -> KeyMap:
    """The tensor names of a variant of BERT, theirs to ours: of every module its ``weight`` and its ``bias``.

    Ours have queries, keys and values apart: ``blocks.0.attention.q.weight``, ``k``, ``v``.

    Args:
        prefix: what body and pooler begin with, with its dot; empty for a body without heads.
        heads: modules above, which have no prefix, and ours. A name that ends with ``.weight`` or ``.bias``
            is a tensor's.
        layer: where a layer's modules are; ``{l}`` is its number.
        block, embeddings, pooler: the modules.
    """
    modules = {f"{prefix}{layer}.{theirs}": f"blocks.{{l}}.{ours}" for theirs, ours in block.items()}
    modules |= {f"{prefix}{theirs}": ours for theirs, ours in {**embeddings, **pooler}.items()}
    rules: dict[str, str] = {}
    for theirs, ours in {**modules, **(heads or {})}.items():
        if theirs.endswith((".weight", ".bias")):
            rules[theirs] = ours
        else:
            rules |= {f"{theirs}.{part}": f"{ours}.{part}" for part in ("weight", "bias")}
    return KeyMap(rules)


def fitted(
    architecture: str, config: Mapping[str, Any], theirs: Mapping[str, Tensor], names: KeyMap, source: str
) -> dict[str, Tensor]:
    """The state dict of a model of ours, in float32, from the tensors of a file.

    Args:
        architecture, config: of the model; they decide which tensors there must be, and of which sizes.
        theirs: no others than those that the model has.
        names: from theirs to ours, with q, k and v apart, as `bert_names` makes them.
        source: where they come from, for the message.

    Raises:
        UserError: names the missing, the unknown and the misshapen tensors together, as the file names them.
    """
    renamed = names.apply(theirs)
    entry = find(architecture)
    shadow = without_memory(entry, configure(entry.id, config, source=source), theirs, source)
    wanted = split_projections(shadow.state_dict())
    back = names.reverse()
    found = renamed.tensors

    def of_theirs(name: str) -> str:
        return back.rename(name) or name

    faults = {
        "missing": [of_theirs(name) for name in wanted if name not in found],
        "unknown": [*renamed.unmatched, *(of_theirs(name) for name in found if name not in wanted)],
        "wrong shape": [
            f"{of_theirs(name)} {tuple(found[name].shape)} for {tuple(tensor.shape)}"
            for name, tensor in wanted.items()
            if name in found and found[name].shape != tensor.shape
        ],
    }
    found_faults = [f"{fault}: {some_of(listed)}" for fault, listed in faults.items() if listed]
    rule = f"they do not fit a {architecture} of the sizes that its config says; {'; '.join(found_faults)}"
    require(not found_faults, source, f"{len(theirs)} tensors", rule)
    return join_projections({name: tensor.float() for name, tensor in found.items()}, source)


def foreign(tensors: Mapping[str, Tensor], names: KeyMap) -> dict[str, Tensor]:
    """The way back: the tensors of a state dict of ours, each with its own memory, under their names."""
    apart = split_projections({name: tensor.detach().cpu() for name, tensor in tensors.items()})
    back, theirs = names.reverse(), {}
    for name, tensor in apart.items():
        new = back.rename(name)
        assert new is not None, f"{name} has no name of theirs"
        theirs[new] = tensor.clone().contiguous()
    return theirs


def modern(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the buffer of position numbers; ``gamma`` and ``beta`` of old files under their new names."""
    parts = {"gamma": "weight", "beta": "bias"}
    kept = {}
    for name, tensor in theirs.items():
        module, _, part = name.rpartition(".")
        if part in parts and module.endswith("LayerNorm"):
            name = f"{module}.{parts[part]}"
        if not name.endswith(("embeddings.position_ids", "embeddings.token_type_ids")):
            kept[name] = tensor
    return kept


def without_copies(theirs: Mapping[str, Tensor], copies: Mapping[str, str], source: str) -> dict[str, Tensor]:
    """Without tensors that are stored twice.

    Args:
        copies: the name of a copy, and that of what it must equal. Where only the copy is there it takes
            the other's place.

    Raises:
        UserError: they differ: then the two are not tied, as ours are.
    """
    kept = dict(theirs)
    for copy, original in copies.items():
        if copy in kept:
            tensor = kept.pop(copy)
            same = torch.equal(kept.setdefault(original, tensor), tensor)
            require(same, source, copy, f"differs from {original}; in ours the two are one")
    return kept


def activation_of(fields: Fields, name: str, default: str = "gelu") -> str:
    """Our name of the function that a field names."""
    return fields.one_of(name, ACTIVATIONS, default)


def sequence_head(fields: Fields, count: int, source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """``(config, reader)`` of a head for a whole text; ``problem_type`` says of which kind.

    Args:
        count: its outputs.

    Raises:
        UserError: the problem is not known, or its classes are not named once each.
    """
    problem, names = fields.get("problem_type"), list(labels_of(fields, count, source))
    known = ("regression", "single_label_classification", "multi_label_classification")
    require(problem is None or problem in known, source, problem, "is an unknown problem_type", known)
    if problem == "regression" or (problem is None and count == 1):
        values = {"kind": "packed-values", "name": names[0], **({"names": names} if count > 1 else {})}
        return {"task": "regression", "output_size": count}, values
    kind = "packed-labels" if problem == "multi_label_classification" else "packed-classes"
    return {"task": "classification", "output_size": count}, {"kind": kind, "classes": names}


def labels_of(config: Mapping[str, Any], count: int, source: str) -> tuple[str, ...]:
    """The names of classes, in the order of ``id2label``; their numbers where it is missing.

    Raises:
        UserError: it does not name each of ``count`` classes once.
    """
    named = config.get("id2label")
    if named is None:
        return tuple(f"LABEL_{place}" for place in range(count))
    fits = isinstance(named, dict) and {str(place) for place in named} == {str(p) for p in range(count)}
    require(fits, source, named, f"id2label must name each of {count} classes")
    labels = tuple(str(named[str(p)] if str(p) in named else named[p]) for p in range(count))
    require(len(set(labels)) == count, source, labels, "id2label must not name two classes alike")
    return labels


def labelled(classes: Sequence[str]) -> dict[str, Any]:
    """The fields of a config.json that name classes."""
    return {
        "id2label": {str(place): label for place, label in enumerate(classes)},
        "label2id": {label: place for place, label in enumerate(classes)},
    }


def their_activation(activation: str) -> str:
    """Their name of a function of ours."""
    return next(theirs for theirs, ours in ACTIVATIONS.items() if ours == activation)

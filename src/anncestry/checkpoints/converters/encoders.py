"""What the converters of BERT and its kin share: names, projections, config, and what fits.

A converter says in which names a file's tensors are written (`bert_names`), and with which config ours is
built; `fitted` does the rest, `foreign` the way back:

>>> names = bert_names("roberta.")
>>> names.rename("roberta.encoder.layer.3.attention.self.query.weight")
'blocks.3.attention.q.weight'
>>> names.reverse().rename("blocks.3.feed_forward.out.bias")
'roberta.encoder.layer.3.output.dense.bias'

Queries, keys and values are apart in all of these files, and one matrix in ours.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from anncestry.checkpoints.converters.transformers import join_projections, split_projections
from anncestry.checkpoints.rename import KeyMap
from anncestry.checkpoints.store import read_tensors, some_of
from anncestry.errors import UserError, require
from anncestry.models.create import create

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
BOOKKEEPING = frozenset({
    "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "_name_or_path",
    "name_or_path", "initializer_range", "use_cache", "gradient_checkpointing", "output_attentions",
    "output_hidden_states", "output_past", "return_dict", "use_return_dict", "torchscript", "id2label",
    "label2id", "num_labels", "_num_labels", "problem_type", "finetuning_task", "task_specific_params",
    "pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id",
    "unk_token_id", "decoder_start_token_id", "tokenizer_class", "language", "name", "prefix",
    "chunk_size_feed_forward", "is_encoder_decoder", "tie_word_embeddings", "tie_encoder_decoder",
    "cross_attention_hidden_size", "pruned_heads", "attn_implementation", "_attn_implementation",
    "_attn_implementation_autoset", "use_bfloat16", "tf_legacy_loss",
})  # fmt: skip
"""Keys of a config.json that change nothing in what a body computes."""


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


def bert_names(
    prefix: str = "bert.",
    heads: Mapping[str, str] | None = None,
    layer: str = "encoder.layer.{l}",
    block: Mapping[str, str] = BLOCK,
    embeddings: Mapping[str, str] = EMBEDDINGS,
    pooler: Mapping[str, str] = POOLER,
) -> KeyMap:
    """The names of a file of BERT's kin, and ours: of every module its ``weight`` and its ``bias``.

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
    with torch.device("meta"):
        wanted = split_projections(create(architecture, **config).state_dict())
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
    told = [f"{fault}: {some_of(listed)}" for fault, listed in faults.items() if listed]
    rule = f"they do not fit a {architecture} of the sizes that its config says; {'; '.join(told)}"
    require(not told, source, f"{len(theirs)} tensors", rule)
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


def read_hugging_face(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """config.json, and the tensors of model.safetensors.

    Raises:
        UserError: one is missing, damaged, or a pickle.
    """
    config = read_object(folder / "config.json")
    weights = folder / "model.safetensors"
    if not weights.is_file() and (folder / "pytorch_model.bin").is_file():
        weights = folder / "pytorch_model.bin"  # is refused, with the reason
    return config, read_tensors(weights)[0]


def holds_model_of(path: str | Path, types: Collection[str]) -> bool:
    """Whether a Hugging Face folder, or a file in it, is of a network of one of these types."""
    path = Path(path)
    if not path.is_dir() and path.suffix not in (".safetensors", ".bin", ".json"):
        return False
    config = (path if path.is_dir() else path.parent) / "config.json"
    return config.is_file() and read_object(config).get("model_type") in types


def read_object(path: Path) -> dict[str, Any]:
    """The object of a JSON file.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError("file", str(path), "cannot be read: there is no such file") from error
    except (ValueError, OSError, RecursionError) as error:
        raise UserError("file", str(path), f"cannot be read as JSON ({error})") from error
    require(isinstance(value, dict), "file", str(path), "must hold an object")
    return value


class Fields:
    """The fields of a config.json, read with care; what nobody asked for is told at the end.

    Args:
        values: the object.
        source: for messages.
    """

    def __init__(self, values: Mapping[str, Any], source: str) -> None:
        self.values, self.source = values, source
        self._asked: set[str] = set(BOOKKEEPING)

    def size(self, name: str, default: int | None = None) -> int:
        """A whole number of at least 0; required where there is no default."""
        value = self._value(name, default)
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        require(whole, self.source, value, f"{name} must be a whole number of at least 0")
        return value

    def number(self, name: str, default: float) -> float:
        """A number; null is the default."""
        value = self._value(name, default)
        value = default if value is None else value
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        require(fits, self.source, value, f"{name} must be a number")
        return float(value)

    def activation(self, name: str, default: str = "gelu") -> str:
        """Our name of a function."""
        value = self._value(name, default)
        known = isinstance(value, str) and value in ACTIVATIONS
        require(known, self.source, value, f"is an unknown {name}", ACTIVATIONS)
        return ACTIVATIONS[value]

    def must_be(self, name: str, usual: Any) -> None:
        """A field that makes another network where it is not as usual."""
        value = self._value(name, usual)
        fits = value == usual or (value is None and not usual)
        require(fits, self.source, value, f"{name} makes another network than ours; must be", [usual])

    def ignore(self, *names: str) -> None:
        """Fields that need not be read."""
        self._asked |= set(names)

    def notes(self) -> tuple[str, ...]:
        """A note on keys that were not read, if there are any."""
        unknown = sorted(set(self.values) - self._asked)
        if not unknown:
            return ()
        return (f"the config has keys that are not known here and were not heeded: {some_of(unknown)}",)

    def _value(self, name: str, default: Any) -> Any:
        self._asked.add(name)
        if name not in self.values and default is None:
            raise UserError(self.source, sorted(self.values), f"its config must say {name}")
        return self.values.get(name, default)


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

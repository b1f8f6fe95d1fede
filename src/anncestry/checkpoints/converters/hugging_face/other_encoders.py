"""XLM, FlauBERT, XLNet and MobileBERT: Hugging Face's folders, both ways.

The tables of their tensor names are in `anncestry.checkpoints.converters.hugging_face.other_encoder_rows`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from anncestry.checkpoints.converters.encoder_names import (
    NOTHING_KNOWN,
    Exported,
    TextFacts,
    fitted,
    foreign,
    labels_of,
    modern,
    sequence_head,
    without_copies,
)
from anncestry.checkpoints.converters.hugging_face.other_encoder_rows import (
    OTHER_ENCODERS,
    OtherEncoder,
    mobile_body,
    silent_filler,
    whole_table,
)
from anncestry.checkpoints.converters.hugging_face.sentence_transformers import of_sentences
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.rename import KeyMap
from anncestry.errors import require
from anncestry.fields import Fields

_CLASS_OF = {
    "embedding": "Model",
    "classification": "ForSequenceClassification",
    "regression": "ForSequenceClassification",
    "tagging": "ForTokenClassification",
    "span": "ForQuestionAnsweringSimple",
}
_OF_TEXTS = (".attention.segment_bias", ".attention.segments")
"""Tensors of XLNet that tell segments apart."""
_SUMMARY = "sequence_summary.summary.bias"


def is_other_encoder(files: ForeignFiles) -> bool:
    """Whether config.json names one of `OTHER_ENCODERS`."""
    return files.model_type in OTHER_ENCODERS


def from_other_encoder(files: ForeignFiles, _: str | None = None) -> Imported:
    """The network of what `is_other_encoder` accepts.

    Raises:
        UserError: a file is missing, a pickle or damaged; tensors are missing, unknown or misshapen; the
            config is of a network that is not one of ours.
    """
    source, folder, fields, kind = files.name, files.folder, files.config, str(files.model_type)
    encoder, theirs = OTHER_ENCODERS[kind], files.weights
    prefix = encoder.prefix if any(name.startswith(encoder.prefix) for name in theirs) else ""
    heads = {name for listed in encoder.heads.values() for name in listed}

    def of_body(name: str) -> bool:
        return not any(name.startswith(head) for head in (*heads, *encoder.tied))

    copies = {c: n if n.startswith("cls.") else prefix + n for c, n in encoder.tied.items()}
    theirs = without_copies(whole_table(modern(theirs), copies), copies, source)
    poolers = tuple(name for name in theirs if name.startswith(f"{prefix}pooler."))
    sizes = encoder.read(fields)
    said, task, reader = _task(encoder, fields, theirs, sizes, source)
    notes: tuple[str, ...] = ()
    pools = task in ("classification", "regression") or said.get("num_relations", 0) > 0
    pools = pools and sizes.get("pooler", True)
    sizes |= {"pooler": pools} if "pooler" in sizes else {}
    if poolers and not pools:
        theirs = {name: tensor for name, tensor in theirs.items() if name not in poolers}
        notes = (f"the pooler was left out: {task} does not use it",)
    ours = {"seq_len": min(128, sizes.get("num_positions", 128)), **sizes, **said}
    lead = {name: name if not of_body(name) else name.removeprefix(prefix) for name in theirs}
    inner = encoder.inwards({lead[name]: tensor for name, tensor in theirs.items()})
    if "logits_proj.weight" in inner and "sequence_summary.summary.weight" not in inner:  # tanh alone
        width = sizes["hidden_size"]
        inner["sequence_summary.summary.weight"] = torch.eye(width)
        inner[_SUMMARY] = torch.zeros(width)
    names = _names(encoder, task, ours.get("num_feed_forwards", 0))
    tensors = _own_projections(kind, fitted(kind, ours, inner, names, source))
    notes += fields.notes()
    if kind == "xlnet":
        notes += (f"separator={ours['separator']} is assumed: no config says it (set separator=N)",)
    reader = reader and {**reader, "max_tokens": sizes.get("num_positions", 512)}
    optional = _OF_TEXTS if kind == "xlnet" else ()
    return Imported(kind, ours, tensors, None, notes, folder if reader else None, reader, optional)


def _own_projections(kind: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """XLNet's queries have a projection of their own, which its query stream uses too."""
    if kind != "xlnet":
        return tensors
    ours = {}
    for name, tensor in tensors.items():
        if name.endswith("attention.qkv.weight"):
            query, rest = tensor.split([len(tensor) // 3, 2 * len(tensor) // 3])
            ours[name.replace("qkv", "query")] = query.contiguous()
            ours[name.replace("qkv", "keys_values")] = rest.contiguous()
        else:
            ours[name] = tensor
    return ours


def _names(encoder: OtherEncoder, task: str, feed_forwards: int) -> KeyMap:
    """From theirs, the body without its prefix, to ours."""
    body = mobile_body(feed_forwards) if encoder.name == "MobileBert" else encoder.body
    head = encoder.heads["classification" if task == "regression" else task]
    rules = {}
    for theirs, ours in {**body, **head}.items():
        if theirs.endswith(("!", ".weight", ".bias")):
            rules[theirs.removesuffix("!")] = ours.removesuffix("!")
        else:
            rules |= {f"{theirs}.{part}": f"{ours}.{part}" for part in ("weight", "bias")}
    return KeyMap(rules)


def _task(
    encoder: OtherEncoder,
    config: Fields,
    theirs: Mapping[str, Tensor],
    sizes: Mapping[str, Any],
    source: str,
) -> tuple[dict[str, Any], str, dict[str, Any] | None]:
    """``(config, task, reader)``, by the tensors above the body."""
    if any(name in theirs for name in ("pred_layer.proj.bias", "lm_loss.bias", "cls.predictions.bias")):
        relations = len(theirs.get("cls.seq_relationship.bias", ()))
        said = {"task": "masked-lm", "output_size": sizes["input_size"], "num_relations": relations}
        return said, "masked-lm", {"kind": "packed-masked"}
    if "qa_outputs.weight" in theirs:
        return {"task": "span", "output_size": 2}, "span", {"kind": "packed-span"}
    listed = config.texts("architectures") or ("",)
    many = listed[0].endswith("ForMultipleChoice")
    require(not many, source, listed[0], "chooses between texts, which is not a task here")
    tags = listed[0].endswith("ForTokenClassification") or (encoder.summary and "classifier.bias" in theirs)
    if encoder.summary and (listed[0].endswith("ForSequenceClassification") or _SUMMARY in theirs):
        for name, usual in encoder.summary.items():
            config.must_be(name, usual)
    for name in (_SUMMARY, "logits_proj.bias", "classifier.bias"):
        above = name == _SUMMARY and "logits_proj.bias" in theirs
        if name not in theirs or above:
            continue
        count = len(theirs[name])
        if tags:
            said = {"task": "tagging", "output_size": count}
            labels = list(labels_of(config, count, source))
            return said, "tagging", {"kind": "packed-tags", "tags": labels}
        said, reader = sequence_head(config, count, source)
        return said, said["task"], reader
    said = {"task": "embedding", "output_size": sizes["hidden_size"], "pooling": "mean"}
    return said, "embedding", {"kind": "packed-vectors", "cut": True}


def to_other_encoder(
    kind: str,
    tensors: Mapping[str, Tensor],
    config: Any,
    facts: TextFacts = NOTHING_KNOWN,
) -> Exported:
    """The files of a network of ours, for the class of transformers that has its task.

    Args:
        kind: ``xlm``, ``flaubert``, ``xlnet`` or ``mobilebert``.
        tensors: the state dict.
        config: its config.
        facts: how it reads texts and names its classes.

    Raises:
        UserError: transformers has no such network; names the field and what it would have to be.
    """
    encoder, task = OTHER_ENCODERS[kind], config.task
    described = {"tie_word_embeddings": True} | encoder.write(config)
    names = _names(encoder, task, getattr(config, "num_feed_forwards", 0))
    theirs = encoder.outwards(foreign(tensors, names), config)
    heads = tuple(encoder.heads["classification" if task == "regression" else task])
    prefix = "" if task == "embedding" else encoder.prefix
    theirs = {n if heads and n.startswith(heads) else f"{prefix}{n}": t for n, t in theirs.items()}
    ending = encoder.lm_class if task == "masked-lm" else _CLASS_OF[task]
    if encoder.name == "MobileBert":
        ending = "ForPreTraining" if config.num_relations else ending.removesuffix("Simple")
    if encoder.name == "MobileBert":
        theirs, untied = silent_filler(theirs, prefix, facts.pad or 0)
        described |= untied
    described |= {
        "architectures": [f"{encoder.name}{ending}"], "model_type": kind, "dtype": "float32",
        **facts.special_tokens(), **facts.labels(config),
    }  # fmt: skip
    pooled = "MobileBertModel" if encoder.name == "MobileBert" else ""
    return of_sentences(Exported(described, theirs), config, facts, pooled)

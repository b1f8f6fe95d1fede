"""XLM, FlauBERT, XLNet and MobileBERT: Hugging Face's folders, both ways.

What sets their files apart is in `anncestry.checkpoints.converters.hugging_face.other_encoder_rows`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from anncestry.checkpoints.converters.encoder_names import (
    UNTOLD,
    Exported,
    Reads,
    answer_about_text,
    fitted,
    foreign,
    labels_of,
    modern,
    without_copies,
)
from anncestry.checkpoints.converters.hugging_face.other_encoder_rows import (
    FAMILIES,
    Family,
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
"""Of XLNet, where it tells texts apart."""
_SUMMARY = "sequence_summary.summary.bias"
BEYOND_BERT = tuple(FAMILIES)


def is_beyond_bert(files: ForeignFiles) -> bool:
    """Whether it is of one of these families."""
    return files.model_type in FAMILIES


def from_beyond_bert(files: ForeignFiles, _: str | None = None) -> Imported:
    """The network of what `is_beyond_bert` accepts.

    Raises:
        UserError: a file is missing, a pickle or damaged; tensors are missing, unknown or misshapen; the
            config is of a network that is not one of ours.
    """
    source, folder, fields, kind = files.name, files.folder, files.config, str(files.model_type)
    family, theirs = FAMILIES[kind], files.weights
    prefix = family.prefix if any(name.startswith(family.prefix) for name in theirs) else ""
    heads = {name for listed in family.heads.values() for name in listed}

    def of_body(name: str) -> bool:
        return not any(name.startswith(head) for head in (*heads, *family.copies))

    copies = {c: n if n.startswith("cls.") else prefix + n for c, n in family.copies.items()}
    theirs = without_copies(whole_table(modern(theirs), copies), copies, source)
    poolers = tuple(name for name in theirs if name.startswith(f"{prefix}pooler."))
    sizes = family.read(fields)
    said, task, reader = _task(family, fields, theirs, sizes, source)
    notes: tuple[str, ...] = ()
    asks = task in ("classification", "regression") or said.get("num_relations", 0) > 0
    asks = asks and sizes.get("pooler", True)
    sizes |= {"pooler": asks} if "pooler" in sizes else {}
    if poolers and not asks:
        theirs = {name: tensor for name, tensor in theirs.items() if name not in poolers}
        notes = (f"the pooler was left out: {task} does not ask it",)
    ours = {"seq_len": min(128, sizes.get("num_positions", 128)), **sizes, **said}
    lead = {name: name if not of_body(name) else name.removeprefix(prefix) for name in theirs}
    inner = family.inwards({lead[name]: tensor for name, tensor in theirs.items()})
    if "logits_proj.weight" in inner and "sequence_summary.summary.weight" not in inner:  # tanh alone
        width = sizes["hidden_size"]
        inner["sequence_summary.summary.weight"] = torch.eye(width)
        inner[_SUMMARY] = torch.zeros(width)
    names = _names(family, task, ours.get("num_feed_forwards", 0))
    tensors = _own_projections(kind, fitted(kind, ours, inner, names, source))
    notes += fields.notes()
    if kind == "xlnet":
        notes += (f"separator={ours['separator']} is assumed: no config says it (--set separator=N)",)
    reader = reader and {**reader, "max_tokens": sizes.get("num_positions", 512)}
    optional = _OF_TEXTS if kind == "xlnet" else ()
    return Imported(kind, ours, tensors, None, notes, folder if reader else None, reader, optional)


def _own_projections(kind: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """XLNet's queries are projected by themselves: another stream asks with them too."""
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


def _names(family: Family, task: str, feed_forwards: int) -> KeyMap:
    """From theirs, the body without its prefix, to ours."""
    body = mobile_body(feed_forwards) if family.name == "MobileBert" else family.body
    head = family.heads["classification" if task == "regression" else task]
    rules = {}
    for theirs, ours in {**body, **head}.items():
        if theirs.endswith(("!", ".weight", ".bias")):
            rules[theirs.removesuffix("!")] = ours.removesuffix("!")
        else:
            rules |= {f"{theirs}.{part}": f"{ours}.{part}" for part in ("weight", "bias")}
    return KeyMap(rules)


def _task(
    family: Family,
    config: Fields,
    theirs: Mapping[str, Tensor],
    sizes: Mapping[str, Any],
    source: str,
) -> tuple[dict[str, Any], str, dict[str, Any] | None]:
    """``(config, task, reader)``: what the tensors above the body are for."""
    if any(name in theirs for name in ("pred_layer.proj.bias", "lm_loss.bias", "cls.predictions.bias")):
        asks = len(theirs.get("cls.seq_relationship.bias", ()))
        said = {"task": "masked-lm", "output_size": sizes["input_size"], "num_relations": asks}
        return said, "masked-lm", {"kind": "packed-masked"}
    if "qa_outputs.weight" in theirs:
        return {"task": "span", "output_size": 2}, "span", {"kind": "packed-span"}
    listed = config.texts("architectures") or ("",)
    many = listed[0].endswith("ForMultipleChoice")
    require(not many, source, listed[0], "chooses between texts, which is not a task here")
    tags = listed[0].endswith("ForTokenClassification") or (family.summary and "classifier.bias" in theirs)
    if family.summary and (listed[0].endswith("ForSequenceClassification") or _SUMMARY in theirs):
        for name, usual in family.summary.items():
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
        said, reader = answer_about_text(config, count, source)
        return said, said["task"], reader
    said = {"task": "embedding", "output_size": sizes["hidden_size"], "pooling": "mean"}
    return said, "embedding", {"kind": "packed-vectors", "cut": True}


def to_beyond_bert(
    kind: str,
    tensors: Mapping[str, Tensor],
    config: Any,
    reads: Reads = UNTOLD,
) -> Exported:
    """The files of a network of ours, for the class of theirs that has its task.

    Args:
        kind: ``xlm``, ``flaubert``, ``xlnet`` or ``mobilebert``.
        tensors: the state dict.
        config: its config.
        reads: how it reads and answers.

    Raises:
        UserError: they have no such network; names the field and what it would have to be.
    """
    family, task = FAMILIES[kind], config.task
    described = {"tie_word_embeddings": True} | family.write(config)
    names = _names(family, task, getattr(config, "num_feed_forwards", 0))
    theirs = family.outwards(foreign(tensors, names), config)
    heads = tuple(family.heads["classification" if task == "regression" else task])
    prefix = "" if task == "embedding" else family.prefix
    theirs = {n if heads and n.startswith(heads) else f"{prefix}{n}": t for n, t in theirs.items()}
    ending = family.words if task == "masked-lm" else _CLASS_OF[task]
    if family.name == "MobileBert":
        ending = "ForPreTraining" if config.num_relations else ending.removesuffix("Simple")
    if family.name == "MobileBert":
        theirs, told = silent_filler(theirs, prefix, reads.pad or 0)
        described |= told
    described |= {
        "architectures": [f"{family.name}{ending}"], "model_type": kind, "dtype": "float32",
        **reads.ids(), **reads.answers(config),
    }  # fmt: skip
    pooled = "MobileBertModel" if family.name == "MobileBert" else ""
    return of_sentences(Exported(described, theirs), config, reads, pooled)

"""BERT: Hugging Face's folders, both ways, and the authors' checkpoints for TensorFlow.

Hugging Face: ``config.json`` and ``model.safetensors`` of BertModel, BertForPreTraining, BertForMaskedLM,
BertForNextSentencePrediction, BertForSequenceClassification, BertForTokenClassification and
BertForQuestionAnswering. Which one it is shows in its tensors, and the names of classes in ``id2label``.

The authors': ``bert_model.ckpt`` in its three files, ``bert_config.json`` and ``vocab.txt``; also what their
programs for classes (``output_weights``) and for questions (``cls/squad/...``) write.

The table of words is the readout of masked tokens too; a copy of it in a file must equal it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from anncestry.checkpoints.converters.encoder_names import (
    NOTHING_KNOWN,
    Exported,
    TextFacts,
    activation_of,
    bert_names,
    fitted,
    foreign,
    labels_of,
    modern,
    sequence_head,
    their_activation,
    without_copies,
)
from anncestry.checkpoints.converters.hugging_face.sentence_transformers import of_sentences
from anncestry.checkpoints.foreign_files import BOOKKEEPING, CONFIG, ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.rename import KeyMap
from anncestry.checkpoints.store import some_of
from anncestry.errors import require
from anncestry.fields import Fields

_PREFIX = "bert."
_WORDS = {
    "cls.predictions.transform.dense": "head.linear",
    "cls.predictions.transform.LayerNorm": "head.norm",
    "cls.predictions.bias": "head.readout.bias",
}
_RELATION = "cls.seq_relationship"
_RELATIONS = ("next", "random")  # their classes of next-sentence prediction
_CLASSES, _SPAN = "classifier", "qa_outputs"
_CHOICE = "BertForMultipleChoice"
_IGNORED = (
    "classifier_dropout", "directionality", "pooler_fc_size", "pooler_num_attention_heads",
    "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type",
)  # fmt: skip
_CONFIGS = (CONFIG, "bert_config.json")
_TF_LAYER = "bert/encoder/layer_0/attention/self/query/kernel"
_TRAINING = re.compile(
    r"(.*/)?(adam_[mv]|lamb_[mv]|Adam(_[0-9]+)?|AdamWeightDecayOptimizer(_[0-9]+)?|global_step"
    r"|beta[12]_power|signal_early_stopping(/.*)?|(current_)?loss_scale|good_steps|bad_steps)"
)
_TF_WHOLE = {
    "cls/predictions/output_bias": "cls.predictions.bias",
    "cls/seq_relationship/output_weights": f"{_RELATION}.weight",
    "cls/seq_relationship/output_bias": f"{_RELATION}.bias",
    "cls/squad/output_weights": f"{_SPAN}.weight",
    "cls/squad/output_bias": f"{_SPAN}.bias",
    "output_weights": f"{_CLASSES}.weight",
    "output_bias": f"{_CLASSES}.bias",
}
_TF_PARTS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
_CLASS_OF = {
    "embedding": "BertModel",
    "classification": "BertForSequenceClassification",
    "regression": "BertForSequenceClassification",
    "tagging": "BertForTokenClassification",
    "span": "BertForQuestionAnswering",
}


class _Task(NamedTuple):
    """The task of a file's tensors.

    Attributes:
        config: the fields of our config that say it.
        heads: modules above the body, theirs -> ours.
        pools: whether the head reads the pooler.
        reader: the JSON of what reads texts for it, as in `Imported`; None where nothing here does.
        notes: what was assumed.
    """

    config: dict[str, Any]
    heads: Mapping[str, str]
    pools: bool
    reader: dict[str, Any] | None
    notes: tuple[str, ...] = ()


def is_bert(files: ForeignFiles) -> bool:
    """Whether it is BERT's."""
    if files.bundle is not None:
        return _TF_LAYER in files.bundled
    if not files.of_folder:
        return False
    if CONFIG in files.names:
        if "model_type" in files.config:
            return files.model_type == "bert"
        return str(_class_of(files.config)).startswith("Bert")
    return _CONFIGS[1] in files.names


def from_bert(files: ForeignFiles, _: str | None = None) -> Imported:
    """The network of what `is_bert` accepts.

    Raises:
        UserError: a file is missing, a pickle or damaged; tensors are missing, unknown or misshapen; the
            config is of a network that is not one of ours.
    """
    if files.bundle is None:
        return _imported(files.config, files.weights, files.name, files.folder)
    beside = next((name for name in reversed(_CONFIGS) if name in files.names), _CONFIGS[1])
    config, theirs = files.json(beside, BOOKKEEPING), _read_tensorflow(files)
    notes = ()
    if config.get("hidden_act", "gelu") == "gelu":
        why = "the authors' program computes x Phi(x) by a tanh since February 2019"
        notes = (f"activation=gelu is assumed: {why} (set activation=gelu-tanh)",)
    return _imported(config, theirs, files.name, files.folder, notes)


def _imported(
    fields: Fields,
    theirs: Mapping[str, Tensor],
    source: str,
    folder: Path | None,
    notes: tuple[str, ...] = (),
) -> Imported:
    """The network of tensors under Hugging Face's names."""
    theirs = modern(theirs)
    prefix = _PREFIX if any(name.startswith(_PREFIX) for name in theirs) else ""
    copies = {
        "cls.predictions.decoder.weight": f"{prefix}embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    }
    theirs = without_copies(theirs, copies, source)
    sizes = _sizes(fields)
    task = _task(fields, theirs, source, sizes, f"{prefix}pooler.dense.weight" in theirs)
    names = bert_names(prefix, task.heads)
    if not task.pools and any(name.startswith(f"{prefix}pooler.") for name in theirs):
        theirs = {name: t for name, t in theirs.items() if not name.startswith(f"{prefix}pooler.")}
        notes += (f"the pooler was left out: {task.config['task']} does not use it",)
    ours = {**sizes, **task.config}
    tensors = fitted("bert", ours, theirs, names, source)
    reader = task.reader and {**task.reader, "max_tokens": sizes["num_positions"]}
    notes += (*task.notes, *fields.notes())
    folder = folder if reader else None
    return Imported("bert", ours, tensors, None, notes, folder, reader, ("pooler.",))


def _sizes(fields: Fields) -> dict[str, Any]:
    """What a config says of the body."""
    for name, usual in (
        ("is_decoder", False),
        ("add_cross_attention", False),
        ("position_embedding_type", "absolute"),
    ):
        fields.must_be(name, usual)
    fields.ignore(*_IGNORED)
    width, inner = fields.size("hidden_size"), fields.size("intermediate_size")
    num_positions = fields.size("max_position_embeddings", 512)
    return {
        "input_size": fields.size("vocab_size"),
        "hidden_size": width,
        "num_layers": fields.size("num_hidden_layers"),
        "num_heads": fields.size("num_attention_heads"),
        "inner_size": 0 if inner == 4 * width else inner,
        "num_positions": num_positions,
        "num_segments": fields.size("type_vocab_size", 2),
        "dropout": fields.number("hidden_dropout_prob", 0.1),
        "attention_dropout": fields.number("attention_probs_dropout_prob", 0.1),
        "activation": activation_of(fields, "hidden_act"),
        "norm_eps": fields.number("layer_norm_eps", 1e-12),
        "seq_len": min(128, num_positions),
    }


def _task(
    config: Fields,
    theirs: Mapping[str, Tensor],
    source: str,
    sizes: Mapping[str, Any],
    pooler: bool,
) -> _Task:
    """The task, by the tensors above the body."""
    relation, classes = theirs.get(f"{_RELATION}.weight"), theirs.get(f"{_CLASSES}.weight")
    if any(name.startswith("cls.predictions.") for name in theirs):
        relations = 0 if relation is None else len(relation)
        task = {"task": "masked-lm", "output_size": sizes["input_size"], "num_relations": relations}
        heads = _WORDS if relation is None else {**_WORDS, _RELATION: "relation"}
        return _Task(task, heads, relation is not None, {"kind": "packed-masked"})
    if relation is not None:
        task = {"task": "classification", "output_size": len(relation)}
        rule = f"must have {len(_RELATIONS)} outputs, for the next sentence or not"
        require(len(relation) == len(_RELATIONS), source, tuple(relation.shape), rule)
        return _Task(task, {_RELATION: "head"}, True, {**_classes_reader(_RELATIONS), "pairs": True})
    if classes is not None:
        return _classifier(config, classes, source, pooler)
    if f"{_SPAN}.weight" in theirs:
        task = {"task": "span", "output_size": 2}
        return _Task(task, {_SPAN: "head"}, False, {"kind": "packed-span"})
    task = {"task": "embedding", "output_size": sizes["hidden_size"], "pooling": "mean"}
    notes = ()
    if pooler:
        task["pooling"] = "pooler"
        notes = ("pooling=pooler is assumed: the file holds one (set pooling=mean leaves it out)",)
    return _Task(task, {}, pooler, {"kind": "packed-vectors", "cut": True}, notes)


def _classifier(config: Fields, weight: Tensor, source: str, pooler: bool) -> _Task:
    """A head for a whole text, or for each token."""
    what = _class_of(config)
    require(what != _CHOICE, source, what, "chooses between texts, which is not a task here")
    count, heads = len(weight), {_CLASSES: "head"}
    of_text = what == _CLASS_OF["classification"]
    if what == _CLASS_OF["tagging"] or not (of_text or pooler):
        reader = {"kind": "packed-tags", "tags": list(labels_of(config, count, source))}
        return _Task({"task": "tagging", "output_size": count}, heads, False, reader)
    task, reader = sequence_head(config, count, source)
    return _Task(task, heads, True, reader)


def _classes_reader(classes: Sequence[str]) -> dict[str, Any]:
    return {"kind": "packed-classes", "classes": list(classes)}


def _class_of(config: Mapping[str, Any]) -> str | None:
    """The class of transformers that wrote a config, where it says so."""
    listed = config.get("architectures")
    return str(listed[0]) if isinstance(listed, list) and listed else None


# ---- the way back ---------------------------------------------------------------------------------------


def to_bert(tensors: Mapping[str, Tensor], config: Any, facts: TextFacts = NOTHING_KNOWN) -> Exported:
    """The files of a BERT of ours, for the class of transformers that has its task.

    Args:
        tensors: the state dict.
        config: its `BertConfig`.
        facts: how it reads texts and names its classes.

    Raises:
        UserError: transformers has no such BERT; names the field and what it would have to be.
    """
    width = config.hidden_size
    for name, fits, wanted in (
        ("embed_dim", config.embed_dim in (0, width), width),
        ("num_relations", config.num_relations in (0, len(_RELATIONS)), len(_RELATIONS)),
    ):
        require(fits, name, getattr(config, name), "Hugging Face's BERT has another one", [wanted])
    head = _SPAN if config.task == "span" else _CLASSES
    heads = {**_WORDS, _RELATION: "relation"} if config.task == "masked-lm" else {head: "head"}
    theirs = foreign(tensors, _names_of(config.task, heads))
    prefix = "" if config.task == "embedding" else _PREFIX
    if not config.num_segments:  # they always add the vector of a segment
        theirs[f"{prefix}embeddings.token_type_embeddings.weight"] = torch.zeros(1, width)
    described = {
        "architectures": [_their_class(config)], "model_type": "bert", "vocab_size": config.input_size,
        "hidden_size": width, "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads, "intermediate_size": config.inner_size or 4 * width,
        "hidden_act": their_activation(config.activation), "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.attention_dropout, "layer_norm_eps": config.norm_eps,
        "max_position_embeddings": config.num_positions, "type_vocab_size": config.num_segments or 1,
        "initializer_range": 0.02, "position_embedding_type": "absolute", "pad_token_id": 0,
        "tie_word_embeddings": True, "dtype": "float32", **facts.special_tokens(), **facts.labels(config),
    }  # fmt: skip
    return of_sentences(Exported(described, theirs), config, facts, "BertModel")


def to_span_bert(tensors: Mapping[str, Tensor], config: Any, facts: TextFacts = NOTHING_KNOWN) -> Exported:
    """The files of a SpanBERT, which is a BERT but for a head of its training."""
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("boundary.")}
    made = to_bert(kept, config, facts)
    if len(kept) == len(tensors):
        return made
    lost = "the head of the span-boundary objective was left out: there is none there"
    return made._replace(notes=(*made.notes, lost))


def to_struct_bert(tensors: Mapping[str, Tensor], config: Any, facts: TextFacts = NOTHING_KNOWN) -> Exported:
    """The files of a StructBERT, which is a BERT whose head for two texts has a third class."""
    if not config.num_relations:
        return to_bert(tensors, config, facts)
    above = ("pooler.", "relation.")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(above)}
    made = to_bert(kept, replace(config, num_relations=0), facts)
    lost = "the pooler and the head for sentence order were left out: it has three classes, BERT's has two"
    return made._replace(notes=(*made.notes, lost))


def to_sentence_bert(
    tensors: Mapping[str, Tensor], config: Any, facts: TextFacts = NOTHING_KNOWN
) -> Exported:
    """The encoder of a Sentence-BERT, which gives a text its vector.

    The comparison of two vectors is left out: for values it is their cosine, for classes a linear layer.

    Raises:
        UserError: it classifies single texts from vectors that no pooler makes.
    """
    if config.task == "embedding":
        return to_bert(tensors, config, facts)
    if not config.compares:
        rule = "must be the pooler, which the head for a text reads there; export one whose task is embedding"
        require(config.pooling == "pooler", "pooling", config.pooling, rule, ["pooler"])
        return to_bert(tensors, config, facts)
    lost = "predictions are cosines of two vectors, which there are computed outside of the network"
    if config.task == "classification":
        lost = "the layer that classifies pairs of vectors was left out: there is none there"
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("head.")}
    encoder = replace(config, task="embedding", output_size=config.hidden_size)
    made = to_bert(kept, encoder, facts)
    return made._replace(notes=(*made.notes, lost))


def _names_of(task: str, heads: Mapping[str, str]) -> KeyMap:
    return bert_names("") if task == "embedding" else bert_names(_PREFIX, heads)


def _their_class(config: Any) -> str:
    if config.task == "masked-lm":
        return "BertForPreTraining" if config.num_relations else "BertForMaskedLM"
    return _CLASS_OF[config.task]


# ---- the authors' files ---------------------------------------------------------------------------------


def _read_tensorflow(files: ForeignFiles) -> dict[str, Tensor]:
    """The weights under Hugging Face's names, without what training keeps beside them."""
    bundle = files.bundle
    assert bundle is not None
    wanted = [name for name in files.bundled if not _TRAINING.fullmatch(name)]
    named = {name: _tf_name(name) for name in wanted}
    unknown = [name for name, new in named.items() if new is None]
    rule = "BERT has no such tensors, as far as is known"
    require(not unknown, "file", str(bundle.index), f"{rule}: {some_of(unknown)}")
    tensors = {}
    for name, array in bundle.read(wanted).items():
        tensor = torch.from_numpy(np.array(array))
        tensors[str(named[name])] = tensor.t().contiguous() if name.endswith("/kernel") else tensor
    return tensors


def _tf_name(name: str) -> str | None:
    """``bert/encoder/layer_0/output/dense/kernel`` as ``bert.encoder.layer.0.output.dense.weight``."""
    if name in _TF_WHOLE:
        return _TF_WHOLE[name]
    module, _, part = re.sub(r"/layer_([0-9]+)/", r"/layer/\1/", name).rpartition("/")
    if not module.startswith(("bert/", "cls/")):
        return None
    module = module.replace("/", ".")
    if part.endswith("_embeddings"):
        return f"{module}.{part}.weight"
    return f"{module}.{_TF_PARTS[part]}" if part in _TF_PARTS else None

"""RoBERTa, CamemBERT, ALBERT, DistilBERT and ELECTRA: Hugging Face's folders, both ways.

The tables of their tensor names are in `anncestry.checkpoints.converters.hugging_face.bert_variant_rows`.
ELECTRA was published in two folders, of the discriminator and of the generator. A discriminator alone becomes
an encoder that embeds texts; with the generator's folder inside it, named ``generator``, both become the
network that is pre-trained, and a network of ours is exported so. A generator alone is a BERT with small
tables of embeddings.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

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
from anncestry.checkpoints.converters.hugging_face.bert_variant_rows import (
    BERT_VARIANTS,
    ELECTRA,
    GENERATOR,
    BertVariant,
)
from anncestry.checkpoints.converters.hugging_face.sentence_transformers import of_sentences
from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.rename import KeyMap
from anncestry.errors import require
from anncestry.fields import Fields

BESIDE = "generator"
"""The folder of ELECTRA's generator, in that of its discriminator."""
_SPAN, _CLASSES = "qa_outputs", "classifier"
_RELATION = "sop_classifier.classifier"
_CLASS_OF = {
    "embedding": "Model",
    "masked-lm": "ForMaskedLM",
    "classification": "ForSequenceClassification",
    "regression": "ForSequenceClassification",
    "tagging": "ForTokenClassification",
    "span": "ForQuestionAnswering",
}


class _Task(NamedTuple):
    """The task of a file's tensors.

    Attributes:
        config: the fields of our config that say it.
        heads: modules above the body, theirs -> ours.
        pools: whether the head reads the body's pooler.
        reader: the JSON of what reads texts for it; see `Imported`.
    """

    config: dict[str, Any]
    heads: Mapping[str, str]
    pools: bool
    reader: dict[str, Any] | None


def is_bert_variant(files: ForeignFiles) -> bool:
    """Whether config.json names one of `BERT_VARIANTS`."""
    return files.model_type in BERT_VARIANTS


def from_bert_variant(files: ForeignFiles, _: str | None = None) -> Imported:
    """The network of what `is_bert_variant` accepts.

    Raises:
        UserError: a file is missing, a pickle or damaged; tensors are missing, unknown or misshapen; the
            config is of a network that is not one of ours.
    """
    source, folder, fields = files.name, files.folder, files.config
    variant, theirs = _read(files)
    sizes = _sizes(variant, fields)
    prefix = variant.prefix if any(name.startswith(variant.prefix) for name in theirs) else ""
    task = _task(variant, fields, theirs, prefix, source)
    notes: tuple[str, ...] = ()
    generator: Mapping[str, Tensor] = {}
    if variant is ELECTRA and task.config["task"] == "masked-lm":
        if BESIDE in files.folders:
            sizes_of_generator, generator = _beside(files.inside(BESIDE), sizes, theirs)
            sizes |= sizes_of_generator
        else:
            theirs = {name: tensor for name, tensor in theirs.items() if name.startswith(prefix)}
            task = _task(variant, fields, theirs, prefix, source)
            notes += ("the head for replaced-token detection was left out: no generator lies beside it",)
    if task.config["task"] == "masked-lm" and variant.gelu:
        require(sizes["activation"] == "gelu", source, sizes["activation"], "the head has gelu", ["gelu"])
    unused = () if task.pools else tuple(f"{prefix}{module}." for module in variant.pooler)
    kept = {name: tensor for name, tensor in theirs.items() if not name.startswith(unused)}
    if len(kept) < len(theirs):
        notes += (f"the pooler was left out: {task.config['task']} does not use it",)
    if task.config.get("pooling") == "pooler":
        notes += ("pooling=pooler is assumed: the file holds one (set pooling=mean leaves it out)",)
    ours = {"output_size": sizes["hidden_size"], **sizes, **task.config}
    names = _names(variant, prefix, task.heads, task.pools, bool(generator))
    tensors = fitted(variant.architecture, ours, {**kept, **generator}, names, source)
    limits = {
        "max_tokens": sizes["num_positions"],
        "pad": fields.get("pad_token_id") if variant.first_position else None,
    }
    reader = task.reader and {**task.reader, **limits}
    optional = ("pooler.",) if task.config["task"] == "embedding" else ()
    notes += fields.notes()
    return Imported(variant.architecture, ours, tensors, None, notes, folder, reader, optional)


def _read(files: ForeignFiles) -> tuple[BertVariant, dict[str, Tensor]]:
    """The variant of a folder, and its tensors, each once."""
    variant, theirs = BERT_VARIANTS[str(files.model_type)], modern(files.weights)
    if variant is ELECTRA and any(name.startswith("generator_") for name in theirs):
        variant = GENERATOR
    prefix = variant.prefix if any(name.startswith(variant.prefix) for name in theirs) else ""
    copies = {
        copy: f"{prefix}{name}" if name.startswith("embeddings.") else name
        for copy, name in variant.tied.items()
    }
    theirs = without_copies(theirs, copies, files.name)
    if variant.first_position:
        theirs = _from_first_position(variant, theirs, prefix, _first_position(variant, files.config))
    return variant, theirs


def _first_position(variant: BertVariant, fields: Fields) -> int:
    """The row of the first token's position in their table: the one behind the filler's number."""
    return fields.size("pad_token_id", variant.first_position - 1) + 1 if variant.first_position else 0


def _from_first_position(
    variant: BertVariant, theirs: Mapping[str, Tensor], prefix: str, first: int
) -> dict[str, Tensor]:
    """Positions from our first row on; see `_behind_filler`."""
    name = f"{prefix}embeddings.position_embeddings.weight"
    if first == variant.first_position or name not in theirs:
        return dict(theirs)
    read = theirs[name][first:]
    return {**theirs, name: torch.cat([read.new_zeros(variant.first_position, *read.shape[1:]), read])}


def _names(
    variant: BertVariant, prefix: str, heads: Mapping[str, str], pools: bool, with_generator: bool = False
) -> KeyMap:
    pooler = variant.pooler if pools else {}
    names = bert_names(prefix, heads, variant.layer, variant.block, variant.embeddings, pooler)
    if not with_generator:
        return names
    embeddings = {theirs: ours for theirs, ours in variant.embeddings.items() if ours == "embeddings.widen"}
    beside = bert_names(prefix, GENERATOR.lm_head, variant.layer, variant.block, embeddings, {})
    rules = {
        f"{BESIDE}/{theirs}": f"generator.{ours.removeprefix('embeddings.')}"
        for theirs, ours in beside.rules.items()
    }
    return KeyMap({**names.rules, **rules})


def _sizes(variant: BertVariant, fields: Fields) -> dict[str, Any]:
    """What a config says of the body."""
    for name, usual in (
        ("is_decoder", False), ("add_cross_attention", False), ("position_embedding_type", "absolute"),
        ("num_hidden_groups", 1), ("inner_group_num", 1),
    ):  # fmt: skip
        fields.must_be(name, usual)
    fields.ignore(*variant.ignored)
    sizes: dict[str, Any] = {ours: fields.size(theirs) for ours, theirs in variant.sizes.items()}
    sizes |= {ours: fields.number(theirs, usual) for ours, (theirs, usual) in variant.numbers.items()}
    sizes["activation"] = activation_of(fields, variant.activation)
    sizes["num_positions"] -= _first_position(variant, fields)
    width = sizes["hidden_size"]
    sizes["inner_size"] = 0 if sizes["inner_size"] == 4 * width else sizes["inner_size"]
    if "embed_dim" in sizes:
        fits = sizes["embed_dim"] != width or variant.architecture != "albert"
        rule = "tables as wide as the layers make another network than ours"
        require(fits, fields.source, sizes["embed_dim"], rule)
        sizes["embed_dim"] = 0 if sizes["embed_dim"] == width else sizes["embed_dim"]
    return {**sizes, **variant.fixed, "seq_len": min(128, sizes["num_positions"])}


def _task(
    variant: BertVariant, config: Fields, theirs: Mapping[str, Tensor], prefix: str, source: str
) -> _Task:
    """The task, by the tensors above the body."""
    pooler = any(f"{prefix}{module}.weight" in theirs for module in variant.pooler)
    if any(f"{module}.weight" in theirs for module in variant.lm_head):
        relation = theirs.get(f"{_RELATION}.weight")
        words = len(theirs[f"{prefix}embeddings.word_embeddings.weight"])
        task = {"task": "masked-lm", "output_size": words}
        if relation is None:
            return _Task(task, variant.lm_head, False, {"kind": "packed-masked"})
        heads = {**variant.lm_head, _RELATION: "relation"}
        return _Task({**task, "num_relations": len(relation)}, heads, True, {"kind": "packed-masked"})
    if f"{_SPAN}.weight" in theirs:
        task = {"task": "span", "output_size": 2}
        return _Task(task, {_SPAN: "head"}, False, {"kind": "packed-span"})
    what = (config.texts("architectures") or ("",))[0]
    require("MultipleChoice" not in what, source, what, "chooses between texts, which is not a task here")
    two_layers = len(variant.classifier) == 2
    of_text = next(iter(variant.classifier)) if two_layers else _CLASSES
    last = next((module for module, ours in variant.classifier.items() if ours == "head"), _CLASSES)
    if f"{of_text}.weight" in theirs and (two_layers or (pooler and "TokenCl" not in what)):
        task, reader = sequence_head(config, len(theirs[f"{last}.weight"]), source)
        return _Task(task, variant.classifier, not two_layers, reader)
    if f"{_CLASSES}.weight" in theirs:
        count = len(theirs[f"{_CLASSES}.weight"])
        reader = {"kind": "packed-tags", "tags": list(labels_of(config, count, source))}
        return _Task({"task": "tagging", "output_size": count}, {_CLASSES: "head"}, False, reader)
    task = {"task": "embedding", "pooling": "pooler" if pooler else "mean"}
    return _Task(task, {}, pooler, {"kind": "packed-vectors", "cut": True})


def _beside(
    files: ForeignFiles, sizes: Mapping[str, Any], discriminator: Mapping[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """ELECTRA's generator: the field of our config that its sizes make, and its tensors without tables."""
    folder, fields = files.name, files.config
    known = files.model_type == "electra"
    variant, theirs = _read(files) if known else (None, {})
    require(variant is GENERATOR, folder, files.model_type, "must hold the generator of ELECTRA")
    found = _sizes(GENERATOR, fields)
    divisor = max(1, sizes["hidden_size"] // max(1, found["hidden_size"]))
    table = sizes["embed_dim"] or sizes["hidden_size"]
    wanted = {
        **sizes, "hidden_size": sizes["hidden_size"] // divisor,
        "num_heads": max(1, sizes["num_heads"] // divisor), "inner_size": 0,
    }  # fmt: skip
    wanted["embed_dim"] = 0 if table == wanted["hidden_size"] else table
    other = [name for name in wanted if found[name] != wanted[name] and "dropout" not in name]
    rule = f"must be the discriminator's, width and heads through one number; differs in {', '.join(other)}"
    require(not other, folder, {name: found[name] for name in other}, rule)
    shared = tuple(
        f"{GENERATOR.prefix}{module}." for module in GENERATOR.embeddings if module.startswith("embeddings.")
    )
    for name, tensor in theirs.items():
        if name.startswith(shared):
            same = name in discriminator and torch.equal(discriminator[name], tensor)
            require(same, folder, name, "differs from the discriminator's; in ours the two are one")
    own = {f"{BESIDE}/{name}": tensor for name, tensor in theirs.items() if not name.startswith(shared)}
    return {"generator_divisor": divisor}, own


# ---- the way back ---------------------------------------------------------------------------------------


def to_bert_variant(
    architecture: str,
    tensors: Mapping[str, Tensor],
    config: Any,
    facts: TextFacts = NOTHING_KNOWN,
) -> Exported:
    """The files of a network of ours, for the class of transformers that has its task.

    Args:
        architecture: ``roberta``, ``camembert``, ``albert``, ``distilbert`` or ``electra``.
        tensors, config, facts: as for `anncestry.checkpoints.converters.bert.to_bert`.

    Raises:
        UserError: transformers has no such network; names the field and what it would have to be.
    """
    variant, task, width = BERT_VARIANTS[architecture], config.task, config.hidden_size
    for name, value in variant.fixed.items():
        require(getattr(config, name) == value, name, getattr(config, name), "is another one there", [value])
    if task == "masked-lm" and variant.gelu:
        require(config.activation == "gelu", "activation", config.activation, "is another there", ["gelu"])
    if "embed_dim" not in variant.sizes:
        fits = config.embed_dim in (0, width)
        require(fits, "embed_dim", config.embed_dim, "is another one there", [width])
    elif architecture == "albert":
        fits = config.embed_dim not in (0, width)
        require(fits, "embed_dim", config.embed_dim, "must be another than hidden_size there")
    generates = architecture == "electra" and task == "masked-lm"
    prefix = "" if task == "embedding" else variant.prefix
    theirs = foreign(tensors, _names(variant, prefix, *_above(variant, config), generates))
    if not config.num_segments and "type_vocab_size" in variant.sizes.values():  # they always add one
        size = config.embed_dim or width if "embed_dim" in variant.sizes else width
        theirs[f"{prefix}embeddings.token_type_embeddings.weight"] = torch.zeros(1, size)
    described = _described(variant, architecture, config) | facts.special_tokens() | facts.labels(config)
    if variant.first_position:
        theirs, described = _behind_filler(variant, theirs, prefix, described)
    pooled = f"{variant.name}Model" if variant.pooler else ""
    made = of_sentences(Exported(described, theirs), config, facts, pooled)
    return _in_two(made, config) if generates else made


def _behind_filler(
    variant: BertVariant, theirs: Mapping[str, Tensor], prefix: str, described: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Positions from the row behind the filler's number on, where their programs look for the first one."""
    first = described["pad_token_id"] + 1
    name = f"{prefix}embeddings.position_embeddings.weight"
    table = theirs[name]
    if first != variant.first_position:
        read = table[variant.first_position :]
        table = torch.cat([read.new_zeros(first, read.shape[1]), read])
    return {**theirs, name: table}, {**described, "max_position_embeddings": len(table)}


def _above(variant: BertVariant, config: Any) -> tuple[Mapping[str, str], bool]:
    """``(heads, pools)`` of a network of ours, as `_Task` has them."""
    if config.task == "masked-lm":
        relation = {_RELATION: "relation"} if config.num_relations else {}
        return {**variant.lm_head, **relation}, bool(relation)
    if config.task in ("classification", "regression"):
        return variant.classifier, len(variant.classifier) == 1
    if config.task == "embedding":
        return {}, config.pooling == "pooler"
    return {_SPAN if config.task == "span" else _CLASSES: "head"}, False


def _described(variant: BertVariant, architecture: str, config: Any) -> dict[str, Any]:
    """The config.json of a network of ours."""
    width, kind = config.hidden_size, _CLASS_OF[config.task]
    if config.task == "masked-lm" and (config.num_relations or architecture == "electra"):
        kind = "ForPreTraining"
    values = {
        "inner_size": config.inner_size or 4 * width, "num_segments": config.num_segments or 1,
        "num_positions": config.num_positions + variant.first_position,
        "embed_dim": config.embed_dim or width,
    }  # fmt: skip
    sizes = {theirs: values.get(ours, getattr(config, ours)) for ours, theirs in variant.sizes.items()}
    numbers = {theirs: getattr(config, ours) for ours, (theirs, _) in variant.numbers.items()}
    return {
        "architectures": [f"{variant.name}{kind}"], "model_type": architecture, **sizes, **numbers,
        variant.activation: their_activation(config.activation), "initializer_range": 0.02, **variant.ids,
        "position_embedding_type": "absolute", "tie_word_embeddings": True, "dtype": "float32",
    }  # fmt: skip


def _in_two(made: Exported, config: Any) -> Exported:
    """ELECTRA's discriminator, and the folder of its generator, which has the tables too."""
    start, small, theirs = f"{BESIDE}/", config.generator_config(), made.tensors
    own = {name.removeprefix(start): t for name, t in theirs.items() if name.startswith(start)}
    shared = tuple(f"{ELECTRA.prefix}{module}." for module in ELECTRA.embeddings if "." in module)
    own |= {name: tensor.clone() for name, tensor in theirs.items() if name.startswith(shared)}
    described = made.config | {
        "architectures": ["ElectraForMaskedLM"], "hidden_size": small.hidden_size,
        "num_attention_heads": small.num_heads, "intermediate_size": 4 * small.hidden_size,
    }  # fmt: skip
    kept = {name: tensor for name, tensor in theirs.items() if not name.startswith(start)}
    return made._replace(tensors=kept, folders={BESIDE: Exported(described, own)})

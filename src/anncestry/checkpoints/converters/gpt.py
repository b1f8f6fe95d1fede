"""GPT and GPT-2: Hugging Face's folders, both ways; OpenAI's own files of both.

Hugging Face: ``config.json`` and ``model.safetensors`` of OpenAIGPTLMHeadModel, GPT2LMHeadModel, and of their
relatives with a head for classes. GPT-2 by OpenAI: a checkpoint of TensorFlow and ``hparams.json`` beside it.
GPT by OpenAI: ``params_shapes.json`` and ``params_0.npy`` to ``params_9.npy``: one flat vector in slices, in
which the positions come first.

All of them keep the matrices of linear layers as (in, out), the transpose of ours.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anncestry.checkpoints.converters.encoder_names import NOTHING_KNOWN, Exported, TextFacts, sequence_head
from anncestry.checkpoints.foreign_files import CONFIG, ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.rename import KeyMap
from anncestry.checkpoints.store import some_of
from anncestry.errors import UserError, require
from anncestry.fields import Fields
from anncestry.stored import whole

_CLASSES = {"gpt": "OpenAIGPT", "gpt2": "GPT2"}
_TYPES = {"openai-gpt": "gpt", "gpt2": "gpt2"}
GPT_TYPES = tuple(_TYPES)
"""Their ``model_type``."""
_LAYER = {
    "attn.c_attn": "attention.qkv", "attn.c_proj": "attention.out", "ln_1": "around_attention.norm",
    "mlp.c_fc": "feed_forward.inner", "mlp.c_proj": "feed_forward.out", "ln_2": "around_feed_forward.norm",
}  # fmt: skip
_RULES = {f"h.{{l}}.{theirs}.{{p*}}": f"blocks.{{l}}.{ours}.{{p*}}" for theirs, ours in _LAYER.items()}
_RULES |= {"lm_head.weight": "readout.weight", "score.weight": "answer.linear.weight"}
_TABLES = {"gpt": ("tokens_embed", "positions_embed"), "gpt2": ("wte", "wpe")}
_NAMES = {
    kind: KeyMap(
        {f"{tokens}.weight": "embedding.weight", f"{positions}.weight": "positions.embedding.weight"}
        | ({"ln_f.{p*}": "norm.{p*}"} if kind == "gpt2" else {})
        | _RULES
    )
    for kind, (tokens, positions) in _TABLES.items()
}
_MASKS = re.compile(r"h\.[0-9]+\.attn\.(bias|masked_bias)")  # kept by older files
_OTHER_HEADS = re.compile(r"multiple_choice_head\..*")
_TURNED = re.compile(r".*\.(qkv|out|inner)\.weight")
_ACTIVATIONS: dict[str, dict[str, str]] = {  # what GPT calls gelu is the approximation
    "gpt": {"gelu": "gelu-tanh", "relu": "relu", "silu": "silu", "swish": "silu"},
    "gpt2": {
        "gelu_new": "gelu-tanh", "gelu_pytorch_tanh": "gelu-tanh", "gelu_fast": "gelu-tanh", "gelu": "gelu",
        "relu": "relu", "silu": "silu", "swish": "silu",
    },
}  # fmt: skip
_IDLE = (  # the order of a sum; of a head for multiple choice; n_positions again
    "n_ctx", "reorder_and_upcast_attn", "predict_special_tokens", "summary_type", "summary_use_proj",
    "summary_activation", "summary_proj_to_labels", "summary_first_dropout", "resid_pdrop",
)  # fmt: skip
_OFF = ("scale_attn_by_inverse_layer_idx", "add_cross_attention")
_TF_NAME = re.compile(r"model/(?:h([0-9]+)/)?(.+?)(?:/([wbg]))?")
_HPARAMS = "hparams.json"
_SHAPES, _SLICE = "params_shapes.json", "params_{}.npy"
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0,
}  # fmt: skip
_TENSORS_PER_LAYER = 12
_TOKENIZERS = ("tokenizer.json", "vocab.json", "encoder.json", "encoder_bpe_40000.json")


def is_gpt(files: ForeignFiles) -> bool:
    """Whether it is GPT's or GPT-2's."""
    if files.of_folder or files.path.suffix == ".npy":
        if _original(files) is not None:
            return True
        if CONFIG in files.names:
            return files.model_type in _TYPES
    return "model/wte" in files.bundled


def from_gpt(files: ForeignFiles, _: str | None = None) -> Imported:
    """The network of what `is_gpt` accepts.

    Raises:
        UserError: a file is missing, a pickle, damaged or of another size than it must be; the network is not
            one of ours.
    """
    source, folder = files.name, files.folder
    original = _original(files)
    if original is not None:
        return _imported("gpt", _read_original(original), Fields({}, _SHAPES), source, original.folder)
    if files.model_type in _TYPES and "model/wte" not in files.bundled:
        tensors = {name.removeprefix("transformer."): tensor for name, tensor in files.weights.items()}
        found = _imported(_TYPES[str(files.model_type)], tensors, files.config, source, folder)
        writes = found.config["task"] == "language-model"
        return found._replace(notes=(*found.notes, *(files.generation_notes() if writes else ())))
    assert files.bundle is not None
    arrays = files.bundle.read(lambda name: name.startswith("model/"))
    tensors = {_tf_name(name): torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    hparams = files.json(_HPARAMS) if _HPARAMS in files.names else Fields({}, _HPARAMS)
    hparams.ignore("n_vocab")
    return _imported("gpt2", tensors, hparams, source, folder)


def _imported(kind: str, theirs: Mapping[str, Tensor], config: Fields, source: str, folder: Path) -> Imported:
    """The network of tensors under Hugging Face's names, without ``transformer.``."""
    kept = {n: t for n, t in theirs.items() if not _MASKS.fullmatch(n) and not _OTHER_HEADS.fullmatch(n)}
    renamed = _NAMES[kind].apply(kept)
    if renamed.unmatched:
        rule = f"{kind} has no such tensors, as far as is known"
        raise UserError(source, some_of(renamed.unmatched), rule)
    ours = {name: _turned(name, tensor).float() for name, tensor in renamed.tensors.items()}
    if "readout.weight" in ours and config.flag("tie_word_embeddings", True):  # of tied ones a file has one
        ours.setdefault("embedding.weight", ours["readout.weight"])
    tables = [name for name in ("embedding.weight", "positions.embedding.weight") if name not in ours]
    require(not tables, source, f"{len(theirs)} tensors", f"missing: {some_of(tables)}")
    table = ours["embedding.weight"]
    readout = ours.pop("readout.weight", None)
    tied = readout is None or torch.equal(readout, table)
    classes = ours.get("answer.linear.weight")
    if classes is not None:
        ours["answer.linear.bias"] = classes.new_zeros(len(classes))
    elif not tied:
        ours["readout.weight"] = readout  # pyright: ignore[reportArgumentType]
    sizes, notes = _sizes(ours, config, source)
    said = _said(kind, config, source)
    task, reader = {"task": "language-model", "output_size": len(table)}, None
    if classes is not None:
        task, reader = sequence_head(config, len(classes), source)
        reader |= {"max_tokens": sizes["num_positions"], "pad": config.get("pad_token_id")}
    fields = {**sizes, **said, **task, "tie_embeddings": tied}
    if (
        classes is None
        and readout is None
        and (config.texts("architectures") or ("",))[0].endswith(("GPT2Model", "GPTModel"))
    ):
        notes += ("task=language-model is assumed: there is no head, so the table of words is the readout",)
    heads = sorted({name.partition(".")[0] for name in theirs if _OTHER_HEADS.fullmatch(name)})
    notes += tuple(f"{name} was left out: it is for multiple choice" for name in heads)
    tokenizer = folder if any((folder / name).is_file() for name in _TOKENIZERS) else None
    notes += config.notes()
    if tokenizer is None:
        notes += ("no tokenizer lies beside the weights: the run takes tokens, not texts",)
    return Imported(kind, fields, ours, None, notes, tokenizer, reader)


def _turned(name: str, tensor: Tensor) -> Tensor:
    """A matrix of theirs as ours, and back."""
    return tensor.squeeze(0).t().contiguous() if _TURNED.fullmatch(name) else tensor


def _sizes(ours: Mapping[str, Tensor], config: Fields, source: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    vocab_size, width = ours["embedding.weight"].shape
    layers = {int(name.split(".")[1]) for name in ours if name.startswith("blocks.")}
    first = ours.get("blocks.0.feed_forward.inner.weight")
    rule = "its layers must be numbered from 0 on, each with a feed-forward net"
    require(layers == set(range(len(layers))) and first is not None, source, sorted(layers), rule)
    inner = len(first)  # pyright: ignore[reportArgumentType]
    num_heads, notes = config.size("n_head") if "n_head" in config else None, ()
    if num_heads is None:
        num_heads = max(1, width // 64)
        notes = (f"num_heads={num_heads} is assumed: weights do not say (set num_heads=N)",)
    num_positions = len(ours["positions.embedding.weight"])
    held = {"vocab_size": vocab_size, "n_embd": width, "n_layer": len(layers), "n_positions": num_positions}
    for name, size in {**held, "n_inner": inner}.items():
        said = config.get(name)
        require(said is None or said == size, source, said, f"{name} is another one in the weights", [size])
    return {
        "input_size": vocab_size,
        "hidden_size": width,
        "num_layers": len(layers),
        "num_heads": num_heads,
        "inner_size": 0 if inner == 4 * width else inner,
        "num_positions": num_positions,
        "seq_len": num_positions,
    }, notes


def _said(kind: str, config: Fields, source: str) -> dict[str, Any]:
    """What a config says that weights do not."""
    on = [name for name in _OFF if config.get(name)]
    on += ["scale_attn_weights"] if config.get("scale_attn_weights") is False else []
    require(not on, source, on, "make another network than ours")
    config.ignore(*_IDLE)
    activation = ("afn", "gelu") if kind == "gpt" else ("activation_function", "gelu_new")
    return {
        "activation": config.one_of(activation[0], _ACTIVATIONS[kind], activation[1]),
        "norm_eps": config.number("layer_norm_epsilon", 1e-5),
        "dropout": config.number("resid_pdrop", 0.1),
        "embedding_dropout": config.number("embd_pdrop", 0.1),
        "attention_dropout": config.number("attn_pdrop", 0.1),
    }


def to_gpt(
    kind: str,
    tensors: Mapping[str, Tensor],
    config: Any,
    facts: TextFacts = NOTHING_KNOWN,
) -> Exported:
    """The files of a GPT of ours, for OpenAIGPT... or GPT2..., LMHeadModel or ForSequenceClassification.

    The head has no biases there. What ours add is put into the biases of the last normalisation, which gives
    the same logits. An auxiliary language model's readout is left out.

    Args:
        kind: ``gpt`` or ``gpt2``.
        tensors: the state dict.
        config: its `GPTConfig`.
        facts: how it reads texts and names its classes.

    Raises:
        UserError: its activation is not known there; its head has biases and more outputs than features.
    """
    writes, notes = config.task == "language-model", ()
    if not writes:
        tensors, notes = _without_biases(kind, tensors, config)
    names = {ours: theirs for theirs, ours in reversed(_ACTIVATIONS[kind].items())}
    known = config.activation in names
    require(known, "activation", config.activation, f"is not known to Hugging Face's {kind}", names)
    back, theirs = _NAMES[kind].reverse(), {}
    for name, tensor in tensors.items():
        new = back.rename(name)
        assert new is not None, f"{name} has no name of theirs"
        new = new if new.startswith(("lm_head", "score")) else f"transformer.{new}"
        theirs[new] = _turned(name, tensor.detach().cpu()).contiguous()
    described = {
        "architectures": [_CLASSES[kind] + ("LMHeadModel" if writes else "ForSequenceClassification")],
        "model_type": {ours: theirs for theirs, ours in _TYPES.items()}[kind],
        "vocab_size": config.input_size, "n_positions": config.num_positions, "n_embd": config.hidden_size,
        "n_layer": config.num_layers, "n_head": config.num_heads, "resid_pdrop": config.dropout,
        "embd_pdrop": config.embedding_dropout, "attn_pdrop": config.attention_dropout,
        "layer_norm_epsilon": config.norm_eps, "initializer_range": 0.02, "dtype": "float32",
        "tie_word_embeddings": config.tie_embeddings,
        "afn" if kind == "gpt" else "activation_function": names[config.activation],
    }  # fmt: skip
    if kind == "gpt2":
        described |= {"n_inner": config.inner_size or None, "bos_token_id": None, "eos_token_id": None}
        described |= {"scale_attn_weights": True}
    else:
        usual = config.inner_size in (0, 4 * config.hidden_size)
        require(usual, "inner_size", config.inner_size, "Hugging Face's GPT has 4 hidden_size")
    return Exported(described | facts.special_tokens() | facts.labels(config), theirs, notes=notes)


def _without_biases(
    kind: str, tensors: Mapping[str, Tensor], config: Any
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors of a classifier, with the biases of its head moved into the last normalisation."""
    ours, notes = dict(tensors), ()
    bias, weight = ours.pop("answer.linear.bias"), tensors["answer.linear.weight"]
    if ours.pop("readout.weight", None) is not None or config.text_weight:
        notes = ("the auxiliary language model was left out",)
    if bias.any():
        of_block = f"blocks.{config.num_layers - 1}.around_feed_forward.norm.bias"
        last = "norm.bias" if kind == "gpt2" else of_block
        shift = torch.linalg.pinv(weight.double()) @ bias.double()
        fits = torch.allclose(weight.double() @ shift, bias.double(), atol=1e-6)
        rule = "has biases, which Hugging Face's GPT does not, and too many outputs to put them elsewhere"
        require(fits, "output_size", config.output_size, rule)
        ours[last] = (ours[last].double() + shift).float()
        notes += ("the biases of the head are in the last normalisation there, to the same effect",)
    return ours, notes


# ---- OpenAI's files -------------------------------------------------------------------------------------


def _tf_name(name: str) -> str:
    """``model/h0/attn/c_attn/w`` as ``h.0.attn.c_attn.weight``."""
    match = _TF_NAME.fullmatch(name)
    assert match is not None
    layer, module, part = match.groups()
    kind = "bias" if part == "b" else "weight"
    return f"{'' if layer is None else f'h.{layer}.'}{module.replace('/', '.')}.{kind}"


def _original(files: ForeignFiles) -> ForeignFiles | None:
    """Where the slices of GPT's vector lie: in the folder, or in its folder ``model``."""
    if _SHAPES in files.names:
        return files
    inner = files.inside("model") if "model" in files.folders else None
    return inner if inner is not None and _SHAPES in inner.names else None


def _read_original(files: ForeignFiles) -> dict[str, Tensor]:
    """GPT's tensors under Hugging Face's names."""
    folder, path = files.folder, files.folder / _SHAPES
    shapes = whole(tuple[tuple[int, ...], ...], files.value(_SHAPES), str(path))
    sound = all(size >= 0 for shape in shapes for size in shape)
    require(sound, "file", str(path), "must be a list of shapes; a size is negative")
    layers, rest = divmod(len(shapes) - 2, _TENSORS_PER_LAYER)
    rule = f"must have two shapes of tables, and {_TENSORS_PER_LAYER} for each layer"
    require(layers >= 1 and rest == 0, "file", str(path), rule)
    sizes = [math.prod(shape) for shape in shapes]
    slices = []
    while _SLICE.format(len(slices)) in files.names:
        slices.append(_slice(folder / _SLICE.format(len(slices))))
    found = sum(map(len, slices))
    rule = f"have {found:,} numbers together, and the shapes ask for {sum(sizes):,}"
    require(found == sum(sizes), "file", str(folder / _SLICE.format("*")), rule)
    vector = torch.from_numpy(np.concatenate(slices))
    names = ["positions_embed.weight", "tokens_embed.weight"]
    for layer in range(layers):
        for module in ("attn.c_attn", "attn.c_proj", "ln_1", "mlp.c_fc", "mlp.c_proj", "ln_2"):
            names += [f"h.{layer}.{module}.weight", f"h.{layer}.{module}.bias"]
    parts = vector.split(sizes)
    return {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}


def _slice(path: Path) -> np.ndarray:
    """(N,) float32, mapped into memory."""
    try:
        with open(path, "rb") as file:
            shape, _, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
            require(dtype == np.float32 and len(shape) == 1, "file", str(path), "must be a vector of float32")
            return np.memmap(file, dtype, "r", file.tell(), shape)
    except UserError:
        raise
    except Exception as error:  # the header is parsed as Python's literals, which fail in many ways
        raise UserError("file", str(path), f"cannot be read as an array ({error})") from error

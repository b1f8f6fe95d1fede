"""What the converters of Transformers share: projections, rows of tables, positions, and the sizes.

A converter renames a foreign file's tensors to ours, where queries, keys and values that a file keeps apart
are ``...attention.q.weight`` and so on; `imported` does the rest. Our vocabularies begin with filler, unknown
word, beginning and end; a file's may have them anywhere, or not at all, so rows of tables change places.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.store import some_of
from anncestry.errors import UserError, require
from anncestry.formats.sentencepiece_model import unigram_json
from anncestry.layers.attention.positions import LAYOUTS, sinusoids

SPECIAL = ("<pad>", "<unk>", "<begin>", "<end>")  # what every vocabulary of ours begins with
SILENT = -1e4  # the logit's bias of a token that is never generated: e to this is 0, and float16 holds it
USUAL_HEADS = 8  # where a file does not say how many
MAX_TOKENS = 512  # of a source, where a file does not say
_SAME = 1e-3  # how far a stored table of sinusoids may be from ours: half precision
_PART = re.compile(r"(.*\.(?:cross_)?attention\.)([qkv])(\.(?:weight|bias))")
_TABLES = ("source_embedding.weight", "embedding.weight", "readout.weight", "readout.bias")


class Words(NamedTuple):
    """Which rows of a file's tables our tokens have.

    Attributes:
        tokens: (V,) texts of ours.
        rows: (V,) the row of each; -1 for one that the file does not have: it gets zeros.
        silent: tokens that are never generated: those without a row, or with the row of another one.
    """

    tokens: tuple[str, ...]
    rows: tuple[int, ...]
    silent: tuple[int, ...]


def arrange(names: Sequence[str], pad: int, unknown: int, begin: int, end: int) -> Words:
    """Our order of a file's tokens: the four special ones first, the others as they stand.

    Args:
        names: of all rows.
        pad, unknown, begin, end: rows of the special tokens; -1 for what is missing. Two may have one row.
    """
    special = (pad, unknown, begin, end)
    rest = [row for row in range(len(names)) if row not in special]
    silent, taken = [], set()
    for token in (3, 1, 0, 2):  # a row that two tokens share speaks for the first of these
        if special[token] < 0 or special[token] in taken:
            silent.append(token)
        taken.add(special[token])
    return Words((*SPECIAL, *(names[row] for row in rest)), (*special, *rest), tuple(sorted(silent)))


def unchanged(num_rows: int) -> Words:
    """All rows as they stand, of a file that does not say what they mean."""
    return Words((), tuple(range(num_rows)), ())


def join_projections(tensors: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Queries, keys and values that are projected together, from those of a file that keeps them apart.

    Raises:
        UserError: one of them is missing, named together with all others.
    """
    joined, apart = {}, {}
    for name, tensor in tensors.items():
        if match := _PART.fullmatch(name):
            apart.setdefault((match[1], match[3]), {})[match[2]] = tensor
        else:
            joined[name] = tensor
    missing = [
        f"{prefix}{part}{kind}"
        for (prefix, kind), parts in apart.items()
        for part in "qkv"
        if part not in parts
    ]
    if missing:
        raise UserError(source, f"{len(tensors)} tensors", f"missing: {some_of(missing)}")
    for (prefix, kind), parts in apart.items():
        if "cross_" in prefix:
            joined[f"{prefix}query{kind}"] = parts["q"]
            joined[f"{prefix}keys_values{kind}"] = torch.cat([parts["k"], parts["v"]])
        else:
            joined[f"{prefix}qkv{kind}"] = torch.cat([parts["q"], parts["k"], parts["v"]])
    return joined


def split_projections(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The way back: ``...attention.q.weight`` and so on."""
    apart = {}
    for name, tensor in tensors.items():
        prefix, _, rest = name.rpartition("attention.")
        part, _, kind = rest.partition(".")
        parts = {"qkv": "qkv", "query": "q", "keys_values": "kv"}.get(part)
        if prefix and parts:
            for letter, chunk in zip(parts, tensor.chunk(len(parts)), strict=True):
                apart[f"{prefix}attention.{letter}.{kind}"] = chunk.contiguous()
        else:
            apart[name] = tensor
    return apart


def positions_of(tables: Sequence[Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Which positions the stored ones are: ``(config, tensors)``.

    Args:
        tables: (P, D) of the source and of the target. Sinusoids are recognised; all else is learnt.
    """
    source, target = tables
    for layout in LAYOUTS if source.shape[1] % 2 == 0 else ():
        for first in range(3):  # fairseq begins behind its filler
            ours = sinusoids(max(map(len, tables)), source.shape[1], layout, first)
            if all(torch.allclose(t.float(), ours[: len(t)], atol=_SAME, rtol=0) for t in tables):
                return {"positions": layout, "first_position": first}, {}
    shortest = min(map(len, tables))
    tensors = {"source_positions.embedding.weight": source[:shortest].float()}
    tensors |= {"positions.embedding.weight": target[:shortest].float()}
    return {"positions": "learned", "num_positions": shortest}, tensors


def imported(
    tensors: Mapping[str, Tensor],
    words: tuple[Words, Words],
    config: Mapping[str, Any],
    source: str,
    processor: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Imported:
    """The network: sizes from the shapes, tables in our order.

    Args:
        tensors: under our names, in float32; with both tables and a readout even where they are one.
        words: of the source and of the target.
        config: what shapes do not say, ``num_heads`` among it.

    Raises:
        UserError: the tables do not have a row for each word; the shapes are not those of one Transformer.
    """
    ours = {name: tensor.float() for name, tensor in join_projections(tensors, source).items()}
    missing = [name for name in _TABLES[:3] if name not in ours]
    if missing:
        raise UserError(source, f"{len(tensors)} tensors", f"missing: {some_of(missing)}")
    sides = dict(zip(_TABLES, (words[0], words[1], words[1], words[1]), strict=True))
    for name in _TABLES:
        if name in ours:
            needed = max(sides[name].rows) + 1
            rule = f"{name} has {len(ours[name])} rows; the vocabulary has {needed} words"
            require(len(ours[name]) == needed, source, tuple(ours[name].shape), rule)
    ours, tie = _tied(ours, words)
    for name in _TABLES:
        if name in ours:
            ours[name] = _in_order(ours[name], sides[name].rows)
    if words[1].silent:
        bias = ours.setdefault("readout.bias", torch.zeros(len(words[1].rows)))
        bias[list(words[1].silent)] = SILENT
    try:
        sizes = _sizes(ours, config["num_heads"])
    except (KeyError, IndexError) as error:
        rule = f"its tensors are not those of one Transformer (missing: {error.args[0]})"
        raise UserError(source, f"{len(tensors)} tensors", rule) from error
    sizes |= {"input_size": len(words[0].rows), "output_size": len(words[1].rows), "tie": tie}
    return Imported("transformer", {**sizes, **config}, ours, processor, tuple(notes))


def _tied(ours: dict[str, Tensor], words: tuple[Words, Words]) -> tuple[dict[str, Tensor], str]:
    """Without the tables that equal another one, and which these are."""
    table = ours["embedding.weight"]
    if not torch.equal(ours["readout.weight"], table):
        return ours, "none"
    same = words[0].rows == words[1].rows and torch.equal(ours["source_embedding.weight"], table)
    gone = _TABLES[:1] + _TABLES[2:3] if same else _TABLES[2:3]
    return {name: t for name, t in ours.items() if name not in gone}, "all" if same else "output"


def _in_order(table: Tensor, rows: Sequence[int]) -> Tensor:
    """(V, ...) the rows; zeros where one is -1."""
    order = torch.tensor(rows)
    found = table[order.clamp(min=0)].clone()
    found[order < 0] = 0
    return found


def _sizes(ours: Mapping[str, Tensor], num_heads: int) -> dict[str, Any]:
    width = ours["embedding.weight"].shape[1]
    layers = {side: _count(ours, side) for side in ("encoder", "decoder")}
    inner = ours["encoder.0.attention.qkv.weight"].shape[0] // 3
    return {
        "hidden_size": width,
        "num_layers": layers["encoder"],
        "decoder_layers": 0 if layers["decoder"] == layers["encoder"] else layers["decoder"],
        "head_size": 0 if inner == width else inner // num_heads,
        "inner_size": ours["encoder.0.feed_forward.inner.weight"].shape[0],
        "attention_bias": "encoder.0.attention.qkv.bias" in ours,
        "output_bias": "readout.bias" in ours,
    }


def _count(names: Collection[str], side: str) -> int:
    """How many layers a stack has."""
    return 1 + max(int(match[1]) for name in names if (match := re.match(rf"{side}\.([0-9]+)\.", name)))


def refuse_unknown(names: Sequence[str], source: str, whose: str) -> None:
    """Raise a `UserError` where a file has tensors that a Transformer does not have."""
    if names:
        raise UserError(
            source, some_of(names), f"{whose} Transformer has no such tensors, as far as is known"
        )


def vocabulary_json(folder: Path | None, side: str, words: Words, kind: str = "pieces") -> dict[str, Any]:
    """The JSON of a vocabulary of ``kind``; where ``source.spm`` or ``target.spm`` lies in the folder, that
    cuts the texts of this side.

    Raises:
        UserError: the file is not SentencePiece's, or cuts in a way that is not known here.
    """
    fields = {"kind": kind, "tokens": list(words.tokens), "lowercase": False}
    model = None if folder is None else folder / f"{side}.spm"
    if model is None or not model.is_file():
        return fields
    return fields | {"kind": "unigram", **unigram_json(model)}


def processor_json(
    source: dict[str, Any], target: dict[str, Any], source_end: bool, max_tokens: int = MAX_TOKENS
) -> dict[str, Any]:
    """The JSON of the processor of translations."""
    joint = source == target
    return {
        "kind": "translation", "source": source, "target": None if joint else target,
        "max_tokens": max_tokens, "source_end": source_end,
    }  # fmt: skip


def rename(
    tensors: Mapping[str, Tensor], to: Callable[[str], str | None], source: str, whose: str
) -> dict[str, Tensor]:
    """Every tensor under our name.

    Raises:
        UserError: names that are unknown, all together.
    """
    names = {name: to(name) for name in tensors}
    refuse_unknown([name for name, new in names.items() if new is None], source, whose)
    return {new: tensors[name] for name, new in names.items() if new is not None}

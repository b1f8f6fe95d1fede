"""Models of CTranslate2 (``model.bin``, binary versions 1 to 6), read without CTranslate2.

Numbers are little-endian; a text is its length in two bytes, its bytes, and a zero that the length counts:

=============  ========================================================================================
4 bytes        binary version
from 2         text: name of the specification; 4 bytes: its revision
4 bytes        number of variables; then for each:
..             text: name; 1 byte: rank; 4 bytes a dimension
.. up to 3     1 byte: bytes an item, 4 (float32), 2 (int16) or 1 (int8); 4 bytes: number of items
.. from 4      1 byte: the number of the dtype (`_DTYPES`); 4 bytes: number of bytes
..             the values, row-major
from 3         4 bytes: number of aliases; then for each two texts: alias, name of the variable
=============  ========================================================================================

Weights are (out, in). Beside the file lie vocabularies: a token a line, or a JSON list; and ``config.json``,
which is not read here.
"""

import io
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anncestry.errors import UserError, require
from anncestry.stored import read_json, whole

MODEL = "model.bin"
"""The name of the file with the weights."""
_VERSIONS = range(1, 7)
_DTYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
_BY_ITEM_SIZE = {4: "float32", 2: "int16", 1: "int8"}
_MAX_RANK = 8
_DEFAULT_INT16_SCALE = 1000.0  # of files that give none
_VOCABULARIES = ("source", "target", "shared", "")


class CTranslate2Model(NamedTuple):
    """What a folder of CTranslate2 holds.

    Attributes:
        version: of the binary format.
        spec: name of the specification, ``TransformerBase`` for instance; empty in version 1.
        revision: of the specification.
        variables: name -> array as stored (bfloat16 as float32). An alias is the very array it stands for.
        vocabularies: ``source``, ``target``, ``shared``, or ``""`` (``vocabulary.txt``, of language models)
            -> tokens, by id.
    """

    version: int
    spec: str
    revision: int
    variables: dict[str, np.ndarray]
    vocabularies: dict[str, list[str]]


def read_ctranslate2(path: str | Path) -> CTranslate2Model:
    """Read a model, and the vocabularies beside it.

    Args:
        path: its folder, or the ``model.bin`` in it.

    Raises:
        UserError: there is no such file; it is of another kind or version, cut short or damaged.
    """
    path = Path(path)
    path = path / MODEL if path.is_dir() else path
    require(path.is_file(), "file", str(path), "cannot be read: there is no such file")
    try:
        with open(path, "rb") as file:
            model = _read_model(_Reader(file, path.stat().st_size))
    except (ValueError, OSError) as error:
        rule = f"is not a model of CTranslate2 (binary versions 1 to {_VERSIONS[-1]}), or damaged: {error}"
        raise UserError("file", str(path), rule) from error
    vocabularies = {}
    for kind in _VOCABULARIES:
        stem = f"{kind}_vocabulary".lstrip("_")
        files = [path.with_name(stem + suffix) for suffix in (".json", ".txt")]
        if found := [file for file in files if file.is_file()]:
            vocabularies[kind] = _vocabulary(found[0])
    return model._replace(vocabularies=vocabularies)


def dequantise(variables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Whole numbers made float32 again, w / scale; their scales are left out, all else is as it was.

    int8 weights have one scale a row, int16 weights one for all. Flags and texts, which are int8 without a
    scale and no matrix, stay.

    Raises:
        UserError: a matrix of int8 has no scale, a scale does not fit its weight, or the weight is packed.
    """
    dense, scales = {}, set()
    for name, weight in variables.items():
        scale = variables.get(f"{name}_scale")
        if weight.dtype == np.int16 and weight.ndim and scale is None:
            scale = np.float32(_DEFAULT_INT16_SCALE)
        if scale is None or not weight.ndim:
            whole = weight.dtype == np.int8 and weight.ndim > 1
            require(not whole, name, weight.shape, f"is int8 and has no {name}_scale")
            dense[name] = weight
        elif weight.dtype in (np.int8, np.int16):
            scale = np.asarray(scale, np.float32)
            fits = scale.ndim == 0 or scale.shape in ((1,), weight.shape[:1])
            require(fits, f"{name}_scale", scale.shape, f"must be one number, or one a row of {weight.shape}")
            usable = bool(np.isfinite(scale).all() and (scale > 0).all())
            require(usable, f"{name}_scale", scale, "must be finite and above 0")
            dense[name] = weight / scale.reshape(-1, *(1,) * (weight.ndim - 1))
            scales.add(f"{name}_scale")
        else:
            rule = (
                "has a scale, but is neither int8 nor int16: weights packed in another way are not read here"
            )
            require(weight.dtype.kind == "f", name, weight.dtype, rule)
            dense[name] = weight
    return {name: array for name, array in dense.items() if name not in scales}


class _Reader:
    """Reads from a file whose size it knows; says so before it would read beyond the end."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self._file, self._left = file, size

    def octets(self, count: int) -> np.ndarray:
        if count > self._left:
            raise ValueError(f"it is cut short: {count} bytes should follow, there are {self._left}")
        self._left -= count
        octets = np.empty(count, np.uint8)
        if self._file.readinto(octets.data) != count:
            raise ValueError("it became shorter while it was read")
        return octets

    def number(self, form: str) -> int:
        (number,) = struct.unpack(f"<{form}", self.octets(struct.calcsize(f"<{form}")).tobytes())
        return number

    def text(self) -> str:
        octets = self.octets(self.number("H")).tobytes()
        if octets[-1:] != b"\0" or b"\0" in octets[:-1]:
            raise ValueError("a text does not end in one zero byte")
        return octets[:-1].decode()

    def finish(self) -> None:
        if self._left:
            raise ValueError(f"{self._left} bytes follow its end")


def _read_model(reader: _Reader) -> CTranslate2Model:
    version = reader.number("I")
    if version not in _VERSIONS:
        raise ValueError(f"its first four bytes say version {version}")
    spec, revision = (reader.text(), reader.number("I")) if version >= 2 else ("", 1)
    variables: dict[str, np.ndarray] = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        _add(variables, name, _variable(reader, name, version))
    for _ in range(reader.number("I") if version >= 3 else 0):
        alias, name = reader.text(), reader.text()
        if name not in variables:
            raise ValueError(f"{alias} stands for {name}, which is missing")
        _add(variables, alias, variables[name])
        if f"{name}_scale" in variables:  # the scale of a quantised variable goes with it, unsaid
            variables.setdefault(f"{alias}_scale", variables[f"{name}_scale"])
    reader.finish()
    return CTranslate2Model(version, spec, revision, variables, {})


def _add(variables: dict[str, np.ndarray], name: str, array: np.ndarray) -> None:
    if name in variables:
        raise ValueError(f"it has two variables {name}")
    variables[name] = array


def _variable(reader: _Reader, name: str, version: int) -> np.ndarray:
    rank = reader.number("B")
    if rank > _MAX_RANK:
        raise ValueError(f"{name} has {rank} dimensions")
    shape = tuple(reader.number("I") for _ in range(rank))
    kind, count = reader.number("B"), reader.number("I")
    if version >= 4:
        stored = _DTYPES[kind] if kind < len(_DTYPES) else None
    else:
        stored, count = _BY_ITEM_SIZE.get(kind), kind * count
    if stored is None:
        raise ValueError(f"{name} has the unknown dtype {kind}")
    dtype = np.dtype("uint16" if stored == "bfloat16" else stored).newbyteorder("<")
    if count != prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} has {count} bytes, which is not {stored} of shape {shape}")
    values = reader.octets(count).view(dtype).reshape(shape)
    if stored == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _vocabulary(path: Path) -> list[str]:
    if path.suffix == ".json":
        tokens = whole(list, read_json(path), str(path))
        texts = all(isinstance(token, str) for token in tokens)
        require(texts, "file", str(path), "must be a list of tokens; not all of them are texts")
        return tokens
    try:
        text = path.read_bytes().decode()
    except (UnicodeDecodeError, OSError) as error:
        raise UserError("file", str(path), f"cannot be read as UTF-8 text ({error})") from error
    return text.removesuffix("\n").split("\n") if text else []  # tokens may hold any other line break

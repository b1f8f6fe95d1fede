"""The files Keras writes, read without Keras and without running anything in them.

=====================  ==============================================================================
``.keras``             a zip archive: ``config.json`` and ``model.weights.h5`` (Keras 3)
``.weights.h5``        HDF5, ``layers/<class>/cell/vars/0`` (Keras 3), layers named by class and count
``.h5``                HDF5, ``model_weights/<layer>/.../kernel:0`` (Keras 2), in the order of ``layer_names``
``.npz``               our own names, as `anncestry.checkpoints.converters.keras.weights.to_keras` gives them
=====================  ==============================================================================
"""

import io
import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from anncestry.errors import UserError
from anncestry.formats.hdf5 import MAX_GROWTH, float_datasets, nodes_of

_VARIABLE = re.compile(
    r"(?P<layer>.+?)/(?:(?P<way>forward|backward)_layer/)?(?P<cell>cell/)?vars/(?P<index>[0-9]{1,3})"
)
_CONTAINERS = ("layers/", "_layer_checkpoint_dependencies/")
_CELL_PARTS = ("kernel", "recurrent_kernel", "bias")
_DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, MemoryError, zipfile.BadZipFile)
_DAMAGE += (RecursionError, NotImplementedError, OverflowError, zlib.error)


class KerasFile(NamedTuple):
    """Arrays named ``<layer>/kernel``, ``<layer>/forward/bias`` ..., the lowest layer first, and the model's
    configuration where the file holds it; ``silent`` names its layers without weights."""

    arrays: dict[str, np.ndarray]
    config: dict[str, Any] | None
    silent: tuple[str, ...] = ()


def open_archive(path: Path) -> zipfile.ZipFile | None:
    """A zip archive, opened for reading; None where it is another kind of file, or holds a pickle."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        return None
    if archive.infolist() and not any(name.endswith(".pkl") for name in archive.namelist()):
        return archive
    archive.close()
    return None


def read_keras(path: Path, opened: h5py.File | zipfile.ZipFile | None = None) -> KerasFile:
    """Read a file of Keras weights.

    Args:
        opened: the same file, where it is open already; the caller closes it.

    Raises:
        UserError: there is no such file, it is of another kind, damaged, or claims more than it holds.
    """
    try:
        size = path.stat().st_size
        if opened is None:
            with zipfile.ZipFile(path) if zipfile.is_zipfile(path) else h5py.File(path, "r") as opened:
                return read_keras(path, opened)
        if isinstance(opened, zipfile.ZipFile):
            return _read_archive(opened, str(path), size)
        return _read_hdf5(opened, str(path), size)
    except FileNotFoundError as error:
        raise UserError("file", str(path), "cannot be read: there is no such file") from error
    except UserError:
        raise
    except _DAMAGE as error:
        raise UserError("file", str(path), f"is not a file of Keras weights, or damaged ({error})") from error


def _read_archive(archive: zipfile.ZipFile, source: str, size: int) -> KerasFile:
    names = archive.namelist()
    if sum(member.file_size for member in archive.infolist()) > MAX_GROWTH * size:
        raise UserError("file", source, f"would unpack to more than {MAX_GROWTH} times its size")
    if "model.weights.h5" in names:
        config = json.loads(archive.read("config.json")) if "config.json" in names else None
        if not isinstance(config, dict | None):
            raise ValueError("config.json holds no object")
        with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
            return _read_hdf5(file, source, size)._replace(config=config)
    if not all(name.endswith(".npy") for name in names):
        raise UserError("file", source, "is an archive of something else than Keras weights")
    arrays = {}
    for name in names:
        with archive.open(name) as member:
            arrays[name.removesuffix(".npy")] = np.lib.format.read_array(member, allow_pickle=False)
    return KerasFile(arrays, None)


def _read_hdf5(file: h5py.File, source: str, size: int) -> KerasFile:
    nodes = nodes_of(file)
    datasets = float_datasets(nodes, source, size)
    root = "model_weights" if "model_weights" in nodes else ""
    layered = "layer_names" in nodes[root].attrs
    names = _keras2_names(nodes, root) if layered else _keras3_names(list(datasets))
    arrays = {}
    for stored, ours in names.items():
        if ours in arrays:
            raise UserError("file", source, f"has two arrays for {ours} (a model inside a model?)")
        if stored not in datasets:
            raise UserError("file", source, f"is damaged: {stored} is missing")
        arrays[ours] = np.asarray(datasets[stored])
    config = _json_of(file, "model_config")
    trained = _json_of(file, "training_config")
    if config is not None and trained is not None:
        config = {**config, "training_config": trained}
    return KerasFile(arrays, config, _silent(nodes, root, layered, arrays))


def _silent(
    nodes: dict[str, Any], root: str, layered: bool, arrays: dict[str, np.ndarray]
) -> tuple[str, ...]:
    """The layers that the file names and that have no weights."""
    if layered:
        layers = [_text(name) for name in nodes[root].attrs["layer_names"]]
    else:
        inside = [name.partition("/")[2] for name in nodes if name.startswith(_CONTAINERS)]
        layers = [name for name in inside if name and "/" not in name]
    return tuple(layer for layer in layers if not any(name.startswith(f"{layer}/") for name in arrays))


def _json_of(file: h5py.File, name: str) -> dict[str, Any] | None:
    """The object in an attribute of the file."""
    found = file.attrs.get(name)
    value = None if found is None else json.loads(found)
    if not isinstance(value, dict | None):
        raise ValueError(f"{name} holds no object")
    return value


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _keras2_names(nodes: dict[str, Any], root: str) -> dict[str, str]:
    """Stored name -> our name, in the order of the layers."""
    names = {}
    for layer in map(_text, nodes[root].attrs["layer_names"]):
        group = f"{root}/{layer}".lstrip("/")
        weights = [_text(name) for name in nodes[group].attrs["weight_names"]]
        ways = {name: re.search(r"/(forward|backward)_[^/]*/", name) for name in weights}
        pair = {match[1] for match in ways.values() if match} == {"forward", "backward"}
        for name, match in ways.items():
            place = f"{layer}/{match[1]}" if pair and match else layer
            names[f"{group}/{name}"] = f"{place}/{name.rpartition('/')[2].removesuffix(':0')}"
    return names


def _keras3_names(stored: list[str]) -> dict[str, str]:
    """Stored name -> our name; ``lstm``, ``lstm_1``, ... ``lstm_10`` are in the order of their counts."""
    names = {}
    for name in sorted(stored, key=_by_count):
        container = next((prefix for prefix in _CONTAINERS if name.startswith(prefix)), "")
        match = _VARIABLE.fullmatch(name.removeprefix(container))
        if match is None or name.startswith("optimizer/"):
            continue
        layer, index = match["layer"], int(match["index"])
        if match["cell"]:
            parts = _CELL_PARTS
            layer += f"/{match['way']}" if match["way"] else ""
        else:
            parts = ("embeddings",) if layer.startswith("embedding") else ("kernel", "bias")
        # What is beyond the parts of a layer that is read keeps its number, for its layer to be refused by.
        names[name] = f"{layer}/{parts[index] if index < len(parts) else index}"
    return names


def _by_count(name: str) -> list[tuple[int, str]]:
    """A sorting key that puts ``lstm_2`` before ``lstm_10``."""
    return [(len(piece) if piece[:1].isdigit() else 0, piece) for piece in re.split("([0-9]+)", name)]

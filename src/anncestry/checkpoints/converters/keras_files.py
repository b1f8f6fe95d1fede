"""The files Keras writes, read without Keras and without running anything in them.

=====================  ==============================================================================
``.keras``             a zip archive: ``config.json`` and ``model.weights.h5`` (Keras 3)
``.weights.h5``        HDF5, ``layers/<class>/cell/vars/0`` (Keras 3), layers named by class and count
``.h5``                HDF5, ``model_weights/<layer>/.../kernel:0`` (Keras 2), in the order of ``layer_names``
``.npz``               our own names, as `anncestry.checkpoints.converters.keras.to_keras` gives them
=====================  ==============================================================================
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from anncestry.checkpoints.hdf5 import MAX_GROWTH, float_datasets, nodes_of
from anncestry.errors import UserError

_VARIABLE = re.compile(
    r"(?P<layer>.+?)/(?:(?P<way>forward|backward)_layer/)?(?P<cell>cell/)?vars/(?P<index>[0-9]{1,3})"
)
_CONTAINERS = ("layers/", "_layer_checkpoint_dependencies/")
_CELL_PARTS = ("kernel", "recurrent_kernel", "bias")
_DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, MemoryError, zipfile.BadZipFile)
_RECURRENT = ("SimpleRNN", "LSTM", "GRU")


class KerasFile(NamedTuple):
    """Arrays named ``<layer>/kernel``, ``<layer>/forward/bias`` ..., the lowest layer first, and the model's
    configuration where the file holds it."""

    arrays: dict[str, np.ndarray]
    config: dict[str, Any] | None


def read_keras(path: str | Path) -> KerasFile:
    """Read a file of Keras weights.

    Raises:
        UserError: there is no such file, it is of another kind, damaged, or claims more than it holds.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if zipfile.is_zipfile(path):
            return _read_archive(path, size)
        with h5py.File(path, "r") as file:
            return _read_hdf5(file, str(path), size)
    except FileNotFoundError as error:
        raise UserError("file", str(path), "cannot be read: there is no such file") from error
    except UserError:
        raise
    except _DAMAGE as error:
        raise UserError("file", str(path), f"is not a file of Keras weights, or damaged ({error})") from error


def activation_of(config: dict[str, Any] | None) -> str | None:
    """The activation of a model's SimpleRNN layers; checks that all recurrent layers compute what ours do.

    Returns:
        ``tanh`` or ``relu``; None where there is no configuration or no SimpleRNN.

    Raises:
        UserError: an option makes another function of them.
    """
    activation = None
    for name, options, inside in _recurrent_configs(config, False):
        expected: dict[str, tuple] = {"activation": ("tanh",), "recurrent_activation": ("sigmoid",)}
        expected |= {"reset_after": (True,), "merge_mode": ("concat",), "go_backwards": (False,)}
        if name == "SimpleRNN":
            activation = options.get("activation", "tanh")
            expected["activation"] = ("tanh", "relu")
        if inside:  # the backward half of a pair
            del expected["go_backwards"]
        for option, accepted in expected.items():
            value = options.get(option, accepted[0])
            if value not in accepted:
                raise UserError(f"{name}: {option}", value, "makes another function of it", accepted)
    return activation


def _recurrent_configs(node: Any, inside: bool) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """(class, options, whether it is half of a pair) of every recurrent layer in a nested configuration."""
    if isinstance(node, list):
        for part in node:
            yield from _recurrent_configs(part, inside)
    elif isinstance(node, dict):
        name, options = node.get("class_name"), node.get("config")
        if isinstance(options, dict) and name in (*_RECURRENT, "Bidirectional"):
            yield str(name), options, inside
            inside = inside or name == "Bidirectional"
        for part in node.values():
            yield from _recurrent_configs(part, inside)


def _read_archive(path: Path, size: int) -> KerasFile:
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_GROWTH * size:
            raise UserError("file", str(path), f"would unpack to more than {MAX_GROWTH} times its size")
        if "model.weights.h5" in archive.namelist():
            config = json.loads(archive.read("config.json")) if "config.json" in archive.namelist() else None
            with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
                return _read_hdf5(file, str(path), size)._replace(config=config)
        if not all(name.endswith(".npy") for name in archive.namelist()):
            raise UserError("file", str(path), "is an archive of something else than Keras weights")
    with np.load(path, allow_pickle=False) as arrays:
        return KerasFile({name: arrays[name] for name in arrays.files}, None)


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
    config = file.attrs.get("model_config")
    return KerasFile(arrays, None if config is None else json.loads(config))


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
        if index < len(parts):
            names[name] = f"{layer}/{parts[index]}"
    return names


def _by_count(name: str) -> list[tuple[int, str]]:
    """A sorting key that puts ``lstm_2`` before ``lstm_10``."""
    return [(len(piece) if piece[:1].isdigit() else 0, piece) for piece in re.split("([0-9]+)", name)]

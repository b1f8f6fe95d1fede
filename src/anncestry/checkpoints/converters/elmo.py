"""ELMo as its authors keep it, both ways: options.json, and an HDF5 file with the weights.

The softmax of training is never among them, so what comes in gives vectors of words. Their kernels are
transposed; an LSTM has one kernel for input and output of the step before, its gates in the order i, j
(our g), f, o, and 1 is added to f while it runs, which our bias contains. The gate that lets new values
through a highway layer is called carry. Options count the characters: 261 in training, 262 afterwards.

Some files differ only in ``use_skip_connections``, which is no weight: without it there is no shortcut.
"""

import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from torch import Tensor

from anncestry.checkpoints.foreign_files import ForeignFiles
from anncestry.checkpoints.imported import Imported
from anncestry.checkpoints.store import some_of
from anncestry.errors import UserError, require
from anncestry.fields import Fields
from anncestry.formats.hdf5 import float_datasets, nodes_of
from anncestry.signature import NUM_CHARACTERS

OPTIONS, WEIGHTS = "options.json", "lm_weights.hdf5"
_OF_TRAINING = (
    "n_train_tokens", "batch_size", "n_tokens_vocab", "unroll_steps", "n_negative_samples_batch", "n_epochs",
    "all_clip_norm_val", "n_gpus", "sample_softmax", "softmax", "learning_rate", "shuffle",
)  # fmt: skip
_EMBEDDING = "char_embed"
_HDF5 = (".hdf5", ".h5", ".hdf")
"""Usual endings of their names; others are looked into where options lie in the folder."""
_ORDER = (0, 2, 1, 3)  # of their gates i, j, f, o in ours, and back
_DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, MemoryError)


class Files(NamedTuple):
    """The names of the two files of a net, in their folder."""

    options: str
    weights: str


def is_elmo(files: ForeignFiles) -> bool:
    """Whether there are weights of a net that reads words by their characters; see `find_elmo`."""
    return find_elmo(files) is not None


def find_elmo(files: ForeignFiles) -> Files | None:
    """The two files of a folder, or of one of them; None where there is no such net.

    Raises:
        UserError: there are weights of ELMo but no options that belong to them, or several of either.
    """
    name = None if files.is_folder else files.path.name
    if files.bundle is not None or (name is not None and name not in files.names):
        return None
    options = sorted(other for other in files.names if other.endswith(OPTIONS))
    if name is not None and not name.endswith(OPTIONS):
        asked = [name]
    else:
        asked = sorted(other for other in files.names if other.endswith(_HDF5))
        asked = asked or (sorted(files.names) if options else [])
    weights = [other for other in asked if _has_characters(files, other)]
    if not weights:
        return None
    require(len(weights) == 1, "folder", str(files.folder), "holds several nets; name one of", weights)
    own = [other for other in options if _stem(other) == _stem(weights[0])]
    options = [name] if name in options else own or options
    rule = f"needs one file beside it whose name ends with {OPTIONS}"
    path = str(files.folder / weights[0])
    require(len(options) == 1, "file", path, rule, options or ["none yet"])
    return Files(options[0], weights[0])


def _stem(name: str) -> str:
    """What the names of options and weights that belong together have in common."""
    return name.removesuffix(OPTIONS).removesuffix("weights.hdf5")


def _has_characters(files: ForeignFiles, name: str) -> bool:
    try:
        file = files.hdf5(name)
        return file is not None and _EMBEDDING in file
    except (UserError, *_DAMAGE):
        return False


def from_elmo(files: ForeignFiles, _: str | None = None) -> Imported:
    """The net of what `is_elmo` accepts, to embed words.

    Raises:
        UserError: a file is damaged, claims more than it holds, or the weights are not those of the options.
    """
    source, found = files.name, find_elmo(files)
    assert found is not None
    config, notes = _config(files.json(found.options), str(files.folder / found.options))
    arrays = _arrays(files, found.weights)
    names = dict(_names(config))
    faults = {
        "missing": sorted(set(names) - set(arrays)),
        "unexpected": sorted(set(arrays) - set(names)),
    }
    wrong = [f"{fault}: {some_of(some)}" for fault, some in faults.items() if some]
    if wrong:
        raise UserError(source, f"{len(arrays)} arrays", f"are not those of its options; {'; '.join(wrong)}")
    tensors: dict[str, Tensor] = {}
    for name, ours in names.items():
        tensors |= _to_ours(name, ours, arrays[name], config, source)
    processor = {"kind": "character-words", "vocabulary": [], "num_chars": config["num_chars"]}
    return Imported("elmo", config, tensors, processor, notes)


def to_elmo(tensors: Mapping[str, Tensor], config: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """``(options, arrays)`` of a net of ours: the language models alone, without softmax, mixture or task."""
    options = {
        "lstm": {
            "use_skip_connections": config.skip,
            "projection_dim": config.proj_size,
            "cell_clip": _number(config.cell_clip),
            "proj_clip": _number(config.proj_clip),
            "dim": config.hidden_size,
            "n_layers": config.num_layers,
        },
        "char_cnn": {
            "embedding": {"dim": config.char_embed_dim},
            "filters": [list(pair) for pair in zip(config.filter_widths, config.filter_counts, strict=True)],
            "n_highway": config.num_highways,
            "n_characters": NUM_CHARACTERS,
            "max_characters_per_token": config.num_chars,
            "activation": config.activation,
        },
        "dropout": config.dropout,
        "bidirectional": True,
    }
    fields = {
        name: getattr(config, name)
        for name in ("num_layers", "num_highways", "filter_widths", "hidden_size", "proj_size")
    }
    ours = {name: tensor.detach().cpu() for name, tensor in tensors.items()}
    arrays = {theirs: _to_theirs(theirs, name, ours) for theirs, name in _names(fields)}
    return options, arrays


def elmo_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The HDF5 file of arrays by name."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return memory.getvalue()


def _number(limit: float) -> float | None:
    return limit or None


def _names(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(their name, ours) of everything; of an LSTM ours is the cell, and of other layers the tensor."""
    encoder = "bilm.encoder"
    yield _EMBEDDING, f"{encoder}.embedding"
    for i in range(len(config["filter_widths"])):
        yield f"CNN/W_cnn_{i}", f"{encoder}.convolutions.{i}.weight"
        yield f"CNN/b_cnn_{i}", f"{encoder}.convolutions.{i}.bias"
    for i in range(config["num_highways"]):
        for theirs, ours in (("carry", "gate"), ("transform", "transform")):
            yield f"CNN_high_{i}/W_{theirs}", f"{encoder}.highways.{i}.{ours}.weight"
            yield f"CNN_high_{i}/b_{theirs}", f"{encoder}.highways.{i}.{ours}.bias"
    yield "CNN_proj/W_proj", f"{encoder}.projection.weight"
    yield "CNN_proj/b_proj", f"{encoder}.projection.bias"
    for direction, ours in enumerate(("ahead", "back")):
        for i in range(config["num_layers"]):
            cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{i}/LSTMCell"
            for part in ("W_0", "B", "W_P_0"):
                yield f"{cell}/{part}", f"bilm.{ours}.layers.{i}.cell"


def _to_ours(
    theirs: str, ours: str, array: np.ndarray, config: Mapping[str, Any], source: str
) -> dict[str, Tensor]:
    """Our tensors of one array. Sizes are compared with those of the options."""
    M, N = config["hidden_size"], config["proj_size"]
    part = theirs.rpartition("/")[2]
    features = sum(config["filter_counts"])
    place = int(part.rpartition("_")[2]) if part.startswith(("W_cnn", "b_cnn")) else 0
    width, count = config["filter_widths"][place], config["filter_counts"][place]
    E = config["char_embed_dim"]
    wanted = {
        _EMBEDDING: (NUM_CHARACTERS - 1, E), "W_0": (2 * N, 4 * M), "B": (4 * M,), "W_P_0": (M, N),
        f"W_cnn_{place}": (1, width, E, count), f"b_cnn_{place}": (count,),
        "W_carry": (features, features), "b_carry": (features,), "W_transform": (features, features),
        "b_transform": (features,), "W_proj": (features, N), "b_proj": (N,),
    }[part]  # fmt: skip
    require(array.shape == wanted, source, array.shape, f"the options make {theirs} {wanted}")
    tensor = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    if part == "W_0":
        below, before = _reordered(tensor.t(), M).split(N, dim=1)
        return {f"{ours}.weight_ih": below.contiguous(), f"{ours}.weight_hh": before.contiguous()}
    if part == "B":
        bias = _reordered(tensor, M)
        bias[M : 2 * M] += 1
        return {f"{ours}.bias": bias}
    if part == "W_P_0":
        return {f"{ours}.weight_p": tensor.t().contiguous()}
    if part.startswith("W_cnn"):
        return {ours: tensor[0].permute(2, 1, 0).contiguous()}
    return {ours: tensor.t().contiguous() if part.startswith("W_") else tensor}


def _to_theirs(theirs: str, ours: str, tensors: Mapping[str, Tensor]) -> np.ndarray:
    part = theirs.rpartition("/")[2]
    if part in ("W_0", "B", "W_P_0"):
        M = tensors[f"{ours}.weight_p"].shape[1]
        if part == "W_0":
            both = torch.cat([tensors[f"{ours}.weight_ih"], tensors[f"{ours}.weight_hh"]], dim=1)
            return _reordered(both, M).t().contiguous().numpy()
        if part == "B":
            bias = tensors[f"{ours}.bias"].clone()
            bias[M : 2 * M] -= 1
            return _reordered(bias, M).numpy()
        return tensors[f"{ours}.weight_p"].t().contiguous().numpy()
    tensor = tensors[ours]
    if part.startswith("W_cnn"):
        return tensor.permute(2, 1, 0)[None].contiguous().numpy()
    return (tensor.t().contiguous() if part.startswith("W_") else tensor).numpy()


def _reordered(rows: Tensor, cells: int) -> Tensor:
    """The rows of four gates, the second and the third of which change places."""
    gates = rows.split(cells)
    return torch.cat([gates[place] for place in _ORDER])


def _config(options: Fields, source: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fields of our config, and notes. What is missing is none at all, as in the authors' code."""
    rule = "must hold the options of a net that reads words by their characters (lstm, char_cnn)"
    options.ignore(*_OF_TRAINING)
    lstm, cnn = options.get("lstm"), options.get("char_cnn")
    if not isinstance(lstm, dict) or not isinstance(cnn, dict):
        raise UserError("file", source, rule)
    options.must_be("bidirectional", True)
    lstm, cnn = Fields(lstm, f"lstm in {OPTIONS}"), Fields(cnn, f"char_cnn in {OPTIONS}", ("max_characters",))
    try:
        filters = [(int(width), int(count)) for width, count in cnn["filters"]]
        config = {
            "task": "embedding",
            "hidden_size": int(lstm["dim"]),
            "proj_size": int(lstm["projection_dim"]),
            "num_layers": int(lstm["n_layers"]),
            "cell_clip": float(lstm.get("cell_clip") or 0),
            "proj_clip": float(lstm.get("proj_clip") or 0),
            "skip": bool(lstm.get("use_skip_connections", False)),
            "char_embed_dim": int(cnn["embedding"]["dim"]),
            "filter_widths": tuple(width for width, _ in filters),
            "filter_counts": tuple(count for _, count in filters),
            "num_highways": int(cnn.get("n_highway") or 0),
            "num_chars": int(cnn["max_characters_per_token"]),
            "activation": str(cnn["activation"]),
            "dropout": float(options.get("dropout") or 0),
        }
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError("file", source, f"{rule}; {type(error).__name__}: {error}") from error
    known = cnn.get("n_characters", NUM_CHARACTERS) in (NUM_CHARACTERS - 1, NUM_CHARACTERS)
    choices = (NUM_CHARACTERS - 1, NUM_CHARACTERS)
    require(known, "n_characters", cnn.get("n_characters"), "is that of bytes and five marks", choices)
    return config, (*options.notes(), *lstm.notes(), *cnn.notes())


def _arrays(files: ForeignFiles, name: str) -> dict[str, np.ndarray]:
    path, file = files.folder / name, files.hdf5(name)
    assert file is not None
    try:
        found = float_datasets(nodes_of(file), str(path), path.stat().st_size)
        return {name: np.asarray(dataset) for name, dataset in found.items()}
    except UserError:
        raise
    except _DAMAGE as error:
        raise UserError("file", str(path), f"cannot be read as HDF5 ({error})") from error

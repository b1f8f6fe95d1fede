"""Weights and other files on disk: written whole or not at all, read with suspicion.

A file of tensors is one safetensors file. Its metadata has a single key, ``anncestry``, whose value is JSON:
``{"format": 1, "checksum": ..., "metadata": {...}}``; one key, so that equal contents make equal bytes. A
pickle can run code while it is read, so none is ever loaded.
"""

import glob
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from anncestry.errors import UserError
from anncestry.files import write_bytes

FORMAT = 1
_KEY = "anncestry"
_MAX_HEADER_BYTES = 100_000_000  # of JSON: names, shapes and metadata; the limit of safetensors itself
_PICKLE_RULE = "is a pickle; a pickle can run code and is never loaded"
_PICKLE_HINT = (  # clone: tied weights share memory, which safetensors does not store
    'Where you trust it, make safetensors of it: python -c "import glob, torch; '
    "from safetensors.torch import save_file; read = lambda f: torch.load(f, 'cpu', weights_only=True); "
    "w = {{n: t for f in glob.glob({pattern}) for n, t in read(f).items()}}; w = w.get('state_dict', w); "
    "save_file({{n: t.clone().contiguous() for n, t in w.items() if hasattr(t, 'clone')}}, {made})\""
)
_PICKLE_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None
) -> None:
    """Write tensors and JSON-able metadata as one safetensors file, whole or not at all.

    Tensors are stored contiguous and on the CPU. The format knows no sharing: of tensors that share memory
    (tied weights) each is stored in full, and reading gives independent copies.

    Raises:
        UserError: the disk is full, or the place is not writable.
    """
    stored: dict[str, Tensor] = {}
    memories: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        if tensor.untyped_storage().data_ptr() in memories:
            tensor = tensor.clone()
        memories.add(tensor.untyped_storage().data_ptr())
        stored[name] = tensor
    described = dict(metadata or {})
    note = {"format": FORMAT, "checksum": checksum(stored, described), "metadata": described}
    write_bytes(path, safetensors.torch.save(stored, {_KEY: json.dumps(note)}))


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (on the CPU) and the metadata of a safetensors file, ours or anyone's.

    Returns:
        ``(tensors, metadata)``; the metadata are empty for a file that another program wrote.

    Raises:
        UserError: there is no such file; it is a pickle, cut short, or another kind of file; or its contents
            are not those its checksum was made for.
    """
    path = Path(path)
    with open_tensors(path) as file:
        return read_opened(file, path)


def open_tensors(path: Path) -> Any:
    """A safetensors file, opened: its header is read, and no tensor.

    Returns:
        What ``safetensors.safe_open`` returns.

    Raises:
        UserError: there is no such file; it is a pickle, cut short, or another kind of file.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for ever
            raise UserError("file", str(path), "is not a file")
        return safetensors.safe_open(path, framework="pt", device="cpu")
    except (OSError, safetensors.SafetensorError) as error:
        raise _refusal(path, error) from error


def read_opened(file: Any, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The same as `read_tensors` of a file that `open_tensors` has opened."""
    try:
        notes = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, safetensors.SafetensorError) as error:
        raise unreadable(path, error) from error
    if _KEY not in notes:
        return tensors, {}
    try:
        note = json.loads(notes[_KEY])
        version, expected, metadata = note["format"], note["checksum"], dict(note["metadata"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError("file", str(path), "is damaged: its metadata cannot be read") from error
    if version != FORMAT:
        raise UserError("file", str(path), f"has format {version!r}; this version reads format {FORMAT}")
    if checksum(tensors, metadata) != expected:
        raise UserError("file", str(path), "is damaged: its contents do not match its checksum")
    return tensors, metadata


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Copy tensors into a module; every name and shape must fit, else nothing is copied.

    Args:
        source: where the tensors come from, for the message.

    Raises:
        UserError: names the missing, the unexpected and the misshapen tensors together; or a tensor that
            holds NaN or an infinite number.
    """
    wanted = module.state_dict()
    misshapen = [
        f"{name} {tuple(tensors[name].shape)} for {tuple(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    faults = {
        "missing": [name for name in wanted if name not in tensors],
        "unexpected": [name for name in tensors if name not in wanted],
        "wrong shape": misshapen,
    }
    found = [f"{fault}: {some_of(names)}" for fault, names in faults.items() if names]
    if found:
        rule = f"they do not fit {type(module).__name__}; " + "; ".join(found)
        raise UserError(source, f"{len(tensors)} tensors", rule)
    check_finite(tensors, source)
    module.load_state_dict(dict(tensors))


def check_finite(tensors: Mapping[str, Tensor], source: str) -> None:
    """Raise a `UserError` where a tensor holds NaN or an infinite number: whatever it computes is neither."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel():
            tensor = tensor if tensor.element_size() > 1 else tensor.float()  # float8 cannot be compared
            if not all(end.isfinite() for end in tensor.aminmax()):
                rule = "holds NaN or infinite numbers; the weights are damaged, or training had diverged"
                raise UserError(source, name, rule)


def checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> str:
    """BLAKE2b over metadata, names, dtypes, shapes and bytes, whatever the order of the names."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps(metadata or {}, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def some_of(names: Iterable[str], limit: int = 8) -> str:
    """The first few of a list, and how many more there are."""
    names = list(names)
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest


def _refusal(path: Path, error: Exception) -> UserError:
    """Why a file is no safetensors, which begin with the length of a header (8 bytes) and JSON."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            start = file.read(9)
        header_bytes = int.from_bytes(start[:8], "little")
        if start[8:] == b"{" and header_bytes <= _MAX_HEADER_BYTES:
            if header_bytes > size - 8:
                return UserError("file", str(path), "is cut short: its header is longer than the file")
            return unreadable(path, error)
        if path.name.endswith(".bin.index.json"):
            rule = f"lists shards each of which {_PICKLE_RULE}"
            return UserError("file", str(path), rule, hint=_advice(path))
        is_archive = start.startswith(b"PK\x03\x04")
        if is_archive and not _holds_pickle(path):
            return UserError("file", str(path), "is a zip archive, not a safetensors file")
    except OSError as failure:
        return unreadable(path, failure)
    if is_archive or (start[:1] == b"\x80" and start[1:2] <= b"\x05") or path.suffix in _PICKLE_SUFFIXES:
        return UserError("file", str(path), _PICKLE_RULE, hint=_advice(path))
    return UserError("file", str(path), "is cut short" if size < 9 else "is not a safetensors file")


def _holds_pickle(path: Path) -> bool:
    """Whether a zip archive is one that ``torch.save`` makes."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    except zipfile.BadZipFile:  # cut short; torch.save is by far its likeliest origin
        return True


def _advice(path: Path) -> str:
    """How a pickle becomes safetensors beside it, all its shards together."""
    shards = f"{glob.escape(path.name.removesuffix('.bin.index.json'))}*.bin"
    pattern = shards if path.name.endswith(".index.json") else glob.escape(path.name)
    made = path.with_name("model.safetensors" if path.name.startswith("pytorch_model") else path.stem)
    made = made.with_suffix(".safetensors")
    here = glob.escape(str(path.parent))
    return _PICKLE_HINT.format(pattern=repr(f"{here}/{pattern}"), made=repr(str(made)))


def unreadable(path: Path, error: Exception) -> UserError:
    """The error of a file that cannot be read."""
    return UserError("file", str(path), f"cannot be read: {_reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"it is cut short or damaged ({error})"

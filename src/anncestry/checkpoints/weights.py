"""The tensors of a foreign file or folder, whatever holds them: a safetensors file, or shards with an index.

They are read one at a time, when they are asked for. Names lose what wrappers put before all of them:
``module.`` (DataParallel), ``_orig_mod.`` (torch.compile), ``model.`` (Lightning, a class of one's own). A
pickle can run code while it is read: it is refused, with a command that makes safetensors of it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
from torch import Tensor

from anncestry.checkpoints.store import open_tensors, read_opened, some_of, unreadable
from anncestry.errors import UserError, require
from anncestry.stored import entry, read_object

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_ELSEWHERE = ("tf_model.h5", "flax_model.msgpack", "model.onnx", "rust_model.ot", "adapter_model.safetensors")
_WRAPPERS = ("module.", "_orig_mod.", "model.")


class Weights(Mapping[str, Tensor]):
    """Tensors by name, on the CPU, each read when it is asked for.

    Args:
        held: where each is: its file, and its name there.
        metadata: what one of our own files says beside its tensors.
        opened: the files, as `open_tensors` gives them.
    """

    def __init__(
        self, held: Mapping[str, tuple[Path, str]], metadata: Mapping[str, Any], opened: Mapping[Path, Any]
    ) -> None:
        self._held, self.metadata, self._opened = _unwrapped(held), metadata, opened

    def __getitem__(self, name: str) -> Tensor:
        path, stored = self._held[name]
        try:
            return self._opened[path].get_tensor(stored)
        except (OSError, safetensors.SafetensorError) as error:
            raise unreadable(path, error) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def shape(self, name: str) -> tuple[int, ...]:
        """The sizes of a tensor, which is not read."""
        path, stored = self._held[name]
        return tuple(self._opened[path].get_slice(stored).get_shape())


def open_weights(path: Path) -> Weights:
    """The tensors of a file, or those of a folder.

    Args:
        path: a safetensors file, an index of shards, or a folder with one of these.

    Raises:
        UserError: there is none, it is a pickle, cut short or damaged; a shard is missing, lies outside of
            the folder, or lacks a tensor that the index names.
    """
    if path.is_dir():
        path = _of_folder(path)
    if path.name.endswith(".safetensors.index.json"):
        return _sharded(path)
    file = open_tensors(path)
    ours = "anncestry" in (file.metadata() or {})
    metadata = read_opened(file, path)[1] if ours else {}  # its checksum is looked at too
    return Weights({name: (path, name) for name in file.keys()}, metadata, {path: file})  # noqa: SIM118


def _of_folder(folder: Path) -> Path:
    found = [folder / name for name in (WEIGHTS, INDEX, *PICKLES) if (folder / name).is_file()]
    if found:
        return found[0]  # a pickle is refused, with the reason
    others = sorted(file.name for file in folder.glob("*.safetensors"))
    others += [name for name in _ELSEWHERE if (folder / name).is_file() and name not in others]
    rule = f"is a folder without model.bin, {WEIGHTS}, its index of shards, or a checkpoint of TensorFlow"
    if others:
        rule += f"; what it has instead is read only where it is named: {some_of(others)}"
    raise UserError("folder", str(folder), rule)


def _sharded(index: Path) -> Weights:
    """Every tensor of the shards that an index lists; where two have it, the index says which one counts."""
    folder, source = index.parent, str(index)
    placed = entry(read_object(index), "weight_map", dict, source)
    wrong = [shard for shard in placed.values() if not isinstance(shard, str)]
    require(not wrong and bool(placed), "file", source, "weight_map must name a file for each tensor")
    held: dict[str, tuple[Path, str]] = {}
    known: dict[str, set[str]] = {}
    opened: dict[Path, Any] = {}
    for shard in dict.fromkeys(placed.values()):
        inside = not Path(shard).is_absolute() and ".." not in Path(shard).parts and "\0" not in shard
        require(len(shard) < 256, source, shard, "is too long for a file's name")
        require(inside, source, shard, "lies outside of the index's folder")
        require((folder / shard).is_file(), source, shard, "is a shard that is missing in the folder")
        opened[folder / shard] = open_tensors(folder / shard)
        known[shard] = set(opened[folder / shard].keys())
        held |= {name: (folder / shard, name) for name in sorted(known[shard])}
    lost = [name for name, shard in placed.items() if name not in known[shard]]
    rule = "must name tensors that its shards hold; these are not where it says"
    require(not lost, "file", source, f"{rule}: {some_of(lost)}")
    held |= {name: (folder / shard, name) for name, shard in placed.items()}
    return Weights(held, {}, opened)


def _unwrapped(held: Mapping[str, tuple[Path, str]]) -> dict[str, tuple[Path, str]]:
    """Without what stands before all names; torch.compile's mark goes wherever it stands."""
    names = {name: name.replace("_orig_mod.", "") for name in held}
    while names:
        wrapper = next((w for w in _WRAPPERS if all(n.startswith(w) for n in names.values())), None)
        if wrapper is None:
            break
        names = {name: short.removeprefix(wrapper) for name, short in names.items()}
    plain = {short: held[name] for name, short in names.items()}
    return plain if len(plain) == len(held) else dict(held)

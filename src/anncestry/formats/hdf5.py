"""What an HDF5 file holds, read with suspicion."""

from pathlib import Path
from typing import Any

import h5py

from anncestry.errors import UserError

_MAGIC = b"\x89HDF"
MAX_GROWTH = 8  # weights barely compress; a file that claims more than this times its size is a trap


def open_hdf5(path: Path) -> h5py.File | None:
    """A file of HDF5, opened for reading; None where it is another kind of file.

    Raises:
        UserError: it begins as HDF5 does, and cannot be read.
    """
    try:
        return h5py.File(path, "r")
    except (OSError, RuntimeError, ValueError) as error:
        with open(path, "rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
        raise UserError("file", str(path), f"cannot be read as HDF5 ({error})") from error


def nodes_of(file: h5py.File) -> dict[str, Any]:
    """Groups and data sets by name; the file itself is ``""``. Links to other files are not followed."""
    nodes: dict[str, Any] = {"": file}
    file.visititems(nodes.__setitem__)  # hard links only
    return nodes


def float_datasets(nodes: dict[str, Any], source: str, size: int) -> dict[str, h5py.Dataset]:
    """The data sets of real numbers, which are not read yet.

    Args:
        nodes: as `nodes_of` gives them.
        source: the file's name, for messages.
        size: its bytes.

    Raises:
        UserError: one is in another file, or all together claim much more than the file has.
    """
    found = {name: n for name, n in nodes.items() if isinstance(n, h5py.Dataset) and n.dtype.kind == "f"}
    for name, dataset in found.items():
        if dataset.external or dataset.is_virtual:
            raise UserError("file", source, f"keeps {name} in another file")
    if sum(dataset.nbytes for dataset in found.values()) > MAX_GROWTH * size:
        raise UserError("file", source, f"claims to hold more than {MAX_GROWTH} times its size")
    return found

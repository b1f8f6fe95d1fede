"""The files of CIFAR-10 and CIFAR-100, in their binary and their Python form.

The Python form is a pickle, and a pickle can run code while it is loaded. So none is loaded: its instructions
are read one by one as data (`pickletools.genops`), and what is needed is picked out of them: the bytes behind
``data``, the numbers behind ``labels``, the words behind ``label_names``.
"""

import itertools
import pickletools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anncestry.errors import UserError
from anncestry.user_files import check_memory, read_text, split_lines

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
_KEYS = (
    "data", "labels", "fine_labels", "coarse_labels", "filenames", "batch_label",
    "label_names", "fine_label_names", "coarse_label_names", "num_cases_per_batch", "num_vis",
)  # fmt: skip
_INTEGERS = ("BININT", "BININT1", "BININT2", "INT", "LONG1")
_FORTRAN = {"NEWTRUE": True, "NEWFALSE": False}


def read_binary(path: Path, labels_before: int, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) uint8 and their last label (N,): records of labels and 3,072 pixels.

    Args:
        labels_before: label bytes of a record: 1 of CIFAR-10, 2 (coarse, fine) of CIFAR-100.
        num_classes: labels are below.

    Raises:
        UserError: the file is not a whole number of records, or has another label.
    """
    record = labels_before + PIXELS
    data = _read(path)
    if not data or len(data) % record:
        raise UserError("file", str(path), f"must be records of {record} bytes; it has {len(data):,} bytes")
    records = np.frombuffer(data, np.uint8).reshape(-1, record)
    labels = records[:, labels_before - 1]
    return records[:, labels_before:].reshape(-1, *SHAPE), _checked(labels.tolist(), num_classes, path)


def read_python(path: Path, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) uint8 and labels (N,), the fine ones of CIFAR-100.

    Args:
        path: a batch.
        num_classes: labels are below.

    Raises:
        UserError: it is no such file, images and labels are not as many, or it has another label.
    """
    found = _contents(path)
    labels = _numbers(found.get("fine_labels") or found.get("labels") or [])
    pixels, fortran = _pixels(found.get("data", []))
    if pixels is None or not labels:
        raise UserError("file", str(path), "holds no batch of CIFAR images with their labels")
    if len(pixels) % PIXELS or len(pixels) // PIXELS != len(labels):
        rule = f"must hold {PIXELS} bytes for each of its {len(labels)} labels; it holds {len(pixels):,}"
        raise UserError("file", str(path), rule)
    images = np.frombuffer(pixels, np.uint8)
    # NumPy may have written the columns one after the other.
    images = images.reshape(PIXELS, -1).T if fortran else images.reshape(-1, PIXELS)
    return images.reshape(-1, *SHAPE), _checked(labels, num_classes, path)


def _checked(labels: Sequence[int], num_classes: int, path: Path) -> np.ndarray:
    """The labels (N,) int64."""
    for position, label in enumerate(labels):
        if not 0 <= label < num_classes:
            rule = f"must have labels of 0 to {num_classes - 1}; that of image {position + 1} is {label}"
            raise UserError("file", str(path), rule)
    return np.asarray(labels, dtype=np.int64)


def _read(path: Path) -> bytes:
    try:
        check_memory(3 * path.stat().st_size, "cifar", str(path), "It is read into memory.")
        return path.read_bytes()
    except OSError as error:
        raise UserError("file", str(path), f"cannot be read ({error.strerror})") from None


def read_names(path: Path) -> tuple[str, ...]:
    """The names of the (fine) classes in ``batches.meta`` or ``meta``, or in a text file of names."""
    if path.suffix == ".txt":
        return tuple(line.strip() for line in split_lines(read_text(path)) if line.strip())
    found = _contents(path)
    names = found.get("fine_label_names") or found.get("label_names") or []
    return tuple(name for name in names if isinstance(name, str))


def _contents(path: Path) -> dict[str, list[Any]]:
    """What follows each known key, as the pickle's instructions spell it out; nothing is executed."""
    data = _read(path)
    found: dict[str, list[Any]] = {}
    key = ""
    try:
        for opcode, value, _ in pickletools.genops(data):
            text = value.decode("latin-1") if isinstance(value, bytes) and len(value) < 64 else value
            if isinstance(text, str) and text in _KEYS:
                key = text
                found[key] = []
            elif not key:
                continue
            elif opcode.name in _INTEGERS and isinstance(value, int):
                found[key].append(value)
            elif opcode.name in _FORTRAN:
                found[key].append(_FORTRAN[opcode.name])
            elif isinstance(text, bytes | bytearray | str) and opcode.name != "GLOBAL":
                found[key].append(text)
    except Exception as error:  # the parser raises almost anything on a damaged file
        raise UserError("file", str(path), f"is not a pickle, or is damaged ({error})") from None
    return found


def _numbers(parts: list[Any]) -> list[int]:
    """The first numbers without anything between them."""
    is_number = [type(part) is int for part in parts]
    runs = itertools.groupby(zip(is_number, parts, strict=True), key=lambda pair: pair[0])
    return next(([part for _, part in run] for number, run in runs if number), [])


def _pixels(parts: list[Any]) -> tuple[bytes | None, bool]:
    """The longest piece behind ``data``, and whether a true stands before it: Fortran's order."""
    pieces = [part for part in parts if isinstance(part, bytes | bytearray | str)]
    longest = max(pieces, key=len, default=None)
    if longest is None:
        return None, False
    before = parts[: next(i for i, part in enumerate(parts) if part is longest)]
    if isinstance(longest, str) and not longest.isascii() and max(longest) > "\xff":
        return None, False  # text, and no bytes
    fortran = next((part for part in reversed(before) if isinstance(part, bool)), False)
    return longest.encode("latin-1") if isinstance(longest, str) else bytes(longest), fortran

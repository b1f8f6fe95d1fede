"""Folders whose files hold one part of the data each, as their names say."""

from collections.abc import Sequence
from pathlib import Path

from anncestry.data.readers.files import existing_folder, list_folder
from anncestry.errors import UserError

Part = str
"""The name of a split: ``train``, ``validation``, ``test`` or ``held-out``."""
WORDS: dict[Part, tuple[str, ...]] = {
    "held-out": ("out_of_domain", "mismatched"),
    "train": ("train",),
    "validation": ("dev", "valid", "trial"),
    "test": ("test",),
}
"""Which words in the name of a file say which part it is; the first ones count first."""


def official_parts(folder: Path, suffixes: Sequence[str], train: bool = True) -> dict[Part, Path]:
    """The files of a folder that hold one part each, by words in their names.

    Args:
        folder: where to look.
        suffixes: what the names end with, but for ``.gz``.
        train: whether there must be a training file; else any part is enough.

    Raises:
        UserError: there is no training file, or two files for the same part.
    """
    found: dict[Part, Path] = {}
    files = [
        path
        for path in list_folder(existing_folder(str(folder)))
        if path.is_file() and path.name.removesuffix(".gz").endswith(tuple(suffixes))
    ]
    for path in files:
        name = path.name.lower()
        part = next((part for part, words in WORDS.items() if any(word in name for word in words)), None)
        if part is not None and part in found:
            rule = f"holds two files for {part}, {found[part].name} and {path.name}; name one file instead"
            raise UserError("folder", str(folder), rule)
        if part is not None:
            found[part] = path
    if "train" not in found and (train or not found):
        rule = f"must hold a file with train in its name ({', '.join(suffixes)}), and dev or test files"
        raise UserError("folder", str(folder), rule, [path.name for path in files] or ["no such file"])
    return found

"""Which file of a folder holds which part of a data set, by the words in its name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from anncestry.errors import UserError
from anncestry.user_files import existing_folder, list_folder

Part = str
"""The name of a split: ``train``, ``validation``, ``test`` or ``held-out``."""
WORDS: dict[Part, tuple[str, ...]] = {
    "held-out": ("out_of_domain", "mismatched"),
    "train": ("train", "training", "trainset"),
    "validation": ("dev", "devel", "devset", "development", "val", "valid", "validation", "trial", "testa"),
    "test": ("test", "testing", "testset", "testb", "trec_10"),
}
"""Which words in the name of a file say which part it is; the first ones count first."""
LISTED = 10  # names of files in a note


def part_of(name: str) -> Part | None:
    """The part that a name speaks of in whole words: a contest is no test, and a strain no train."""
    words = f"_{'_'.join(re.findall('[a-z]+|[0-9]+', name.lower()))}_"
    return next((part for part, known in WORDS.items() if any(f"_{word}_" in words for word in known)), None)


def official_parts(
    folder: Path, suffixes: Sequence[str], notes: list[str], train: bool = True
) -> dict[Part, Path]:
    """The files of a folder that hold one part each.

    Args:
        folder: where to look.
        suffixes: what the names end with, but for ``.gz``.
        notes: where it is said which files are not read.
        train: whether there must be a training file; else any part is enough.

    Raises:
        UserError: there is no training file, or two files for the same part.
    """
    files = files_of(existing_folder(folder))
    found: dict[Part, Path] = {}
    fitting = [path for path in files if path.name.removesuffix(".gz").endswith(tuple(suffixes))]
    for path in fitting:
        part = part_of(path.name)
        if part is not None and part in found:
            rule = f"holds two files for {part}, {found[part].name} and {path.name}; name one file instead"
            raise UserError("folder", str(folder), rule)
        if part is not None:
            found[part] = path
    if "train" not in found and (train or not found):
        rule = f"must hold a file with train in its name ({', '.join(suffixes)}), and dev or test files"
        raise UserError("folder", str(folder), rule, [path.name for path in fitting] or ["no such file"])
    notes += on_files(found, files)
    return found


def files_of(folder: Path) -> list[Path]:
    """The files of a folder but for hidden ones, sorted."""
    return [path for path in list_folder(folder) if path.is_file() and not path.name.startswith(".")]


def on_files(found: Mapping[Part, Path], files: Iterable[Path]) -> list[str]:
    """Notes on the files of a folder: which were read for its parts, and which were not."""
    notes = (
        [f"the folder's own files: {', '.join(path.name for path in found.values())}"]
        if len(found) > 1
        else []
    )
    return notes + unread(set(files) - set(found.values()))


def unread(files: Iterable[Path]) -> list[str]:
    """A note on files that were not read, where there are any."""
    names = sorted(path.name for path in files)
    shown = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    return [f"files that are not read: {shown}"] if names else []

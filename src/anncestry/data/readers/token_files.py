"""Texts as tokens in files: cut once, then read where they lie, so that no text is too large for memory.

A folder of the cache holds one text cut by one tokenizer, under a checksum of both:

    tokens      (A,) all tokens, 16 or 32 bits each
    lines       (L + 1,) where each line begins, and where the last one ends
    documents   (D + 1,) the first line of each document; blank lines part documents
    about.json  the type and number of the tokens

It is written beside its final path and renamed when it is whole. What was interrupted goes on where it was.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import torch

from anncestry.arrays import Int, Tensor
from anncestry.data.readers.lines import Lines
from anncestry.errors import UserError

CHUNK = 1_000_000
"""Characters that are cut at once; about so many are cut again after an interruption."""
_PARTS = {"tokens": None, "lines": "<i8", "documents": "<i8"}


class Cutter(Protocol):
    """What cuts lines into tokens."""

    def __len__(self) -> int:
        """How many tokens there are."""
        ...

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each line."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Everything that decides how it cuts."""
        ...


@dataclass(frozen=True, eq=False)
class TokenFile:
    """A text as tokens, in memory or in files.

    Attributes:
        tokens: (A,) uint16 or int32.
        lines: (L + 1,) int64, where each line begins, and the end.
        documents: (D + 1,) int64, the first line of each document, and L.
        checksum: (16,) uint8 of the text and the tokenizer. A tensor, so that the fingerprint of a data set
            is made of it, and not of all tokens.
    """

    tokens: np.ndarray
    lines: np.ndarray
    documents: np.ndarray
    checksum: Int[Tensor, "16"]


def cache_folder(given: str | None = None) -> Path:
    """Where tokens are kept: the folder that was given, or ``anncestry`` in the user's cache folder."""
    if given is not None:
        return Path(given).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "anncestry"


def key_of(*parts: Any) -> str:
    """A checksum of JSON-able facts."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def cut_text(
    lines: Lines, key: str, tokenizer: Cutter, separator: int | None, folder: Path | None
) -> TokenFile:
    """A text as tokens.

    Args:
        key: a checksum of the text.
        separator: a token that is put behind every document; None for none.
        folder: the cache; None keeps the tokens in memory.

    Raises:
        UserError: the cache cannot be written.
    """
    key = key_of(key, tokenizer.to_json(), separator)
    if folder is None:
        files = {name: io.BytesIO() for name in _PARTS}
        writer = _Writer(files, tokenizer, separator)
        writer.write(lines())
        writer.finish()
        found = {name: np.frombuffer(file.getvalue(), writer.kinds[name]) for name, file in files.items()}
        return _token_file(found, key)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f"{key}.lock"):  # of several processes one cuts, and the others wait
            if not _is_whole(folder / key):
                _cut_into(folder / key, lines, tokenizer, separator)
    except OSError as error:
        rule = f"cannot be written ({error.strerror or error})"
        raise UserError("cache", str(folder), rule, hint="Name another folder with `cache`.") from None
    return _token_file(_read(folder / key), key)


def _token_file(arrays: dict[str, np.ndarray], key: str) -> TokenFile:
    return TokenFile(**arrays, checksum=torch.tensor(list(bytes.fromhex(key)), dtype=torch.uint8))


class _Writer:
    """Cuts lines into tokens and appends them to three files.

    Attributes:
        counts: lines read of the text, tokens and lines written, and whether a document ended before them.
    """

    def __init__(self, files: Mapping[str, IO[bytes]], tokenizer: Cutter, separator: int | None) -> None:
        self.files, self.tokenizer, self.separator = files, tokenizer, separator
        self.kinds = {**_PARTS, "tokens": "<u2" if len(tokenizer) <= 2**16 else "<i4"}
        self.counts = {"read": 0, "tokens": 0, "lines": 0, "ended": 1}

    def write(self, lines: Iterable[str]) -> None:
        for chunk in _chunks(lines):
            self.write_chunk(chunk)

    def write_chunk(self, chunk: list[str]) -> None:
        counts = self.counts
        rows: list[int] = []
        starts, firsts = [], []
        cut = iter(self.tokenizer.encode_all([line for line in chunk if line]))
        for line in chunk:
            tokens = next(cut) if line else []
            if not line:
                counts["ended"] = 1
            if not tokens:
                continue
            if counts["ended"]:
                firsts.append(counts["lines"])
                if counts["lines"] and self.separator is not None:
                    rows.append(self.separator)
                counts["ended"] = 0
            starts.append(counts["tokens"] + len(rows))
            rows += tokens
            counts["lines"] += 1
        counts["read"] += len(chunk)
        counts["tokens"] += len(rows)
        for name, values in (("tokens", rows), ("lines", starts), ("documents", firsts)):
            self.files[name].write(np.array(values, self.kinds[name]).tobytes())

    def finish(self) -> None:
        """Write where everything ends."""
        self.files["lines"].write(np.array([self.counts["tokens"]], "<i8").tobytes())
        self.files["documents"].write(np.array([self.counts["lines"]], "<i8").tobytes())


def _chunks(lines: Iterable[str]) -> Iterator[list[str]]:
    chunk, size = [], 0
    for line in lines:
        chunk.append(line)
        size += len(line) + 1
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _cut_into(folder: Path, lines: Lines, tokenizer: Cutter, separator: int | None) -> None:
    """Write a folder of the cache, or go on with one that was begun."""
    begun = folder.with_name(f"{folder.name}.part")
    progress = begun / "place.json"
    begun.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context((begun / name).open("ab")) for name in _PARTS}
        writer = _Writer(files, tokenizer, separator)
        sizes = dict.fromkeys(_PARTS, 0)
        with contextlib.suppress(OSError, ValueError, KeyError):
            kept = json.loads(progress.read_text())
            sizes, writer.counts = kept["sizes"], kept["counts"]
        for name, file in files.items():
            file.truncate(sizes[name])  # what was written behind the last mark is written again
        for chunk in _chunks(islice(lines(), writer.counts["read"], None)):
            writer.write_chunk(chunk)
            for file in files.values():
                file.flush()
            sizes = {name: os.fstat(file.fileno()).st_size for name, file in files.items()}
            _write(progress, {"sizes": sizes, "counts": writer.counts})
        writer.finish()
    sizes = {name: (begun / name).stat().st_size for name in _PARTS}
    _write(begun / "about.json", {"kinds": writer.kinds, "sizes": sizes})
    progress.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)  # a damaged one
    begun.rename(folder)


def _write(path: Path, value: Any) -> None:
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(value))
    new.replace(path)


def _is_whole(folder: Path) -> bool:
    try:
        about = json.loads((folder / "about.json").read_text())
        return all((folder / name).stat().st_size == about["sizes"][name] for name in _PARTS)
    except (OSError, ValueError, KeyError):
        return False


def _read(folder: Path) -> dict[str, np.ndarray]:
    kinds = json.loads((folder / "about.json").read_text())["kinds"]
    return {
        name: np.memmap(folder / name, kinds[name], "r")
        if (folder / name).stat().st_size
        else np.zeros(0, kinds[name])
        for name in _PARTS
    }


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Only one process is inside at a time, where the system has such locks."""
    try:
        import fcntl
    except ImportError:  # Windows: two processes may cut the same text at once
        yield
        return
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

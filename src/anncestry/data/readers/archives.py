"""Folders inside of tar archives, read into memory: nothing is unpacked to the disk."""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from anncestry.errors import UserError

MAX_ARCHIVE_BYTES = 2 * 2**30
"""The most that archives may unpack to."""

_OPEN: dict[str, Callable[[Path], Any]] = {
    ".tar": lambda path: path.open("rb"),
    ".tar.gz": gzip.open,
    ".tgz": gzip.open,
    ".tar.xz": lzma.open,
    ".txz": lzma.open,
    ".tar.bz2": bz2.open,
}
SUFFIXES = tuple(_OPEN)


@dataclass
class Member:
    """A file or folder of an archive; it answers what is asked of a `Path`.

    Attributes:
        path: the archive's path and the names within it.
        data: of a file.
        entries: of a folder, by name.
        left_out: of the whole archive, what is no plain file.
    """

    path: str
    data: bytes | None = None
    entries: dict[str, "Member"] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.path

    def __lt__(self, other: "Member") -> bool:
        return self.path < other.path

    def __truediv__(self, name: str) -> "Member":
        return self.entries.get(name) or Member(f"{self.path}/{name}")

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.path).suffix

    def is_file(self) -> bool:
        return self.data is not None

    def is_dir(self) -> bool:
        return bool(self.entries)

    def iterdir(self) -> Iterator["Member"]:
        return iter(self.entries.values())

    def open(self, mode: str = "rb") -> BytesIO:
        """The contents of a file."""
        return BytesIO(self.data or b"")


def is_archive(path: Path) -> bool:
    """Whether a file is named like an archive."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def read_archives(paths: Sequence[Path]) -> Member:
    """The files of tar archives in one tree, without the folder that holds everything if there is one.

    Hard links are the files that they name; other links, devices and sparse files are left out, and listed.

    Raises:
        UserError: one is damaged or was cut, names a path outside of itself, or they unpack to more than
            `MAX_ARCHIVE_BYTES` together.
    """
    root, left = Member(str(paths[0] if len(paths) == 1 else paths[0].parent)), MAX_ARCHIVE_BYTES
    for path in paths:
        left = _read_into(root, path, left)
    inside = root
    while True:
        below = list(inside.iterdir())
        if len(below) != 1 or not any(entry.is_dir() for entry in below[0].iterdir()):
            inside.left_out = root.left_out
            return inside
        inside = below[0]


def _read_into(root: Member, path: Path, left: int) -> int:
    """Add an archive's files; how many bytes more there may be."""
    suffix = next(suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix))
    try:
        with _OPEN[suffix](path) as stream:
            limited: Any = _Limited(stream, left)
            with tarfile.open(fileobj=limited, mode="r|", tarinfo=_Header) as archive:
                for member in archive:
                    if member.isreg() and not member.issparse():  # whose size is only a claim
                        contents = archive.extractfile(member)
                        assert contents is not None
                        _add(root, path, member.name, contents.read())
                    elif member.islnk() and (first := _find(root, member.linkname)) is not None:
                        _add(root, path, member.name, first)
                    elif not member.isdir():
                        root.left_out.append(member.name)
                _read_the_rest(archive.fileobj)
    except UserError:
        raise
    except _TooMuch:
        rule = f"archives may unpack to {MAX_ARCHIVE_BYTES / 2**30:.3g} GB; there is more in it"
        raise UserError("archive", str(path), rule, hint="Unpack it and give the folder.") from None
    except Exception as error:  # decoders raise almost anything on a damaged file
        raise UserError("archive", str(path), f"cannot be read ({error})") from None
    return limited.left


def _read_the_rest(stream: Any) -> None:
    """Read what follows the last file: nothing but zeros, and the checksum of a compressed archive."""
    while piece := stream.read(2**16):
        if piece.strip(b"\0"):
            raise tarfile.ReadError("there is more behind its end, as when archives are joined")


class _Header(tarfile.TarInfo):
    """What stands before each file. A block of zeros is the end; `tarfile` takes damage for it as well."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        """The next one.

        Raises:
            ReadError: it is damaged, or the archive was cut before it.
            EOFHeaderError: the archive ends here.
        """
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # pyright: ignore[reportAttributeAccessIssue]
            raise
        except tarfile.HeaderError as error:
            reason = "it ends too early" if "empty" in str(error) or "truncated" in str(error) else str(error)
            raise tarfile.ReadError(f"{reason}, behind {tarfile_.offset:,} bytes") from None


def _find(root: Member, name: str) -> bytes | None:
    """The contents of a file that was read already."""
    found = root
    for part in PurePosixPath(name).parts:
        found = found / part
    return found.data


def _add(root: Member, path: Path, name: str, data: bytes) -> None:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts:
        raise UserError("archive", str(path), f"must hold names below itself; it holds {name!r}")
    folder = root
    for part in parts[:-1]:
        folder = folder.entries.setdefault(part, Member(f"{folder.path}/{part}"))
    folder.entries[parts[-1]] = Member(f"{folder.path}/{parts[-1]}", data)


class _TooMuch(Exception):
    """More came out of an archive than there may be."""


class _Limited:
    """A stream that gives no more than so many bytes, whatever the archive claims to hold."""

    def __init__(self, stream: Any, left: int) -> None:
        self.stream, self.left = stream, left

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise _TooMuch
        return data

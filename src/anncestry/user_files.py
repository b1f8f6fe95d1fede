"""Finding files and reading text: the checks every source shares."""

import codecs
import gzip
import os
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, AnyStr

from anncestry.errors import UserError

MAX_BYTES = 8 * 2**30
"""The most memory a data set may take; everything is held in memory as float32 or int64."""

MEMORY_PER_BYTE = 20
"""Roughly what one byte of a text or table takes in memory while it is read (measured: 14 to 18)."""


_SURROGATE = re.compile("[\ud800-\udfff]")


def check_memory(num_bytes: int, field: str, value: object, hint: str) -> None:
    """Raise a `UserError` where holding the data would take more than `MAX_BYTES`."""
    if num_bytes > MAX_BYTES:
        needed, limit = num_bytes / 2**30, MAX_BYTES // 2**30
        raise UserError(
            field, value, f"needs about {needed:.1f} GB of memory; the limit is {limit} GB", hint=hint
        )


def absolute(path: str | Path) -> Path:
    """The absolute path of what a person typed; a leading ``~`` is their home folder."""
    return Path(os.path.abspath(os.path.expanduser(path)))


def existing_file(path: str | Path) -> Path:
    """The absolute path of a file, or a `UserError` that says why it cannot be one."""
    found = _checked(path, "a file")
    if not found.is_file():
        raise UserError("file", str(found), "must be a file; this is a folder or a device")
    return found


def existing_folder(path: str | Path) -> Path:
    """The absolute path of a folder, or a `UserError` that says why it cannot be one."""
    found = _checked(path, "a folder")
    if not found.is_dir():
        raise UserError("folder", str(found), "must be a folder; this is a file")
    return found


def list_folder(folder: Any) -> list[Any]:
    """What is in a folder (of the disk or of an archive), sorted; nothing where it is none.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise UserError("folder", str(folder), f"cannot be read ({error.strerror})") from None


def _checked(path: str | Path, kind: str) -> Path:
    field = kind.split()[-1]
    if not str(path).strip():
        raise UserError(field, str(path), f"the path of {kind} is missing")
    found = absolute(path)
    try:
        os.stat(found)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError, ValueError))
        reason = f"there is no such {field}" if missing else (getattr(error, "strerror", None) or str(error))
        raise UserError(field, str(found), reason) from None
    return found


def is_file(source: str) -> bool:
    """Whether what a person typed names a file; any text may be asked about."""
    try:
        return absolute(source).is_file()
    except (OSError, ValueError):  # a prompt may be too long for a file name
        return False


def is_folder(source: str) -> bool:
    """Whether what a person typed names a folder; any text may be asked about."""
    try:
        return bool(source.strip()) and absolute(source).is_dir()
    except (OSError, ValueError):
        return False


def read_text(path: Path, max_chars: int | None = None) -> str:
    """The text of a UTF-8 file, gzipped or not: without byte order mark, CRLF as LF (see `split_lines`).

    Args:
        path: an existing file.
        max_chars: read no more than so many characters.

    Raises:
        UserError: it is empty, too large, not UTF-8, or holds NUL bytes.
    """
    try:
        size = path.stat().st_size
        wanted = (
            size if max_chars is None else min(size, 4 * max_chars + 3)
        )  # 4 bytes a character, and the mark
        hint = "Read a part of it (max_chars, for a text), or cut the file."
        check_memory(wanted * MEMORY_PER_BYTE, "file", str(path), hint)
        if path.suffix == ".gz":
            data, wanted, size = _gunzip(path, max_chars)
        else:
            with path.open("rb") as file:
                data = file.read(wanted)
    except OSError as error:
        raise UserError("file", str(path), f"cannot be read ({error.strerror})") from None
    text = decode_text(data, str(path), whole=wanted == size)
    return text if max_chars is None else text[:max_chars]


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is gzipped, for who looks at each line alone.

    Raises:
        UserError: it is too large, or is no whole gzip file.
    """
    try:
        check_memory(path.stat().st_size * MEMORY_PER_BYTE, "file", str(path), "Cut the file.")
        return _gunzip(path, None)[0] if path.suffix == ".gz" else path.read_bytes()
    except OSError as error:
        raise UserError("file", str(path), f"cannot be read ({error.strerror})") from None


def _gunzip(path: Path, max_chars: int | None) -> tuple[bytes, int, int]:
    """The bytes of a gzipped file, how many were asked for, and how many there are (or one more)."""
    limit = MAX_BYTES // MEMORY_PER_BYTE if max_chars is None else 4 * max_chars + 3
    try:
        with gzip.open(path, "rb") as file:
            data = file.read(limit + 1)  # never more, whatever the file claims to hold
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError("file", str(path), f"is not a whole gzip file ({error})") from None
    if max_chars is None and len(data) > limit:
        check_memory(len(data) * MEMORY_PER_BYTE, "file", str(path), "Read a part of it (max_chars).")
    return data[:limit], limit if len(data) > limit else len(data), len(data)


def split_lines(text: AnyStr) -> list[AnyStr]:
    """The lines of a text, or of its bytes: LF and CRLF end a line, and nothing else does. Blank lines count.

    A lone CR, a form feed or U+2028 may stand in one of two parallel files and not in the other; what
    `str.splitlines` makes of them shifts every line behind.
    """
    lf: Any = "\n" if isinstance(text, str) else b"\n"
    crlf: Any = "\r\n" if isinstance(text, str) else b"\r\n"
    lines: list[Any] = text.replace(crlf, lf).split(lf)
    if not lines[-1]:  # what is behind the last line end is no line
        lines.pop()
    return lines


def each_line(text: str) -> Iterator[str]:
    """The lines of a text in which LF alone ends them (see `read_text`), with their ends, one at a time."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start : end + 1]
        start = end + 1
    if start < len(text):
        yield text[start:]


def whole_characters(text: str) -> str:
    """A text with U+FFFD for each half of a surrogate pair, which is no character (a tweet that was cut)."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def read_standard_input() -> str:
    """All of standard input, checked as a file is."""
    return decode_text(sys.stdin.buffer.read(), "standard input")


def decode_text(data: bytes, name: str, whole: bool = True) -> str:
    """Bytes as text; `read_text` says how. A character cut off at the end is dropped unless ``whole``."""
    if not data:
        raise UserError("file", name, "must hold text; it is empty")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError("file", name, "must be UTF-8 text; it is UTF-16", hint="Save it again as UTF-8.")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        rule = f"must be a text file; there is a NUL byte at position {data.index(0)} (line {line})"
        raise UserError("file", name, rule)
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(data, final=whole)
    except UnicodeDecodeError as error:
        # The error counts from behind a byte order mark; look the byte up in what it was given.
        start = error.start + len(data) - len(error.object)
        line = data.count(b"\n", 0, start) + 1
        rule = f"must be UTF-8 text; the byte 0x{data[start]:02x} at position {start} (line {line}) is not"
        hint = "Save it again as UTF-8, for example with: iconv -f latin1 -t utf-8"
        raise UserError("file", name, rule, hint=hint) from None
    text = text.replace("\r\n", "\n")
    if not text or text.isspace():
        raise UserError("file", name, "must hold text; it is empty or blank")
    return text

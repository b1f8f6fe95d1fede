"""A text read line by line, as often as wanted, without ever being held in memory."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from anncestry.errors import UserError

MAX_LINE = 10_000
"""A longer line is read in pieces of about so many characters, cut at blanks."""

Lines = Callable[[], Iterable[str]]
"""Gives the lines of a text anew, without blanks round them; blank ones are empty."""


def lines_of_file(path: Path, max_chars: int | None = None) -> Lines:
    """The lines of a UTF-8 file, gzipped or not; LF and CRLF end a line, a byte order mark is none of it.

    Iterating over them raises a `UserError` where the file cannot be read, is not UTF-8 or holds NUL bytes.
    """

    def lines() -> Iterator[str]:
        try:
            how = {"encoding": "utf-8-sig", "newline": "\n"}  # what `split_lines` says of the others
            with (gzip.open if path.suffix == ".gz" else open)(path, "rt", **how) as file:  # pyright: ignore
                yield from _stripped(file, max_chars, str(path))  # pyright: ignore[reportArgumentType]
        except OSError as error:
            damaged = isinstance(error, gzip.BadGzipFile)
            rule = f"is not a whole gzip file ({error})" if damaged else f"cannot be read ({error.strerror})"
            raise UserError("file", str(path), rule) from None
        except (EOFError, zlib.error) as error:
            raise UserError("file", str(path), f"is not a whole gzip file ({error})") from None

    return lines


def lines_of_text(text: str) -> Lines:
    """The lines of a text that is in memory."""
    return lambda: _stripped(io.StringIO(text), None, "text")


def survey(lines: Lines) -> tuple[int, str]:
    """``(characters, checksum)`` of a text; line ends count as one."""
    count, digest = 0, hashlib.blake2b(digest_size=16)
    for line in lines():
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
        count += len(line) + 1
    return count, digest.hexdigest()


def _stripped(file: io.TextIOBase, max_chars: int | None, name: str) -> Iterator[str]:
    left, number, kept = max_chars, 1, ""
    while left is None or left > 0:
        try:
            piece = file.readline(MAX_LINE if left is None else min(left, MAX_LINE))
        except UnicodeDecodeError as error:
            rule = f"must be UTF-8 text; it is not near line {number} ({error.reason})"
            hint = "Save it again as UTF-8, for example with: iconv -f latin1 -t utf-8"
            raise UserError("file", name, rule, hint=hint) from None
        if not piece:
            break
        if "\0" in piece:
            raise UserError("file", name, f"must be a text file; there is a NUL byte in line {number}")
        left = None if left is None else left - len(piece)
        piece = kept + piece
        if piece.endswith("\n"):
            yield piece.strip()
            number, kept = number + 1, ""
            continue
        kept = piece
        if len(piece) >= MAX_LINE:
            blank = piece.rfind(" ")
            cut = blank if blank > 0 else len(piece)
            yield piece[:cut].strip()
            kept = piece[cut:]
    if kept.strip():
        yield kept.strip()

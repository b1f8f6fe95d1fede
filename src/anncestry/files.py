"""Files written whole or not at all, and what a process that was killed in between leaves behind.

Imports no torch.
"""

import contextlib
import errno
import os
import re
import secrets
from pathlib import Path

from anncestry.errors import UserError

_TOKEN = 8  # random bytes in a temporary file's name
_TEMPORARY = re.compile(rf"\.[0-9a-f]{{{2 * _TOKEN}}}\.tmp")
_WRITE_FAILURES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full (your quota is used up)",
    errno.EACCES: "is not writable",
    errno.EPERM: "is not writable",
    errno.EROFS: "is not writable (a read-only file system)",
    errno.EISDIR: "is not writable (it is a folder)",
    errno.ENOENT: "is not writable (its folder does not exist)",
    errno.ENOTDIR: "is not writable (its folder is a file)",
}


def write_bytes(path: str | os.PathLike[str], data: bytes, field: str = "file") -> None:
    """Write a file whole or not at all: whoever reads ``path`` sees the old contents or the new ones.

    The bytes go to a temporary file in the same folder, reach the disk, and take the name in one step. When
    anything fails the temporary file is removed and what was there before is untouched. A device or a pipe
    (``/dev/stdout``) has no contents to keep, and gets the bytes as they are.

    Args:
        field: what named the file, for the message: an option, say.

    Raises:
        UserError: the disk is full, or the place is not writable.
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        _write_through(path, data, field)
        return
    temporary = path.with_name(f".{secrets.token_hex(_TOKEN)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:  # also on Ctrl-C
        with contextlib.suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        raise _failure(field, path, error) from error
    with contextlib.suppress(OSError):  # the new name reaches the disk too; not every file system can do this
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_text(path: str | os.PathLike[str], text: str, field: str = "file") -> None:
    """Write a text in UTF-8, as `write_bytes` does; half a surrogate pair becomes U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    write_bytes(path, whole.encode(), field)


def check_writable(path: str | os.PathLike[str], field: str) -> None:
    """Refuse a file that could not be written, before the work that fills it.

    Raises:
        UserError: it is a folder, or lies in no folder.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(field, str(path), "is a folder; it must be a file")
    if not path.parent.is_dir():
        raise UserError(field, str(path), f"there is no folder {path.parent}")


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files of a process that was killed while it wrote, in a folder and those below.

    Nobody else may be writing there.
    """
    for path in Path(folder).rglob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            with contextlib.suppress(OSError):
                path.unlink()


def _write_through(path: Path, data: bytes, field: str) -> None:
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise _failure(field, path, error) from error


def _failure(field: str, path: Path, error: OSError) -> UserError:
    rule = _WRITE_FAILURES.get(error.errno or 0, f"cannot be written: {error.strerror or error}")
    return UserError(field, str(path), rule)

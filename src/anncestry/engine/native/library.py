"""The kernels' library: compiled once for this kind of processor, kept in the user's cache, loaded by name.

The sources are plain C functions over pointers: they include nothing of PyTorch, so that they are compiled in
seconds and serve every version of it. Whoever calls one checks types, shapes and layouts before.

Two sets of instructions are compiled from the same sources, and the processor at hand decides at run time
which one is loaded: AVX-512 with VNNI, or AVX2 with FMA.
"""

import ctypes
import functools
import hashlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import torch

from anncestry.arrays import Tensor
from anncestry.files import write_text

SWITCH = "ANNCESTRY_NATIVE"
"""Environment variable: 0 turns the kernels off, ``avx2`` takes the smaller set of instructions."""

SHARED_FROM = 2**15

_COMPILING = threading.Lock()  # workers side by side want the kernels at the same time

SOURCES = Path(__file__).parent
FLAGS = {
    "avx512": ["-mavx2", "-mfma", "-mf16c", *(f"-mavx512{part}" for part in ("f", "bw", "vl", "dq", "vnni"))],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
}
COMMON = ["-O3", "-std=c++17", "-fopenmp", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]


class Missing(Exception):
    """The kernels cannot be used; the message says what is missing."""


def native() -> ctypes.CDLL | None:
    """The library, or None where it cannot be had: then the plain twins run. Compiled at the first call."""
    return _found()[0]


def state() -> str:
    """In words: which kernels run here, or what is missing for them."""
    library, words = _found()
    return words if library is None else f"native kernels for {words}"


def available_sets() -> list[str]:
    """The sets of instructions that this processor has, the best first."""
    found = []
    if torch.cpu._is_avx512_supported() and torch.cpu._is_vnni_supported():
        found.append("avx512")
    if torch.cpu._is_avx2_supported():
        found.append("avx2")
    return found


@functools.cache
def _found() -> tuple[ctypes.CDLL | None, str]:
    wanted = os.environ.get(SWITCH, "")
    if wanted == "0":
        return None, f"no native kernels: {SWITCH} is 0"
    sets = [name for name in available_sets() if wanted in ("", name)]
    if not sets:
        return None, f"no native kernels: they need a processor with {wanted or 'AVX2'}"
    try:
        return load(sets[0]), sets[0]
    except Missing as error:
        return None, f"no native kernels: {error}"


@functools.cache
def load(instructions: str) -> ctypes.CDLL:
    """The kernels for a set of instructions, from the cache, or compiled into it.

    Raises:
        Missing: there is no compiler, it failed, or the cache cannot be written.
    """
    kept = _folder() / f"{instructions}-{_digest(instructions)}.so"
    with _COMPILING:
        if not kept.is_file():
            _compile(instructions, kept)
    if kept.stat().st_uid != os.getuid():
        raise Missing(f"{kept} belongs to another user")
    try:
        return ctypes.CDLL(str(kept))
    except OSError as error:
        raise Missing(f"{kept} cannot be loaded ({error})") from error


def _folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "anncestry" / "native"


def _sources() -> list[Path]:
    return sorted(SOURCES.glob("*.cpp"))


def _digest(instructions: str) -> str:
    """Of all that decides what the compiler makes."""
    parts = [path.read_bytes() for path in (*_sources(), *sorted(SOURCES.glob("*.h")))]
    parts.append(" ".join((*COMMON, *FLAGS[instructions], _compiler() or "")).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _compiler() -> str | None:
    return shutil.which(os.environ.get("CXX") or "c++") or shutil.which("g++") or shutil.which("clang++")


def _compile(instructions: str, kept: Path) -> None:
    """Into ``kept``, in one step: two processes that compile at once do not meet."""
    failed = kept.with_suffix(".failed")
    if failed.is_file():
        raise Missing(f"they could not be compiled; {failed} says why (remove it to try again)")
    if _compiler() is None:
        raise Missing("there is no C++ compiler")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        room = Path(tempfile.mkdtemp(prefix=".compiling-", dir=kept.parent))
    except OSError as error:
        raise Missing(f"the cache {kept.parent} cannot be written ({error.strerror})") from error
    print("anncestry: compiling the native kernels for this processor, once", file=sys.stderr, flush=True)
    from torch.utils import cpp_extension  # costs half a second, and is needed here alone

    before = os.environ.get("CXX")
    os.environ["CXX"] = str(_compiler())  # where cpp_extension looks for it
    try:
        cpp_extension.load(
            name="kernels",
            sources=[str(path) for path in _sources()],
            extra_cflags=[*COMMON, *FLAGS[instructions]],
            extra_ldflags=["-fopenmp"],
            build_directory=str(room),
            is_python_module=False,
        )
        os.replace(next(room.glob("*.so")), kept)
    except (RuntimeError, OSError, StopIteration) as error:
        write_text(failed, f"{error}\n")
        raise Missing(f"they could not be compiled; {failed} says why") from error
    finally:
        os.environ.pop("CXX", None)
        if before is not None:
            os.environ["CXX"] = before
        shutil.rmtree(room, ignore_errors=True)


@functools.cache
def kernel(name: str, arguments: str) -> Callable[..., None] | None:
    """A kernel, ready to be called; None where there is none, as this set of instructions may lack it. It
    gives back the interpreter's lock.

    Args:
        arguments: a letter for each: p for a pointer (`address`), i for an int64, f for a float.
    """
    library = native()
    found = None if library is None else getattr(library, name, None)
    if found is None:
        return None
    kinds = {"p": ctypes.c_void_p, "i": ctypes.c_int64, "f": ctypes.c_float}
    found.argtypes, found.restype = [kinds[letter] for letter in arguments], None
    return found


def address(tensor: Tensor | None) -> int | None:
    """Where the numbers of a tensor begin; None, which is C's null, where there is none."""
    return None if tensor is None else tensor.data_ptr()


def threads_for(numbers: int) -> int:
    """Threads for a pass over so many numbers: handing over costs as much as some ten thousand of them."""
    return 1 if numbers < SHARED_FROM else torch.get_num_threads()


def forget() -> None:
    """Look for the library again at the next call: after `SWITCH` was changed."""
    for found in (_found, load, kernel):
        found.cache_clear()

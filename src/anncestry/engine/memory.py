"""Memory that training takes again and again, kept instead of handed back to the system each time."""

import ctypes
import functools
import platform

_MMAP_MAX, _TRIM_THRESHOLD, _TOP_PAD = -4, -1, -2  # glibc's numbers, malloc.h


@functools.cache
def keep_freed_memory() -> bool:
    """Let the C library keep what large tensors leave behind; whether it can (glibc alone knows how).

    By default glibc asks the system for every large block and returns it when it is freed, so that each
    tensor of a training step is made of pages that the system has to clear first: an eighth of the time of a
    DenseNet's step. The process keeps its largest size from then on.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 64 * 2**20))
    taken = [bool(mallopt(*setting)) for setting in settings]  # all of them, whatever one says
    return all(taken)

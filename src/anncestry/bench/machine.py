"""The machine that a figure belongs to: processor, instruction sets, cores, threads, versions.

Imports no torch before something is asked that needs it.
"""

import os
import platform
import timeit
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from anncestry.version import __version__

PACKAGES = ("torch", "ctranslate2", "onnxruntime", "transformers", "sentence-transformers", "numpy")
SETS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_bf16", "amx_int8")
CPUINFO = Path("/proc/cpuinfo")


def machine() -> dict[str, str]:
    """What there is to say of it, in words, under its names."""
    import torch

    from anncestry.engine.native.library import state
    from anncestry.engine.prediction import bfloat16_is_faster

    return {
        "processor": processor(),
        "instruction sets": ", ".join(instruction_sets()) or "unknown",
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "matrix products": matrix_peak(),
        "bfloat16": "faster than float32" if bfloat16_is_faster() else "slower than float32",
        "native part": state(),
        "versions": versions(),
    }


def processor() -> str:
    """Its name, as it calls itself."""
    names = _of_cpuinfo("model name")
    return names or platform.processor() or platform.machine()


def instruction_sets() -> list[str]:
    """Those of `SETS` that it has; none where the system does not say."""
    flags = _of_cpuinfo("flags").split()
    return [name for name in SETS if name in flags]


def versions() -> str:
    """Of this package, of Python, and of what is installed of the peers."""
    found = [f"anncestry {__version__}", f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def matrix_peak() -> str:
    """What this processor's matrix products reach, best of ten: what figures can be held against."""
    import torch

    from anncestry.engine.precision import fast_float32

    rates = []
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(1024, 1024).to(dtype) for _ in range(2))
        with fast_float32(torch.device("cpu")):
            seconds = min(timeit.repeat(lambda a=a, b=b: a @ b, number=1, repeat=10))
        rates.append(f"{2 * 1024**3 / seconds / 1e9:.0f} GFLOP/s in {str(dtype).removeprefix('torch.')}")
    return " and ".join(rates)


def _of_cpuinfo(field: str) -> str:
    if not CPUINFO.exists():
        return ""
    for line in CPUINFO.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return ""

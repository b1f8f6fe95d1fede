import platform
import subprocess
import sys

import pytest

from anncestry.engine.memory import keep_freed_memory

MEASURE = """
import resource, torch
from anncestry.engine.memory import keep_freed_memory
if {keep}: assert keep_freed_memory()
torch.set_num_threads(1)
x = torch.randn(2**24)
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(30): x * 2
before = faults()
for _ in range(10): x * 2
print(faults() - before)
"""


def faults(keep: bool) -> int:
    """Pages that the system had to bring in for ten tensors of 64 MB."""
    found = subprocess.run(
        [sys.executable, "-c", MEASURE.format(keep=keep)], capture_output=True, text=True, check=True
    )
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_large_tensors_come_from_pages_that_are_there():
    assert faults(keep=True) < faults(keep=False) / 2  # not none: neighbours take a little now and then


def test_asking_twice_is_the_same():
    assert keep_freed_memory() is keep_freed_memory()

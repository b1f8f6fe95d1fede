"""Threads that wait for work without giving up their core: a switch of the command, `SWITCH`.

Handing a part of an operator over to a thread that sleeps takes up to a hundred microseconds, and a language
model hands over a hundred parts for each token. libgomp, the library behind PyTorch's threads, reads how they
wait when it is loaded: so the command sets that and begins again, before anything of PyTorch is there.
Waiting threads keep their cores busy, which pays where nothing else runs on the machine, and harms where
something does. In Python: set `WAITING` before the process starts.
"""

import os
import sys

from anncestry.errors import require

SWITCH = "ANNCESTRY_SPINNING"
"""Environment variable: 1 lets threads spin while they wait."""
WAITING = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "100000"}
"""What libgomp reads: look for work so many times, and sleep then."""


def begin_again_spinning() -> None:
    """Replace this process by the same command whose threads spin, where `SWITCH` asks for it.

    Not where ``OMP_WAIT_POLICY`` is set: by somebody who knows better, or by this.

    Raises:
        UserError: the switch is neither 0 nor 1.
    """
    wanted = os.environ.get(SWITCH) or "0"
    require(wanted in ("0", "1"), SWITCH, wanted, "must be one of", ("0", "1"))
    if wanted == "0" or "OMP_WAIT_POLICY" in os.environ or sys.platform != "linux" or not sys.executable:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **WAITING})

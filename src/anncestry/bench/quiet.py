"""How much of the machine other processes took while something was timed.

Linux counts, in ticks of a hundredth of a second, how long its cores were busy (``/proc/stat``) and how long
each process ran (``/proc/PID/stat``). What was busy and was neither this process nor one that it has started
was somebody else. Other systems are not asked: there nobody knows. Imports no torch.
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
LIMIT = 0.05
"""The share of the machine, others taking more than which disturb a sample."""


@dataclass(frozen=True)
class Busy:
    """Seconds that cores have worked since the machine was started.

    Attributes:
        all: for whomever, hypervisors that gave a core to another machine included.
        own: for this process, and for those that it and they have started.
    """

    all: float
    own: float


def busy_seconds(proc: Path = PROC) -> Busy | None:
    """The counters as they stand; None where there are none."""
    try:
        name, *total = (proc / "stat").read_text().partition("\n")[0].split()
        if name != "cpu":
            return None
        user, nice, system, _idle, _waiting, interrupt, soft, stolen = (int(field) for field in total[:8])
        tick = os.sysconf("SC_CLK_TCK")
        own = sum(_own_ticks(proc, os.getpid()))
    except (OSError, ValueError, LookupError, AttributeError):  # no such files, or others than Linux's
        return None
    return Busy((user + nice + system + interrupt + soft + stolen) / tick, own / tick)


def share_of_others(before: Busy, after: Busy, seconds: float, cores: int) -> float:
    """The share of the machine that others had between two readings.

    Both counters are cut to whole ticks, a core's each: so much may be missing between them, and is no sign
    of anybody.

    Args:
        seconds: that have passed on the wall.
    """
    others = (after.all - before.all) - (after.own - before.own)
    rounding = (cores + 1) / os.sysconf("SC_CLK_TCK")
    return max(0.0, others - rounding) / (cores * seconds)


def _own_ticks(proc: Path, process: int) -> list[int]:
    """The ticks of a process and of each that descends from it; who has ended counts as its parent's."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for path in proc.iterdir():
        if not path.name.isdigit():
            continue
        try:
            fields = _fields((path / "stat").read_text())
        except OSError:  # it has ended meanwhile
            continue
        ticks[int(path.name)] = sum(int(field) for field in fields[13:17])
        children.setdefault(int(fields[3]), []).append(int(path.name))
    found, waiting = [], [process]
    while waiting:
        one = waiting.pop()
        found.append(ticks[one])
        waiting += children.get(one, [])
    return found


def _fields(line: str) -> list[str]:
    """The fields of a line; a program's name, which may hold blanks and brackets, is one."""
    before, bracket, rest = line.partition("(")
    if not bracket:
        return line.split()
    name, _, after = rest.rpartition(")")
    return [*before.split(), name, *after.split()]

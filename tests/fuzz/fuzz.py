"""`make fuzz`: damaged files without end, each under limits of time and memory, in processes that may die.

    python tests/fuzz/fuzz.py [--tries 1000] [--seed 1] [--kind NAME]

Each kind of file is tried in a process of its own. A try that takes more than ten seconds, more memory than
its limit, or raises anything but a `UserError` is a fault; faults are printed with what makes them again.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

SECONDS, OCTETS = 10, 8 * 2**30
LINE = "FAULT"


class TooLong(BaseException):
    """A try went beyond its time."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", default="", help="of these alone, by a part of their name")
    parser.add_argument("--alone", default="", help=argparse.SUPPRESS)  # the kind of this process
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    arguments = parser.parse_args()
    if arguments.alone:
        return tries(arguments.alone, arguments.seed, arguments.first, arguments.tries)
    sys.path.insert(0, str(Path(__file__).parent))
    from kinds import KINDS

    faults = 0
    for name in KINDS:
        if arguments.kind not in name:
            continue
        words = [sys.executable, __file__, "--alone", name, "--seed", str(arguments.seed)]
        first, started, found = arguments.first, time.monotonic(), 0
        while first < arguments.tries:
            done = subprocess.run(
                [*words, "--first", str(first), "--tries", str(arguments.tries)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            lines = done.stdout.splitlines()
            told = [line for line in lines if line.startswith(LINE)]
            print("\n".join(told), end="\n" if told else "", flush=True)
            found += len(told)
            if done.returncode == 0:
                break
            last = int(lines[-1].split()[-1]) if lines and lines[-1].startswith("try") else first
            print(
                f"{LINE} {name} {last}: the process ended with {done.returncode}: {done.stderr[-300:]}",
                flush=True,
            )
            found += 1
            first = last + 1
        faults += found
        seconds = time.monotonic() - started
        print(
            f"{name}: {arguments.tries - arguments.first} tries, {found} faults, {seconds:.0f} s", flush=True
        )
    return 1 if faults else 0


def tries(name: str, seed: int, first: int, last: int) -> int:
    """Try one kind; prints faults and, last, the number of the try that is under way."""
    sys.path.insert(0, str(Path(__file__).parent))
    from kinds import KINDS
    from mutate import damage

    from anncestry.errors import UserError

    warnings.simplefilter("ignore")
    os.fsync = lambda _: None
    kind = KINDS[name]
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        example, folder, made = root / "example", root / "given", root / "made"
        example.mkdir()
        kind.make(example)
        kind.use(example, made)
        resource.setrlimit(resource.RLIMIT_AS, (OCTETS, OCTETS))
        signal.signal(signal.SIGALRM, _too_long)
        for number in range(first, last):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(made, ignore_errors=True)
            shutil.copytree(example, folder)
            how = damage(folder, random.Random(f"{seed} {name} {number}"))
            before = {path: path.stat().st_size for path in folder.rglob("*")}
            fault = ""
            print(f"try {number}", flush=True)
            signal.alarm(SECONDS)
            try:
                kind.use(folder, made)
            except UserError:
                pass
            except TooLong:
                fault = f"more than {SECONDS} s"
            except Exception as error:
                at = [
                    f"{Path(s.filename).name}:{s.lineno}" for s in traceback.extract_tb(error.__traceback__)
                ]
                fault = f"{type(error).__name__}: {str(error)[:150]} ({' '.join(at[-4:])})"
            finally:
                signal.alarm(0)
            if not fault and {path: path.stat().st_size for path in folder.rglob("*")} != before:
                fault = "it wrote into what it read"
            if not fault and not {path.name for path in root.iterdir()} <= {"example", "given", "made"}:
                fault = "it wrote elsewhere"
            if fault:
                print(f"{LINE} {name} {number} ({how}): {fault}", flush=True)
    return 0


def _too_long(*_: object) -> None:
    raise TooLong


if __name__ == "__main__":
    sys.exit(main())

"""How soon the command line answers."""

import subprocess
import sys

from benchmarks.timing import interleave, table


def main(quick: bool = False) -> str:
    """Whole processes, from the start of Python to the exit."""

    def command(*words: str):
        return lambda: subprocess.run([sys.executable, *words], capture_output=True, check=True)

    contestants = {
        "python -c pass": command("-c", "pass"),
        "anncestry --help": command("-m", "anncestry", "--help"),
        "anncestry list": command("-m", "anncestry", "list"),
        "anncestry compare --help": command("-m", "anncestry", "compare", "--help"),
        "python -c 'import torch'": command("-c", "import torch"),
    }
    return table("Start-up of a whole process", interleave(contestants, 5 if quick else 15))


if __name__ == "__main__":
    print(main())

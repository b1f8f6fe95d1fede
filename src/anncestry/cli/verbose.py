"""``--verbose``: what a command that trains or predicts runs on, and what it would be faster with."""

import sys
from collections.abc import Sequence

COMMANDS = ("train", "evaluate", "predict", "compare")
"""Those that heed it."""
FLAG, MEANING = "--verbose", "Say first what it runs on: device, threads and kernels, or what they lack."


def without_flag(command: str, words: Sequence[str]) -> list[str]:
    """The other words of the command line; where the flag stands among its options, the machine is described
    on standard error."""
    end = words.index("--") if "--" in words else len(words)
    if command not in COMMANDS or FLAG not in words[:end]:
        return list(words)
    from anncestry.engine.machine import about_machine

    for line in about_machine():
        print(f"anncestry: {line}", file=sys.stderr, flush=True)
    return [word for place, word in enumerate(words) if place >= end or word != FLAG]

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
    for line in about_machine():
        print(f"anncestry: {line}", file=sys.stderr, flush=True)
    return [word for place, word in enumerate(words) if place >= end or word != FLAG]


def about_machine() -> list[str]:
    """What there is to compute on, and with."""
    import torch

    from anncestry.engine.native.library import state

    device = f"a CPU with {torch.backends.cpu.get_cpu_capability()}"
    if torch.cuda.is_available():
        device = f"{torch.cuda.get_device_name()}, or {device}"
    return [f"{device}; up to {torch.get_num_threads()} threads; torch {torch.__version__}", state()]

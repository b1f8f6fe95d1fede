"""What this machine computes on, in words."""

import torch

from anncestry.engine.native.library import state


def about_machine() -> list[str]:
    """What there is to compute on, and with."""
    device = f"a CPU with {torch.backends.cpu.get_cpu_capability()}"
    if torch.cuda.is_available():
        device = f"{torch.cuda.get_device_name()}, or {device}"
    return [f"{device}; up to {torch.get_num_threads()} threads; torch {torch.__version__}", state()]

"""The memory that a training step of DenseNet-BC 100-12 takes, each contestant in a process of its own.

How fast they are is timed by ``anncestry bench images``.
"""

import subprocess
import sys

import torch

from anncestry.bench.parts.growth import peak_megabytes
from anncestry.bench.parts.images import layer_by_layer, seasoned, step
from anncestry.engine.layout import lay_out

THREADS = 2
CPU = torch.device("cpu")
PEAK = ("layer by layer", "recomputed layer by layer", "anncestry", "anncestry, bfloat16 autocast")


def peak_of(contestant: str) -> float:
    """Largest resident memory of a fresh process that takes two training steps, less what it had before."""
    command = [sys.executable, "-m", "benchmarks.densenet", contestant]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _peak_here(contestant: str) -> float:
    torch.set_num_threads(THREADS)
    model = seasoned("densenet-bc-100-12", recompute=contestant.startswith("recomputed"))
    ours = contestant.startswith("anncestry")
    model = lay_out(model) if ours else layer_by_layer(model)
    x, y = torch.randn(64, 3, 32, 32), torch.randint(10, (64,))
    before = peak_megabytes()
    run = step(model, x, y, ours, bfloat16=contestant.endswith("autocast"))
    for _ in range(2):
        run()
    return peak_megabytes() - before


def memory() -> str:
    """Peak memory of training, each in a process of its own."""
    lines = ["### DenseNet-BC 100-12, peak memory of a training step, batch 64", ""]
    lines += ["| contestant | MB | of the first |", "| --- | --- | --- |"]
    found = {name: peak_of(name) for name in PEAK}
    for name, megabytes in found.items():
        lines.append(f"| {name} | {megabytes:,.0f} | {megabytes / found[PEAK[0]]:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(_peak_here(sys.argv[1]) if len(sys.argv) > 1 else memory())

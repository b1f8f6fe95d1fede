"""Write the weights of a recurrent run under the names of PyTorch (safetensors) or Keras (npz)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True)
class Arguments:
    """Which run, in whose names, to which file."""

    run: tyro.conf.Positional[Path]
    """A run folder."""
    out: Path
    """The new file."""
    to: Literal["torch", "keras"] = "torch"
    """`torch`: safetensors with torch.nn's names; `keras`: npz with Keras's names and gate order."""


def run(arguments: Arguments) -> int:
    """Convert and write."""
    import io

    import numpy as np

    from anncestry.checkpoints.importing import export_weights
    from anncestry.checkpoints.store import write_bytes, write_tensors
    from anncestry.errors import UserError
    from anncestry.runs import Run

    if arguments.out.exists():
        raise UserError("--out", str(arguments.out), "exists already")
    weights = export_weights(Run(arguments.run).model.state_dict(), arguments.to)
    if arguments.to == "torch":
        write_tensors(arguments.out, weights)  # pyright: ignore[reportArgumentType]
    else:
        archive = io.BytesIO()
        np.savez(archive, **weights)  # pyright: ignore[reportArgumentType]
        write_bytes(arguments.out, archive.getvalue())
    print(arguments.out)
    return 0

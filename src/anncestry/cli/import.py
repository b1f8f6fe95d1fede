"""Make a folder of ours from the weights of a recurrent network that PyTorch or Keras trained."""

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Arguments:
    """From which file, to which folder."""

    source: tyro.conf.Positional[Path]
    """Safetensors of a module with one torch.nn.RNN, LSTM or GRU; or a Keras .weights.h5, .h5 or .keras."""
    folder: tyro.conf.Positional[Path]
    """The new folder; `anncestry show FOLDER` and `anncestry.load(FOLDER).model` read it."""
    architecture: str | None = None
    """What it must be; found from the weights unless told."""


def run(arguments: Arguments) -> int:
    """Convert, and say what was found."""
    from anncestry.checkpoints.importing import import_weights
    from anncestry.runs import write_import

    found = import_weights(arguments.source, arguments.architecture)
    made = write_import(arguments.folder, found, arguments.source)
    parameters = sum(tensor.numel() for tensor in found.tensors.values())
    print(f"{made.architecture.name}, {parameters:,} parameters, in {arguments.folder}")
    return 0

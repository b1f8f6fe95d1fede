"""A snapshot of a run in the middle: everything the rest of it depends on, in one checked file.

Weights, the best so far, the average, optimizer, random state, carried recurrent state, and the position
in the data. The order of the data is drawn from (seed, epoch), so a position is two numbers. A snapshot is
complete or absent (``checkpoints.store`` writes it in one rename, with a checksum).
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.checkpoints.store import read_tensors, write_tensors
from anncestry.errors import UserError
from anncestry.protocols import State, flatten_state, map_state

KEEP = 2  # the one before the last is kept until the last has proved readable


def snapshot_path(folder: Path, step: int) -> Path:
    """Where the snapshot of a step lies."""
    return folder / "checkpoints" / f"step-{step:09d}.safetensors"


def snapshot_paths(folder: Path) -> list[Path]:
    """The snapshots of a run folder, oldest first."""
    return sorted((folder / "checkpoints").glob("step-*.safetensors"))


def save_snapshot(
    folder: Path,
    step: int,
    model: nn.Module,
    best: dict[str, Tensor] | None,
    average: dict[str, Tensor] | None,
    optimizer: torch.optim.Optimizer | None,
    state: State,
    progress: dict[str, Any],
) -> Path:
    """Write a snapshot and remove those before the last two.

    Args:
        best, average: the weights that scored best so far, and the mean of the last ones, or None.
        state: the recurrent state carried into the next batch, or None.
        progress: JSON-able facts of the loop (position in the data, seconds, history).
    """
    tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
    for kind, weights in (("best", best), ("average", average)):
        tensors |= {f"{kind}/{name}": value for name, value in (weights or {}).items()}
    metadata = {"step": step, "progress": progress, "optimizer": None, "state": 0}
    if optimizer is not None:
        described = optimizer.state_dict()
        plain: dict[str, dict[str, Any]] = {}
        for index, slots in described["state"].items():
            for slot, value in slots.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer/{index}/{slot}"] = value
                else:
                    plain.setdefault(str(index), {})[slot] = value
        metadata["optimizer"] = {"param_groups": described["param_groups"], "plain": plain}
    if state is not None:
        parts = list(flatten_state(state))
        tensors |= {f"state/{index}": part for index, part in enumerate(parts)}
        metadata["state"] = len(parts)
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    path = snapshot_path(folder, step)
    path.parent.mkdir(exist_ok=True)  # not those above: a run folder that was deleted stays so
    write_tensors(path, tensors, metadata)
    for old in snapshot_paths(folder)[:-KEEP]:
        old.unlink(missing_ok=True)
    return path


def latest_snapshot(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The newest readable snapshot of a run folder; one that is damaged gives way to the one before it.

    Raises:
        UserError: there is none, or none can be read.
    """
    trouble: UserError | None = None
    for path in reversed(snapshot_paths(folder)):
        try:
            return read_tensors(path)
        except UserError as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    raise UserError("resume", str(folder), "holds no checkpoint to go on from")


def restore(
    tensors: dict[str, Tensor],
    metadata: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    state_like: State,
) -> tuple[dict[str, Tensor] | None, dict[str, Tensor] | None, State]:
    """Put a snapshot back into ``model``, ``optimizer`` and the random state.

    Args:
        state_like: a state of the right nesting (its values do not matter), or None.

    Returns:
        ``(best weights, average of the last ones, carried state)``, each None where there is none.
    """

    def under(prefix: str) -> dict[str, Tensor]:
        return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}

    model.load_state_dict(under("model/"))
    if optimizer is not None:
        described = metadata["optimizer"]
        slots: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in described["plain"].items()}
        for name, value in under("optimizer/").items():
            index, slot = name.split("/", 1)
            slots.setdefault(int(index), {})[slot] = value
        optimizer.load_state_dict({"state": slots, "param_groups": described["param_groups"]})
        for parameter, slots_of in optimizer.state.items():
            for name, value in slots_of.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    # Fused steps go through memory as it lies, so it must lie as the parameter's does.
                    slots_of[name] = torch.empty_like(parameter).copy_(value)
    state = None
    if metadata["state"]:
        parts = iter([tensors[f"state/{index}"] for index in range(metadata["state"])])
        state = map_state(lambda like: next(parts).to(like.device), state_like)
    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random/cuda"])
    return under("best/") or None, under("average/") or None, state

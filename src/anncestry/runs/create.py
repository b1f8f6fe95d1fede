"""Making a run folder: what is known before training, and what training leaves."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from anncestry.checkpoints.store import write_tensors
from anncestry.data import Dataset
from anncestry.files import write_bytes
from anncestry.objectives.text_metrics import TextScores
from anncestry.runs.card import card
from anncestry.runs.folder import (
    BY_CLASS,
    KEPT,
    SEEDED,
    WRITTEN,
    RunFolder,
    check_new_folder,
    make_folder,
    write_json,
    written_by,
)
from anncestry.runs.run import Run
from anncestry.timeline import Architecture


def create_run(
    folder: Path,
    architecture: Architecture,
    config: Any,
    dataset: Dataset,
    training: dict[str, Any],
    data_seed: int,
    start: str | Path | None = None,
    fresh: Sequence[str] = (),
    teacher: str | Path | None = None,
) -> Run:
    """Write the parts of a run folder that are known before training.

    Args:
        start: the run whose weights it starts from, if any.
        fresh: parts of the model that do not start from it.
        teacher: the run beside whose net it learns, if any.

    Raises:
        UserError: the folder exists and is not empty, or cannot be written.
    """
    check_new_folder(folder)
    signature = dataset.signature.to_json()
    described = written_by() | {
        "architecture": architecture.id,
        "model": dataclasses.asdict(config),
        "signature": signature,
        "data": {
            "name": dataset.name,
            "options": dataset.options,
            "seed": data_seed,
            "fingerprint": dataset.fingerprint(),
            "notes": list(dataset.notes),
        },
        "training": training,
        "dropout": SEEDED,
    }
    if start is not None:
        described |= {"from": str(Path(start).expanduser().absolute()), "fresh": list(fresh)}
    if teacher is not None:
        described["teacher"] = str(Path(teacher).expanduser().absolute())
    make_folder(folder)
    write_json(folder / "processor.json", dataset.processor.to_json())
    write_json(folder / "config.json", described)
    return Run(folder)


def finish_run(
    run: RunFolder,
    model: nn.Module,
    scores: dict[str, dict[str, float]],
    command: str,
    generated: dict[str, TextScores] | None = None,
    kept: dict[str, Any] | None = None,
    by_class: dict[str, list[int]] | None = None,
) -> None:
    """Write the weights, the scores and the card.

    Args:
        scores: figures by split.
        generated: by split, what those of ``scores`` that compare texts come from.
        kept: which weights they are (`anncestry.training.outcome.Fit`).
        by_class: how often each class of the test split was predicted.
    """
    write_tensors(run.folder / "model.safetensors", model.state_dict(), {"architecture": run.architecture.id})
    generated = generated or {}
    how = {
        split: {"signatures": found.signatures, **({"exact": found.groups} if found.groups else {})}
        for split, found in generated.items()
    }
    beside = ({WRITTEN: how} if how else {}) | ({KEPT: kept} if kept else {})
    beside |= {BY_CLASS: by_class} if by_class else {}
    write_json(run.folder / "scores.json", scores | beside)
    write_bytes(run.folder / "README.md", card(run, model, scores, command, generated).encode())

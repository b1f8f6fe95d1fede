"""Starting from another run: its weights, its sizes, and how it reads texts.

Two ways, by the task. A run that goes on with its task keeps everything. One that was trained on
running text and now gets a task (Devlin et al., 1810.04805, section 3.2) keeps its body: what lies below the
task; the parts above are new.
"""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.checkpoints.store import load_weights, some_of
from anncestry.data import DataOptions, Processor
from anncestry.data.sources.catalogue import find_source, reads_running_text
from anncestry.errors import UserError
from anncestry.models.create import DATA_FIELDS
from anncestry.runs.run import Run
from anncestry.signature import Signature
from anncestry.training.settings import RUNNING_TEXT

HEADS = ("head", "readout", "answer", "relation", "pooler", "tagger", "generator")
"""Parts that belong to a task, which another task has of its own."""
OF_THE_TASK = (*DATA_FIELDS, "separator", "num_relations", "pooling", "unit_length")


class Start:
    """Where a new run starts from.

    Args:
        folder: a run folder.
        data: the data name of the new run.
    """

    def __init__(self, folder: str | Path, data: str) -> None:
        self.run = Run(folder)
        self.goes_on = self.run.signature.task not in RUNNING_TEXT or reads_running_text(data)
        self._data = data

    def reading(self, options: DataOptions) -> tuple[DataOptions, Processor | None]:
        """How the new data are read: exactly as before, or with the same tokenizer."""
        if self.goes_on:
            return options, self.run.processor
        takes = "tokenizer" in find_source(self._data).options
        if takes and options.tokenizer is None and hasattr(self.run.processor, "tokenizer"):
            options = dataclasses.replace(options, tokenizer=str(self.run.folder.absolute()))
        return options, None

    def sizes(self, config_class: type, signature: Signature) -> dict[str, Any]:
        """Fields of the new config: those of the run that do not belong to its data and task."""
        own = self.run.signature if self.goes_on else None
        left_out = DATA_FIELDS if own is not None and own.task == signature.task else OF_THE_TASK
        known = {field.name for field in dataclasses.fields(config_class)}
        return {key: v for key, v in self.run.config["model"].items() if key in known and key not in left_out}

    def load(self, network: nn.Module) -> list[str]:
        """Copy weights into the new model; the names of its parts that stay as they are.

        Raises:
            UserError: the weights do not fit; nothing was copied.
        """
        tensors, source = self.run.model.state_dict(), str(self.run.folder)
        if self.goes_on:
            load_weights(network, tensors, source)
            return []
        wanted = network.state_dict()
        fresh = sorted({_part(name) for name in wanted if not _fits(name, wanted[name], tensors)})
        strange = [
            part for part in fresh if part not in HEADS and any(_part(name) == part for name in tensors)
        ]
        kept = {name for name in wanted if _part(name) not in fresh}
        if strange or not kept:
            rule = "has other weights than the new model wants in: " + some_of(strange or sorted(wanted))
            hint = "Sizes come from the run; give none, or those that it has."
            raise UserError("start", source, rule, hint=hint)
        with torch.no_grad():
            for name in kept:
                common = tuple(
                    slice(min(sizes)) for sizes in zip(wanted[name].shape, tensors[name].shape, strict=True)
                )
                wanted[name][common] = tensors[name][common]
        network.load_state_dict(wanted)
        return fresh


def _part(name: str) -> str:
    return name.partition(".")[0]


def _fits(name: str, wanted: Tensor, tensors: dict[str, Tensor]) -> bool:
    """Whether a tensor of the run can be copied: of the same shape, or a table of words that has grown, or
    had rows that no word has."""
    if name not in tensors:
        return False
    has, wants = tensors[name].shape, wanted.shape
    table = "embedding" in name and len(has) == len(wants) == 2 and has[1] == wants[1]
    return has == wants or (table and (has[0] < wants[0] or "positions" not in name))

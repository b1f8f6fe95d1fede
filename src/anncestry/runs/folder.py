"""The run folder: what training writes and everything else reads.

    config.json          format, versions, architecture, sizes, data, training settings
    processor.json       how inputs are read: columns, means, classes, vocabulary
    model.safetensors    the weights that scored best on the validation split
    scores.json          metrics of those weights on the validation and test splits, and which weights they
    are metrics.jsonl, .csv  the history
    README.md            a card for people
    checkpoints/         snapshots to resume from

Nothing but the folder is needed to evaluate, predict or resume (and the data, where it names a file).
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.checkpoints.store import load_weights, read_tensors
from anncestry.data import DataOptions
from anncestry.engine.layout import lay_out
from anncestry.engine.prediction import Prediction
from anncestry.errors import UserError, require
from anncestry.files import write_bytes
from anncestry.layers.linear import Linear
from anncestry.models.building import build_checked
from anncestry.models.create import configure
from anncestry.signature import Signature
from anncestry.stored import entry, made, read_object, some_keys
from anncestry.timeline import Architecture, find
from anncestry.version import __version__

if TYPE_CHECKING:
    from anncestry.data import Dataset, Processor

RUN_FORMAT = 1
"""The format of the run folders that are written, as in ``config.json``: one more with every change that
older versions would misread. Folders that say none (of versions up to 0.8) are of format 1."""
SEEDED = "seeded"
"""What ``dropout`` is in the config of a run whose masks are `anncestry.engine.native.dropout`'s; those that
say nothing began with PyTorch's, and go on with them."""
WRITTEN = "written"
"""In ``scores.json``: how generated texts were compared, beside the metrics of the splits."""
BY_CLASS = "by_class"
"""In ``scores.json``: how often each class of the test split was true, predicted and right."""
COUNTS = ("right", "answered", "true")
KEPT = "kept"
"""In ``scores.json``: which weights were kept, and by which figure."""
# What config.json holds: of every run, of one with data of its own, and of one that began with another.
_PARTS: dict[str, Any] = {
    "architecture": str, "model": dict, "signature": dict, "data": dict | None, "training": dict,
}  # fmt: skip
_PARTS_OF_DATA: dict[str, Any] = {"name": str, "options": dict, "seed": int, "fingerprint": str}
_LATER_PARTS: dict[str, Any] = {"from": str, "fresh": tuple[str, ...], "teacher": str}


class RunFolder:
    """What a run folder holds: a trained (or half-trained) model and how it came about.

    Everything is read when it is first asked for. `anncestry.runs.run.Run` adds what can be done with it.

    Args:
        folder: a run folder.
        precision: of predictions and scores: ``32``, ``bf16``, or ``int8`` for Transformers.

    Raises:
        UserError: there is no such folder, it is not a run folder, it is of a newer format than is known, or
            there is no such precision.
    """

    def __init__(self, folder: str | Path, precision: str = "32") -> None:
        self.folder = Path(folder).expanduser()
        self.prediction = Prediction(precision)
        config = self.folder / "config.json"
        if not config.is_file():
            rule = "is not a run folder: it has no config.json" if self.folder.is_dir() else "is not a folder"
            raise UserError("run", str(folder), rule, hint="`anncestry train` makes one.")
        self.config = read_object(config)
        check_format(self.config, RUN_FORMAT, str(config), self.config.get("anncestry"))
        for part, kind in _PARTS.items():
            if part not in self.config:
                rule = f"is not the config of a run: {part!r} is missing"
                raise UserError(str(config), some_keys(self.config), rule)
            entry(self.config, part, kind, str(config))
        data = self.config["data"]
        for part, kind in _PARTS_OF_DATA.items() if data is not None else ():
            entry(data or {}, part, kind, f"{config}: data")
        for part, kind in _LATER_PARTS.items():
            if part in self.config:
                entry(self.config, part, kind, str(config))

    @functools.cached_property
    def architecture(self) -> Architecture:
        """Its entry on the timeline."""
        return find(self.config["architecture"])

    @functools.cached_property
    def signature(self) -> Signature:
        """The learning problem it was trained for."""
        return Signature.from_json(self.config["signature"], self.place("signature"))

    def place(self, part: str) -> str:
        """A part of the config, for messages."""
        return f"{self.folder / 'config.json'}: {part}"

    @property
    def source(self) -> str:
        """Where its weights come from, in words: ``trained on digits``, or ``imported``."""
        data = self.config["data"]
        return "imported" if data is None else f"trained on {data['name']}"

    @property
    def data_options(self) -> DataOptions:
        """How its data were read; as usual where it was imported."""
        data = self.config["data"] or {"options": {}}
        return made(DataOptions, data["options"], self.place("data: options"))

    @functools.cached_property
    def processor(self) -> "Processor":
        """Reads inputs the way the training data were read.

        Raises:
            UserError: the weights were imported, and with no data came no way to read any.
        """
        if self.config["data"] is None and not (self.folder / "processor.json").is_file():
            hint = f"In Python: anncestry.load({str(self.folder)!r}).model takes tensors."
            raise UserError(
                "run", str(self.folder), "was imported from weights alone; it cannot read data", hint=hint
            )
        from anncestry.data.processors import processor_from_json  # of all kinds of data

        processor = processor_from_json(self._object("processor.json"))
        self._check_reader(processor)
        return processor

    def _check_reader(self, processor: Any) -> None:
        """Raise a `UserError` where the processor is of another problem."""
        asked, file = self.signature, str(self.folder / "processor.json")
        task = getattr(processor, "task", asked.task)
        require(task == asked.task, file, task, f"answers another task than the model, {asked.task}")
        classes = getattr(processor, "classes", None)
        if classes is not None and asked.task in ("classification", "multi-label"):
            rule = f"names {len(classes)} classes; the model has {asked.output_size}"
            require(len(classes) == asked.output_size, file, ", ".join(classes), rule)
        columns, layout = getattr(processor, "columns", None), getattr(processor, "layout", None)
        if columns is not None and layout is not None:
            rule = f"describes {len(columns)} columns; the layout has {len(layout.inputs)} inputs"
            require(len(columns) == len(layout.inputs), file, len(columns), rule)
        vocabulary = getattr(processor, "vocabulary", None)
        if isinstance(vocabulary, tuple) and asked.inputs == "tokens":
            rule = f"has {len(vocabulary)} tokens; the model has {asked.vocab_size}"
            require(len(vocabulary) <= asked.vocab_size, file, len(vocabulary), rule)
        if asked.inputs == "vector" and hasattr(processor, "width"):
            rule = f"makes {processor.width} numbers of an input; the model reads {asked.shape[0]}"
            require((processor.width,) == asked.shape, file, processor.width, rule)

    def new_model(self, weights: Mapping[str, Tensor] | None = None) -> nn.Module:
        """The architecture at its size, with fresh weights.

        Args:
            weights: those that it will be filled with.

        Raises:
            UserError: its sizes ask for more than these weights, or for more memory than there is.
        """
        place = self.place("model")
        config = configure(self.architecture.id, self.config["model"], source=place)
        return build_checked(self.architecture, config, weights, place)

    @functools.cached_property
    def model(self) -> nn.Module:
        """The trained model, in evaluation mode.

        Raises:
            UserError: the weights are missing, damaged, a pickle, or another model's.
        """
        path = self.folder / "model.safetensors"
        if not path.is_file():
            hint = f"Finish it with `anncestry train --resume {self.folder}`."
            raise UserError("run", str(self.folder), "has no finished weights yet", hint=hint)
        weights = read_tensors(path)[0]
        model = self.new_model(weights)
        load_weights(model, weights, str(path))
        return lay_out(model.eval())

    @functools.cached_property
    def predictor(self) -> nn.Module:
        """The trained model in the precision of predictions.

        Raises:
            UserError: it has no products of 8-bit integers, or this machine has none.
        """
        whole = self.prediction.precision != "int8" or any(
            isinstance(module, Linear) for module in self.model.modules()
        )
        rule = f"is for Transformers, and this is {self.architecture.name}; `bf16` is for all"
        require(whole, "precision", self.prediction.precision, rule)
        return self.prediction.prepared(self.model)

    def dataset(self, place: str | None = None) -> "Dataset":
        """The data it was trained on, read again.

        Args:
            place: what opens them now, if they were moved: a data name of the same source.

        Raises:
            UserError: the files are gone, or are no longer what they were; or the weights were imported.
        """
        from anncestry.data import load_data

        _ = self.processor
        data = self.config["data"]
        if data is None:
            raise UserError("run", str(self.folder), "was imported; it has no data of its own: name some")
        goes_on = "teacher" in self.config or ("from" in self.config and not self.config["fresh"])
        read_by = self.processor if goes_on else None  # else what is learnt of the data is learnt again
        name = place or data["name"]
        try:
            dataset = load_data(name, self.data_options, data["seed"], read_by)
        except UserError as error:
            if place is None and error.rule.startswith("there is no such"):
                hint = "If it was moved, say where it is with `data`."
                raise UserError(error.field, error.value, error.rule, hint=hint) from None
            raise
        if dataset.fingerprint() != data["fingerprint"]:
            what = "has changed since" if place is None else f"holds other data than {data['name']} when"
            rule = f"{what} this run was trained; it would go on with other examples"
            raise UserError("data", name, rule, hint="Put the old files back, or start a new run.")
        return dataset

    def moved(self, dataset: "Dataset") -> Self:
        """The run, with its data where they are now; ``dataset`` comes of `dataset`."""
        if dataset.name == self.config["data"]["name"]:
            return self
        config = self.config | {"data": self.config["data"] | {"name": dataset.name}}
        write_json(self.folder / "config.json", config)
        return type(self)(self.folder, self.prediction.precision)

    def scores(self) -> dict[str, dict[str, float]]:
        """Metrics by split as training left them; empty for an unfinished run."""
        path = self.folder / "scores.json"
        found = self._object("scores.json") if path.is_file() else {}
        for name in (WRITTEN, KEPT, BY_CLASS):
            found.pop(name, None)
        for split in found:
            for name, value in entry(found, split, dict, str(path)).items():
                rule = "must be a number"
                require(type(value) in (int, float), f"{path}: {split}: {name}", value, rule)
        return found

    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, labels or tags, where its predictions are such."""
        return getattr(self.processor, "classes", ()) or getattr(self.processor, "tags", ())

    def by_class(self) -> dict[str, list[int]]:
        """How often each class of the test split was ``right``, ``answered`` and ``true``, as training left
        it.
        """
        found = self._object("scores.json") if (self.folder / "scores.json").is_file() else {}
        counts = entry(found, BY_CLASS, dict, str(self.folder)) if BY_CLASS in found else {}
        return {name: entry(counts, name, list[int], BY_CLASS) for name in COUNTS} if counts else {}

    def kept(self) -> str:
        """Which weights it holds, in words; empty where that is not known."""
        found = self._object("scores.json") if (self.folder / "scores.json").is_file() else {}
        return kept_words(entry(found, KEPT, dict, str(self.folder))) if found.get(KEPT) else ""

    def _object(self, name: str) -> dict[str, Any]:
        """What a file of the folder describes."""
        if not (self.folder / name).is_file():
            raise UserError("run", str(self.folder), f"has no {name}; it is not a whole run folder")
        return read_object(self.folder / name)


def check_format(described: Mapping[str, Any], newest: int, source: str, version: object) -> None:
    """Refuse what only a later version can read.

    Args:
        described: the JSON object that says its ``format``; 1 where it says none.
        newest: the newest format that is known.
        source: the file, for the message.
        version: of anncestry that wrote it, where that is known.

    Raises:
        UserError: its format is newer, or no format.
    """
    format = entry(described, "format", int, source) if "format" in described else 1
    field = f"{source}: format"
    require(format >= 1, field, format, "must be at least 1")
    if format > newest:
        writer = f"anncestry {version or 'of a later version'}"
        rule = f"was written by {writer}; this is anncestry {__version__}, which reads formats up to"
        raise UserError(field, format, f"{rule} {newest}", hint="Upgrade anncestry to read it.")


def written_by() -> dict[str, Any]:
    """What the config of every new run begins with: its format, and the versions that write it."""
    return {"format": RUN_FORMAT, "anncestry": __version__, "torch": torch.__version__}


def kept_words(kept: dict[str, Any]) -> str:
    """``of epoch 4 (step 40), the best of 12 by validation accuracy (0.93)``."""
    epoch, step, count = (entry(kept, name, float, KEPT) for name in ("epoch", "step", "evaluations"))
    value = "" if kept.get("value") is None else f" ({entry(kept, 'value', float, KEPT):.4g})"
    of = "the mean up to" if kept.get("averaged") else "of"
    by = entry(kept, "by", str, KEPT)
    return f"{of} epoch {epoch:g} (step {step:,.0f}), the best of {count:.0f} by validation {by}{value}"


def check_new_folder(folder: Path) -> None:
    """Raise a `UserError` where a run would be written over something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = "Choose another `out`"
        if (folder / "config.json").is_file():
            hint += ", or go on with that run by `resume`"
        raise UserError(
            "out", str(folder), "exists already; a run is never written over another", hint=hint + "."
        )


def make_folder(folder: Path) -> None:
    """Make a folder and its parents.

    Raises:
        UserError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError("out", str(folder), f"cannot be made ({error.strerror})") from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON, complete or not at all."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())

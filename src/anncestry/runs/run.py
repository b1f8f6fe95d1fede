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

import dataclasses
import functools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.checkpoints.store import load_weights, read_tensors, write_tensors
from anncestry.data import DataOptions, Dataset, Processor, Whole, load_data, load_whole
from anncestry.data.processors import (
    MaskedWordsProcessor,
    VectorProcessor,
    processor_from_json,
)
from anncestry.data.processors.given import Given, ReadsTexts, Text, label_of
from anncestry.data.processors.packed_targets import Asked
from anncestry.data.sources import check_heeded
from anncestry.decoding import Search
from anncestry.engine.layout import lay_out
from anncestry.engine.prediction import Prediction
from anncestry.engine.workers import shared_out
from anncestry.errors import UserError, require
from anncestry.files import write_bytes
from anncestry.inference.batched import encode
from anncestry.inference.evaluation import answered, written_scores
from anncestry.inference.generation import answer, usual_search
from anncestry.layers.linear import Linear, TiedReadout
from anncestry.models.building import build_checked
from anncestry.models.create import configure
from anncestry.objectives import objective_of, score
from anncestry.objectives.text_metrics import Written
from anncestry.protocols import OwnRule, Unscored, outputs_of
from anncestry.signature import GENERATION_TASKS, Signature
from anncestry.stored import entry, made, read_object, some_keys
from anncestry.timeline import Architecture, find
from anncestry.version import __version__

RUN_FORMAT = 1
"""The format of the run folders that are written, as in ``config.json``: one more with every change that
older versions would misread. Folders that say none (of versions up to 0.8) are of format 1."""
WRITTEN = "written"
"""In ``scores.json``: how texts were compared, beside the figures of the splits."""
BY_CLASS = "by_class"
"""In ``scores.json``: what each class of the test split was answered."""
COUNTS = ("right", "answered", "true")
KEPT = "kept"
"""In ``scores.json``: which weights were kept, and by which figure."""
# What config.json holds: of every run, of one with data of its own, and of one that began with another.
_PARTS: dict[str, Any] = {
    "architecture": str, "model": dict, "signature": dict, "data": dict | None, "training": dict,
}  # fmt: skip
_PARTS_OF_DATA: dict[str, Any] = {"name": str, "options": dict, "seed": int, "fingerprint": str}
_LATER_PARTS: dict[str, Any] = {"from": str, "fresh": tuple[str, ...], "teacher": str}
BLANK = "is blank"
FOR_EACH_STEP = {"tags", "next", "previous", "vectors"}
"""Parts of a prediction that have an entry for every step, those of padding among them."""


class Run:
    """A trained (or half-trained) model in its folder. Everything is read when it is first asked for.

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

    def __repr__(self) -> str:
        data = self.config["data"]
        source = "imported" if data is None else f"trained on {data['name']}"
        return f"Run({str(self.folder)!r}: {self.config['architecture']}, {source})"

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
    def data_options(self) -> DataOptions:
        """How its data were read; as usual where it was imported."""
        data = self.config["data"] or {"options": {}}
        return made(DataOptions, data["options"], self.place("data: options"))

    @functools.cached_property
    def processor(self) -> Processor:
        """Reads inputs the way the training data were read.

        Raises:
            UserError: the weights were imported, and with no data came no way to read any.
        """
        if self.config["data"] is None and not (self.folder / "processor.json").is_file():
            hint = f"In Python: anncestry.load({str(self.folder)!r}).model takes tensors."
            raise UserError(
                "run", str(self.folder), "was imported from weights alone; it cannot read data", hint=hint
            )
        processor = processor_from_json(self._object("processor.json"))
        self._check_reader(processor)
        return processor

    def _check_reader(self, processor: Any) -> None:
        """Raise a `UserError` where what reads inputs and says answers is of another problem."""
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
            isinstance(module, Linear | TiedReadout) for module in self.model.modules()
        )
        rule = f"is for Transformers, and this is {self.architecture.name}; `bf16` is for all"
        require(whole, "--precision", self.prediction.precision, rule)
        return self.prediction.prepared(self.model)

    def dataset(self, place: str | None = None) -> Dataset:
        """The data it was trained on, read again.

        Args:
            place: what opens them now, if they were moved: a data name of the same source.

        Raises:
            UserError: the files are gone, or are no longer what they were; or the weights were imported.
        """
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
                hint = "If it was moved, say where it is with --data."
                raise UserError(error.field, error.value, error.rule, hint=hint) from None
            raise
        if dataset.fingerprint() != data["fingerprint"]:
            what = "has changed since" if place is None else f"holds other data than {data['name']} when"
            rule = f"{what} this run was trained; it would go on with other examples"
            raise UserError("--data", name, rule, hint="Put the old files back, or start a new run.")
        return dataset

    def moved(self, dataset: Dataset) -> "Run":
        """The run, with its data where they are now; ``dataset`` comes of `dataset`."""
        if dataset.name == self.config["data"]["name"]:
            return self
        config = self.config | {"data": self.config["data"] | {"name": dataset.name}}
        write_json(self.folder / "config.json", config)
        return Run(self.folder, self.prediction.precision)

    def evaluate(
        self,
        data: str | Whole | None = None,
        split: str | None = None,
        options: DataOptions | None = None,
        counts: dict[str, list[int]] | None = None,
    ) -> dict[str, float]:
        """Metrics on its own data's split, or on other data read with the run's own processor.

        Args:
            data: a data name as for training, all of which is scored, or what `examples` found; None means
                the run's own.
            split: ``train``, ``validation``, ``test`` or ``held-out`` of its own data; default: test.
            options: how other data are read, as far as the processor does not decide it; the run's own
                options unless told.
            counts: gets for each class how often it was ``right``, ``answered`` and ``true``.
        """
        parts = list(self.examples(data, split, options).parts)
        with self.prediction.scope(next(iter(self.model.parameters())).device):
            figures = score(self.predictor, parts, objective_of(self), counts=counts)
        rule = "computes NaN or infinite numbers for these data"
        require(math.isfinite(figures.get("loss", 0.0)), "model", self.architecture.id, rule)
        return figures | answered(self.predictor, parts, self.processor, self.prediction)

    def written(
        self,
        data: str | Whole | None = None,
        split: str | None = None,
        search: Search | None = None,
        options: DataOptions | None = None,
    ) -> Written:
        """What the model writes for the data that `evaluate` would score; for tasks that write an answer.

        Args:
            search: how; greedy unless told.
        """
        parts: list[Any] = list(self.examples(data, split, options).parts)
        search = search or usual_search(self.signature)
        return written_scores(self.predictor, parts, self.processor, search, self.prediction)

    def examples(
        self, data: str | Whole | None = None, split: str | None = None, options: DataOptions | None = None
    ) -> Whole:
        """What `evaluate` scores: one split of the run's own data, or all of other data.

        Its own data are known by what is in them, whatever they are called: of these it is the split, since
        the rest was trained on.

        Raises:
            UserError: the data cannot be read as the run's own were, or a split is asked of other data.
        """
        if isinstance(data, Whole):
            return data
        own = self.config["data"]  # None: imported
        usual = dataclasses.asdict(self.data_options)
        told = (
            {k: v for k, v in dataclasses.asdict(options).items() if v != usual[k]}
            if options is not None
            else {}
        )
        if data is not None:
            check_heeded(data, told, self.processor, self.signature.task)
        if data is None:
            dataset = self.dataset()
            return Whole((dataset.split(split or "test"),), dataset.notes)
        if own is not None and data.partition(":")[0] == own["name"].partition(":")[0]:
            try:
                dataset = self.dataset(data)
            except UserError:
                pass  # other data, which may be too few to be split
            else:
                rule = "is decided by the run for its own data, and these are"
                for name, value in told.items():
                    known = name == "task" or getattr(self.processor, "layout", None) is not None
                    require(known, name, value, rule)
                note = f"these are the run's own data: of them the {split or 'test'} split"
                return Whole((dataset.split(split or "test"),), (note,))
        require(split is None, "--split", split, f"is of the run's own data; all of {data} is scored")
        if own is None:
            return load_whole(data, options or DataOptions(), self.processor)
        return load_whole(data, options or self.data_options, self.processor, own["seed"])

    def predict(
        self, source: Given, batch_size: int = 256, search: Search | None = None
    ) -> list[dict[str, Any]]:
        """Predictions.

        Args:
            source: an input as text, which is read as it stands and never opened; a `Path` to a file with
                inputs (``Path("-")`` is standard input); or a list of inputs. A pair of texts is a tuple.
                Rows of a table may also be dictionaries, lists, arrays or frames
                (`anncestry.data.processors.given.table_of`). Images are files, or folders of them.

        Returns:
            One row per input, in their order: ``{"input": its name, ...}``, and a ``note`` where there is
            something odd about it, or where it is blank. With ``class`` (or ``labels``: those with a
            probability above a half) and ``probabilities`` (or raw
            ``scores`` where the model knows no probabilities), or the target values in their units, or how
            well an image was drawn again (the metrics of the task). Tasks that write an answer: see
            `anncestry.inference.generation.answer`; ``search`` says how it is searched, greedily unless told.
        """
        processor = self.processor
        require(batch_size >= 1, "batch_size", batch_size, "must be at least 1")
        if isinstance(source, list) and not getattr(processor, "reads_lists", False):
            return [row for one in source for row in self.predict(one, batch_size, search)]
        if self.signature.task in GENERATION_TASKS:
            search = search or usual_search(self.signature)
            return answer(self.predictor, processor, source, search, prediction=self.prediction)
        if not isinstance(processor, ReadsTexts):
            return self._read(source, batch_size)
        texts = processor.texts(source)
        blank = [processor.is_blank(text) for text in texts]
        require(not blank or not all(blank), "input", str(source), "is blank; it must hold something to read")
        kept = [text for text, is_blank in zip(texts, blank, strict=True) if not is_blank]
        rows = iter(self._read(kept, batch_size) if kept else ())
        return [
            {"input": label_of(text), "note": BLANK} if is_blank else next(rows)
            for text, is_blank in zip(texts, blank, strict=True)
        ]

    def _read(self, source: Given, batch_size: int) -> list[dict[str, Any]]:
        """The predictions for what a processor reads, none of which is blank."""
        ask = getattr(self.processor, "ask", None)
        if ask is not None:
            return self._answers(ask(source), batch_size)
        noted = getattr(self.processor, "read_noted", None)
        labels, inputs, notes = noted(source) if noted else (*self.processor.read(source), None)
        rows = []
        with self.prediction.scope(inputs.device):
            for first in range(0, len(inputs), batch_size):
                rows += self._rows(inputs[first : first + batch_size])
        for row, note in zip(rows, notes or (), strict=False):
            row |= {"note": note} if note else {}
        return [{"input": label, **row} for label, row in zip(labels, rows, strict=True)]

    def _answers(self, asked: Asked, batch_size: int) -> list[dict[str, Any]]:
        """The answers to what is read in rows that are parts of an input."""
        with self.prediction.scope(asked.inputs.device):
            batches = zip(asked.inputs.split(batch_size), asked.lengths.split(batch_size), strict=True)
            outputs = torch.cat([self.outputs(inputs, lengths).float().cpu() for inputs, lengths in batches])
        rows = asked.answers(outputs)
        return [{"input": label, **row} for label, row in zip(asked.labels, rows, strict=True)]

    def _rows(self, inputs: Tensor) -> list[dict[str, Any]]:
        """The predictions for a batch, whose sequences may be padded."""
        if self.signature.task == "reconstruction":
            objective = objective_of(self)
            pairs = zip(self.outputs(inputs).split(1), inputs.split(1), strict=True)
            return [objective.metrics(objective.tally(*pair)) for pair in pairs]
        lengths_of = getattr(self.processor, "lengths_of", None)
        if lengths_of is None:
            return self._decode(self.outputs(inputs))
        lengths = lengths_of(inputs)
        if isinstance(self.processor, MaskedWordsProcessor):
            targets = self.processor.hidden(inputs)
            return self.processor.fill_in(inputs, self.outputs(inputs, lengths, targets))
        rows = self._decode(self.outputs(inputs, lengths))
        for row, length in zip(rows, lengths.tolist(), strict=True):
            for name in FOR_EACH_STEP & row.keys():
                row[name] = row[name][:length]
        return rows

    def embed(self, texts: Sequence[Text]) -> Tensor:
        """(N, D): a vector for each text, or for each pair of texts; for encoders without a head.

        Raises:
            UserError: the run has another task.
        """
        rule = f"gives no vectors of texts; its task is {self.signature.task}"
        require(embeds_texts(self), "run", str(self.folder), rule)
        processor: Any = self.processor
        if not texts:
            return torch.empty(0, self.signature.output_size)
        inputs, lengths = processor.encode(texts, blank=True)
        return self._answered(encode(self.predictor, inputs, lengths, self.prediction))

    def outputs(self, inputs: Tensor, lengths: Tensor | None = None, targets: Tensor | None = None) -> Tensor:
        """The model's raw outputs for a batch of inputs, without gradients.

        Args:
            targets: where words are hidden, and scores of words are wanted there alone.
        """

        def of(rows: slice) -> Tensor:
            of_rows, asked = (None if part is None else part[rows] for part in (lengths, targets))
            only = asked is not None
            found = outputs_of(self.predictor, inputs[rows], None, of_rows, asked, asked_only=only)[0]
            if only and isinstance(found, tuple):  # with more than the words
                return found[0]
            return found.scores() if isinstance(found, Unscored) else found

        with self.prediction.scope(inputs.device):
            return self._answered(shared_out(of, inputs, self.prediction))

    def _answered(self, outputs: Tensor) -> Tensor:
        """Outputs as they are.

        Raises:
            UserError: some are NaN or plus infinity, of which nothing can be made.
        """
        broken = bool(outputs.isnan().any()) or bool((outputs == torch.inf).any())
        rule = "computes NaN or infinite numbers for these inputs"
        require(not broken, "model", self.architecture.id, rule)
        return outputs

    def _decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        if self.signature.task == "multi-label":
            rows = self.processor.decode(outputs.sigmoid())
            return [{"labels": row["labels"], "probabilities": row["scores"]} for row in rows]
        if self.signature.task == "classification" and not isinstance(self.model, OwnRule):
            rows = self.processor.decode(outputs.softmax(-1))
            return [{"class": row["class"], "probabilities": row["scores"]} for row in rows]
        return self.processor.decode(outputs)

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
        """The names of the classes, labels or tags, where it answers with such."""
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


def load(folder: str | Path, precision: str = "32") -> Run:
    """Open a run folder; ``precision`` is that of predictions: ``32``, ``bf16`` or ``int8``."""
    return Run(folder, precision)


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


def embeds_texts(run: Run) -> bool:
    """Whether a run gives a vector for each text."""
    return run.signature.task == "embedding" and isinstance(run.processor, VectorProcessor)


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
    run: Run,
    model: nn.Module,
    scores: dict[str, dict[str, float]],
    command: str,
    written: dict[str, Written] | None = None,
    kept: dict[str, Any] | None = None,
    by_class: dict[str, list[int]] | None = None,
) -> None:
    """Write the weights, the scores and the card.

    Args:
        scores: figures by split.
        written: by split, what those of ``scores`` that compare texts come from.
        kept: which weights they are (`anncestry.training.outcome.Fit`).
        by_class: what each class of the test split was answered.
    """
    write_tensors(run.folder / "model.safetensors", model.state_dict(), {"architecture": run.architecture.id})
    written = written or {}
    how = {
        split: {"signatures": found.signatures, **({"exact": found.groups} if found.groups else {})}
        for split, found in written.items()
    }
    beside = ({WRITTEN: how} if how else {}) | ({KEPT: kept} if kept else {})
    beside |= {BY_CLASS: by_class} if by_class else {}
    write_json(run.folder / "scores.json", scores | beside)
    write_bytes(run.folder / "README.md", card(run, model, scores, command, written).encode())


def kept_words(kept: dict[str, Any]) -> str:
    """``of epoch 4 (step 40), the best of 12 by validation accuracy (0.93)``."""
    epoch, step, count = (entry(kept, name, float, KEPT) for name in ("epoch", "step", "evaluations"))
    value = "" if kept.get("value") is None else f" ({entry(kept, 'value', float, KEPT):.4g})"
    of = "the mean up to" if kept.get("averaged") else "of"
    by = entry(kept, "by", str, KEPT)
    return f"{of} epoch {epoch:g} (step {step:,.0f}), the best of {count:.0f} by validation {by}{value}"


def card(
    run: Run,
    model: nn.Module,
    scores: dict[str, dict[str, float]],
    command: str,
    written: dict[str, Written] | None = None,
) -> str:
    """The README of a run folder."""
    architecture, training = run.architecture, run.config["training"]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    limits = [f"{name} {training[name]}" for name in ("epochs", "max_steps", "max_seconds") if training[name]]
    lines = [
        f"# {architecture.name} on {run.config['data']['name']}",
        "",
        f"{architecture.paper} ({architecture.year}). {parameters:,} parameters.",
        "",
        f"- task: {run.signature.task} of {run.signature.inputs} inputs {run.signature.shape}",
        f"- budget: {', '.join(limits)}; batch {training['batch_size']}; {training['optimizer']}, "
        f"learning rate {training['learning_rate']:g}; seed {training['seed']}",
        *([f"- weights: {run.kept()}"] if run.kept() else []),
        f"- versions: anncestry {run.config['anncestry']}, torch {run.config['torch']}",
        "",
        "| split | " + " | ".join(scores["test"]) + " |",
        "| --- |" + " --- |" * len(scores["test"]),
    ]
    lines += [
        f"| {split} | " + " | ".join(f"{row[k]:.4g}" if k in row else "" for k in scores["test"]) + " |"
        for split, row in scores.items()
    ]
    for split, found in (written or {}).items():
        lines += ["", *(f"- {split}, {name}: `{how}`" for name, how in found.signatures.items())]
        shares = ", ".join(f"{group} {share:.1%}" for group, share in found.groups.items())
        lines += [f"- {split}, exact matches: {shares}"] if shares else []
    lines += ["", "Made with:", "", f"    {command}", ""]
    lines += [
        "Use it:",
        "",
        f"    anncestry predict {run.folder} INPUT",
        f"    anncestry evaluate {run.folder}",
        "",
    ]
    return "\n".join(lines)


def check_new_folder(folder: Path) -> None:
    """Raise a `UserError` where a run would be written over something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = "Choose another --out"
        if (folder / "config.json").is_file():
            hint += f", or go on with it: anncestry train --resume {folder}"
        raise UserError(
            "--out", str(folder), "exists already; a run is never written over another", hint=hint + "."
        )


def make_folder(folder: Path) -> None:
    """Make a folder and its parents.

    Raises:
        UserError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError("--out", str(folder), f"cannot be made ({error.strerror})") from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON, complete or not at all."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())

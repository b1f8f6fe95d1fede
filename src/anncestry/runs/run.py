"""A run and what can be done with it."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from anncestry.arrays import Tensor
from anncestry.data import DataOptions, Whole, load_whole
from anncestry.data.processors import MaskedTokensProcessor, VectorProcessor
from anncestry.data.processors.given import Given, ReadsTexts, Text, label_of
from anncestry.data.processors.packed_targets import Asked
from anncestry.data.sources import check_heeded
from anncestry.decoding import Search
from anncestry.engine.workers import shared_out
from anncestry.errors import UserError, require
from anncestry.inference.batched import encode
from anncestry.inference.evaluation import answered, written_scores
from anncestry.inference.generation import answer, usual_search
from anncestry.objectives import objective_of, score
from anncestry.objectives.text_metrics import Written
from anncestry.protocols import OwnRule, Unscored, outputs_of
from anncestry.runs.folder import RunFolder
from anncestry.signature import GENERATION_TASKS

BLANK = "is blank"
FOR_EACH_STEP = {"tags", "next", "previous", "vectors"}
"""Parts of a prediction that have an entry for every step, those of padding among them."""


class Run(RunFolder):
    """A trained (or half-trained) model in its folder, and what can be done with it.

    >>> run, _ = anncestry.train("mlp", "toy2d:moons", max_steps=20)
    >>> run.predict([[0.5, 0.25]])[0]["class"] in ("0", "1")
    True
    >>> sorted(run.evaluate())
    ['accuracy', 'balanced_accuracy', 'loss', 'macro_f1', 'roc_auc']
    >>> run.architecture.name, run.signature.task, run.config["data"]["name"]
    ('Multi-layer perceptron', 'classification', 'toy2d:moons')

    Args:
        folder: a run folder.
        precision: of predictions and scores: ``32``, ``bf16``, or ``int8`` for Transformers.
    """

    def __repr__(self) -> str:
        data = self.config["data"]
        source = "imported" if data is None else f"trained on {data['name']}"
        return f"Run({str(self.folder)!r}: {self.config['architecture']}, {source})"

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
        require(split is None, "split", split, f"is of the run's own data; all of {data} is scored")
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
        if isinstance(self.processor, MaskedTokensProcessor):
            targets = self.processor.mask_targets(inputs)
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


def load(folder: str | Path, precision: str = "32") -> Run:
    """Open a run folder.

    >>> _ = anncestry.train("mlp", "toy2d:moons", max_steps=20)
    >>> anncestry.load("runs/mlp-toy2d-moons")
    Run('runs/mlp-toy2d-moons': mlp, trained on toy2d:moons)

    Args:
        folder: of a run, or of an import.
        precision: of predictions: ``32``, ``bf16`` or ``int8``.

    Returns:
        The run; its weights and data are read when they are first used.

    Raises:
        UserError: it is no run folder, or there is no such precision.
    """
    return Run(folder, precision)


def embeds_texts(run: Run) -> bool:
    """Whether a run gives a vector for each text."""
    return run.signature.task == "embedding" and isinstance(run.processor, VectorProcessor)

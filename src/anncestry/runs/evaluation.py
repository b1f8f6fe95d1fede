"""The metrics of a run, and the data that they are of."""

import dataclasses
import math
from collections.abc import Mapping
from html import escape
from typing import Any

from anncestry.data import DataOptions, Whole, load_whole
from anncestry.data.sources import check_heeded
from anncestry.decoding import Search
from anncestry.engine.progress import Progress
from anncestry.errors import UserError, require
from anncestry.inference.evaluation import score_spans, score_texts
from anncestry.inference.generation import default_search
from anncestry.objectives import objective_of, score
from anncestry.runs.folder import RunFolder
from anncestry.signature import GENERATION_TASKS


class Evaluation(dict[str, float]):
    """Metrics by their names, and what else there is to know of them.

    Attributes:
        num_examples: how many examples, or tokens of a text, were scored.
        unit: ``examples``, or ``tokens`` of a language model.
        by_class: how often each class was ``right``, ``answered`` and ``true``; empty for other tasks.
        classes: the names of the classes, in the order of ``by_class``.
        texts: the generated texts, one for each source; for tasks that generate them.
        signatures: of sacrebleu, for each of the metrics it computes.
        groups: the share of exact matches for each kind of source, where there are kinds.
        notes: what a person should know of the data: rows left out, say.
    """

    def __init__(self, metrics: Mapping[str, float], num_examples: int, unit: str = "examples") -> None:
        super().__init__(metrics)
        self.num_examples, self.unit = num_examples, unit
        self.by_class: dict[str, list[int]] = {}
        self.classes: tuple[str, ...] = ()
        self.texts: tuple[str, ...] = ()
        self.signatures: dict[str, str] = {}
        self.groups: dict[str, float] = {}
        self.notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}: {value:.6g}" for name, value in self.items())
        return f"Evaluation({shown}; {self.num_examples:,} {self.unit})"

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{value:.6g}</td></tr>" for name, value in self.items()
        )
        return f"<table>{rows}<tr><th>{self.unit}</th><td>{self.num_examples:,}</td></tr></table>"


def examples_of(
    run: RunFolder,
    data: str | Whole | None = None,
    split: str | None = None,
    options: DataOptions | None = None,
) -> Whole:
    """What is scored: one split of the run's own data, or all of other data; see `Run.examples`."""
    if isinstance(data, Whole):
        return data
    own = run.config["data"]  # None: imported
    changed = {}
    if options is not None:
        usual = dataclasses.asdict(run.data_options)
        changed = {k: v for k, v in dataclasses.asdict(options).items() if v != usual[k]}
    if data is not None:
        check_heeded(data, changed, run.processor, run.signature.task)
    if data is None:
        dataset = run.dataset()
        return Whole((dataset.split(split or "test"),), dataset.notes)
    if own is not None and data.partition(":")[0] == own["name"].partition(":")[0]:
        try:
            dataset = run.dataset(data)
        except UserError:
            pass  # other data, which may be too few to be split
        else:
            rule = "is decided by the run for its own data, and these are"
            for name, value in changed.items():
                known = name == "task" or getattr(run.processor, "layout", None) is not None
                require(known, name, value, rule)
            note = f"these are the run's own data: of them the {split or 'test'} split"
            return Whole((dataset.split(split or "test"),), (note,))
    require(split is None, "split", split, f"is of the run's own data; all of {data} is scored")
    if own is None:
        return load_whole(data, options or DataOptions(), run.processor)
    return load_whole(data, options or run.data_options, run.processor, own["seed"])


def evaluate_run(
    run: RunFolder, scored: Whole, search: Search | None = None, progress: Progress | None = None
) -> Evaluation:
    """The metrics of a run over examples; see `Run.evaluate`."""
    parts: list[Any] = list(scored.parts)
    generates = run.signature.task in GENERATION_TASKS
    rule = f"is for texts that are generated; the task of this run is {run.signature.task}"
    require(search is None or generates, "search", search, rule)
    counts: dict[str, list[int]] = {}
    with run.prediction.scope(next(iter(run.model.parameters())).device):
        metrics = score(run.predictor, parts, objective_of(run), counts=counts, progress=progress)
    rule = "computes NaN or infinite numbers for these data"
    require(math.isfinite(metrics.get("loss", 0.0)), "model", run.architecture.id, rule)
    metrics |= score_spans(run.predictor, parts, run.processor, run.prediction)
    unit = "tokens" if run.signature.task == "language-model" else "examples"
    found = Evaluation(metrics, len(scored), unit)
    found.notes = scored.notes
    if counts:
        found.by_class, found.classes = counts, run.class_names()
    if generates:
        search = search or default_search(run.signature)
        texts = score_texts(run.predictor, parts, run.processor, search, run.prediction, progress)
        found.update(texts.figures)
        found.texts, found.signatures, found.groups = tuple(texts.texts), texts.signatures, texts.groups
    return found

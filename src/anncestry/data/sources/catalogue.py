"""The list of data sources. Imports no torch, so that the command line can show it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from anncestry.data.options import CSV_TASKS, IMAGE_TASKS, RUNNING_TEXT_TASKS
from anncestry.errors import UserError, nearest
from anncestry.timeline import find, find_preset

TEXT_LEVELS = ("char", "word", "byte-bpe", "word-bpe", "wordpiece", "characters")
PIECE_LEVELS = ("wordpiece", "byte-bpe", "word-bpe")
PIECES = ("tokenizer", "cut", "level", "vocab_size", "lowercase", "max_tokens")
"""Options of all that reads texts in subwords."""
TEXT_TASKS = ("classification", "regression", "multi-label")
CORRUPTED = ("tokenizer", "lowercase", "masking", "pairs", "cache")
"""Options of running text whose tokens are masked or corrupted."""
LEARNT_AS = {"denoising": "translation"}
"""The task of the architectures that learn a task of a source, where that has another name."""
Kind = Literal["tables", "texts", "images", "sequences"]
OPTION_KINDS: dict[Kind, tuple[str, ...]] = {
    "tables": ("target", "drop", "header", "text"),
    "texts": (
        *("level", "vocab_size", "min_count", "lowercase", "tokenizer", "max_chars", "max_tokens", "cut"),
        *("batch_tokens", "split", "masking", "pairs", "cache", "tags", "joint", "hold_out"),
    ),
    "images": ("image_size", "order", "skip_bad"),
    "sequences": ("horizon", "lag"),
}
"""Of which kind of data an option is; the others are of several kinds."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One kind of data.

    Attributes:
        name: what stands before the colon, or alone.
        argument: what stands behind the colon: ``PATH``, ``DIR``, or the choices; empty for none.
        kind: of which kind the data are.
        summary: one line.
        module: the file of `anncestry.data.sources` that opens it.
        loader: the function there: ``(argument, options, seed, processor) -> Dataset``.
        reader: the function there that reads all of it for a trained model, ``(argument, options, processor)
            -> Whole``; empty where the data are made here, and all parts of them are read.
        options: the fields of `DataOptions` that it reads.
        heeds: those that also count where a trained model decides how the rest is read.
        tasks: what ``task`` may be, where it is among them; the first is usual.
        levels: what ``level`` may be, where it is among them.
    """

    name: str
    argument: str = ""
    kind: Kind
    summary: str
    module: str
    loader: str
    reader: str = ""
    options: tuple[str, ...] = ()
    heeds: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    levels: tuple[str, ...] = ("char", "word")

    @property
    def usage(self) -> str:
        """Its form on the command line: ``csv:PATH``."""
        return f"{self.name}:{self.argument}" if self.argument else self.name

    @property
    def is_built_in(self) -> bool:
        """Whether the data come with the package or are generated, and not from files of a user's."""
        return not self.reader


SOURCES: tuple[Source, ...] = (
    Source(
        name="digits",
        kind="images",
        summary="1,797 handwritten digits of 8x8 pixels, from scikit-learn",
        module="digits",
        loader="load_digits",
        options=("task",),
        tasks=IMAGE_TASKS,
    ),
    Source(
        name="toy2d",
        argument="xor|circles|moons|spirals",
        kind="tables",
        summary="400 points of the plane in two classes, generated",
        module="toy2d",
        loader="load_toy2d",
    ),
    Source(
        name="pydoc",
        kind="texts",
        summary="the English text of Python's own documentation topics, to be read character by character",
        module="text",
        loader="load_pydoc",
        options=("task", "window", "max_chars", "level", "vocab_size", "split", *CORRUPTED),
        tasks=RUNNING_TEXT_TASKS,
        levels=TEXT_LEVELS,
        heeds=("max_chars", "window", "masking", "pairs", "cache"),
    ),
    Source(
        name="mackey-glass",
        kind="sequences",
        summary="the chaotic series of Mackey and Glass (tau = 17), to be forecast",
        module="series",
        loader="load_mackey_glass",
        options=("window", "horizon"),
    ),
    Source(
        name="csv",
        argument="PATH",
        kind="tables",
        summary="a table, or a folder with train and test: its target column says the task; texts: --text",
        module="table",
        loader="load_csv",
        reader="read_csv",
        options=("target", "drop", "task", "window", "horizon", "header", "text", *PIECES),
        tasks=CSV_TASKS,
        levels=PIECE_LEVELS,
        heeds=("text", "target", "header"),
    ),
    Source(
        name="jsonl",
        argument="PATH",
        kind="texts",
        summary="texts, or pairs of them, with a class or a value: an object of JSON on each line",
        module="text_tables",
        loader="load_jsonl",
        reader="read_jsonl",
        options=("target", "task", "text", *PIECES),
        tasks=TEXT_TASKS,
        levels=PIECE_LEVELS,
        heeds=("text", "target"),
    ),
    Source(
        name="squad",
        argument="PATH",
        kind="texts",
        summary="questions about texts, in files of SQuAD's form: one, or a folder with train and dev",
        module="squad",
        loader="load_squad",
        reader="read_questions",
        options=PIECES,
        levels=PIECE_LEVELS,
    ),
    Source(
        name="hf",
        argument="NAME",
        kind="texts",
        summary="a data set of texts of Hugging Face's hub, with the package datasets and a network",
        module="hugging_face",
        loader="load_hugging_face",
        reader="read_hugging_face",
        options=("target", "task", "text", *PIECES),
        tasks=TEXT_TASKS,
        levels=PIECE_LEVELS,
    ),
    Source(
        name="text",
        argument="PATH",
        kind="texts",
        summary="a UTF-8 text file, or a folder with train, valid, test files; characters, words or pieces",
        module="text",
        loader="load_text",
        reader="read_text_files",
        options=("task", "window", "max_chars", "level", "vocab_size", "split", *CORRUPTED),
        tasks=RUNNING_TEXT_TASKS,
        levels=TEXT_LEVELS,
        heeds=("max_chars", "window", "masking", "pairs", "cache"),
    ),
    Source(
        name="images",
        argument="DIR",
        kind="images",
        summary="image files, one sub-folder for each class, in train and test or together; or tar archives",
        module="images",
        loader="load_images",
        reader="read_image_folders",
        options=("task", "image_size", "skip_bad"),
        tasks=IMAGE_TASKS,
        heeds=("skip_bad",),
    ),
    Source(
        name="idx",
        argument="DIR",
        kind="images",
        summary="the four files of MNIST and its likes, gzipped or not; as images or pixel by pixel",
        module="idx",
        loader="load_idx",
        reader="read_idx_files",
        options=("task", "order"),
        tasks=IMAGE_TASKS,
    ),
    Source(
        name="cifar",
        argument="DIR",
        kind="images",
        summary="CIFAR-10 or CIFAR-100 in the Python or the binary form of its authors",
        module="cifar",
        loader="load_cifar",
        reader="read_cifar",
        options=("task",),
        tasks=IMAGE_TASKS,
    ),
    Source(
        name="sentences",
        argument="PATH",
        kind="texts",
        summary="short texts with a class: a folder of CLASS.txt files, or lines with a label",
        module="sentences",
        loader="load_sentences",
        reader="read_sentences",
        options=PIECES,
        levels=("char", "word", "characters", *PIECE_LEVELS),
    ),
    Source(
        name="conllu",
        argument="PATH",
        kind="texts",
        summary="sentences with a tag for every word: CoNLL-U or two columns, a file or train, dev, test",
        module="conllu",
        loader="load_conllu",
        reader="read_conllu",
        options=("tags", *PIECES),
        levels=("word", "characters", *PIECE_LEVELS),
        heeds=("tags",),
    ),
    Source(
        name="music",
        argument="PATH",
        kind="sequences",
        summary="polyphonic music in a MATLAB file, frame by frame",
        module="music",
        loader="load_music",
        reader="read_music",
    ),
    Source(
        name="copy-memory",
        kind="sequences",
        summary="ten symbols to be repeated after many blanks, generated",
        module="memory",
        loader="load_copy_memory",
        options=("lag",),
        heeds=("lag",),
    ),
    Source(
        name="adding",
        kind="sequences",
        summary="the sum of two marked numbers in a long series, generated",
        module="memory",
        loader="load_adding",
        options=("lag",),
        heeds=("lag",),
    ),
    Source(
        name="parallel",
        argument="SRC,TGT",
        kind="texts",
        summary="two files with a sentence on each line, the one a translation of the other",
        module="parallel",
        loader="load_parallel",
        reader="read_parallel",
        options=("level", "vocab_size", "min_count", "lowercase", "joint", "max_tokens", "batch_tokens"),
        levels=("char", "word", "bpe"),
        heeds=("batch_tokens",),
    ),
    Source(
        name="dates",
        kind="texts",
        summary="dates as 37 languages write them, to be translated to 2021-10-04; generated",
        module="dates",
        loader="load_dates",
        options=("hold_out", "lowercase", "batch_tokens"),
        heeds=("hold_out", "batch_tokens"),
    ),
    Source(
        name="captions",
        argument="DIR",
        kind="images",
        summary="images with captions: captions.txt (image,caption) and the images or an archive of them",
        module="captions",
        loader="load_captions",
        reader="read_captions",
        options=("level", "vocab_size", "min_count", "lowercase", "batch_tokens", "image_size", "skip_bad"),
        levels=("char", "word", "bpe"),
        heeds=("batch_tokens", "skip_bad"),
    ),
    Source(
        name="scenes",
        kind="images",
        summary="small scenes of real handwritten digits, and captions of them; generated",
        module="captions",
        loader="load_scenes",
        options=("level", "batch_tokens"),
        heeds=("batch_tokens",),
    ),
)
"""Every data source, as `--data` names it."""


def find_source(data: str) -> Source:
    """The source that a data name begins with: that of ``csv`` for ``csv:wine.csv``.

    Raises:
        UserError: there is none; the choices are those of similar names, or all of them.
    """
    head = _head(data)
    for source in SOURCES:
        if source.name == head:
            return source
    near = nearest(head, [source.name for source in SOURCES])
    choices = [source.usage for source in SOURCES if source.name in near]
    looks_like_path = any(mark in data for mark in "./\\~")
    hint = "A file of your own has its kind in front, as in csv:data.csv." if looks_like_path else None
    raise UserError("data", data, "is no data source", choices, hint)


def _head(data: str) -> str:
    return data.partition(":")[0].strip().lower().replace("_", "-")


def grouped_sources() -> dict[str, tuple[Source, ...]]:
    """All sources under the titles of their groups: those that are built in, then a user's own by kind."""
    groups = {"built in": tuple(source for source in SOURCES if source.is_built_in)}
    for kind in get_args(Kind):
        groups[f"your {kind}"] = tuple(s for s in SOURCES if s.kind == kind and not s.is_built_in)
    return groups


def reads_running_text(data: str) -> bool:
    """Whether a data name is of text without labels, on which a model is pre-trained."""
    return _head(data) in ("text", "pydoc")


def usual_options(model: str | None, data: str | None) -> dict[str, Any]:
    """Fields of ``DataOptions`` that go with a model, as far as the data source has them.

    They are the first of the source's tasks that the model fits, where it is not the very first, what the
    architecture needs, and those that a preset was published with.
    """
    if model is None or data is None:
        return {}
    source = next((source for source in SOURCES if source.name == _head(data)), None)
    if source is None:
        return {}
    tasks, preset = find(model).tasks, find_preset(model)
    fitting = [task for task in source.tasks if LEARNT_AS.get(task, task) in tasks]
    usual: dict[str, Any] = {"task": fitting[0]} if fitting and fitting[0] != source.tasks[0] else {}
    published = find(model).data | (preset.data if preset else {})
    if published.get("level") == "characters" and "characters" not in source.levels:
        del published["level"]  # the model does not fit these data, which says more
    return usual | {key: value for key, value in published.items() if key in source.options}

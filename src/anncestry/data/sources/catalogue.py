"""The list of data sources. Imports no torch, so that the command line can show it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anncestry.data.options import CSV_TASKS, IMAGE_TASKS, RUNNING_TEXT_TASKS
from anncestry.timeline import find, find_preset

TEXT_LEVELS = ("char", "word", "byte-bpe", "word-bpe", "wordpiece", "characters")
PIECE_LEVELS = ("wordpiece", "byte-bpe", "word-bpe")
PIECES = ("tokenizer", "cut", "level", "vocab_size", "lowercase", "max_tokens")
"""Options of all that reads texts in pieces."""
TEXT_TASKS = ("classification", "regression", "multi-label")
HIDDEN_WORDS = ("tokenizer", "lowercase", "masking", "pairs", "cache")
"""Options of running text where its words are hidden."""
LEARNT_AS = {"denoising": "translation"}
"""What a model is asked for in a task of a source, where that has another name."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One kind of data.

    Attributes:
        name: what a person writes before the colon, or alone.
        argument: what stands behind the colon: ``PATH``, ``DIR``, or the choices; empty for none.
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
        """How it is written on the command line."""
        return f"{self.name}:{self.argument}" if self.argument else self.name


SOURCES: tuple[Source, ...] = (
    Source(
        name="digits",
        summary="1,797 handwritten digits of 8x8 pixels, from scikit-learn",
        module="digits",
        loader="load_digits",
        options=("task",),
        tasks=IMAGE_TASKS,
    ),
    Source(
        name="toy2d",
        argument="xor|circles|moons|spirals",
        summary="400 points of the plane in two classes, generated",
        module="toy2d",
        loader="load_toy2d",
    ),
    Source(
        name="pydoc",
        summary="the English text of Python's own documentation topics, to be read character by character",
        module="text",
        loader="load_pydoc",
        options=("task", "window", "max_chars", "level", "vocab_size", "split", *HIDDEN_WORDS),
        tasks=RUNNING_TEXT_TASKS,
        levels=TEXT_LEVELS,
        heeds=("max_chars", "window", "masking", "pairs", "cache"),
    ),
    Source(
        name="mackey-glass",
        summary="the chaotic series of Mackey and Glass (tau = 17), to be forecast",
        module="series",
        loader="load_mackey_glass",
        options=("window", "horizon"),
    ),
    Source(
        name="csv",
        argument="PATH",
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
        summary="a UTF-8 text file, or a folder with train, valid, test files; characters, words or pieces",
        module="text",
        loader="load_text",
        reader="read_text_files",
        options=("task", "window", "max_chars", "level", "vocab_size", "split", *HIDDEN_WORDS),
        tasks=RUNNING_TEXT_TASKS,
        levels=TEXT_LEVELS,
        heeds=("max_chars", "window", "masking", "pairs", "cache"),
    ),
    Source(
        name="images",
        argument="DIR",
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
        summary="polyphonic music in a MATLAB file, frame by frame",
        module="music",
        loader="load_music",
        reader="read_music",
    ),
    Source(
        name="copy-memory",
        summary="ten symbols to be repeated after many blanks, generated",
        module="memory",
        loader="load_copy_memory",
        options=("lag",),
        heeds=("lag",),
    ),
    Source(
        name="adding",
        summary="the sum of two marked numbers in a long series, generated",
        module="memory",
        loader="load_adding",
        options=("lag",),
        heeds=("lag",),
    ),
    Source(
        name="parallel",
        argument="SRC,TGT",
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
        summary="dates as 37 languages write them, to be written as 2021-10-04; generated",
        module="dates",
        loader="load_dates",
        options=("hold_out", "lowercase", "batch_tokens"),
        heeds=("hold_out", "batch_tokens"),
    ),
    Source(
        name="captions",
        argument="DIR",
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
        summary="small scenes of real handwritten digits, and captions of them; generated",
        module="captions",
        loader="load_scenes",
        options=("level", "batch_tokens"),
        heeds=("batch_tokens",),
    ),
)


def reads_running_text(data: str) -> bool:
    """Whether a data name is of text without answers, which a model is trained on before it gets a task."""
    return data.partition(":")[0].strip().lower() in ("text", "pydoc")


def usual_options(model: str | None, data: str | None) -> dict[str, Any]:
    """Fields of ``DataOptions`` that go with a model, as far as the data source has them.

    They are the first of the source's tasks that the model fits, where it is not the very first, what the
    architecture needs, and those that a preset was published with.
    """
    if model is None or data is None:
        return {}
    head = data.partition(":")[0].strip().lower().replace("_", "-")
    source = next((source for source in SOURCES if source.name == head), None)
    if source is None:
        return {}
    tasks, preset = find(model).tasks, find_preset(model)
    fitting = [task for task in source.tasks if LEARNT_AS.get(task, task) in tasks]
    usual: dict[str, Any] = {"task": fitting[0]} if fitting and fitting[0] != source.tasks[0] else {}
    published = find(model).data | (preset.data if preset else {})
    if published.get("level") == "characters" and "characters" not in source.levels:
        del published["level"]  # the model does not fit these data, which says more
    return usual | {key: value for key, value in published.items() if key in source.options}

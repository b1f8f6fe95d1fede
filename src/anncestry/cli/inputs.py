"""Words on the command line that may be inputs or the names of files."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

READ_IN_LINES = (".csv", ".jsonl", ".json", ".ndjson")
"""Names of files whose lines are hardly the texts that a net of texts is meant to read."""
LOOKED_AT = 10_000  # characters of a file
LOOKS_LIKE_A_FILE = (".txt", ".tsv", ".gz", ".md", *READ_IN_LINES)


def input_of(word: str, processor: Any, literal: bool = False) -> str | Path:
    """An input, or the file that it names: one that is there is read, which is said where it may be a text.

    Args:
        processor: that of the run; images are files at any rate.
        literal: whether a word is always an input and never the name of a file, nor ``-`` standard input.
    """
    from anncestry.data.processors import CaptionProcessor, ImageProcessor, PixelProcessor
    from anncestry.data.processors.given import STANDARD_INPUT, ReadsTexts
    from anncestry.data.processors.series import SeriesProcessor
    from anncestry.data.processors.table import TableProcessor
    from anncestry.data.readers.images import is_image
    from anncestry.errors import require
    from anncestry.user_files import absolute, is_file, is_folder

    if isinstance(processor, ImageProcessor | PixelProcessor | CaptionProcessor):
        require(not literal, "--literal", word, "is for texts and rows; an image is a file")
        return Path(word).expanduser()
    if literal:
        return word
    if word.strip() == "-":
        return STANDARD_INPUT
    texts = not isinstance(processor, TableProcessor | SeriesProcessor)
    if is_file(word):
        if texts:
            _say(f"{word}: the file of this name is read (--literal reads the words themselves)")
        if isinstance(processor, ReadsTexts) and word.lower().endswith(READ_IN_LINES[:2]):
            _say(f"{word}: each of its lines is read as a text, with whatever stands in it")
        classes = getattr(processor, "classes", ())
        if texts and classes and not is_image(absolute(word)) and ends_with_classes(absolute(word), classes):
            _say(f"{word}: each of its lines ends with a class, which is read as a part of the text")
        return absolute(word)
    if texts and is_folder(word):
        _say(f"{word}: there is a folder of this name; the word itself is read")
    if texts and word.lower().endswith(LOOKS_LIKE_A_FILE) and len(word.split()) == 1:
        _say(f"{word}: there is no file of this name, so the word itself is read")
    return word


def ends_with_classes(path: Path, classes: Collection[str]) -> bool:
    """Whether each of the first lines of a file ends with a tab and the name of a class."""
    from anncestry.user_files import read_text, split_lines

    lines = [line for line in split_lines(read_text(path, LOOKED_AT)) if line.strip()]
    cut = lines[: max(1, len(lines) - 1)]  # the last one may be cut off
    return bool(cut) and all(line.rpartition("\t")[2].strip() in classes and "\t" in line for line in cut)


def _say(remark: str) -> None:
    print(f"note: {remark}", file=sys.stderr)

"""Words on the command line that may be inputs or the names of files."""

import sys
from pathlib import Path
from typing import Any

READ_IN_LINES = (".csv", ".jsonl", ".json", ".ndjson")
"""Names of files whose lines are hardly the texts that a net of texts is meant to read."""
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
    from anncestry.data.readers.files import absolute, is_file
    from anncestry.errors import require

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
        return absolute(word)
    if texts and word.lower().endswith(LOOKS_LIKE_A_FILE) and len(word.split()) == 1:
        _say(f"{word}: there is no file of this name, so the word itself is read")
    return word


def _say(remark: str) -> None:
    print(f"note: {remark}", file=sys.stderr)

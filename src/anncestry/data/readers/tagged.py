"""Files with a word and its tag on each line: CoNLL-U, and those with the word in the first column and the
tag in the last."""

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from anncestry.errors import UserError, require
from anncestry.user_files import read_text, split_lines

COLUMNS = {"upos": 3, "xpos": 4, "deprel": 7}
CONLLU = 10  # columns
NO_TAG = "_"  # of CoNLL-U
DOCUMENT = "-DOCSTART-"  # of CoNLL-2003: a line where a document begins, and no word
Sentences = list[tuple[list[str], list[str]]]  # (words, tags)


def read_tagged(path: Path, column: str = "upos", notes: list[str] | None = None) -> Sentences:
    """The sentences of a file, with blank lines between them.

    The columns are cut at tabs, or at blanks where no line has a tab. Ten columns are CoNLL-U; of others the
    first one is the word and the last one the tag. Ranges of words (``1-2``), empty words (``1.1``), lines
    where a document begins, and comments are left out, which ``notes`` say.

    Raises:
        UserError: a line has another number of columns, or no word or tag; a column of CoNLL-U is asked for
            and the file has none, or it is empty.
    """
    text, left_out, width = read_text(path), Counter(), 0
    sentences: Sentences = []
    words: list[str] = []
    tags: list[str] = []
    for number, cells in _lines(text, left_out):
        if not cells:
            if words:
                sentences.append((words, tags))
                words, tags = [], []
            continue
        width = width or len(cells)
        rule = (
            f"line {number} must have ten columns (CoNLL-U) or more than one (the word first, the tag last)"
        )
        require(width > 1, "file", str(path), f"{rule}; it has {len(cells)}")
        rule = f"line {number} must have {width} columns, as the first one has; it has {len(cells)}"
        require(len(cells) == width, "file", str(path), rule)
        if width == CONLLU and not cells[0].isdigit():
            left_out["ranges of words (1-2) and empty words (1.1)"] += 1
            continue
        word, tag = (cells[1], cells[COLUMNS[column]]) if width == CONLLU else (cells[0], cells[-1])
        if word == DOCUMENT:
            left_out[f"lines {DOCUMENT}"] += 1
            continue
        if not word.strip() or not tag.strip():
            raise UserError("file", str(path), f"line {number} has no word or no tag")
        words.append(word)
        tags.append(tag.strip())
    if not sentences:
        raise UserError("file", str(path), "has no sentence")
    rule = f"is a column of CoNLL-U, which has ten; {path.name} has {width}, of which the last is the tag"
    require(width == CONLLU or column == "upos", "tags", column, rule)
    if width == CONLLU:
        empty = sum(tag == NO_TAG for _, of in sentences for tag in of)
        rule = f"is empty ({NO_TAG}) in every line of {path.name}"
        require(empty < sum(len(of) for _, of in sentences), "tags", column, rule, list(COLUMNS))
        if empty and notes is not None:
            notes.append(
                f"{path.name}: {empty:,} words have no {column}; the tag {NO_TAG} is learnt for them"
            )
    if notes is not None:
        if width not in (2, CONLLU):
            notes.append(f"{path.name}: of {width} columns the first is the word and the last the tag")
        notes += [f"{path.name}: left out {count:,} {what}" for what, count in left_out.items() if count]
    return sentences


def sentences_of(text: str, tags: Collection[str]) -> list[str] | None:
    """The sentences of a text with a word and its tag on each line, with blanks between their words.

    None where it is no such text: CoNLL-U, or columns of which the last one holds nothing but these tags.
    """
    rows = [cells for _, cells in _lines(text, Counter())]
    widths = {len(cells) for cells in rows if cells}
    if len(widths) != 1 or widths == {1}:
        return None
    if widths != {CONLLU} and not all(cells[-1].strip() in tags for cells in rows if cells):
        return None
    found, words = [], []
    for cells in rows:
        if cells and (len(cells) != CONLLU or cells[0].isdigit()):
            words.append(cells[1] if len(cells) == CONLLU else cells[0])
        elif not cells and words:
            found.append(" ".join(words))
            words = []
    return [sentence for sentence in found if sentence != DOCUMENT]


def _lines(text: str, left_out: Counter[str]) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line and its number; none for a blank line, with which the text ends."""
    mark = "\t" if "\t" in text else None
    rows = [line.split(mark) if line.strip() else [] for line in [*split_lines(text), ""]]
    widths = Counter(len(cells) for cells in rows if cells and not cells[0].startswith("#"))
    usual = max(widths, key=lambda width: widths[width], default=0)
    for number, cells in enumerate(rows, 1):
        hash_first = bool(cells) and cells[0].startswith("#")  # a word may begin so too
        if hash_first and len(cells) != usual and (mark is None or len(cells) == 1):
            left_out["comments"] += 1
        else:
            yield number, cells

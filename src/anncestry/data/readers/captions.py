"""Files that say what is to be seen in images: a row for each caption, with the name of its image."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from anncestry.data.readers.images import SUFFIXES
from anncestry.data.readers.rows import loose_rows
from anncestry.errors import UserError
from anncestry.user_files import list_folder, read_text

CAPTION_FILES = ("captions.txt", "captions.csv")
OTHER_FILES = (".txt", ".csv", ".tsv")
_CAPTION_WORDS = ("caption", "comment", "sentence", "text", "description")


class Captions(NamedTuple):
    """What a file says.

    Attributes:
        of: the captions of each image that is there, in the order of the file.
        lost: names of images that are not there.
        notes: which file and which columns were read, where that is not what is usual.
    """

    of: dict[str, tuple[str, ...]]
    lost: list[str]
    notes: list[str]


def read_caption_file(folder: Path, images: Collection[str]) -> Captions:
    """The captions in a folder: rows with the name of an image, a comma, semicolon or tab, and a caption.

    Where there are more columns, that with most names of images is the images', and a header says which one
    is the captions'. A comma in a caption at the end of a row need not be quoted. Names may have a folder in
    front, ``#0`` behind them, or no suffix.

    Args:
        folder: where the file is.
        images: the names of the images that are there.

    Raises:
        UserError: there is no such file, a row has no caption, or no row names an image that is there.
    """
    path, notes = _find(folder)
    mark, rows = loose_rows(read_text(path), str(path))
    find = _finder(images)
    width = Counter(len(cells) for _, cells in rows).most_common(1)[0][0]
    named = [
        sum(find(cells[position]) is not None for _, cells in rows if position < len(cells))
        for position in range(width)
    ]
    image = named.index(max(named))
    first = [cell.strip() for cell in rows[0][1]]
    header = image >= len(first) or (
        find(first[image]) is None and not first[image].lower().endswith(SUFFIXES)
    )
    rows = rows[header:]
    texts = _text_columns(first if header else None, [cells for _, cells in rows], image, width)
    if (image, texts) != (0, range(1, width)):
        notes.append(
            f"{path.name}: images are named in column {image + 1}, captions are column {texts[0] + 1}"
        )
    captions: dict[str, list[str]] = {}
    lost = []
    for line, cells in rows:
        last = None if texts[-1] == width - 1 else texts[-1] + 1
        caption = " ".join(mark.join(cells[texts[0] : last]).split())
        name = cells[image].strip() if image < len(cells) else ""
        if not name or not caption:
            rule = f"line {line} must be the name of an image, a comma and a caption"
            raise UserError("file", str(path), rule)
        known = find(name)
        if known is None:
            lost.append(name)
        else:
            captions.setdefault(known, []).append(caption)
    if not captions:
        rule = f"names no image that is there; its first row names {lost[0] if lost else 'none'}"
        raise UserError("file", str(path), rule, sorted(images)[:5])
    return Captions({name: tuple(of) for name, of in captions.items()}, list(dict.fromkeys(lost)), notes)


def _find(folder: Path) -> tuple[Path, list[str]]:
    """The file, and a note where it has another name than usual."""
    for name in CAPTION_FILES:
        if (folder / name).is_file():
            return folder / name, []
    others = [path for path in list_folder(folder) if path.suffix.lower() in OTHER_FILES and path.is_file()]
    if len(others) != 1:
        rule = "must hold a file of captions with lines image,caption"
        if others:
            rule += f"; which one of {', '.join(path.name for path in others[:5])}?"
        raise UserError("captions", str(folder), rule, CAPTION_FILES)
    return others[0], [f"captions are read from {others[0].name}"]


def _finder(images: Collection[str]) -> Callable[[str], str | None]:
    """Finds the image that a cell names."""
    stems = Counter(PurePosixPath(name).stem for name in images)
    known = {PurePosixPath(name).stem: name for name in images if stems[PurePosixPath(name).stem] == 1}
    known |= {name: name for name in images}

    def find(cell: str) -> str | None:
        name = cell.strip()
        if name in known:
            return known[name]
        name = name.replace("\\", "/").rpartition("/")[2]
        before, mark, number = name.rpartition("#")
        return known.get(before if mark and number.isdecimal() else name)

    return find


def _text_columns(
    header: Sequence[str] | None, rows: Sequence[Sequence[str]], image: int, width: int
) -> range:
    """The columns that a caption is made of: one, or all from one on where its commas are not quoted."""
    rest = [position for position in range(width) if position != image]
    if not rest:
        return range(1, width + 1)
    texts = [
        position
        for position in rest
        if not all(cells[position].strip().isdecimal() for cells in rows if position < len(cells))
    ] or rest
    if header is not None and len(header) == width and width > 2:
        called = [
            position for position in texts if any(word in header[position].lower() for word in _CAPTION_WORDS)
        ]
        longest = max(
            texts, key=lambda position: sum(len(cells[position]) for cells in rows if position < len(cells))
        )
        chosen = called[-1] if called else longest
        return range(chosen, chosen + 1)
    if image > texts[0]:
        return range(texts[0], image)
    return range(texts[0], width)

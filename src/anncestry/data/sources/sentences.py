"""Short texts with a class each: a folder with a file for each class, or lines with a label."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anncestry.data.options import DataOptions
from anncestry.data.processors.characters import CharacterClassProcessor
from anncestry.data.processors.common import expect, relabel
from anncestry.data.processors.sentences import SentenceProcessor, rank, split_text
from anncestry.data.readers.parts import Part, files_of, on_files, part_of, unread
from anncestry.data.sources.characters import LEVEL, character_examples
from anncestry.data.sources.labelled_texts import Labelled, labelled_texts, read_labelled, reads_pieces
from anncestry.data.splits.dataset import Dataset, Examples, Processor, Split, Whole
from anncestry.data.splits.holdout import check_classes, describe_random_split, generator, stratified_split
from anncestry.data.splits.repeats import repeats_note
from anncestry.errors import UserError
from anncestry.signature import NUM_CHARACTERS, Signature
from anncestry.user_files import (
    absolute,
    decode_text,
    existing_file,
    existing_folder,
    list_folder,
    split_lines,
)
from anncestry.user_files import read_text as read_utf8

Pairs = list[tuple[str, str]]  # (text, class)
HELD_OUT = 0.1
HEADERS = (("sentence", "label"), ("text", "label"))
"""What first lines name columns in any case; others do where nothing is called so below."""
FASTTEXT = "__label__"  # before the labels of fastText's files
PARTS: tuple[Part, ...] = ("train", "validation", "test")


def load_sentences(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``sentences:PATH``; see the catalogue for what PATH may be."""
    notes: list[str] = []
    path, parts, by_class = _read_parts(argument, notes, processor)
    if reads_pieces(options, processor):
        return _in_pieces(parts, options, seed, processor, path, notes)
    classes = tuple(sorted({label for part in parts for _, label in part}))
    labels = [relabel([label for _, label in part], classes, "class") for part in parts]
    notes += check_classes("sentences", labels[0], classes)
    parts = _split(parts, labels[0], seed, notes)
    notes += repeats_note(parts[0], parts[2], "texts")
    level = "char" if (options.level or ("char" if by_class else "word")) == "char" else "word"
    by_characters = options.level == LEVEL or isinstance(processor, CharacterClassProcessor)
    if processor is None and by_characters:
        processor = CharacterClassProcessor(classes=classes)
    elif processor is None:
        tokens = (token for text, _ in parts[0] for token in split_text(text, level))
        fewest = 1 if level == "char" else 2
        processor = SentenceProcessor(level, rank(tokens, options.vocab_size, fewest), classes)
    kind = CharacterClassProcessor if by_characters else SentenceProcessor
    processor = expect(processor, kind, f"sentences:{path}")
    splits: list[Any] = [_examples(part, processor) for part in parts]
    if isinstance(processor, CharacterClassProcessor):
        longest = max(split.rows.inputs.shape[1] for split in splits)
        reads: tuple = ("characters", (longest, processor.num_chars), len(processor.classes), NUM_CHARACTERS)
    else:
        longest = max(split.inputs.shape[1] for split in splits)
        reads = ("tokens", (longest,), len(processor.classes), len(processor.vocabulary))
    return Dataset(
        name=f"sentences:{path}",
        options=asdict(options),
        signature=Signature("classification", *reads),
        processor=processor,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        classes=processor.classes,
        source=path,
        notes=tuple(notes),
    )


def read_sentences(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All labelled texts of ``sentences:PATH``."""
    notes: list[str] = []
    path, parts, _ = _read_parts(argument, notes, processor)
    if reads_pieces(options, processor):
        labelled = _labelled(parts)
        whole = read_labelled(labelled, processor, name=f"sentences:{path}", target="class")
        return Whole(whole.parts, (*notes, *whole.notes))
    if not isinstance(processor, CharacterClassProcessor):
        processor = expect(processor, SentenceProcessor, f"sentences:{path}")
    return Whole(tuple(_examples(part, processor) for part in parts), tuple(notes))


def _examples(part: Pairs, processor: CharacterClassProcessor | SentenceProcessor) -> Split:
    """Labelled texts in words, or in characters."""
    texts = [text for text, _ in part]
    targets = torch.from_numpy(relabel([label for _, label in part], processor.classes, "class"))
    if isinstance(processor, CharacterClassProcessor):
        return character_examples([text.split() for text in texts], targets, processor.num_chars)
    inputs, lengths = processor.encode(texts)
    return Examples(inputs, targets, lengths)


def _labelled(parts: list[Pairs]) -> dict[Part, Labelled]:
    names: tuple[Part, ...] = ("train", "validation", "test") if len(parts) == 3 else ("train", "test")
    return {
        name: Labelled([text for text, _ in part], [label for _, label in part])
        for name, part in zip(names, parts, strict=False)
    }


def _in_pieces(
    parts: list[Pairs], options: DataOptions, seed: int, given: Processor | None, path: Path, notes: list[str]
) -> Dataset:
    """The same learning problem, read by a tokenizer."""
    return labelled_texts(
        _labelled(parts), options, seed, given, task="classification", name=f"sentences:{path}",
        target="class", source=path, notes=notes,
    )  # fmt: skip


def _read_parts(
    argument: str, notes: list[str], processor: Processor | None
) -> tuple[Path, list[Pairs], bool]:
    """The path, the parts that its files have, and whether there is a file for each class."""
    path, known = absolute(argument), frozenset(getattr(processor, "classes", ()))
    if path.is_dir():
        return path, *_read_folder(existing_folder(argument), notes, known)
    path = existing_file(argument)
    return path, [_read_labelled(path, notes, known)], False


def _read_folder(folder: Path, notes: list[str], known: frozenset[str]) -> tuple[list[Pairs], bool]:
    """The parts of an official split, or one part from a file for each class."""
    files = files_of(folder)
    found = [(part, [path for path in files if part_of(path.name) == part]) for part in PARTS]
    named = {part: paths[0] for part, paths in found if paths}
    # A file train.txt by itself is a class like any other: bus.txt, car.txt, train.txt.
    if "train" in named and len(named) > 1 and all(len(paths) <= 1 for _, paths in found):
        notes += on_files(named, files)
        if "test" not in named:
            notes.append(f"{named['validation'].name} is the test part")
        return [_read_labelled(path, notes, known) for path in named.values()], False
    texts = [path for path in files if path.suffix == ".txt"]
    if len(texts) < 2:
        rule = "must hold a file CLASS.txt for each class, or train and test files of labelled lines"
        below = any(path.is_dir() for path in list_folder(folder))
        hint = (
            "A folder of files for each class is not read: put a text on each line of CLASS.txt."
            if below
            else None
        )
        raise UserError("folder", str(folder), rule, [path.name for path in files] or ["no file"], hint)
    notes += [f"a class for each of the {len(texts)} files CLASS.txt", *unread(set(files) - set(texts))]
    lines = [(line.strip(), path.stem) for path in texts for line in split_lines(read_utf8(path))]
    pairs = [pair for pair in lines if pair[0]]
    notes += _on_blank(len(lines) - len(pairs))
    return [pairs], True


def _on_blank(count: int) -> list[str]:
    return [f"left out {count} blank lines"] if count else []


def _read_labelled(path: Path, notes: list[str], known: frozenset[str] = frozenset()) -> Pairs:
    """``text<TAB>label``, ``label<TAB>text``, ``label text``, or ``coarse:fine text`` lines."""
    every = split_lines(_read(path, notes))
    lines = [(number, line) for number, line in enumerate(every, 1) if line.strip()]
    notes += _on_blank(len(every) - len(lines))
    tabs = sum("\t" in line for _, line in lines)
    if 2 * tabs > len(lines):
        return _at_tabs(path, lines, notes, known)
    pairs, fine = [], 0
    for number, line in lines:
        label, _, words = line.strip().partition(" ")
        label, colon, _ = label.partition(":")
        fine += bool(colon)
        pairs.append(_pair(path, number, words, label))
    for kind, sign in (("jsonl", "{"), ("csv", ",")):
        if all(
            line.startswith(sign) if sign == "{" else sign in label
            for (_, line), (_, label) in zip(lines, pairs, strict=True)
        ):
            hint = f"Is it {kind}? Then read it as such, and say with `text` which field holds the texts."
            raise UserError("file", str(path), f"each of its classes would hold a {sign}", hint=hint)
    if fine:
        notes.append(f"{path.name}: of a label like coarse:fine the part before the colon is the class")
    return pairs


def _at_tabs(path: Path, lines: list[tuple[int, str]], notes: list[str], known: frozenset[str]) -> Pairs:
    """Lines with a tab between text and class. The class comes first where the other order would give nearly
    every line one of its own, and a first line with names of columns is left out; where classes are known,
    these decide.
    """
    pairs = []
    for number, line in lines:
        if "\t" not in line:
            raise UserError(
                "file", str(path), f"line {number} must have a tab before its class, as others have"
            )
        words, _, label = line.rpartition("\t")
        pairs.append(_pair(path, number, words, label))
    tabs = {line.count("\t") for _, line in lines}
    last, first = ({pair[side] for pair in pairs} for side in (1, 0))
    differ = 2 * len(last) > len(lines) and 3 * len(first) < len(lines)
    if tabs == {1} and (first <= known and not last <= known if known else differ):
        notes.append(f"{path.name}: the class stands before the tab")
        pairs = [(words, label) for label, words in pairs]
    elif len(tabs) == 1 and tabs != {1}:
        count = tabs.pop()
        what = f"every line has {count} tabs, and all before the last one is the text (csv:PATH has columns)"
        notes.append(f"{path.name}: {what}")
    words, label = pairs[0]
    others = Counter(label for _, label in pairs[1:])
    alone = others and label not in others and len(f"{words} {label}".split()) == 2
    alone = alone and (label not in known and others.keys() <= known if known else min(others.values()) > 1)
    if (words.lower(), label.lower()) in HEADERS or alone:
        notes.append(f"{path.name}: the first line names the columns ({words}, {label})")
        pairs = pairs[1:]
    return pairs


def _pair(path: Path, number: int, words: str, label: str) -> tuple[str, str]:
    if not words.strip() or not label.strip():
        rule = f"line {number} must be a text, a tab and a class, or a class and a text"
        raise UserError("file", str(path), rule)
    words, label = words.strip(), label.strip()
    if label.startswith(FASTTEXT) and words.startswith(FASTTEXT):
        rule = f"line {number} has several labels ({FASTTEXT}...), and a sentence has one class"
        hint = "Several labels are read from lists: jsonl:PATH, multi-label."
        raise UserError("file", str(path), rule, hint=hint)
    return words, label


def _read(path: Path, notes: list[str]) -> str:
    try:
        return read_utf8(path)
    except UserError as error:
        if "must be UTF-8" not in str(error) or path.suffix == ".gz":
            raise
        notes.append(f"{path.name} is no UTF-8; it was read as Latin-1")
        return decode_text(path.read_bytes().decode("latin-1").encode(), str(path))


def _split(parts: list[Pairs], labels: np.ndarray, seed: int, notes: list[str]) -> list[Pairs]:
    """Training, validation and test: as the files have it, at random within each class where they do not."""
    if len(parts) == 3:
        return parts
    if len(parts) == 1:
        chosen = stratified_split(labels, generator(seed))
        notes.insert(0, describe_random_split(chosen, seed, True))
    else:  # training and test: a part of training is for validation
        chosen = stratified_split(labels, generator(seed), (HELD_OUT,))
        notes.insert(0, f"validation is {len(chosen[1])} of the training lines, at random with seed {seed}")
    first = [[parts[0][row] for row in rows] for rows in chosen]
    return [*first, *parts[1:]]

"""Sentences with a tag for every word: CoNLL-U files, and those of two columns."""

from dataclasses import asdict
from pathlib import Path

from anncestry.data.options import DataOptions
from anncestry.data.processors.characters import CharacterTagProcessor
from anncestry.data.processors.common import expect, relabel
from anncestry.data.processors.packed_targets import PackedTagsProcessor
from anncestry.data.processors.sentences import TagProcessor, pad
from anncestry.data.readers.parts import Part, files_of, part_of, unread
from anncestry.data.readers.tagged import Sentences, read_tagged
from anncestry.data.sources.characters import LEVEL, character_examples
from anncestry.data.sources.labelled_texts import reads_pieces, stored, task_tokenizer
from anncestry.data.splits.dataset import Dataset, Examples, Processor, Split, Whole
from anncestry.data.splits.holdout import cut_in_order
from anncestry.errors import UserError, require
from anncestry.protocols import IGNORED
from anncestry.signature import NUM_CHARACTERS, Signature
from anncestry.user_files import absolute, existing_file, existing_folder

OUTSIDE = "O"  # the tag of words outside of every entity
PARTS: tuple[Part, ...] = ("train", "validation", "test")


def load_conllu(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``conllu:PATH``; see the catalogue for what PATH may be."""
    path, notes = absolute(argument), []
    if path.is_dir():
        parts, note = _split_folder(_read_folder(existing_folder(argument), options.tags, notes))
    else:
        sentences = read_tagged(existing_file(argument), options.tags, notes)
        parts = [sentences[rows] for rows in cut_in_order(len(sentences), (0.7, 0.85))]
        note = "split in order"
    if min(map(len, parts)) < 1:
        raise UserError("conllu", str(path), "has too few sentences for a training, validation and test part")
    known = {tag for _, tags in parts[0] for tag in tags}
    rule = "is the only tag of the training part; a tagger needs two different ones"
    require(processor is not None or len(known) > 1, "tags", next(iter(known)), rule)
    if reads_pieces(options, processor):
        return _in_pieces(parts, options, processor, path, note, notes)
    by_characters = options.level == LEVEL or isinstance(processor, CharacterTagProcessor)
    kind = CharacterTagProcessor if by_characters else TagProcessor
    if processor is None:
        processor = kind.learn([words for words, _ in parts[0]], [tags for _, tags in parts[0]])
    processor = expect(processor, kind, f"conllu:{path}")
    index = {tag: position for position, tag in enumerate(processor.tags)}
    splits = [_examples(part, processor) for part in parts]
    sizes = " / ".join(f"{len(part):,} ({sum(len(words) for words, _ in part):,} words)" for part in parts)
    background = index.get(OUTSIDE)
    longest = max(len(words) for part in parts for words, _ in part)
    if isinstance(processor, CharacterTagProcessor):
        reads: tuple = ("characters", (longest, processor.num_chars), len(index), NUM_CHARACTERS)
    else:
        reads = ("tokens", (longest,), len(index), len(processor.vocabulary))
    return Dataset(
        name=f"conllu:{path}",
        options=asdict(options),
        signature=Signature("tagging", *reads, background=background),
        processor=processor,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        classes=processor.tags,
        source=path,
        notes=(f"{note}: {sizes} sentences for training, validation, test", *notes),
    )


def read_conllu(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All sentences of ``conllu:PATH``."""
    path, notes = absolute(argument), []
    if path.is_dir():
        read = _read_folder(existing_folder(argument), options.tags, notes, train=False)
        parts = [found for _, found in read.values()]
    else:
        parts = [read_tagged(existing_file(argument), options.tags, notes)]
    if reads_pieces(options, processor):
        packed = expect(processor, PackedTagsProcessor, f"conllu:{path}")
        splits, cut = zip(*(_packed_examples(part, packed) for part in parts), strict=True)
        return Whole(splits, (*notes, *_on_cut(sum(cut), packed)))
    if not isinstance(processor, CharacterTagProcessor):
        processor = expect(processor, TagProcessor, f"conllu:{path}")
    return Whole(tuple(_examples(part, processor) for part in parts), tuple(notes))


def _examples(part: Sentences, processor: TagProcessor | CharacterTagProcessor) -> Split:
    """Tagged sentences in words, or in characters."""
    index = {tag: position for position, tag in enumerate(processor.tags)}
    unseen = sorted({tag for _, tags in part for tag in tags} - set(index))
    if unseen:
        raise UserError("tags", unseen[0], "does not occur in the training part", processor.tags)
    sentences = [words for words, _ in part]
    targets, _ = pad([[index[tag] for tag in tags] for _, tags in part], IGNORED)
    if isinstance(processor, CharacterTagProcessor):
        return character_examples(sentences, targets, processor.num_chars)
    inputs, lengths = processor.encode(sentences)
    return Examples(inputs, targets, lengths)


def _packed_examples(part: Sentences, processor: PackedTagsProcessor) -> tuple[Examples, int]:
    """Tagged sentences in pieces, and how often one was cut: a word has its tag at its first piece."""
    tags = [[*relabel(row, processor.tags, "tag")] for _, row in part]
    words = processor.encode_words([words for words, _ in part])
    return Examples(words.inputs, words.at_first(tags), words.lengths), len(words.inputs) - len(part)


def _on_cut(num_cut: int, processor: PackedTagsProcessor) -> tuple[str, ...]:
    note = f"sentences of more than {processor.max_tokens} tokens were cut {num_cut} times"
    return (note,) if num_cut else ()


def _in_pieces(
    parts: list[Sentences],
    options: DataOptions,
    given: Processor | None,
    path: Path,
    note: str,
    more: list[str],
) -> Dataset:
    """The same learning problem, read by a tokenizer: a word has its tag at its first piece."""
    if given is None:
        tokenizer, longest = task_tokenizer(options, (" ".join(words) for words, _ in parts[0]))
        names = tuple(sorted({tag for _, tags in parts[0] for tag in tags}))
        given = PackedTagsProcessor(tokenizer, longest, options.cut, names)
    processor = expect(given, PackedTagsProcessor, f"conllu:{path}")
    index = {tag: position for position, tag in enumerate(processor.tags)}
    splits, cut = zip(*(_packed_examples(part, processor) for part in parts), strict=True)
    sizes = " / ".join(f"{len(part):,} ({sum(len(words) for words, _ in part):,} words)" for part in parts)
    notes = (f"{note}: {sizes} sentences for training, validation, test", *more)
    notes += _on_cut(sum(cut), processor)
    shape = (max(split.inputs.shape[1] for split in splits),)
    outputs, size = len(processor.tags), len(processor.tokenizer)
    return Dataset(
        name=f"conllu:{path}",
        options=stored(options),
        signature=Signature("tagging", "tokens", shape, outputs, size, background=index.get(OUTSIDE)),
        processor=processor,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        classes=processor.tags,
        source=path,
        notes=notes,
    )


def _read_folder(
    folder: Path, column: str, notes: list[str], train: bool = True
) -> dict[str, tuple[str, Sentences]]:
    """The names and the sentences of the official files by part; without ``train`` any of them."""
    files = files_of(folder)
    found = [[path for path in files if part_of(path.name) == part] for part in PARTS]
    enough = len(found[0]) == 1 and (found[1] or found[2]) if train else any(found)
    if not enough or any(len(paths) > 1 for paths in found):
        rule = "must hold one training file and a dev or test file, with these words in their names"
        raise UserError("folder", str(folder), rule, [path.name for path in files] or ["no such file"])
    notes += unread(set(files) - {path for paths in found for path in paths})
    named = zip(PARTS, found, strict=True)
    return {part: (paths[0].name, read_tagged(paths[0], column, notes)) for part, paths in named if paths}


def _split_folder(files: dict[str, tuple[str, Sentences]]) -> tuple[list[Sentences], str]:
    """Training, validation and test. Without a test file the development file is the test part, and
    validation is the end of the training file."""
    names, read = (", ".join(name for name, _ in files.values()), [found for _, found in files.values()])
    if len(read) == 3:
        return read, f"the folder's own split, {names}"
    train, held_out = read
    note = f"{names}: the held-out file is the test part, validation the last tenth of the training file"
    return [*(train[rows] for rows in cut_in_order(len(train), (0.9,))), held_out], note

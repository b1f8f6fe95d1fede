"""Two files with a sentence on each line, the one a translation of the other."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.translation import TranslationProcessor, encode_targets
from anncestry.data.splits.dataset import Dataset, Processor, Whole
from anncestry.data.splits.holdout import generator, random_split
from anncestry.data.splits.seq2seq import Pairs, Sequences
from anncestry.errors import UserError, require
from anncestry.signature import UNKNOWN, Signature
from anncestry.tokenizers.vocabulary import Level, Vocabulary
from anncestry.user_files import absolute, existing_file, read_text, split_lines

Lines = list[tuple[str, str]]  # (source, target)
MAX_TOKENS, MIN_WORD_COUNT = 256, 2
HELD_OUT = 0.05
PARTS = {
    "validation": ("val", "valid", "validation", "dev", "devel"),
    "test": ("test_2016_flickr", "test", "testing", "test2016", "tst2013"),
}
"""What the official files beside ``train.X`` begin with."""


def load_parallel(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``parallel:SRC,TGT``, gzipped or not.

    Where SRC is called ``train`` and something, official files for validation and test are taken that lie
    beside it and are called the same but for ``train``; what is not there is a part of the training lines.
    """
    paths = _paths(argument)
    notes: list[str] = []
    train = _read(paths, notes)
    parts = _official(paths, notes)
    name = f"parallel:{paths[0]},{paths[1]}"
    lines = _split(train, dict(parts), seed, notes, name)
    groups: list[tuple[str, ...]] = [(), (), ()]
    return translation_dataset(lines, groups, options, processor, name=name, source=paths[0], notes=notes)


def read_parallel(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All pairs of ``parallel:SRC,TGT``, without what lies beside these files."""
    paths, notes = _paths(argument), []
    reader = expect(processor, TranslationProcessor, f"parallel:{paths[0]},{paths[1]}")
    pairs = _pairs(_read(paths, notes), (), reader, options, notes, drop=False)
    require(
        len(pairs) > 0,
        "data",
        f"parallel:{paths[0]},{paths[1]}",
        "has no pair of lines with text on both sides",
    )
    return Whole((pairs,), tuple(notes))


def _paths(argument: str) -> tuple[Path, Path]:
    words = argument.split(",")
    cuts = [(",".join(words[:i]), ",".join(words[i:])) for i in range(1, len(words))]
    # A name may hold a comma itself: the cut counts that leaves two files.
    fitting = [cut for cut in cuts if all(absolute(path.strip()).is_file() for path in cut)]
    if len(cuts) == 1 or fitting:
        source, target = (fitting or cuts)[0]
        return existing_file(source.strip()), existing_file(target.strip())
    rule = "must be two files with a comma between them: the source text and its translation"
    raise UserError("data", f"parallel:{argument}", rule)


def _read(paths: tuple[Path, Path], notes: list[str]) -> Lines:
    """The pairs of lines of two files, without those of which a side is blank."""
    sources, targets = (split_lines(read_text(path)) for path in paths)
    if len(sources) != len(targets):
        rule = (
            f"both files must have equally many lines; {paths[0].name} has {len(sources)} and "
            f"{paths[1].name} has {len(targets)}"
        )
        raise UserError("data", f"parallel:{paths[0]},{paths[1]}", rule)
    stripped = zip((line.strip() for line in sources), (line.strip() for line in targets), strict=True)
    pairs = [pair for pair in stripped if all(pair)]
    if len(pairs) < len(sources):
        notes.append(f"left out {len(sources) - len(pairs)} pairs of {paths[0].name} with a blank line")
    return pairs


def _official(paths: tuple[Path, Path], notes: list[str]) -> list[tuple[str, Lines]]:
    """The official parts that lie beside the training files: (``validation`` or ``test``, pairs)."""
    if paths[0] == paths[1]:
        notes.append("both files are one and the same: a text is translated into itself")
    if not all(path.name.startswith("train") for path in paths):
        return []
    found, names, lone, left = [], [], [], []
    for part, stems in PARTS.items():
        for stem in stems:
            first, second = (_beside(path, stem) for path in paths)
            if first is None or second is None:
                lone += [path.name for path in (first, second) if path is not None]
            elif part in dict(found):
                left.append(f"{first.name} and {second.name}")
            else:
                found.append((part, _read((first, second), notes)))
                names.append(f"{first.name} for {part}")
    if left:
        notes.append(f"not read, for there are others of their part: {', '.join(left)}")
    if lone:
        notes.append(f"not read, for there is no such file of the other language: {', '.join(lone)}")
    if names:
        notes.insert(0, f"the official files beside it: {', '.join(names)}")
    return found


def _beside(path: Path, stem: str) -> Path | None:
    """The file called ``stem`` where ``path`` is called ``train``, gzipped or not."""
    name = stem + path.name.removeprefix("train").removesuffix(".gz")
    return next(
        (found for found in (path.with_name(name), path.with_name(f"{name}.gz")) if found.is_file()), None
    )


def _split(train: Lines, official: dict[str, Lines], seed: int, notes: list[str], name: str) -> list[Lines]:
    """Training, validation and test."""
    missing = [part for part in ("validation", "test") if part not in official]
    rows = (
        random_split(len(train), generator(seed), (HELD_OUT,) * len(missing))
        if missing
        else [range(len(train))]
    )
    if not all(map(len, rows)):
        raise UserError("data", name, f"needs at least {len(rows)} pairs of lines; there are {len(train)}")
    drawn = [[train[row] for row in part] for part in rows]
    parts = official | dict(zip(missing, drawn[1:], strict=True))
    if missing:
        sizes = " and ".join(f"{len(parts[part])} lines for {part}" for part in missing)
        notes.insert(0, f"taken from the training lines at random with seed {seed}: {sizes}")
    return [drawn[0], parts["validation"], parts["test"]]


def translation_dataset(
    parts: Sequence[Lines],
    groups: Sequence[tuple[str, ...]],
    options: DataOptions,
    given: Processor | None,
    *,
    name: str,
    source: Path | None = None,
    notes: Sequence[str] = (),
    level: Level = "word",
) -> Dataset:
    """Pairs of lines as a data set; where there is a fourth part, it is what is held out.

    Args:
        parts: training, validation, test, and perhaps what is held out.
        groups: of each part, a name for each pair; or empty.
        given: the processor to use in place of one learnt from the training part.
        level: what a token is, unless the options say.
    """
    notes = list(notes)
    processor = expect(given or _learn(parts[0], options, level), TranslationProcessor, name)
    splits = [
        _pairs(lines, names, processor, options, notes, drop=position == 0)
        for position, (lines, names) in enumerate(zip(parts, groups, strict=True))
    ]
    if not len(splits[0]):
        rule = f"all pairs are longer than {processor.max_tokens} tokens"
        raise UserError("max_tokens", processor.max_tokens, rule)
    sources, lengths = splits[0].sources, splits[0].targets.lengths
    assert isinstance(sources, Sequences)
    signature = Signature(
        "translation",
        "tokens",
        (int(sources.lengths.max()),),
        len(processor.target),
        len(processor.source),
        target_len=-(-int(lengths.sum()) // len(lengths)),
    )
    sizes = " / ".join(f"{len(split):,}" for split in splits[:3])
    vocabularies = f"{len(processor.source):,} and {len(processor.target):,}"
    if processor.source == processor.target:
        vocabularies = f"{len(processor.source):,} for both"
    unit = {"word": "words", "char": "characters"}.get(processor.source.kind, "subwords")
    notes = [
        f"{sizes} pairs for training, validation, test",
        f"vocabularies of {vocabularies} {unit}; {_unknown(splits[1])}",
        *notes,
    ]
    return Dataset(
        name=name,
        options=asdict(options),
        signature=signature,
        processor=processor,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        source=source,
        notes=tuple(notes),
        held_out=splits[3] if len(splits) > 3 else None,
    )


def _learn(lines: Lines, options: DataOptions, level: Level) -> TranslationProcessor:
    kind: Any = options.level or level  # one of the source's own levels
    min_count = options.min_count or (MIN_WORD_COUNT if kind != "char" else 1)
    most = options.max_tokens or MAX_TOKENS

    def learn(texts: list[str]) -> Vocabulary:
        return Vocabulary.learn(texts, kind, options.vocab_size, min_count, options.lowercase)

    sources, targets = ([pair[side] for pair in lines] for side in (0, 1))
    if options.joint:
        both = learn(sources + targets)
        return TranslationProcessor(both, both, most)
    return TranslationProcessor(learn(sources), learn(targets), most)


def _pairs(
    lines: Lines,
    groups: tuple[str, ...],
    processor: TranslationProcessor,
    options: DataOptions,
    notes: list[str],
    drop: bool,
) -> Pairs:
    """A split. Pairs that are too long are left out of what is trained on, and cut where they are scored."""
    most = processor.max_tokens
    sources = processor.source.encode_all([source for source, _ in lines])
    targets = encode_targets(processor.target, [target for _, target in lines])
    short = [len(x) <= most and len(y) <= most for x, y in zip(sources, targets, strict=True)]
    too_long = len(short) - sum(short)
    if too_long:
        what = "left out of training" if drop else "were cut for scoring"
        notes.append(f"{too_long} pairs of more than {most} tokens {what}")
    kept = [row for row, fits in enumerate(short) if fits or not drop]
    return Pairs(
        Sequences.of([processor.whole(sources[row]) for row in kept]),
        Sequences.of([targets[row][:most] for row in kept]),
        torch.arange(len(kept)),
        tuple((lines[row][1],) for row in kept),
        options.batch_tokens,
        tuple(groups[row] for row in kept) if groups else (),
    )


def _unknown(split: Pairs) -> str:
    """How much of a split the vocabularies lack."""
    assert isinstance(split.sources, Sequences)
    shares = [(part.tokens == UNKNOWN).double().mean().item() for part in (split.sources, split.targets)]
    return f"of the validation split they lack {shares[0]:.1%} and {shares[1]:.1%} of the tokens"

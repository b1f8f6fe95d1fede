"""What the sources of texts share where texts are read in pieces: the learning problem in labelled texts.

The tokenizer is that of `DataOptions.tokenizer`, or is learnt from the training texts.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect, mean_and_scale, relabel
from anncestry.data.processors.given import Text
from anncestry.data.processors.packed_targets import (
    PackedClassesProcessor,
    PackedLabelsProcessor,
    PackedValuesProcessor,
)
from anncestry.data.readers.labels import encode_labels, label_notes, learn_labels
from anncestry.data.readers.parts import Part
from anncestry.data.splits.dataset import Dataset, Examples, Processor, Whole
from anncestry.data.splits.holdout import (
    check_classes,
    describe_random_split,
    generator,
    random_split,
    stratified_split,
)
from anncestry.data.splits.repeats import repeats_note
from anncestry.errors import UserError, require
from anncestry.signature import Signature, Task
from anncestry.tokenizers.learning import LEARNT, learn_tokenizer
from anncestry.tokenizers.source import for_a_task, num_positions_of, tokenizer_of
from anncestry.tokenizers.tokenizer import Tokenizer
from anncestry.user_files import absolute

MAX_TOKENS = 512
HELD_OUT = 0.1


@dataclass(frozen=True)
class Labelled:
    """Texts, or pairs of texts, with a target each.

    Attributes:
        texts: what is read.
        targets: classes, numbers as texts, or lists of labels.
    """

    texts: list[Text]
    targets: list[Any]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "Labelled":
        """Those of these rows."""
        return Labelled([self.texts[row] for row in rows], [self.targets[row] for row in rows])


def reads_pieces(options: DataOptions, processor: Processor | None) -> bool:
    """Whether texts are read in pieces: as asked for, or as a trained model does."""
    if processor is not None:
        return processor.kind.startswith("packed-")
    return options.tokenizer is not None or options.level in LEARNT


def split_parts(
    parts: Mapping[Part, Labelled], stratified: bool, seed: int, notes: list[str]
) -> dict[Part, Labelled]:
    """Training, validation and test, as the files have them.

    Of two, the other one is the test part, and validation is a tenth of the training part at random; one is
    split at random, within each class.
    """
    parts = dict(parts)
    others: list[Part] = [part for part in ("validation", "test") if part in parts]
    if len(others) == 2:
        return parts
    train, shares = parts["train"], (HELD_OUT,) if others else (0.15, 0.15)
    if stratified:
        classes = sorted(set(train.targets))
        rows = stratified_split(relabel(train.targets, classes, "class"), generator(seed), shares)
    else:
        rows = random_split(len(train), generator(seed), shares)
    split: dict[Part, Labelled] = {"train": train.take(rows[0]), "validation": train.take(rows[1])}
    if others:
        split["test"] = parts[others[0]]
        count = f"{len(rows[1])} of the training texts, at random with seed {seed}"
        notes.append(f"validation is {count}; the {others[0]} file is the test part")
    else:
        split["test"] = train.take(rows[2])
        notes.append(describe_random_split(rows, seed, stratified))
    if "held-out" in parts:
        split["held-out"] = parts["held-out"]
    if not all(map(len, split.values())):
        raise UserError("texts", len(train), "are too few to be split into training, validation and test")
    return split


def task_tokenizer(options: DataOptions, texts: Iterable[str]) -> tuple[Tokenizer, int]:
    """The tokenizer of a task, and the longest input: as given, or as the model beside the tokenizer reads.

    Args:
        texts: to learn one from.
    """
    longest = options.max_tokens
    if options.tokenizer is None:
        tokenizer = learn_tokenizer(texts, options.level, options.vocab_size, options.lowercase)
    else:
        given = {"level": options.level, "vocab_size": options.vocab_size}
        for name, value in given.items():
            require(value is None, name, value, "is the tokenizer's, so it must not be given as well")
        tokenizer = tokenizer_of(options.tokenizer)
        longest = longest or num_positions_of(options.tokenizer)
    longest = longest or MAX_TOKENS
    require(longest >= 8, "max_tokens", longest, "must be at least 8: there are special tokens round a text")
    return for_a_task(tokenizer), longest if options.max_tokens else min(longest, MAX_TOKENS)


def stored(options: DataOptions) -> dict[str, Any]:
    """The options, with the path of the tokenizer made absolute, so that they mean the same elsewhere."""
    if options.tokenizer is not None:
        options = dataclasses.replace(options, tokenizer=str(absolute(options.tokenizer)))
    return asdict(options)


def labelled_texts(
    parts: Mapping[Part, Labelled],
    options: DataOptions,
    seed: int,
    processor: Processor | None = None,
    *,
    task: Task,
    name: str,
    target: str,
    source: Path | None = None,
    notes: Sequence[str] = (),
    separator: str = "",
) -> Dataset:
    """The learning problem in labelled texts.

    Args:
        parts: the parts that the files have; a training part at least.
        options: how texts are read.
        seed: fixes the split.
        processor: that of a trained model, which decides how texts are read instead.
        task: what is asked; a processor knows it better.
        name, source, notes: as in `Dataset`.
        target: the name of the targets.
        separator: what stood between labels, to read other data the same way.

    Raises:
        UserError: a text is empty or too long, a class is unknown, or a target is no number.
    """
    notes = list(notes)
    if processor is not None:
        one_or_many = "multi-label" if isinstance(processor, PackedLabelsProcessor) else "regression"
        task = "classification" if isinstance(processor, PackedClassesProcessor) else one_or_many
    classes, labels = task == "classification", task == "multi-label"
    if processor is None and classes:
        names = tuple(sorted({value for part in parts.values() for value in part.targets}))
        notes += check_classes(target, relabel(parts["train"].targets, names, target), names)
        missing = sorted(set(names) - set(parts["train"].targets))
        if missing:
            rule = "is a class that no training text has"
            raise UserError(target, missing[0], rule, sorted(set(parts["train"].targets)))
    split = split_parts(parts, classes, seed, notes)
    notes += repeats_note(_known(split["train"]), _known(split["test"]), "texts")
    pairs = not isinstance(split["train"].texts[0], str)
    if processor is None:
        tokenizer, longest = task_tokenizer(options, _flat(split["train"].texts))
        common: dict[str, Any] = {"max_tokens": longest, "cut": options.cut, "pairs": pairs}
        if classes:
            trained = sorted(set(split["train"].targets), key=_by_size)
            processor = PackedClassesProcessor(tokenizer, **common, classes=tuple(trained))
        elif labels:
            known = learn_labels([value for part in parts.values() for value in part.targets], target)
            processor = PackedLabelsProcessor(tokenizer, **common, classes=known, separator=separator)
        else:
            values = np.array(_numbers(split["train"], target))[:, None]
            mean, scale = mean_and_scale(values)
            require(values.min() < values.max(), target, values[0].item(), "has one value only")
            learnt = {"mean": mean.item(), "scale": scale.item(), "name": target}
            processor = PackedValuesProcessor(tokenizer, **common, **learnt)
    processor = _answering(processor, name)
    made, more = _encode(split, processor, name, target)
    notes += more
    if isinstance(processor, PackedLabelsProcessor):
        notes += label_notes(made["train"].targets, processor.classes)
    outputs = 1 if isinstance(processor, PackedValuesProcessor) else len(processor.classes)
    size = len(processor.tokenizer)
    shape = (max(split.inputs.shape[1] for split in made.values()),)
    second = processor.tokenizer.special.separator if pairs else None
    return Dataset(
        name=name,
        options=stored(options),
        signature=Signature(task, "tokens", shape, outputs, size, separator=second),
        processor=processor,
        train=made["train"],
        validation=made["validation"],
        test=made["test"],
        held_out=made.get("held-out"),
        classes=getattr(processor, "classes", ()),
        source=source,
        notes=tuple(notes),
    )


def read_labelled(parts: Mapping[Part, Labelled], processor: Processor, *, name: str, target: str) -> Whole:
    """All labelled texts of all parts, as a trained model reads them."""
    made, notes = _encode(parts, processor, name, target)
    return Whole(tuple(made.values()), tuple(notes))


def _encode(
    parts: Mapping[Part, Labelled], processor: Processor, name: str, target: str
) -> tuple[dict[Part, Examples], list[str]]:
    """The parts as a processor reads them, and notes on texts that were cut."""
    processor, made, num_cut = _answering(processor, name), {}, 0
    for part, labelled in parts.items():
        pairs = not isinstance(labelled.texts[0], str)
        rule = f"holds {'pairs of' if pairs else 'single'} texts, which the model was not trained on"
        require(processor.pairs in (None, pairs), "data", name, rule)
        inputs, lengths, cut = processor.encode_counted(labelled.texts)
        if isinstance(processor, PackedClassesProcessor):
            targets = torch.from_numpy(relabel(labelled.targets, processor.classes, target))
        elif isinstance(processor, PackedLabelsProcessor):
            targets = encode_labels(labelled.targets, processor.classes, target)
        else:
            targets = processor.encode_targets(_numbers(labelled, target))
        made[part] = Examples(inputs, targets, lengths)
        num_cut += cut
    note = f"{num_cut} texts were longer than {processor.max_tokens} tokens and were cut"
    return made, [note] if num_cut else []


def _answering(
    processor: Processor, name: str
) -> PackedClassesProcessor | PackedLabelsProcessor | PackedValuesProcessor:
    if isinstance(processor, PackedClassesProcessor | PackedLabelsProcessor):
        return processor
    return expect(processor, PackedValuesProcessor, name)


def _known(part: Labelled) -> Iterable[Any]:
    """Each text with its target."""
    return ((text, str(value)) for text, value in zip(part.texts, part.targets, strict=True))


def _flat(texts: Iterable[Text]) -> Iterable[str]:
    for text in texts:
        yield from (text,) if isinstance(text, str) else text


def _by_size(name: str) -> tuple[float, str]:
    try:
        return float(name), name
    except ValueError:
        return float("inf"), name


def _numbers(part: Labelled, target: str) -> list[float]:
    values = []
    for value in part.targets:
        try:
            values.append(float(value))
        except ValueError:
            raise UserError(target, value, "must be a number, for a regression") from None
        require(np.isfinite(values[-1]).item(), target, value, "must be a finite number")
    return values

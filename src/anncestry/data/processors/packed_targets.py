"""Texts between special tokens, and their targets: a class, a value, or a tag for every word.

Where a prediction is not of a row of the input but of a part of it, `SplitInputs` holds which: a long
sentence is read in several rows, and a word of several pieces is tagged at its first (Devlin et al.,
1810.04805, section 5.3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.processors.common import decode_classes, decode_labels, value_name
from anncestry.data.processors.given import Given, ReadsSentences, ReadsTexts, Text, label_of
from anncestry.data.processors.packed import PackedProcessor
from anncestry.data.processors.sentences import pad
from anncestry.errors import UserError
from anncestry.protocols import IGNORED
from anncestry.tokenizers.spec import packed_parts


@dataclass(frozen=True)
class SplitInputs:
    """Inputs in as many rows as a model needs for them, and how its outputs become predictions.

    Attributes:
        labels: a name for each input.
        inputs: (windows, T) rows, of which an input may need several.
        lengths: (windows,) their tokens.
        decode: from outputs (windows, T, K) to a prediction for each label.
    """

    labels: list[str]
    inputs: Int[Tensor, "windows T"]
    lengths: Int[Tensor, "windows"]
    decode: Callable[[Float[Tensor, "windows T K"]], list[dict[str, Any]]]


@dataclass(frozen=True)
class _OneOrTwo(PackedProcessor):
    """A text or a pair of texts, always the same.

    Attributes:
        pairs: whether an input is two texts; None where nobody knows, of a model that was imported.
    """

    pairs: bool | None = False

    def is_blank(self, text: Text) -> bool:
        """Whether a line is blank where pairs are read; one text may be."""
        return bool(self.pairs) and ReadsTexts.is_blank(self, text)

    def read(self, source: Given) -> tuple[list[str], Int[Tensor, "N T"]]:
        """Texts, or pairs of them, also with a tab between the two (`given_texts`).

        Raises:
            UserError: a text is one where two are wanted, or two where one is.
        """
        texts = self.texts(source)
        return list(map(label_of, texts)), self.encode(list(map(self.text_of, texts)), blank=True)[0]

    def text_of(self, text: Text) -> Text:
        """The text, or the two of a pair, as they stand."""
        line = label_of(text)
        first, tab, second = line.partition("\t")
        if not tab and not self.pairs:
            return line
        if self.pairs is False:
            raise UserError("input", line, "must be one text, as the model was trained on, without a tab")
        if not first.strip() or not second.strip() or "\t" in second:
            rule = "must be two texts with a tab between them, as the model was trained on"
            raise UserError("input", line, rule)
        return first, second


@dataclass(frozen=True)
class PackedClassesProcessor(_OneOrTwo):
    """A class for each text, or for each pair.

    Attributes:
        classes: their names.
    """

    classes: tuple[str, ...] = ()

    kind = "packed-classes"

    def decode(self, outputs: Float[Tensor, "B K"]) -> list[dict[str, Any]]:
        """``{"class": ..., "scores": ...}`` for each row."""
        return decode_classes(outputs, self.classes)


@dataclass(frozen=True)
class PackedLabelsProcessor(_OneOrTwo):
    """Any number of labels for each text, or for each pair.

    Attributes:
        classes: the names of the labels.
        separator: what stands between them in a cell; see `anncestry.data.readers.labels`.
    """

    classes: tuple[str, ...] = ()
    separator: str = ""

    kind = "packed-labels"

    def decode(self, outputs: Float[Tensor, "B K"]) -> list[dict[str, Any]]:
        """``{"labels": [...], "scores": ...}`` for each row of probabilities."""
        return decode_labels(outputs, self.classes)


@dataclass(frozen=True)
class PackedValuesProcessor(_OneOrTwo):
    """A real value for each text, or for each pair: how alike two sentences are, say.

    Attributes:
        mean, scale: of the target in the training split; a model learns (value - mean) / scale.
        name: of the target.
        names: of the targets, where a model that was imported has several.
        sigmoid: whether a value is the sigmoid of an output, as of cross-encoders.
    """

    mean: float = 0.0
    scale: float = 1.0
    name: str = "value"
    names: tuple[str, ...] = ()
    sigmoid: bool = False

    kind = "packed-values"

    @property
    def target_scale(self) -> tuple[float, ...] | None:
        """The deviation of the target."""
        return (self.scale,)

    def encode_targets(self, values: Sequence[float]) -> Float[Tensor, "N 1"]:
        """Values as the model learns them."""
        return ((torch.tensor(values, dtype=torch.float64)[:, None] - self.mean) / self.scale).float()

    def decode(self, outputs: Float[Tensor, "B K"]) -> list[dict[str, Any]]:
        """``{name of a target: value in its unit}`` for each row."""
        outputs = outputs.detach().double().cpu()
        values = (outputs.sigmoid() if self.sigmoid else outputs) * self.scale + self.mean
        names = tuple(map(value_name, self.names or (self.name,)))
        return [dict(zip(names, row, strict=True)) for row in values.tolist()]


@dataclass(frozen=True)
class Words:
    """Sentences as rows of pieces.

    Attributes:
        inputs: (windows, T) pieces between special tokens.
        lengths: (windows,) how many of them are no padding.
        first: for each row, the position of the first piece of each of its words.
        sentence: for each row, which sentence it is of; rows of a sentence follow each other.
    """

    inputs: Int[Tensor, "windows T"]
    lengths: Int[Tensor, "windows"]
    first: list[list[int]] = field(repr=False)
    sentence: list[int] = field(repr=False)

    def at_first(self, values: Sequence[Sequence[int]]) -> Int[Tensor, "windows T"]:
        """One value for each word of each sentence, at its first piece; `IGNORED` everywhere else."""
        placed = torch.full_like(self.inputs, IGNORED)
        done = [0] * len(values)
        for row, (positions, sentence) in enumerate(zip(self.first, self.sentence, strict=True)):
            begin = done[sentence]
            placed[row, positions] = torch.tensor(values[sentence][begin : begin + len(positions)])
            done[sentence] += len(positions)
        return placed

    def of_words(self, values: Int[Tensor, "windows T"], num_sentences: int) -> list[list[int]]:
        """What stands at the first piece of each word, by sentence."""
        found: list[list[int]] = [[] for _ in range(num_sentences)]
        for row, (positions, sentence) in enumerate(zip(self.first, self.sentence, strict=True)):
            found[sentence] += values[row, positions].tolist()
        return found


@dataclass(frozen=True)
class PackedTagsProcessor(ReadsSentences, PackedProcessor):
    """A tag for every word of a sentence whose words are given.

    A sentence that is too long is read in several rows, if it may be cut: every word has a tag all the same,
    with less of a context. To predict, it always may.

    Attributes:
        tags: their names.
    """

    tags: tuple[str, ...] = ()

    kind = "packed-tags"

    def encode_words(self, sentences: Sequence[Sequence[str]], cut: bool | None = None) -> Words:
        """The rows of sentences.

        Args:
            cut: whether a sentence may be cut; default: as ``self.cut`` says.

        Raises:
            UserError: a sentence has no word, or is too long and not to be cut.
        """
        cut = self.cut if cut is None else cut
        known = list(dict.fromkeys(word for sentence in sentences for word in sentence))
        pieces = dict(
            zip(known, self.tokenizer.encode_words(known, self.read_special), strict=True) if known else ()
        )
        before = packed_parts(self.tokenizer.template)[0].index("A")
        room, rows, first, owners = self.room(), [], [], []
        for number, sentence in enumerate(sentences):
            if not sentence:
                raise UserError("sentence", " ".join(sentence), "must hold at least one word")
            words = [pieces[word][:room] for word in sentence]
            length = sum(map(len, words))
            if length > room and not cut:
                rule = f"has {length} tokens, and the model reads {room}"
                hint = "`cut` reads sentences that are too long in several parts."
                raise UserError("sentence", " ".join(sentence)[:80], rule, hint=hint)
            for part in _parts(words, room):
                positions, tokens = [], []
                for word in part:
                    positions.append(before + len(tokens))
                    tokens += word
                rows.append(self.pack(tokens))
                first.append(positions)
                owners.append(number)
        return Words(*pad(rows, self.filler), first, owners)

    def is_blank(self, text: Text) -> bool:
        """Whether a sentence has no word to be tagged."""
        return ReadsTexts.is_blank(self, text)

    def split_inputs(self, source: Given) -> SplitInputs:
        """Sentences, with blanks between their words (`given_texts`)."""
        lines = list(map(label_of, self.texts(source)))
        words = self.encode_words([line.split() for line in lines], cut=True)

        def decode(outputs: Float[Tensor, "windows T K"]) -> list[dict[str, Any]]:
            best = outputs.argmax(-1).cpu()
            return [{"tags": [self.tags[tag] for tag in row]} for row in words.of_words(best, len(lines))]

        return SplitInputs(lines, words.inputs, words.lengths, decode)

    def read(self, source: Given) -> tuple[list[str], Int[Tensor, "N T"]]:
        """A line for each row of the input; those of `split_inputs`, where a sentence may have several."""
        lines = list(map(label_of, self.texts(source)))
        words = self.encode_words([line.split() for line in lines], cut=True)
        return [lines[number] for number in words.sentence], words.inputs

    def decode(self, outputs: Float[Tensor, "B T K"]) -> list[dict[str, Any]]:
        """``{"tags": [...]}`` for each row, one for each piece; `split_inputs` gives one for each word."""
        return [{"tags": [self.tags[tag] for tag in row]} for row in outputs.argmax(-1).tolist()]


def _parts(words: Sequence[list[int]], room: int) -> list[list[list[int]]]:
    """The words of a sentence in as few rows as hold them."""
    parts: list[list[list[int]]] = [[]]
    used = 0
    for word in words:
        if used + len(word) > room:
            parts.append([])
            used = 0
        parts[-1].append(word)
        used += len(word)
    return parts

"""What the sources of texts share where words are read by their characters."""

from collections.abc import Sequence
from typing import Any

import torch

from anncestry.arrays import Tensor
from anncestry.data.options import DataOptions
from anncestry.data.processors.characters import CharacterWordsProcessor
from anncestry.data.processors.common import expect
from anncestry.data.splits.character_encoding import TEXT_BEGINS, TEXT_ENDS, CharacterEncoder, CharacterSplit
from anncestry.data.splits.dataset import Dataset, Examples, Processor, Whole
from anncestry.errors import UserError, require
from anncestry.protocols import IGNORED
from anncestry.signature import NUM_CHARACTERS, Signature
from anncestry.user_files import split_lines

LEVEL = "characters"
WINDOW = 64


def character_examples(sentences: Sequence[Sequence[str]], targets: Tensor, num_chars: int) -> CharacterSplit:
    """Sentences with their targets: (N,), or (N, T) for every word."""
    encoder = CharacterEncoder(num_chars)
    rows = [torch.tensor(encoder.indices(sentence)) for sentence in sentences]
    indices = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return CharacterSplit(
        Examples(indices, targets, torch.tensor([len(row) for row in rows])), encoder.characters()
    )


def character_text(
    parts: list[str],
    options: DataOptions,
    given: Processor | None,
    notes: tuple[str, ...],
    about: dict[str, Any],
) -> Dataset:
    """The data set of language models in both directions: the lines of three texts, with marks at their ends.

    A line of more than ``window`` words is cut into pieces that are read by themselves; what is asked for at
    the ends of a piece is all the same the word that stands there in the line.

    Args:
        notes: the first one says how the text was split.
    """
    lines = [[words for line in split_lines(part) if (words := line.split())] for part in parts]
    require(all(lines), "text", about["name"], "a part of it has no word")
    if given is None:
        given = CharacterWordsProcessor.learn(lines[0], options.vocab_size)
    processor = expect(given, CharacterWordsProcessor, about["name"])
    if len(processor.vocabulary) < 4:
        raise UserError("text", about["name"], "must have a word that occurs twice")
    window = options.window or WINDOW
    train, validation, test = (_pieces(part, processor, window) for part in lines)
    sizes = " / ".join(f"{sum(map(len, part)):,}" for part in lines)
    unit = f"words in lines of at most {window}, {len(processor.vocabulary):,} different ones"
    longest = max(split.rows.inputs.shape[1] for split in (train, validation, test))
    shape = (longest, processor.num_chars)
    return Dataset(
        signature=Signature(
            "bidirectional-lm", "characters", shape, len(processor.vocabulary), NUM_CHARACTERS
        ),
        processor=processor,
        train=train,
        validation=validation,
        test=test,
        notes=(f"{notes[0]}: {sizes} {unit}, for training, validation, test", *notes[1:]),
        **about,
    )


def whole_character_text(
    texts: Sequence[str], options: DataOptions, processor: CharacterWordsProcessor, name: str
) -> Whole:
    """All lines of some texts for language models in both directions."""
    lines = [words for text in texts for line in split_lines(text) if (words := line.split())]
    require(bool(lines), "text", name, "has no word")
    return Whole((_pieces(lines, processor, options.window or WINDOW),))


def _pieces(lines: list[list[str]], processor: CharacterWordsProcessor, window: int) -> CharacterSplit:
    encoder, index = CharacterEncoder(processor.num_chars), processor.index()
    end, begin = 0, 1  # among the words that are asked for
    inputs, targets = [], []
    for line in lines:
        read = torch.tensor([TEXT_BEGINS, *encoder.indices(line), TEXT_ENDS])
        words = torch.tensor([IGNORED, begin, *processor.words_of(line, index), end, IGNORED])
        inputs += read.split(window)
        targets += torch.stack([words[2:], words[:-2]], dim=1).split(window)  # next and previous
    lengths = torch.tensor([len(piece) for piece in inputs])
    padded = torch.nn.utils.rnn.pad_sequence(inputs, batch_first=True)
    asked = torch.nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=IGNORED)
    return CharacterSplit(Examples(padded, asked, lengths), encoder.characters())

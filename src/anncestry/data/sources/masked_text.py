"""Running text with masked tokens: what encoders are pre-trained on."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anncestry.data.corruption.sentence_pairs import NUM_RELATIONS
from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.masked_tokens import MaskedTokensProcessor
from anncestry.data.readers.lines import Lines
from anncestry.data.sources.running_text import WINDOW, RunningText
from anncestry.data.splits.dataset import Dataset, Processor, Whole
from anncestry.data.splits.masked_lm import MaskedBlocks
from anncestry.signature import Signature
from anncestry.tokenizers.tokenizer import Tokenizer

TASK = "masked-lm"


def masked_text(
    texts: Sequence[Lines],
    name: str,
    options: DataOptions,
    given: Processor | None = None,
    source: Path | None = None,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """A text with masked tokens.

    Args:
        texts: one, to be split as ``options.split`` says, or one for each part.
        notes: what a person should know of the text.

    Raises:
        UserError: an option does not fit, a part is empty, or the cache cannot be written.
    """
    window = options.window or WINDOW
    text = RunningText.of(texts, name, options)
    known = None if given is None else expect(given, MaskedTokensProcessor, name).tokenizer
    tokenizer = known or text.tokenizer("wordpiece")
    splits = _blocks(text, tokenizer, window)
    text.check(splits)
    processor: Any = given or MaskedTokensProcessor(tokenizer, window)
    train, validation, test = splits if len(splits) == 3 else (*splits, splits[1])
    sizes = " / ".join(f"{len(split):,}" for split in (train, validation, test))
    split = f"{sizes} inputs of at most {window} tokens for training, validation, test"
    if options.split == "tail-10":
        notes = ("the last 10 % are both validation and test", *notes)
    return Dataset(
        name=name,
        options=asdict(options),
        signature=Signature(
            "masked-lm",
            "tokens",
            (window,),
            len(tokenizer),
            len(tokenizer),
            separator=None if options.pairs == "none" else tokenizer.special.separator,
            num_relations=NUM_RELATIONS[options.pairs],
        ),
        processor=processor,
        train=train,
        validation=validation,
        test=test,
        source=source,
        notes=(split, *notes),
    )


def whole_masked_text(
    texts: Sequence[Lines], name: str, options: DataOptions, processor: MaskedTokensProcessor
) -> Whole:
    """All of some texts with masked tokens, as a trained model reads them."""
    text = RunningText.of(texts, name, options, whole=True)
    blocks = _blocks(text, processor.tokenizer, options.window or WINDOW)
    return Whole(tuple(part for part in blocks if len(part)))


def _blocks(text: RunningText, tokenizer: Tokenizer, window: int) -> list[MaskedBlocks]:
    """The parts of a text as inputs with masked tokens."""
    options = text.options
    separator = tokenizer.special.separator if options.pairs == "none" else None
    return [
        MaskedBlocks.of(cut, tokenizer, options.masking, options.pairs, window)
        for cut in text.cut(tokenizer, separator)
    ]

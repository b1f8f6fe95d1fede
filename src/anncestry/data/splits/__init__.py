"""What training reads: splits that yield batches, and how data are parted into them."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.data.splits.character_words import Spelt
    from anncestry.data.splits.dataset import (
        Dataset,
        Examples,
        ParallelStreams,
        Processor,
        Split,
        Stream,
        Whole,
        epoch_order,
    )
    from anncestry.data.splits.denoising import NoisedPairs
    from anncestry.data.splits.masked_lm import MaskedBlocks
    from anncestry.data.splits.questions import Questions
    from anncestry.data.splits.seq2seq import Pairs, Sequences

__all__ = [
    "Dataset",
    "Examples",
    "MaskedBlocks",
    "NoisedPairs",
    "Pairs",
    "ParallelStreams",
    "Processor",
    "Questions",
    "Sequences",
    "Spelt",
    "Split",
    "Stream",
    "Whole",
    "epoch_order",
]
__getattr__, __dir__ = hand_on(__name__)

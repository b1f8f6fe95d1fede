"""What training reads: splits that yield batches, and how data are parted into them."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.data.splits.character_encoding import CharacterSplit
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
    from anncestry.data.splits.denoising import DenoisingPairs
    from anncestry.data.splits.masked_lm import MaskedBlocks
    from anncestry.data.splits.questions import Questions
    from anncestry.data.splits.seq2seq import Pairs, Sequences

__all__ = [
    "CharacterSplit",
    "Dataset",
    "DenoisingPairs",
    "Examples",
    "MaskedBlocks",
    "Pairs",
    "ParallelStreams",
    "Processor",
    "Questions",
    "Sequences",
    "Split",
    "Stream",
    "Whole",
    "epoch_order",
]
__getattr__, __dir__ = hand_on(__name__)

"""How denoising autoencoders corrupt a text: sentence permutation and text infilling.

Lewis et al., 1910.13461, section 2.2 and 4:

* Sentence permutation: a text is cut behind its full stops, and the sentences are put in random order.
* Text infilling: 30 % of the tokens, rounded, are taken out in spans whose lengths are drawn from
  Poisson(3), the last one cut to what is left. A mask stands for each span, whatever its length; where that
  is 0 the mask is put in and nothing taken out.

The tokens that stay and the spans are put in random order, but no two spans side by side: so every mask
stands for the span that was drawn. All rows of a batch are drawn side by side, without a loop.
"""

import re
from dataclasses import dataclass

import torch

from anncestry.arrays import Bool, Int, Tensor
from anncestry.data.corruption.masking import Masking
from anncestry.signature import PAD
from anncestry.tokenizers.tokenizer import Tokenizer

SHARE, MEAN_LENGTH = 0.3, 3.0
SPARE = 8  # spans drawn beyond the budget, so that some of length 0 leave enough of the others
NOTHING = -1  # the length of no span
_STOP = re.compile(r"""[.!?]["')\]]*(</w>)?$""")


@dataclass(frozen=True)
class TextCorruption:
    """How the texts of a tokenizer are corrupted.

    Attributes:
        words: where words begin, and the mask token.
        stops: (V,) tokens that end with a full stop, an exclamation or a question mark; quotes and brackets
            may follow. A sentence ends behind one that is the last of a word.
    """

    words: Masking
    stops: Bool[Tensor, "V"]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "TextCorruption":
        """
        Raises:
            UserError: the tokenizer has no mask token.
        """
        stops = [_STOP.search(token) is not None for token in tokenizer.tokens]
        return cls(Masking.of(tokenizer, "tokens"), torch.tensor(stops))

    def corrupt(
        self, tokens: Int[Tensor, "B T"], lengths: Int[Tensor, "B"], random: torch.Generator
    ) -> tuple[Int[Tensor, "B S"], Int[Tensor, "B"]]:
        """``(corrupted, their lengths)`` of texts without special tokens; none becomes longer."""
        order = shuffled_sentences(self.sentences(tokens), lengths, random)
        return infilled(tokens.gather(1, order), lengths, self.words.mask, random)

    def sentences(self, tokens: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
        """Which sentence of its row each token belongs to, from 0 on."""
        numbers = self.words.word_numbers(tokens)
        ends = self.stops[tokens[:, :-1]] & (numbers[:, 1:] > numbers[:, :-1])
        return torch.nn.functional.pad(ends.cumsum(1), (1, 0))


def shuffled_sentences(
    sentences: Int[Tensor, "B T"], lengths: Int[Tensor, "B"], random: torch.Generator
) -> Int[Tensor, "B T"]:
    """From which position each position gets its token; what is beyond the lengths stays there."""
    outside = torch.arange(sentences.shape[1]) >= lengths[:, None]
    keys = torch.rand(sentences.shape, generator=random).gather(1, sentences)
    return keys.masked_fill_(outside, 2.0).argsort(dim=1, stable=True)


def infilled(
    tokens: Int[Tensor, "B T"], lengths: Int[Tensor, "B"], mask: int, random: torch.Generator
) -> tuple[Int[Tensor, "B S"], Int[Tensor, "B"]]:
    """``(texts with masks, their lengths)``, padded with `PAD`; none is longer than it was."""
    budget = (SHARE * lengths.double()).round().long()
    stay = lengths - budget
    spans = span_lengths(budget, random)
    drawn = spans != NOTHING
    # A gap is before, between or behind tokens that stay; each holds one span at most.
    gaps = torch.arange(int(stay.max()) + 1)
    open_gaps = gaps <= stay[:, None]
    shuffled = torch.rand(open_gaps.shape, generator=random).masked_fill_(~open_gaps, 2.0).argsort(1)
    rows = drawn.nonzero()[:, 0]
    at = shuffled[rows, (drawn.cumsum(1) - 1)[drawn]]
    taken, masks = torch.zeros((2, *open_gaps.shape), dtype=torch.int64)
    taken[rows, at], masks[rows, at] = spans[drawn], 1
    before, masks_before = taken.cumsum(1), masks.cumsum(1)
    corrupted_lengths = stay + masks_before[:, -1]
    corrupted = torch.full((len(tokens), int(corrupted_lengths.max())), PAD)
    rows, here = (open_gaps & (gaps < stay[:, None])).nonzero(as_tuple=True)
    corrupted[rows, here + masks_before[rows, here]] = tokens[rows, here + before[rows, here]]
    rows, here = masks.nonzero(as_tuple=True)
    corrupted[rows, here + masks_before[rows, here] - 1] = mask
    return corrupted, corrupted_lengths


def span_lengths(budget: Int[Tensor, "B"], random: torch.Generator) -> Int[Tensor, "B M"]:
    """The lengths of each row's spans, which add up to its budget; `NOTHING` where there is none.

    There are never more spans than the budget: of length 0 only as many as that leaves room for.
    """
    budget = budget[:, None]
    means = torch.full((len(budget), int(budget.max()) + SPARE), MEAN_LENGTH)
    drawn = torch.poisson(means, generator=random).long()
    left = budget - (drawn.cumsum(1) - drawn)
    spans = drawn.minimum(left).masked_fill(left <= 0, NOTHING)
    empty = spans == 0
    room = budget - (spans > 0).sum(1, keepdim=True)
    return spans.masked_fill(empty & (empty.cumsum(1) > room), NOTHING)

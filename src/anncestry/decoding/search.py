"""How hypotheses are searched and what they are ranked by."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.decoding.constraints import Constraints
from anncestry.rules import Size, at_least, at_most, one_of

LENGTH_PENALTIES = ("gnmt", "average", "none")
UNFINISHED = ("compared", "last")
Length = TypeVar("Length", float, Tensor)


@dataclass(frozen=True, kw_only=True)
class Search(Constraints):
    r"""The settings of greedy search (``beam`` 1) and beam search.

    >>> from anncestry.decoding import decode, read_source
    >>> signature = anncestry.Signature(task="translation", inputs="tokens", shape=(6,), vocab_size=9,
    ...                                 output_size=9, target_len=6)
    >>> model = anncestry.create("seq2seq", signature=signature, width=8).eval()
    >>> source, _ = signature.example(batch_size=2)
    >>> search = anncestry.Search(beam=4, n_best=3, max_length=5)
    >>> hypotheses = decode(model.step, *read_source(model, source), search, end=3)
    >>> [len(of_one_source) for of_one_source in hypotheses]
    [3, 3]

    .. math:: s(Y) = \log P(Y|X) / lp(Y) + cp(X, Y)

    Equation 14 of Wu et al., 1609.08144 (GNMT). The end counts in |Y| everywhere: in the penalty, in
    ``min_length`` and in ``max_length``.

    Attributes:
        beam: how many hypotheses are followed side by side; 1 takes the best token each time.
        n_best: how many are handed back for each source, at most.
        length_penalty: ``gnmt``: lp = ((5 + |Y|) / 6)^alpha; ``average``: lp = \|Y\|^alpha; ``none``: lp = 1.
            The same alpha means something else in each: of 20 tokens, 0.6 makes 2.354 and 6.034.
        alpha: 0 ranks by the log probability alone, which prefers short texts; 0.6 is of the Transformer.
        coverage: beta of cp = beta * sum over source positions i of log(min(sum over j of a_ij, 1)), which
            costs where the source was hardly attended to; 0 for no such penalty.
        max_length, max_factor: no text is longer than ``max_length`` and ``max_factor`` times the length of
            its source together.
        most: nor than this, where it is not 0.
        unfinished: where a beam search puts texts that were cut at the greatest length: ``compared``: among
            the finished ones, by score, as is usual; ``last``: behind all of them.
    """

    beam: Size = 1
    n_best: Annotated[Size, at_most("beam")] = 1
    length_penalty: Annotated[str, one_of(LENGTH_PENALTIES)] = "gnmt"
    alpha: float = 0.6
    coverage: Annotated[float, at_least(0, "0 for no such penalty")] = 0.0
    max_length: Annotated[int, at_least("min_length")] = 100
    max_factor: Annotated[float, at_least(0, "0 where the source does not count")] = 0.0
    most: Annotated[int, at_least(0, "0 for no such limit")] = 0
    unfinished: Annotated[str, one_of(UNFINISHED)] = "compared"

    def penalty(self, length: Length) -> Length:
        """lp of a length."""
        if self.length_penalty == "none":
            return length * 0 + 1
        base = (length + 5) / 6 if self.length_penalty == "gnmt" else length
        return base**self.alpha  # pyright: ignore[reportReturnType]

    def limits(self, num_sources: int, lengths: Int[Tensor, "N"] | None) -> Int[Tensor, "N"]:
        """The longest text of each source."""
        limits = torch.full((num_sources,), self.max_length)
        if lengths is not None:
            limits = (lengths.double() * self.max_factor).long() + self.max_length
        return limits.clamp(max=self.most) if self.most else limits

    def uncovered(
        self, attended: Float[Tensor, "N k S"], lengths: Int[Tensor, "N"] | None
    ) -> Float[Tensor, "N k"]:
        """cp, from the attention weights of each source position, summed up: 0 at best.

        A position that was never attended to counts as one in ten million, so that hypotheses which both miss
        one can still be told apart.

        Args:
            lengths: of the sources; what lies behind them does not count.
        """
        missing = attended.clamp(1e-7, 1).log()
        if lengths is not None:
            positions = torch.arange(attended.shape[-1], device=attended.device)
            missing = missing.masked_fill(positions >= lengths[:, None, None], 0.0)
        return self.coverage * missing.sum(-1)

"""What decoding hands back."""

from dataclasses import dataclass, field

from anncestry.arrays import Float, Tensor


@dataclass(frozen=True)
class Hypothesis:
    """One text that was found for a source.

    Attributes:
        tokens: what was generated, without the end.
        score: what it is ranked by: its log probability over the length penalty, plus the coverage penalty.
        log_prob: log P of the tokens and, where it is finished, of the end behind them.
        finished: whether it ends with the end token; else it was cut at the longest allowed length.
        alignment: (`length`, S) the attention weights over the source with which each token, and the end
            behind them, was generated; None where they were not asked for, or there is no attention.
    """

    tokens: tuple[int, ...]
    score: float
    log_prob: float
    finished: bool
    alignment: Float[Tensor, "T S"] | None = field(default=None, compare=False)

    @property
    def length(self) -> int:
        """|Y|: the tokens and, where it is finished, the end."""
        return len(self.tokens) + self.finished

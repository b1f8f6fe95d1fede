"""What may be generated next, whoever chooses: searching and sampling obey the same rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.rules import Checked, at_least


@dataclass(frozen=True, kw_only=True)
class Constraints(Checked):
    """Rules on the text as a whole. None of them is in the papers of the timeline.

    Attributes:
        min_length: no text is shorter; its end counts.
        no_repeat_ngram: no run of so many tokens is generated twice; 0 for no such rule. It is lifted where
            it leaves no token, and never forbids the end.
        repetition_penalty: the log probability of a token that is there already is multiplied by this; 1
            for no such rule. (Keskar et al., 1909.05858, section 4.1 penalise the logits; a log probability
            does not depend on where the logits have their zero.)
    """

    min_length: Annotated[int, at_least(1, "the end counts")] = 1
    no_repeat_ngram: Annotated[int, at_least(0, "0 for no such rule")] = 0
    repetition_penalty: Annotated[float, at_least(1, "1 for no such rule")] = 1.0

    @property
    def needs_context(self) -> bool:
        """Whether what may come next depends on what was generated."""
        return self.no_repeat_ngram > 0 or self.repetition_penalty > 1

    def binds(self, length: int, end: int | None, never: Sequence[int]) -> bool:
        """Whether anything is forbidden or penalised at this length; arguments as in `restrict_`."""
        return self.needs_context or bool(self.forbidden(length, end, never))

    def forbidden(self, length: int, end: int | None = None, never: Sequence[int] = ()) -> Sequence[int]:
        """The tokens that are forbidden at this length whatever came before; arguments as in `restrict_`."""
        return never if end is None or length >= self.min_length else (*never, end)

    def restrict_(
        self,
        log_probs: Float[Tensor, "R V"],
        length: int,
        context: Int[Tensor, "R P"] | None = None,
        end: int | None = None,
        never: Sequence[int] = (),
    ) -> None:
        """Set log probabilities of what is forbidden to minus infinity, in place.

        Args:
            length: of the text with the token that is chosen now.
            context: the tokens of each row so far; needed where `needs_context`.
            never: tokens that are never generated.
        """
        for token in self.forbidden(length, end, never):
            log_probs[:, token] = -torch.inf
        if context is None or not self.needs_context:
            return
        if self.repetition_penalty > 1:
            log_probs.scatter_(1, context, log_probs.gather(1, context) * self.repetition_penalty)
        if 0 < self.no_repeat_ngram <= context.shape[1]:
            _forbid_repeats_(log_probs, context, self.no_repeat_ngram, end)


def _forbid_repeats_(log_probs: Tensor, context: Tensor, size: int, end: int | None) -> None:
    """Forbid what would complete a run of ``size`` tokens that is there already."""
    runs = context.unfold(1, size, 1)  # (R, W, size)
    begun = context[:, context.shape[1] - size + 1 :].unsqueeze(1)  # (R, 1, size - 1)
    repeats = (runs[..., :-1] == begun).all(-1)  # (R, W)
    last = runs[..., -1]
    if end is not None:
        repeats &= last != end
    before = log_probs.gather(1, last)
    log_probs.scatter_reduce_(1, last, torch.where(repeats, -torch.inf, torch.inf).to(before), "amin")
    nothing_left = log_probs.amax(1, keepdim=True) == -torch.inf
    back = torch.where(repeats & nothing_left, before, -torch.inf)
    log_probs.scatter_reduce_(1, last, back, "amax")

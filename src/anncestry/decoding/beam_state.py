"""What greedy and beam search share: the request, and what travels with the hypotheses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.decoding.constraints import Constraints
from anncestry.decoding.search import Search
from anncestry.errors import UserError, require
from anncestry.protocols import State, reorder_state

Step = Callable[[Tensor, State], tuple[Tensor, State]]
Alignment = Callable[[State], Tensor | None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `decode` was asked, beside the first scores and state; its arguments are explained there."""

    step: Step
    search: Search
    end: int | None = None
    never: Sequence[int] = ()
    alignment: Alignment | None = None
    lengths: Int[Tensor, "N"] | None = None
    written: Int[Tensor, "N P"] | None = None
    keep_alignment: bool = False

    @property
    def looks(self) -> bool:
        """Whether it matters how a hypothesis looked at its source."""
        return self.keep_alignment or self.search.coverage > 0

    def weights(self, state: State) -> Float[Tensor, "R S"] | None:
        """How each hypothesis looked at its source before it writes the next token, where it can look."""
        weights = None if self.alignment is None else self.alignment(state)
        if weights is None:
            rule = "needs a model that looks at its source with attention"
            require(not self.search.coverage, "coverage", self.search.coverage, rule)
            return None
        return weights.to(torch.promote_types(weights.dtype, torch.float32))


class Followed(NamedTuple):
    """What changes places with the hypotheses; () where it is not needed.

    Attributes:
        state: the decoder's.
        written: (R, P) the tokens so far, for rules that look back.
        looked: (R, S) the weights of each source position so far, summed up.
    """

    state: State
    written: Tensor | tuple = ()
    looked: Tensor | tuple = ()

    @classmethod
    def start(
        cls, state: State, rules: Constraints, written: Int[Tensor, "N P"] | None, like: Tensor
    ) -> "Followed":
        """Before the first token; ``like`` is a tensor with a row for each source."""
        if not rules.looks_back:
            return cls(state)
        nothing = torch.zeros_like(like[:, :0], dtype=torch.long)
        return cls(state, nothing if written is None else written.to(like.device))

    def move(self, rows: Int[Tensor, "R"], sources: Int[Tensor, "M"] | None = None) -> "Followed":
        """What the hypotheses ``rows`` go on with; ``sources`` as in `reorder_state`."""
        return reorder_state(self, rows, sources)

    def step(self, step: Step, tokens: Int[Tensor, "R"]) -> tuple[Float[Tensor, "R V"], "Followed"]:
        """The scores of what comes after another token of each."""
        scores, state = step(tokens, self.state)
        written = self.written
        if isinstance(written, Tensor):
            written = torch.cat([written, tokens.unsqueeze(1)], 1)
        return scores, self._replace(state=state, written=written)

    def saw(self, weights: Float[Tensor, "R S"]) -> "Followed":
        """After another look of each at its source."""
        return self._replace(looked=weights if isinstance(self.looked, tuple) else self.looked + weights)


def log_probs_of(
    scores: Float[Tensor, "R V"],
    rules: Constraints,
    length: int,
    followed: Followed,
    end: int | None,
    never: Sequence[int],
) -> tuple[Float[Tensor, "R V"], Float[Tensor, "R V"]]:
    """The model's log probabilities, and those under the rules, in float32 or better.

    They may be one tensor: what the rules only forbid may be missing from the former.
    """
    log_probs = scores.log_softmax(-1, dtype=torch.promote_types(scores.dtype, torch.float32))
    ruled = log_probs.clone() if rules.repetition_penalty > 1 else log_probs
    written = None if isinstance(followed.written, tuple) else followed.written
    rules.restrict_(ruled, length, written, end, never)
    return log_probs, ruled


def split_of(leaves: list[bool], device: torch.device) -> tuple[Int[Tensor, "G"], Int[Tensor, "M"]]:
    """Which sources leave, and which stay."""
    gone = [place for place, leave in enumerate(leaves) if leave]
    kept = [place for place, leave in enumerate(leaves) if not leave]
    return (
        torch.tensor(gone, dtype=torch.long, device=device),
        torch.tensor(kept, dtype=torch.long, device=device),
    )


def check_numbers(broken: bool) -> None:
    """Refuse to go on with scores that are no numbers."""
    if broken:
        raise UserError("scores", "nan", "a model gives numbers; the training of this one diverged")

"""What greedy and beam search share: the request, and what travels with the hypotheses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from anncestry.arrays import Float, Int, Tensor
from anncestry.decoding.constraints import Constraints
from anncestry.decoding.search import Search
from anncestry.engine.native.best_candidates import best_candidates, best_of_log_probs
from anncestry.errors import UserError, require
from anncestry.protocols import State, reorder_state

Step = Callable[[Tensor, State], tuple[Tensor, State]]
Alignment = Callable[[State], Tensor | None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `decode` was asked, beside the first logits and state; its arguments are explained there."""

    step: Step
    search: Search
    end: int | None = None
    never: Sequence[int] = ()
    alignment: Alignment | None = None
    lengths: Int[Tensor, "N"] | None = None
    context: Int[Tensor, "N P"] | None = None
    keep_alignment: bool = False

    @property
    def needs_weights(self) -> bool:
        """Whether the attention weights over the source matter."""
        return self.keep_alignment or self.search.coverage > 0

    def weights(self, state: State) -> Float[Tensor, "R S"] | None:
        """The attention weights of each hypothesis for its next token; None without attention."""
        weights = None if self.alignment is None else self.alignment(state)
        if weights is None:
            rule = "needs a model that attends to its source"
            require(not self.search.coverage, "coverage", self.search.coverage, rule)
            return None
        return weights.to(torch.promote_types(weights.dtype, torch.float32))


class BeamState(NamedTuple):
    """What changes places with the hypotheses of a beam; () where it is not needed.

    Attributes:
        state: the decoder's.
        context: (R, P) the tokens so far, those of a prompt among them, for rules on repetition.
        attended: (R, S) the attention weights of each source position so far, summed up.
    """

    state: State
    context: Tensor | tuple = ()
    attended: Tensor | tuple = ()

    @classmethod
    def start(
        cls, state: State, rules: Constraints, context: Int[Tensor, "N P"] | None, like: Tensor
    ) -> "BeamState":
        """Before the first token; ``like`` is a tensor with a row for each source."""
        if not rules.needs_context:
            return cls(state)
        nothing = torch.zeros_like(like[:, :0], dtype=torch.long)
        return cls(state, nothing if context is None else context.to(like.device))

    def move(self, rows: Int[Tensor, "R"], sources: Int[Tensor, "M"] | None = None) -> "BeamState":
        """What the hypotheses ``rows`` go on with; ``sources`` as in `reorder_state`."""
        return reorder_state(self, rows, sources)

    def step(self, step: Step, tokens: Int[Tensor, "R"]) -> tuple[Float[Tensor, "R V"], "BeamState"]:
        """The logits of what follows another token of each."""
        logits, state = step(tokens, self.state)
        context = self.context
        if isinstance(context, Tensor):
            context = torch.cat([context, tokens.unsqueeze(1)], 1)
        return logits, self._replace(state=state, context=context)

    def attending(self, weights: Float[Tensor, "R S"]) -> "BeamState":
        """With the attention weights of another step added."""
        return self._replace(
            attended=weights if isinstance(self.attended, tuple) else self.attended + weights
        )


def log_probs_of(
    logits: Float[Tensor, "R V"],
    rules: Constraints,
    length: int,
    beams: BeamState,
    end: int | None,
    never: Sequence[int],
) -> tuple[Float[Tensor, "R V"], Float[Tensor, "R V"]]:
    """The model's log probabilities, and those under the rules, in float32 or better.

    They may be one tensor: what the rules only forbid may be missing from the former.
    """
    log_probs = logits.log_softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
    ruled = log_probs.clone() if rules.repetition_penalty > 1 else log_probs
    context = None if isinstance(beams.context, tuple) else beams.context
    rules.restrict_(ruled, length, context, end, never)
    return log_probs, ruled


class Continuations(NamedTuple):
    """The best ways to go on, best first; what is missing is minus infinity.

    Attributes:
        ranked: log P as the rules see it.
        log_prob: log P as the model sees it.
        parents: the hypotheses they go on from.
        tokens: what these generate.
    """

    ranked: Float[Tensor, "M candidates"]
    log_prob: Float[Tensor, "M candidates"]
    parents: Int[Tensor, "M candidates"]
    tokens: Int[Tensor, "M candidates"]

    @classmethod
    def best(
        cls,
        logits: Float[Tensor, "R V"],
        ranked: Float[Tensor, "M k"],
        log_prob: Float[Tensor, "M k"],
        count: int,
        request: Request,
        length: int,
        beams: BeamState,
    ) -> "Continuations":
        """The ``count`` best of each source, whose k hypotheses follow one after the other in the logits."""
        rules, end, never = request.search, request.end, request.never
        if not rules.needs_context:
            best, parents, tokens = best_candidates(
                logits, ranked, count, rules.forbidden(length, end, never)
            )
            return cls(best, best, parents, tokens)
        log_probs, ruled = log_probs_of(logits, rules, length, beams, end, never)
        best, parents, tokens = best_of_log_probs(ruled.view(*ranked.shape, logits.shape[1]), ranked, count)
        if ruled is log_probs:
            return cls(best, best, parents, tokens)
        chosen = log_probs.view(len(ranked), -1).gather(1, parents * logits.shape[1] + tokens)
        return cls(best, log_prob.gather(1, parents) + chosen, parents, tokens)


def split_of(leaves: list[bool], device: torch.device) -> tuple[Int[Tensor, "gone"], Int[Tensor, "M"]]:
    """Which sources leave, and which stay."""
    gone = [place for place, leave in enumerate(leaves) if leave]
    kept = [place for place, leave in enumerate(leaves) if not leave]
    return (
        torch.tensor(gone, dtype=torch.long, device=device),
        torch.tensor(kept, dtype=torch.long, device=device),
    )


def check_numbers(broken: bool) -> None:
    """Refuse to go on with logits that are no numbers."""
    if broken:
        raise UserError("logits", "nan", "a model gives numbers; the training of this one diverged")

"""What the parts of the house promise each other: cells, sequence models, rules that learn by themselves.

State travels by value: it is a tensor, or a (nested) tuple or NamedTuple of tensors with the batch on
axis 0. Nothing is kept on a module between calls.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

State = Any  # a tensor or a nested (Named)tuple of tensors, batch on axis 0


def map_state(function: Callable[..., Tensor], *states: State) -> State:
    """Apply ``function`` to the tensors at the same place of every state; the nesting is kept.

    Reordering beams is ``map_state(lambda t: t.index_select(0, rows), state)``.
    """
    first = states[0]
    if isinstance(first, Tensor):
        return function(*states)
    parts = [map_state(function, *parts) for parts in zip(*states, strict=True)]
    return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)


def flatten_state(state: State) -> Iterator[Tensor]:
    """The tensors of a state, outermost first."""
    if isinstance(state, Tensor):
        yield state
    else:
        for part in state:
            yield from flatten_state(part)


def detach_state(state: State) -> State:
    """The same values, cut off from the graph: where truncated back-propagation stops."""
    return map_state(torch.Tensor.detach, state)


class Memory(NamedTuple):
    """What a decoder attends to: a part of its state that no step changes.

    It has one row for each source. The rest of the state has k rows for each source, one after the other,
    where k hypotheses follow each: the decoder finds k by comparing, and the memory is never copied.
    """

    parts: State


class Reorderable(Protocol):
    """A part of a state that knows by itself how its rows change places, cheaper than by copying them."""

    def reordered(self, rows: Tensor, sources: Tensor | None = None) -> State: ...


def reorder_state(state: State, rows: Tensor, sources: Tensor | None = None) -> State:
    """The state of other rows: how hypotheses of a beam change places, and finished sources leave.

    Args:
        rows: (M,) which row each new one continues.
        sources: which rows of the `Memory` are left; None leaves it as it is.
    """
    if isinstance(state, Memory):
        return state if sources is None else map_state(lambda part: part.index_select(0, sources), state)
    if isinstance(state, Tensor):
        return state.index_select(0, rows)
    if hasattr(state, "reordered"):  # a `Reorderable`; asking the protocol takes a step's time
        return state.reordered(rows, sources)
    parts = [reorder_state(part, rows, sources) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


@runtime_checkable
class Decoder(Protocol):
    """What generates one token after the other: an encoder-decoder, or a language model."""

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]: ...


@runtime_checkable
class EncoderDecoder(Protocol):
    """A model that reads a source and generates a target.

    ``forward(source, targets, lengths)`` gives the logits (B, T, V) of every target token after those before
    it (teacher forcing). It equals ``step`` over `BEGIN` and the targets but the last, from ``encode``'s
    state.
    """

    def encode(self, source: Tensor, lengths: Tensor | None = None) -> State:
        """The state in which nothing is generated yet."""
        ...

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """The logits (B, V) of what follows the tokens (B,), and the state behind them."""
        ...

    def alignment(self, state: State) -> Tensor | None:
        """The attention weights (B, S) of the last step, or None for a net without attention."""
        ...

    def forward(self, source: Tensor, targets: Tensor, lengths: Tensor | None = None) -> Tensor: ...


@runtime_checkable
class SequenceModel(Protocol):
    """A model whose output at t depends on the inputs up to t through a state.

    ``forward(inputs, state)`` over a whole sequence equals ``step`` over its elements one by one.
    """

    def initial_state(self, batch_size: int) -> State: ...

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]: ...

    def forward(
        self, x: Tensor, state: State = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]: ...


@runtime_checkable
class OwnRule(Protocol):
    """A model that learns by its own rule in place of a gradient: the perceptron and its neighbours."""

    def learn(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Present the examples in order, change the weights, and return the outputs (B, K) that each
        example got *before* it changed anything."""
        ...

    def criterion(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The quantity the rule reduces, summed over the examples (a scalar)."""
        ...

    def converged(self, num_examples: int) -> bool:
        """Whether another pass over ``num_examples`` training examples would change nothing."""
        ...


IGNORED = -100
"""The target of a step that has no target: padding, or a step that is not asked about. In a frame of real
values it fills the whole frame."""


class Batch(NamedTuple):
    """What one step of training sees.

    Attributes:
        inputs: (B, \\*shape) as the signature says.
        targets: (B,), (B, T), (B, K) or (B, T, K); `IGNORED` where nothing is asked.
        continues: whether each row goes on where the same row of the batch before it ended, so that a
            recurrent state may be carried over.
        lengths: (B,) the steps of each row, where they differ; None where all rows are of full length.
    """

    inputs: Tensor
    targets: Tensor
    continues: bool = False
    lengths: Tensor | None = None


class Reconstruction(NamedTuple):
    """The output of a net that reconstructs its input.

    It travels as one tensor, so that all that handles outputs handles these.

    Attributes:
        image: (B, K) the reconstructed input, flat.
        mean, log_variance: (B, Z) of each code, where it is a distribution; else None.
    """

    image: Tensor
    mean: Tensor | None = None
    log_variance: Tensor | None = None

    def joined(self) -> Tensor:
        """(B, K), or (B, K + 2 Z): the image, then the means, then the log variances."""
        if self.mean is None or self.log_variance is None:
            return self.image
        return torch.cat([self.image, self.mean, self.log_variance], dim=1)

    @classmethod
    def split(cls, outputs: Tensor, num_pixels: int) -> "Reconstruction":
        """The parts of what `joined` made; ``num_pixels`` is K."""
        if outputs.shape[1] == num_pixels:
            return cls(outputs)
        mean, log_variance = outputs[:, num_pixels:].chunk(2, dim=1)
        return cls(outputs[:, :num_pixels], mean, log_variance)


class MaskedLMOutput(NamedTuple):
    """The output of a masked language model, with that of its further heads.

    Attributes:
        logits: (M, V) of the masked tokens, a row for each that is asked for, in reading order; or (B, T, V).
        relation: (B, R) logits of next-sentence or sentence-order prediction, where that is asked.
        boundary: (M, V) logits of the same tokens from what stands on both sides of their span (SpanBERT).
        replaced: (B, T) a logit for each token: whether it was replaced (ELECTRA).
        drawn: (B, T) bool: whether it does.
    """

    logits: Tensor
    relation: Tensor | None = None
    boundary: Tensor | None = None
    replaced: Tensor | None = None
    drawn: Tensor | None = None


class WithAuxiliaryLM(NamedTuple):
    """The outputs in training of a net with an auxiliary language-modelling loss.

    Attributes:
        outputs: (B, K) of its task.
        lm_logits: (B, T, V) of what follows each token.
        tokens: (B, T) what was read.
        lengths: (B,) tokens of each row that are no padding; None where all are.
        weight: of the auxiliary loss.
    """

    outputs: Tensor
    lm_logits: Tensor
    tokens: Tensor
    lengths: Tensor | None
    weight: float


class SampledLogits(NamedTuple):
    """Logits of very many words, not computed yet: a sampled softmax needs but some.

    Attributes:
        features: (..., N).
        weight: (V, N), and ``bias`` (V,): the logits are ``features weight^T + bias``.
        num_sampled: with how many words training compares the right one.
    """

    features: Tensor
    weight: Tensor
    bias: Tensor
    num_sampled: int

    def logits(self) -> Tensor:
        """(..., V): all of them."""
        return torch.nn.functional.linear(self.features, self.weight, self.bias)


def outputs_of(
    model: nn.Module,
    inputs: Tensor,
    state: State = None,
    lengths: Tensor | None = None,
    targets: Tensor | None = None,
    asked_only: bool = False,
) -> tuple[Any, State]:
    """``(outputs, state)`` of any model of the timeline; the state is None for one that has none.

    Only models of sequences are given ``lengths``: no others fit data that have them. Only those that
    generate a text are given the ``targets``, of which they see at each step those before it.

    Args:
        asked_only: for training and scoring: a masked language model may give logits where the targets
            ask, and there alone.
    """
    if isinstance(model, EncoderDecoder):
        assert targets is not None, "an encoder-decoder is trained and scored on targets"
        return model(inputs, targets, lengths), None  # pyright: ignore[reportCallIssue]
    if getattr(model, "fills_in", False):
        return model(inputs, lengths=lengths, targets=targets if asked_only else None), None
    if lengths is not None:
        result = model(inputs, lengths=lengths) if state is None else model(inputs, state, lengths)
    else:
        result = model(inputs) if state is None else model(inputs, state)
    return result if type(result) is tuple else (result, None)

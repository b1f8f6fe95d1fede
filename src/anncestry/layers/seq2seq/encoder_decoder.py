"""What encoder-decoders share: their sizes, the shifted target, teacher forcing and scheduled sampling.

Shapes: source (B, S), targets (B, T), scores (B, T, V). A decoder reads `BEGIN`, y_1, ... y_{T-1}, and its
scores at each step are those of y_1, ... y_T.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Tensor
from anncestry.errors import require
from anncestry.layers.recurrent.cells import Cell
from anncestry.layers.recurrent.wirings import check_lengths, each_step, reverse, visible_steps
from anncestry.layers.watching import any_watched
from anncestry.protocols import IGNORED, State
from anncestry.signature import BEGIN, END, PAD, Signature


@dataclass(frozen=True, kw_only=True)
class AnswerConfig:
    """Sizes of what is written.

    Attributes:
        output_size: V, the vocabulary that is written.
        target_len: T of a typical answer; used for examples and costs, never as a limit.
        dropout: probability of zeroing what passes up from layer to layer and into the readout.
        scheduled_sampling: in training, probability with which a step reads the word that the net itself
            thinks best in place of the true one (Bengio et al., 1506.03099); such a net learns step by step,
            several times more slowly.
    """

    output_size: int
    target_len: int = 16
    dropout: float = 0.0
    scheduled_sampling: float = 0.0

    def __post_init__(self) -> None:
        self.check_positive("target_len")
        check_vocabulary("output_size", self.output_size)
        self.check_probability("dropout")
        sampled = self.scheduled_sampling
        require(0 <= sampled <= 1, "scheduled_sampling", sampled, "is a probability")

    def check_positive(self, *names: str) -> None:
        """Raise a `UserError` unless these fields are at least 1."""
        for name in names:
            require(getattr(self, name) >= 1, name, getattr(self, name), "must be at least 1")

    def check_not_negative(self, *names: str) -> None:
        """Raise a `UserError` where a field is negative whose 0 stands for a usual size."""
        for name in names:
            require(getattr(self, name) >= 0, name, getattr(self, name), "must be 0 (as usual) or more")

    def check_probability(self, *names: str) -> None:
        """Raise a `UserError` unless these fields can be rates of dropout."""
        for name in names:
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "is a probability below 1")


def check_vocabulary(name: str, size: int) -> None:
    """Raise a `UserError` where a vocabulary has no room for a word."""
    rule = f"holds more than the {END + 1} tokens that every vocabulary begins with"
    require(size > END + 1, name, size, rule)


@dataclass(frozen=True, kw_only=True)
class WritingConfig(AnswerConfig):
    """Sizes of a recurrent net that writes.

    Attributes:
        hidden_size: H, units per layer.
        embed_dim: E, features of a word.
        init_range: every weight starts uniform in plus or minus this; 0 leaves each part its own start.
    """

    hidden_size: int
    embed_dim: int
    init_range: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("hidden_size", "embed_dim")
        require(self.init_range >= 0, "init_range", self.init_range, "must not be negative")


@dataclass(frozen=True, kw_only=True)
class ReadingConfig(AnswerConfig):
    """Sizes of a net that reads a source and writes an answer.

    Attributes:
        input_size: the vocabulary that is read.
        seq_len: S of a typical source; used for examples and costs, never as a limit.
    """

    input_size: int
    seq_len: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("seq_len")
        check_vocabulary("input_size", self.input_size)

    @classmethod
    def sizes_of(cls, signature: Signature) -> dict[str, int]:
        """The fields that a data set decides."""
        return {
            "input_size": signature.vocab_size,
            "output_size": signature.output_size,
            "seq_len": signature.shape[0],
            "target_len": signature.target_len,
        }

    @property
    def signature(self) -> Signature:
        """The learning problem this config is made for."""
        return Signature(
            "translation", "tokens", (self.seq_len,), self.output_size, self.input_size,
            target_len=self.target_len,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TranslationConfig(ReadingConfig, WritingConfig):
    """Sizes of a recurrent net that writes what it has read."""

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` sets units and features of words alike."""
        widths = {"hidden_size": width or 128, "embed_dim": width or 128}
        return cls(**{**cls.sizes_of(signature), **widths, **overrides})


def shifted(targets: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
    """What a decoder reads: `BEGIN`, then each target but the last; what is `IGNORED` becomes `PAD`."""
    before = targets.new_full((targets.shape[0], 1), BEGIN)
    tokens = torch.cat([before, targets], dim=1)[
        :, :-1
    ]  # in this order an answer of any length can be exported
    return tokens.masked_fill(tokens == IGNORED, PAD)


def back_to_front(source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None) -> Int[Tensor, "B S"]:
    """Every source reversed within its own length."""
    return reverse(source.unsqueeze(2), lengths).squeeze(2)


def where_ragged(lengths: Int[Tensor, "B"] | None, source: Tensor) -> Int[Tensor, "B"] | None:
    """The lengths, or None where every source is as long as the batch, which is faster to read."""
    if lengths is None:
        return None
    check_lengths(lengths, *source.shape[:2])
    if torch.compiler.is_compiling():  # their values are not known yet
        return lengths
    return None if int(lengths.min()) == source.shape[1] else lengths


def visible_places(lengths: Int[Tensor, "B"] | None, source: Int[Tensor, "B S"]) -> Bool[Tensor, "B S"]:
    """True where a source has a word."""
    if lengths is None:
        return torch.ones(source.shape[:2], dtype=torch.bool, device=source.device)
    return visible_steps(lengths, source.shape[1])


class WritingNetwork(nn.Module):
    """A net that writes one word after the other, from a state that it makes of its source.

    A class says ``encode``, ``step``, and ``teach``: all steps of a known target, faster than one by one.
    """

    def __init__(self, config: AnswerConfig) -> None:
        super().__init__()
        self.config: Any = config

    def encode(self, source: Tensor, lengths: Int[Tensor, "B"] | None = None) -> State:
        """The state in which nothing is written yet."""
        raise NotImplementedError

    def step(self, x_t: Int[Tensor, "R"], state: State) -> tuple[Float[Tensor, "R V"], State]:
        """The scores of what follows the tokens, and the state behind them."""
        raise NotImplementedError

    def teach(self, tokens: Int[Tensor, "B T"], state: State) -> Float[Tensor, "B T V"]:
        """``step`` over all tokens at once. Everything faster than `teach_by_step` must equal that."""
        return self.teach_by_step(tokens, state)

    def teach_by_step(
        self, tokens: Int[Tensor, "B T"], state: State, own: float = 0.0
    ) -> Float[Tensor, "B T V"]:
        """The specification: one ``step`` after the other.

        Args:
            own: probability with which a step but the first reads the best word of the step before.
        """
        if not own:
            return each_step(self.step, tokens, state)[0]
        scores: list[Tensor] = []
        for token in tokens.unbind(1):
            if scores:
                drawn = torch.rand(token.shape, device=token.device) < own
                token = torch.where(drawn, scores[-1].argmax(-1), token)
            scores_t, state = self.step(token, state)
            scores.append(scores_t)
        return torch.stack(scores, dim=1)

    def alignment(self, state: State) -> Float[Tensor, "R S"] | None:
        """The weights with which the last step looked at the source; None for a net that cannot look."""
        return None

    def forward(
        self, source: Tensor, targets: Int[Tensor, "B T"], lengths: Int[Tensor, "B"] | None = None
    ) -> Float[Tensor, "B T V"]:
        state, tokens = self.encode(source, lengths), shifted(targets)
        if self.training and self.config.scheduled_sampling:
            return self.teach_by_step(tokens, state, self.config.scheduled_sampling)
        return self.teach_by_step(tokens, state) if self.must_step() else self.teach(tokens, state)

    def must_step(self) -> bool:
        """Whether `teach` would pass by a module that someone watches or has replaced, or write out a loop
        whose length is not known yet."""
        return torch.compiler.is_exporting() or any_watched(self)

    def start(self) -> None:
        """Weights within ``init_range``, where the config has one."""
        if self.config.init_range:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -self.config.init_range, self.config.init_range)
            for module in self.modules():
                if isinstance(module, Cell):
                    module.shift_biases()

"""What encoder-decoders share: their sizes, the shifted target, teacher forcing and scheduled sampling.

Shapes: source (B, S), targets (B, T), logits (B, T, V). A decoder reads `BEGIN`, y_1, ... y_{T-1}, and its
logits at each step are those of y_1, ... y_T.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Int, Shaped, Tensor
from anncestry.layers.recurrent.cells import Cell
from anncestry.layers.recurrent.wirings import check_lengths, each_step, reverse, visible_steps
from anncestry.layers.watching import any_watched
from anncestry.protocols import IGNORED, State
from anncestry.rules import Checked, NotNegative, Probability, Rate, Rule, Size
from anncestry.signature import BEGIN, END, PAD, Signature

Vocabulary = Annotated[
    int,
    Rule(
        lambda size, _: size > END + 1,
        f"holds more than the {END + 1} tokens that every vocabulary begins with",
    ),
]
"""The size of a vocabulary, which has room for a word."""


@dataclass(frozen=True, kw_only=True)
class DecoderConfig(Checked):
    """Sizes of what is generated.

    Attributes:
        output_size: V, the target vocabulary.
        target_len: T of a typical target; used for examples and costs, never as a limit.
        dropout: probability of zeroing what passes up from layer to layer and into the readout.
        scheduled_sampling: in training, probability with which a step reads the net's own best
            word in place of the true one (Bengio et al., 1506.03099); such a net learns step by step,
            several times more slowly.
    """

    output_size: Vocabulary
    target_len: Size = 16
    dropout: Rate = 0.0
    scheduled_sampling: Probability = 0.0


@dataclass(frozen=True, kw_only=True)
class RecurrentDecoderConfig(DecoderConfig):
    """Sizes of a recurrent decoder.

    Attributes:
        hidden_size: H, units per layer.
        embed_dim: E, features of a word.
        init_range: every weight starts uniform in plus or minus this; 0 leaves each part its own start.
    """

    hidden_size: Size
    embed_dim: Size
    init_range: NotNegative = 0.0


@dataclass(frozen=True, kw_only=True)
class EncoderDecoderConfig(DecoderConfig):
    """Sizes of a net that reads a source and generates a target.

    Attributes:
        input_size: the source vocabulary.
        seq_len: S of a typical source; used for examples and costs, never as a limit.
    """

    input_size: Vocabulary
    seq_len: Size = 16

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
class TranslationConfig(EncoderDecoderConfig, RecurrentDecoderConfig):
    """Sizes of a recurrent encoder-decoder of tokens."""

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
    ]  # in this order a target of any length can be exported
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


def visible_positions(
    lengths: Int[Tensor, "B"] | None, source: Shaped[Tensor, "B S ..."]
) -> Bool[Tensor, "B S"]:
    """True where a source has a word."""
    if lengths is None:
        return torch.ones(source.shape[:2], dtype=torch.bool, device=source.device)
    return visible_steps(lengths, source.shape[1])


class DecoderNetwork(nn.Module):
    """A net that generates one token after the other, from a state that it makes of its source.

    A class says ``encode``, ``step``, and ``teacher_force``: all steps of a known target at once.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config: Any = config

    def encode(self, source: Tensor, lengths: Int[Tensor, "B"] | None = None) -> State:
        """The state in which nothing is generated yet, of sources (B, S) or (B, C, H, W)."""
        raise NotImplementedError

    def step(self, x_t: Int[Tensor, "R"], state: State) -> tuple[Float[Tensor, "R V"], State]:
        """The logits (R, V) of what follows one token of each row (R,), and the state behind them."""
        raise NotImplementedError

    def teacher_force(self, tokens: Int[Tensor, "B T"], state: State) -> Float[Tensor, "B T V"]:
        """Teacher forcing: ``step`` over all target tokens at once; it must equal `teacher_force_by_step`."""
        return self.teacher_force_by_step(tokens, state)

    def teacher_force_by_step(
        self, tokens: Int[Tensor, "B T"], state: State, own: float = 0.0
    ) -> Float[Tensor, "B T V"]:
        """The specification: one ``step`` after the other.

        Args:
            own: probability with which a step but the first reads the best word of the step before.
        """
        if not own:
            return each_step(self.step, tokens, state)[0]
        logits: list[Tensor] = []
        for token in tokens.unbind(1):
            if logits:
                drawn = torch.rand(token.shape, device=token.device) < own
                token = torch.where(drawn, logits[-1].argmax(-1), token)
            logits_t, state = self.step(token, state)
            logits.append(logits_t)
        return torch.stack(logits, dim=1)

    def alignment(self, state: State) -> Float[Tensor, "R S"] | None:
        """The attention weights of the last step; None for a net without attention."""
        return None

    def forward(
        self, source: Tensor, targets: Int[Tensor, "B T"], lengths: Int[Tensor, "B"] | None = None
    ) -> Float[Tensor, "B T V"]:
        """Teacher forcing: the logits of each target token after those before it.

        Args:
            source: tokens (B, S), or images (B, C, H, W).
            targets: tokens with their `END`; the first is predicted from `BEGIN`, the last is not read.
            lengths: tokens of each source (default: all).
        """
        state, tokens = self.encode(source, lengths), shifted(targets)
        if self.training and self.config.scheduled_sampling:
            return self.teacher_force_by_step(tokens, state, self.config.scheduled_sampling)
        return (
            self.teacher_force_by_step(tokens, state)
            if self.must_step()
            else self.teacher_force(tokens, state)
        )

    def must_step(self) -> bool:
        """Whether `teacher_force` would pass by a module that someone watches or has replaced, or write out
        a loop whose length is not known yet."""
        return torch.compiler.is_exporting() or any_watched(self)

    def reset_parameters(self) -> None:
        """Weights within ``init_range``, where the config has one."""
        if self.config.init_range:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -self.config.init_range, self.config.init_range)
            for module in self.modules():
                if isinstance(module, Cell):
                    module.shift_biases()

"""A recurrent wiring between what data looks like and what a task asks for.

Data meets the wiring as (B, T, D): a series as it is, an image row by row, a token as a one-hot vector
or an embedding. The task takes its outputs from the last step (classification, regression, forecasting)
or from every step (language model, tagging, next frame).
"""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.errors import require
from anncestry.layers.computed import Computed
from anncestry.layers.dropout import Dropout
from anncestry.layers.linear import TiedReadout
from anncestry.layers.recurrent.cells import Cell
from anncestry.layers.recurrent.dropout import share_masks
from anncestry.layers.recurrent.wirings import Unrolled, step_of
from anncestry.protocols import State
from anncestry.rules import Checked, NotNegative, Rate, Size, at_least, one_of, only, relation, unless
from anncestry.signature import EVERY_STEP, InputKind, Signature, Task

READ: tuple[InputKind, ...] = ("image", "series", "tokens")
CAN_TIE = relation(
    lambda c: not c.tie_embeddings or (c.embed_dim > 0 and c.input_size == c.output_size),
    "needs an embedding, and the same tokens in and out",
)


@dataclass(frozen=True, kw_only=True)
class SequenceConfig(Checked):
    """Sizes of a recurrent network.

    Attributes:
        task: what is asked; language models, taggers and predictors of the next frame have an output at every
            step, the others at the last one.
        inputs: ``series`` (B, T, D), ``image`` (B, C, H, W) read row by row, or ``tokens`` (B, T).
        input_size: D, features per step: for an image C * W, for tokens the size of the vocabulary.
        hidden_size: H, units per layer and direction.
        output_size: K, classes, target values, or the size of the output vocabulary.
        num_layers: how many layers are stacked.
        embed_dim: size of a token's embedding; 0 feeds tokens as one-hot vectors.
        tie_embeddings: whether the readout uses the embedding's table (Press & Wolf, 1608.05859); tokens
            in and out are then the same, and ``embed_dim`` is the size of what the last layer puts out.
        dropout: probability of zeroing what passes from layer to layer and into the readout.
        input_dropout: probability of zeroing what the first layer reads.
        variational: dropout zeroes the same features at every step of a sequence instead of others at each
            (Gal & Ghahramani, 1512.05287).
        state_dropout: probability of keeping a feature of a layer's state from its recurrent weights, at
            every step of a window.
        init_range: every weight starts uniform in plus or minus this; 0 leaves each part its own start.
        seq_len: T of a typical input; used for examples and costs, never as a limit.
        in_channels: C of an image; 1 otherwise.
    """

    task: Task = "classification"
    inputs: Annotated[InputKind, one_of(READ, "a recurrent net reads")] = "series"
    input_size: Size
    hidden_size: Size
    output_size: Size
    num_layers: Size = 1
    embed_dim: Annotated[int, at_least(0, "0 feeds one-hot vectors"), unless(only(0), inputs="tokens")] = 0
    tie_embeddings: Annotated[bool, CAN_TIE] = False
    dropout: Rate = 0.0
    input_dropout: Rate = 0.0
    variational: bool = False
    state_dropout: Rate = 0.0
    init_range: NotNegative = 0.0
    seq_len: Size = 16
    in_channels: Annotated[Size, unless(only(1), inputs="image")] = 1

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` sets the hidden size."""
        if signature.inputs == "image":
            channels, height, row = signature.shape
            sizes = {"input_size": channels * row, "seq_len": height, "in_channels": channels}
        elif signature.inputs == "tokens":
            sizes = {"input_size": signature.vocab_size, "seq_len": signature.shape[0]}
        else:
            sizes = {"input_size": signature.shape[-1], "seq_len": signature.shape[0]}
        fields = {
            "task": signature.task,
            "inputs": signature.inputs,
            "hidden_size": width or 128,
            "output_size": signature.output_size,
            **sizes,
        }
        return cls(**{**fields, **overrides})

    @property
    def signature(self) -> Signature:
        """The learning problem this config is made for."""
        if self.inputs == "image":
            shape = (self.in_channels, self.seq_len, self.input_size // self.in_channels)
        elif self.inputs == "tokens":
            shape = (self.seq_len,)
        else:
            shape = (self.seq_len, self.input_size)
        vocab_size = self.input_size if self.inputs == "tokens" else 0
        return Signature(self.task, self.inputs, shape, self.output_size, vocab_size)

    @property
    def step_size(self) -> int:
        """Features per step as the first layer meets them."""
        return self.embed_dim or self.input_size


class OneHot(Computed):
    """Tokens (B, T) -> (B, T, V): a one in the place of the token."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.refill()

    def compute(self) -> Float[Tensor, "V V"]:
        """A table of unit vectors: one gather, and half the time of ``torch.nn.functional.one_hot``."""
        return torch.eye(self.vocab_size)

    def forward(self, tokens: Int[Tensor, "..."]) -> Float[Tensor, "... V"]:
        return nn.functional.embedding(tokens, self.made)


class SequenceNetwork(nn.Module):
    """Input -> wiring -> readout; the recurrent architectures of the timeline differ in the wiring alone.

    ``forward(x, state=None, lengths=None) -> (outputs, state)``; outputs are (B, K), or (B, T, K) where the
    task is answered at every step. ``state`` is the wiring's, by value. The readout is linear unless given.
    """

    def __init__(self, config: SequenceConfig, wiring: Any, readout: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        if config.inputs != "tokens":
            self.embedding = nn.Identity()
        elif config.embed_dim:
            self.embedding = nn.Embedding(config.input_size, config.embed_dim)
        else:
            self.embedding = OneHot(config.input_size)
        self.wiring: Any = wiring
        self.dropout = Dropout(config.dropout)
        self.input_dropout = Dropout(config.input_dropout)
        if config.variational:
            share_masks(self)
        for module in self.modules():
            if isinstance(module, Unrolled):
                module.state_dropout = config.state_dropout
        if readout is not None:
            self.readout: Any = readout
        elif config.tie_embeddings and isinstance(self.embedding, nn.Embedding):
            rule = f"with tied embeddings it must be what the last layer puts out, {wiring.output_size}"
            require(config.embed_dim == wiring.output_size, "embed_dim", config.embed_dim, rule)
            self.readout = TiedReadout(config.input_size, bias=True)
        else:
            self.readout = nn.Linear(wiring.output_size, config.output_size)
        if config.init_range:
            self._start_within(config.init_range)

    def _start_within(self, bound: float) -> None:
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        for module in self.modules():
            if isinstance(module, Cell):
                module.shift_biases()

    def forward(
        self, x: Tensor, state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[Float[Tensor, "B ... K"], State]:
        """The outputs of whole sequences, and the state behind them.

        Args:
            x: (B, T, D), tokens (B, T), or images (B, C, H, W), read row by row: T = H.
            state: of the wiring, behind what was read before; None where nothing was.
            lengths: steps of each sequence (default: all); what lies behind them changes nothing.

        Returns:
            ``(outputs, state)``: outputs (B, K), or (B, T, K) where the task is answered at every step.
        """
        if self.config.inputs == "image":
            x = x.permute(0, 2, 1, 3).flatten(2)  # (B, C, H, W) -> (B, T=H, D=C*W)
        y, state = self.wiring(self.input_dropout(self.embedding(x)), state, lengths)
        if self.config.task not in EVERY_STEP:
            y = self.last(y, lengths)
        return self.output(y), state

    def output(self, y: Float[Tensor, "... H"]) -> Float[Tensor, "... K"]:
        """The outputs for what the wiring put out."""
        y = self.dropout(y)
        return self.readout(y, self.embedding.weight) if self.config.tie_embeddings else self.readout(y)

    def last(self, y: Float[Tensor, "B T H"], lengths: Int[Tensor, "B"] | None) -> Float[Tensor, "B H"]:
        """The outputs of each sequence's own last step."""
        if lengths is None:
            return y[:, -1]
        return y[torch.arange(y.shape[0], device=y.device), lengths - 1]


class CausalSequenceNetwork(SequenceNetwork):
    """A sequence network that never looks ahead, and so can also be run one step at a time."""

    def initial_state(self, batch_size: int) -> State:
        """The state of B sequences of which nothing was read yet."""
        return self.wiring.initial_state(batch_size)

    def step(self, x_t: Tensor, state: State) -> tuple[Float[Tensor, "B K"], State]:
        """One step: x_t is (B, D), or the tokens (B,); the outputs are (B, K)."""
        y_t, state = step_of(self.wiring, self.input_dropout(self.embedding(x_t)), state)
        return self.output(y_t), state

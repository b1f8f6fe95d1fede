r"""ELMo: vectors of words from all layers of two language models, in the mixture that a task learns.

Paper: M. Peters, M. Neumann, M. Iyyer, M. Gardner, C. Clark, K. Lee & L. Zettlemoyer, "Deep contextualized
word representations", 1802.05365 (2018). The nets are in `anncestry.layers.character_encoder` (the words'
vectors), `anncestry.layers.recurrent.bilm` (the language models) and `anncestry.layers.scalar_mix`.

    x_k = W_p Highways(max-pooled convolutions of word k's characters)
    h_{k,0} = [x_k; x_k];    h_{k,j} = [forward h_{k,j}; backward h_{k,j}],   each layer j > 1 + its input
    learns  log p(w_{k+1} | forward h_{k,L}) + log p(w_{k-1} | backward h_{k,L}),   one softmax for both
    gives   ELMo_k = gamma sum_j softmax(s)_j h_{k,j}

Differs from the residual stack: a second stack reads backwards; words are read by their characters, so that
none is unknown; once trained the stacks stay as they are, and what a task reads is a mixture of all layers.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.layers.character_encoder import CONVOLUTION_ACTIVATIONS, CharacterEncoder
from anncestry.layers.dropout import Dropout
from anncestry.layers.linear import Linear
from anncestry.layers.recurrent.bilm import BiLM, ClippedLSTMPCell, DirectedLM
from anncestry.layers.recurrent.wirings import visible_steps
from anncestry.layers.scalar_mix import ScalarMix
from anncestry.models.bilstm import BiLSTM, BiLSTMConfig
from anncestry.protocols import SampledLogits, State
from anncestry.rules import (
    Checked,
    Count,
    NotNegative,
    Rate,
    Size,
    at_least,
    at_most,
    one_of,
    only,
    relation,
    unless,
    where,
)
from anncestry.signature import (
    BEGIN_TEXT,
    BEGIN_WORD,
    END_TEXT,
    END_WORD,
    FILLER,
    NUM_CHARACTERS,
    Signature,
    Task,
)

TASKS: tuple[Task, ...] = ("bidirectional-lm", "tagging", "classification", "embedding")
SAMPLED = 8192
FEW_WORDS = 4 * SAMPLED
"""So many are all compared; of more words training takes a sample."""
ONE_EACH = relation(
    lambda c: len(c.filter_widths) == len(c.filter_counts) > 0, "one for each width of {filter_widths}"
)
HAS_ROOM = relation(
    lambda c: c.num_chars >= max(3, *c.filter_widths),
    "must have room for a word's two marks and a byte, and for the widest filter",
)


@dataclass(frozen=True, kw_only=True)
class ELMoConfig(Checked):
    """Sizes and parts.

    Attributes:
        task: ``bidirectional-lm`` trains the language models; ``tagging`` and ``classification`` have a
            bidirectional LSTM over the mixture; ``embedding`` gives all layers of each word side by side.
        output_size: V words, or K tags or classes; of embeddings 0, as their size follows.
        hidden_size: memory cells of a layer and direction.
        proj_size: N, what a layer puts out in each direction, and the size of a word's vector.
        num_layers: L, of each language model.
        char_embed_dim: of a character.
        filter_widths, filter_counts: of the convolutions over characters.
        num_highways: highway layers above them.
        activation: of the convolutions: ``relu`` or ``tanh``.
        skip: whether each layer but the first adds its input.
        cell_clip, proj_clip: limits of the memory and of the output; 0 for none.
        dropout: of what the layers of the language models read, and of what the softmax does.
        sampled_words: with how many words training compares the right one; 0 for all.
        freeze: whether a task leaves the language models as they are.
        mixed: which layers are mixed, 0 for the words' vectors; all where it is empty.
        mix_norm: whether each is normalised first (`anncestry.layers.scalar_mix`).
        mix_l2: the penalty on the weights of the mixture.
        mix_dropout: of the mixture.
        task_hidden: memory cells of the task's LSTM in each direction; 0 has the mixture read out as it is,
            the mean over all words for a class.
        task_layers: of that LSTM.
        seq_len: T of a typical text; never a limit.
        num_chars: C, characters of a word with its marks.
    """

    task: Annotated[Task, one_of(TASKS)] = "bidirectional-lm"
    output_size: Annotated[Count, where(only(0), task="embedding"), unless(at_least(1), task="embedding")] = 0
    hidden_size: Size
    proj_size: Size
    num_layers: Size = 2
    char_embed_dim: Size = 16
    filter_widths: tuple[Size, ...] = (1, 2, 3, 4, 5, 6, 7)
    filter_counts: Annotated[tuple[Size, ...], ONE_EACH] = (32, 32, 64, 128, 256, 512, 1024)
    num_highways: Count = 2
    activation: Annotated[str, one_of(CONVOLUTION_ACTIVATIONS)] = "relu"
    skip: bool = True
    cell_clip: NotNegative = 3.0
    proj_clip: NotNegative = 3.0
    dropout: Rate = 0.1
    sampled_words: Count = 0
    freeze: bool = True
    mixed: tuple[Annotated[Count, at_most("num_layers")], ...] = ()
    mix_norm: bool = False
    mix_l2: NotNegative = 0.001
    mix_dropout: Rate = 0.5
    task_hidden: Count = 128
    task_layers: Size = 1
    seq_len: Size = 24
    num_chars: Annotated[int, HAS_ROOM] = 50

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set: small enough for one processor; ``width`` sets N."""
        N = overrides.get("proj_size", width or 64)
        fields = {
            "task": signature.task,
            "output_size": 0 if signature.task == "embedding" else signature.output_size,
            "proj_size": N,
            "hidden_size": 4 * N,
            "filter_widths": (1, 2, 3),
            "filter_counts": (max(1, N // 4), max(1, N // 2), N),
            "num_highways": 1,
            "sampled_words": 0,
            "task_hidden": 2 * N,
            "seq_len": signature.shape[0],
            "num_chars": signature.shape[1],
        }
        if signature.task == "bidirectional-lm" and signature.output_size > FEW_WORDS:
            fields["sampled_words"] = SAMPLED
        return cls(**{**fields, **overrides})

    @property
    def signature(self) -> Signature:
        """The learning problem this config is made for."""
        size = self.output_size or (self.num_layers + 1) * 2 * self.proj_size
        return Signature(
            self.task, "characters", (self.seq_len, self.num_chars), size, vocab_size=NUM_CHARACTERS
        )


class ELMo(nn.Module):
    """``forward(x, state=None, lengths=None) -> (outputs, state)``; words are characters (B, T, C).

    Outputs are (B, T, 2, V) for bidirectional-lm: logits of the word behind each word, and of the one before
    it; where training samples, an `SampledLogits` in their place. Texts then bring the marks of their ends.
    For every other task the marks are put around each text and taken away again: (B, T, K) for tagging, (B,
    K) for classification, (B, T, (L + 1) 2 N) for embedding.

    The state is that of both language models behind each text. It is zero unless it is handed in: the authors
    carry it from one batch to the next, so that a text's vectors depend on those that came before.
    """

    def __init__(self, config: ELMoConfig) -> None:
        super().__init__()
        self.config = config
        N, task = config.proj_size, config.task
        encoder = CharacterEncoder(
            config.char_embed_dim, config.filter_widths, config.filter_counts, config.num_highways, N,
            config.activation,
        )  # fmt: skip
        self.bilm = BiLM(encoder, self._language_model(), self._language_model())
        self.learns_words = task == "bidirectional-lm"
        self.frozen = config.freeze and not self.learns_words
        if self.learns_words:
            self.dropout = Dropout(config.dropout)
            self.readout = Linear(N, config.output_size)
            nn.init.normal_(self.readout.weight, std=N**-0.5)
            nn.init.zeros_(self.readout.bias)
        elif task != "embedding":
            self.mixed = config.mixed or tuple(range(config.num_layers + 1))
            self.mix = ScalarMix(len(self.mixed), config.mix_norm, config.mix_l2)
            self.dropout = Dropout(config.mix_dropout)
            self.head = self._task_model() if config.task_hidden else Linear(2 * N, config.output_size)
        if self.frozen:
            self.bilm.requires_grad_(False)

    def _language_model(self) -> DirectedLM:
        config = self.config
        cells = [
            ClippedLSTMPCell(
                config.proj_size, config.hidden_size, config.proj_size, config.cell_clip, config.proj_clip
            )
            for _ in range(config.num_layers)
        ]
        return DirectedLM(cells, config.skip, config.dropout)

    def _task_model(self) -> nn.Module:
        """What reads the mixture. Any model of series would do."""
        config = self.config
        return BiLSTM(
            BiLSTMConfig(
                task=config.task,
                input_size=2 * config.proj_size,
                hidden_size=config.task_hidden,
                output_size=config.output_size,
                num_layers=config.task_layers,
                dropout=config.mix_dropout,
            )
        )

    def train(self, mode: bool = True) -> "ELMo":
        super().train(mode)
        if self.frozen:
            self.bilm.eval()  # without dropout
        return self

    def layer_representations(
        self, x: Int[Tensor, "B T characters"], state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[list[Float[Tensor, "B T E2"]], State]:
        """All layers of texts without marks, the words' own vectors first; and the state behind them.

        Args:
            x: words as characters.
            state: behind what was read before; None where nothing was.
            lengths: (B,) words of each text.
        """
        marked = between_marks(x, lengths)
        with torch.no_grad() if self.frozen else nullcontext():
            layers, state = self.bilm(marked, state, None if lengths is None else lengths + 2)
        layers = [layer[:, 1:-1] for layer in layers]
        if lengths is not None:  # the mark behind a shorter text
            visible = visible_steps(lengths, x.shape[1]).unsqueeze(2)
            layers = [layer.masked_fill(~visible, 0) for layer in layers]
        return layers, state

    def forward(
        self, x: Int[Tensor, "B T characters"], state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[Tensor | SampledLogits, State]:
        """The outputs of whole texts, and the state behind them.

        Args:
            x: words as characters.
            state: behind what was read before; None where nothing was.
            lengths: words of each text (default: all).

        Returns:
            ``(outputs, state)``. Outputs of bidirectional-lm are the logits (B, T, 2, V) of the word after
            each word and of the word before it, as `SampledLogits` where words are sampled; of an embedding
            the layers side by side (B, T, (L + 1) 2 N); of tagging (B, T, K); else (B, K).
        """
        if self.learns_words:
            layers, state = self.bilm(x, state, lengths)
            features = self.dropout(layers[-1]).unflatten(2, (2, -1))  # (B, T, 2, N)
            if self.config.sampled_words:
                weights = (self.readout.weight, self.readout.bias)
                return SampledLogits(features, *weights, self.config.sampled_words), state
            return self.readout(features), state
        layers, state = self.layer_representations(x, state, lengths)
        if self.config.task == "embedding":
            return torch.cat(layers, dim=2), state
        visible = None if lengths is None else visible_steps(lengths, x.shape[1])
        elmo = self.dropout(self.mix([layers[layer] for layer in self.mixed], visible))  # (B, T, 2 N)
        if self.config.task_hidden:
            return self.head(elmo, None, lengths)[0], state
        if self.config.task == "classification":
            words = elmo.new_tensor(x.shape[1]) if lengths is None else lengths.unsqueeze(1)
            elmo = elmo.sum(1) / words
        return self.head(elmo), state


def mark(kind: int, num_chars: int) -> list[int]:
    """The characters of the word that stands where a text begins (`BEGIN_TEXT`) or ends (`END_TEXT`)."""
    return [BEGIN_WORD, kind, END_WORD] + [FILLER] * (num_chars - 3)


def between_marks(
    x: Int[Tensor, "B T characters"], lengths: Int[Tensor, "B"] | None = None
) -> Int[Tensor, "B T2 characters"]:
    """Texts with a mark before their first word and one behind their last: two words longer."""
    B, T, C = x.shape
    begin, end = (x.new_tensor(mark(kind, C)).expand(B, 1, C) for kind in (BEGIN_TEXT, END_TEXT))
    marked = torch.cat([begin, x, end], dim=1)
    if lengths is None:
        return marked
    behind = torch.arange(T + 2, device=x.device) == lengths.unsqueeze(1) + 1
    return torch.where(behind.unsqueeze(2), end, marked)

"""Two language models over the same words, one for each direction, whose layers are all handed out.

Peters et al., 1802.05365, section 3.1; the clips and the shortcut are those of Jozefowicz et al., 1602.02410,
and of the authors' code.
"""

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.recurrent.cells import LSTMState
from anncestry.layers.recurrent.projection import LSTMPCell
from anncestry.layers.recurrent.recurrence import recur
from anncestry.layers.recurrent.wirings import Unrolled, reverse
from anncestry.protocols import State


class ClippedLSTMPCell(LSTMPCell):
    r"""An LSTM with a projection whose memory and output stay within limits.

    .. math::
        c_t = \mathrm{clip}(f_t c_{t-1} + i_t g_t), \qquad h_t = \mathrm{clip}(W_p\, o_t \tanh(c_t))

    No kernel clips, so it runs in the hoisted loop.

    Args:
        cell_clip, proj_clip: the limits of c and of h; 0 for none.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        proj_size: int,
        cell_clip: float = 3.0,
        proj_clip: float = 3.0,
    ) -> None:
        super().__init__(input_size, hidden_size, proj_size)
        self.cell_clip, self.proj_clip = cell_clip, proj_clip

    def advance(self, projected_t, state):
        i, f, g, o = recur(state.h, self.weight_hh, projected_t).chunk(4, dim=-1)
        c = f.sigmoid() * state.c + i.sigmoid() * g.tanh()
        c = c.clamp(-self.cell_clip, self.cell_clip) if self.cell_clip else c
        h = recur(o.sigmoid() * c.tanh(), self.weight_p)
        h = h.clamp(-self.proj_clip, self.proj_clip) if self.proj_clip else h
        return h, LSTMState(h, c)

    def fused(self, x, state, batch_sizes=None):
        clips = self.cell_clip or self.proj_clip
        return None if clips else super().fused(x, state, batch_sizes)


class DirectedLM(nn.Module):
    """Layers over the words in one direction.

    Args:
        cells: the lowest first.
        skip: whether every layer but the lowest adds its input to its output.
        dropout: probability of zeroing a feature that a layer reads.
    """

    def __init__(self, cells: list[ClippedLSTMPCell], skip: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Unrolled(cell) for cell in cells)
        self.skip, self.dropout = skip, Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "B T E"], state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[list[Float[Tensor, "B T E"]], State]:
        """The outputs of every layer, and the state of each."""
        outputs, after = [], []
        for depth, layer in enumerate(self.layers):
            x = self.dropout(x)  # the shortcut starts behind it, as in the authors' code
            y, layer_state = layer(x, None if state is None else state[depth], lengths)
            x = y + x if self.skip and depth else y
            outputs.append(x)
            after.append(layer_state)
        return outputs, tuple(after)


class BiLM(nn.Module):
    """A forward and a backward language model that share what makes vectors of words.

    The backward one reads each text from its own last word on, never padding. States travel by value; that of
    the backward model is the one behind the first word.

    Args:
        encoder: makes vectors (B, T, E) of words as they are given.
        ahead, back: the two models, of as many layers and features.
    """

    def __init__(self, encoder: nn.Module, ahead: DirectedLM, back: DirectedLM) -> None:
        super().__init__()
        self.encoder, self.ahead, self.back = encoder, ahead, back

    def forward(
        self, words: Tensor, state: State = None, lengths: Int[Tensor, "B"] | None = None
    ) -> tuple[list[Float[Tensor, "B T E2"]], State]:
        """The words' vectors, twice side by side, and the outputs [forward; backward] of each layer.

        Args:
            words: (B, T, ...) as the encoder reads them.
            state: the states of both models, or None for zeros.
            lengths: (B,) words of each text; beyond its end everything is 0.
        """
        x = self.encoder(words)
        if lengths is not None:
            beyond = torch.arange(x.shape[1], device=x.device) >= lengths.unsqueeze(1)
            x = x.masked_fill(beyond.unsqueeze(2), 0)
        ahead_state, back_state = (None, None) if state is None else state
        ahead, ahead_state = self.ahead(x, ahead_state, lengths)
        back, back_state = self.back(reverse(x, lengths), back_state, lengths)
        pairs = zip(ahead, back, strict=True)
        layers = [torch.cat([a, reverse(b, lengths)], dim=2) for a, b in pairs]
        return [torch.cat([x, x], dim=2), *layers], (ahead_state, back_state)

"""An LSTM layer over whole sequences in one call, for weights that do not change.

PyTorch's kernel hands every step's product to the threads anew, and packs nothing into its gates; here each
thread keeps its units' weights at hand from step to step.
"""

import torch

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.library import address, kernel

GROUP = 16  # units whose weights lie together


def plain_lstm(
    x: Float[Tensor, "B T D"],
    weights: tuple[Tensor, ...],
    h: Float[Tensor, "B H"],
    c: Float[Tensor, "B H"],
) -> tuple[Tensor, Tensor, Tensor]:
    """What `NativeLSTM` computes, by PyTorch."""
    y, h, c = torch.lstm(x, (h[None], c[None]), weights, True, 1, 0.0, False, False, True)
    return y, h[0], c[0]


class NativeLSTM:
    """One layer; no gradients. Inputs and state are float32 on a CPU, as the weights are.

    Args:
        weights: weight_ih (4 H, D), weight_hh (4 H, H), bias_ih and bias_hh (4 H), of the gates i, f, g, o.
    """

    def __init__(self, weights: tuple[Tensor, ...]) -> None:
        ih, hh, *biases = (weight.detach() for weight in weights)
        self._kernel = kernel("lstm_layer", "ppppppppiiiii")
        self._ih, self._hh = _in_groups(ih), _in_groups(hh)
        self._bias = _in_groups((biases[0] + biases[1])[:, None])
        self._hidden_size = hh.shape[1]

    @staticmethod
    def works() -> bool:
        """Whether there is such a kernel here."""
        return kernel("lstm_layer", "ppppppppiiiii") is not None

    def __call__(
        self, x: Float[Tensor, "B T D"], h: Float[Tensor, "B H"], c: Float[Tensor, "B H"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The outputs (B, T, H), and h and c after the last step.

        Raises:
            RuntimeError: the inputs or the state do not fit the weights: the kernel reads what it is told.
        """
        assert self._kernel is not None
        (B, T, D), H = x.shape, self._hidden_size
        if self._ih.shape[2] != D or not h.shape == c.shape == (B, H):
            raise RuntimeError(
                f"inputs {(B, T, D)} with a state {(*h.shape,)}, {(*c.shape,)} do not fit the weights"
            )
        if not x.dtype == h.dtype == c.dtype == torch.float32:
            raise RuntimeError("inputs and state must be in float32")
        U = -(-H // GROUP)
        x, h, c = x.contiguous(), h.contiguous().clone(), c.contiguous().clone()
        y, room = x.new_empty(B, T, H), x.new_empty(B * (T * U * 4 * GROUP + 2 * (H + GROUP) + U * GROUP))
        parts = (x, self._ih, self._hh, self._bias, h, c, y, room)
        self._kernel(*map(address, parts), B, T, D, H, torch.get_num_threads())
        return y, h, c


def _in_groups(weight: Float[Tensor, "K D"]) -> Float[Tensor, "groups 4 D 16"]:
    """The rows of four gates as groups of 16 units, gate after gate; units that are not there are 0."""
    H, D = weight.shape[0] // 4, weight.shape[1]
    padded = torch.nn.functional.pad(weight.reshape(4, H, D), (0, 0, 0, -H % GROUP))
    return padded.view(4, -1, GROUP, D).permute(1, 0, 3, 2).contiguous()

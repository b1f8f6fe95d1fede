"""An LSTM whose weights stay laid out from call to call, to predict batch after batch.

Laying out the weights of a large LSTM costs a tenth of a forward pass, which ``torch.lstm`` pays every time.
Within `caching_weights` it is paid once: for the native kernel, or where there is none for PyTorch's own. Its
operators are not public: used here alone and tried out before they are relied on; where anything is missing,
the caller goes on with ``torch.lstm``.
"""

import functools

import torch

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.lstm import NativeLSTM
from anncestry.engine.weight_cache import is_caching_weights, look_up, store

SMALLEST = 2**18
"""Elements of the recurrent weight below which the layout is not worth keeping."""

LSTM = 2  # PyTorch's number for this kind of layer


class PackedLSTM:
    """PyTorch's kernel: one layer for sequences of one shape and weights that do not change; no gradients.

    Args:
        weights: weight_ih, weight_hh, bias_ih, bias_hh.
        shape: (T, B, D) of the inputs.
    """

    def __init__(self, weights: tuple[Tensor, ...], shape: tuple[int, int, int]) -> None:
        ih, hh, *self._biases = (weight.detach() for weight in weights)
        self._hidden_size = hh.shape[1]
        reorder = torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight
        self._blocks = reorder(ih, hh, self._hidden_size, False, True, False, list(shape))

    def __call__(
        self, x: Float[Tensor, "B T D"], h: Float[Tensor, "B H"], c: Float[Tensor, "B H"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The outputs (B, T, H), and h and c after the last step."""
        steps_first, H = x.transpose(0, 1).contiguous(), self._hidden_size
        y, h, c, _ = torch.ops.aten.mkldnn_rnn_layer(
            steps_first, *self._blocks, *self._biases, h.contiguous(), c.contiguous(),
            False, [], LSTM, H, 1, True, False, False, False,
        )  # fmt: skip
        return y.transpose(0, 1), h.view(-1, H), c.view(-1, H)


def packed_lstm(x: Float[Tensor, "B T D"], weights: tuple[Tensor, ...]) -> NativeLSTM | PackedLSTM | None:
    """A kept layer for these weights and sequences of this shape; None where ``torch.lstm`` is to be used."""
    if not is_caching_weights() or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
        return None
    plain = all(part.dtype == torch.float32 and part.device.type == "cpu" for part in (x, *weights))
    if not plain or weights[1].numel() < SMALLEST or x.shape[-1] != weights[0].shape[1]:
        return None
    native = NativeLSTM.works()
    if not native and not lstm_packing_works():
        return None
    # The shape of the last inputs; and, once it was seen twice, the layout: one use would not pay for it.
    shape, layout = look_up(weights) or (None, None)
    if shape is None or (not native and shape != x.shape):
        layout = None
    elif layout is None:
        B, T, D = x.shape
        layout = NativeLSTM(weights) if native else PackedLSTM(weights, (T, B, D))
    store(weights, (x.shape, layout))
    return layout


@functools.cache
def lstm_packing_works() -> bool:
    """Whether this PyTorch has the operators and they give what ``torch.lstm`` does: tried out once."""
    B, T, D, H = 3, 4, 24, 16
    random = torch.Generator().manual_seed(0)
    shapes = ((B, T, D), (B, H), (B, H), (4 * H, D), (4 * H, H), (4 * H,), (4 * H,))
    x, h, c, *weights = (torch.randn(shape, generator=random) for shape in shapes)
    with torch.no_grad():
        try:
            found = PackedLSTM(tuple(weights), (T, B, D))(x, h, c)
        except (AttributeError, RuntimeError, TypeError):
            return False
        y, h_n, c_n = torch.lstm(x, (h[None], c[None]), weights, True, 1, 0.0, False, False, True)
        wanted = (y, h_n[0], c_n[0])
        return all(torch.allclose(a, b, atol=1e-5, rtol=1e-5) for a, b in zip(found, wanted, strict=True))

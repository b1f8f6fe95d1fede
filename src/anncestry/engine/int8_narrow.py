"""Products of 8-bit integers on processors that add two of them in 16 bits: AVX2, before VNNI.

There a product of an input of 0 to 255 and a weight of up to 127, added to its neighbour, may not fit, and is
cut off without a word. With weights of up to 63 the largest sum is 2 x 255 x 63 = 32,130, which fits: half a
step more is lost in each weight, and nothing else. The kernel is FBGEMM's, which rounds the input as it reads
it.
"""

import threading
import warnings

import torch

from anncestry.arrays import Float, Tensor
from anncestry.engine.native.activations import activated
from anncestry.engine.native.int8_linear import rounded_rows

_ZERO = 128  # what stands for 0 in the input, which the kernel wants without a sign
_ENGINE = threading.Lock()  # which kernel a weight is laid out for is a setting of the whole process


class NarrowInt8Weight:
    """``f(x weight^T + bias)`` in 8-bit integers, of which the weight's have 7, with the input quantised row
    by row; no gradients.

    The operators are PyTorch's own but not public: `anncestry.engine.int8` tries them out.

    Args:
        weight: (K, D), float32 or bfloat16, on a CPU.
    """

    largest = 63

    def __init__(self, weight: Float[Tensor, "K D"]) -> None:
        integers, scales = rounded_rows(weight.detach().float(), self.largest)
        integers, scales = integers.to(torch.int8), scales.squeeze(1)
        zeros = torch.zeros(len(integers), dtype=torch.long)
        with _ENGINE, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch means to move its quantised tensors elsewhere
            whole = torch._make_per_channel_quantized_tensor(integers, scales.double(), zeros, 0)
            before = torch.backends.quantized.engine
            torch.backends.quantized.engine = "fbgemm"
            try:
                self._blocks = torch.ops.quantized.linear_prepack(whole, None)
            finally:
                torch.backends.quantized.engine = before

    def __call__(
        self, x: Float[Tensor, "*B D"], bias: Float[Tensor, "K"] | None = None, activation: str = "none"
    ) -> Float[Tensor, "*B K"]:
        rows = x.reshape(-1, x.shape[-1]).float()
        if len(rows) == 1:  # one scale for all is one for each row, and the kernel finds it by itself
            product = torch.ops.quantized.linear_dynamic(rows, self._blocks, False)
            product = product if bias is None else product.add_(bias)
        else:
            scales = (rows.abs().amax(1, keepdim=True) / 127).clamp_(min=1e-30)
            product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
                rows / scales, 1.0, _ZERO, self._blocks
            )
            product = product.mul_(scales) if bias is None else torch.addcmul(bias.float(), product, scales)
        return activated(product.to(x.dtype).view(*x.shape[:-1], -1), activation)

"""Which inputs of a sequence an output depends on: the norm of d output_t / d input_s."""

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import UserError
from anncestry.inspection.tensors import tensors_in
from anncestry.layers.recurrent.sequence_network import SequenceNetwork
from anncestry.protocols import outputs_of

PROBES = 8


def influence(
    model: nn.Module, inputs: Tensor, num_probes: int = PROBES, targets: Tensor | None = None
) -> Float[Tensor, "T S"]:
    """The Frobenius norm of d y_t / d x_s for every pair of steps, row t, column s.

    Of a net that is a wiring of sequences, y are the outputs of the top layer (before the readout) and x what
    the lowest layer reads: a series' values, or the embeddings of tokens. Of any other, x is the first that a
    part of it makes of every token (or the series), and y the last that a part of it, or the whole, outputs
    for every step; of an encoder-decoder these are the steps of the target.

    The norm is estimated without bias from products with random signs v, E |J^T v|^2 = |J|^2 (Hutchinson);
    one backward pass for every t serves all of them.

    Args:
        model: a model of sequences; it is put in evaluation mode for a while.
        inputs: one sequence, (1, S), (1, S, D), or (1, S, C) characters.
        targets: (1, T) for an encoder-decoder.

    Raises:
        UserError: the model reads no sequence step by step, or there is more than one sequence.
    """
    if inputs.shape[0] != 1:
        raise UserError("inputs", tuple(inputs.shape), "must be one sequence")
    was_training = model.training
    model.eval()
    try:
        if isinstance(model, SequenceNetwork):
            x, y = _of_wiring(model, inputs, num_probes)
        else:
            x, y = _of_parts(model, inputs, num_probes, targets)
    finally:
        model.train(was_training)
    random = torch.Generator().manual_seed(0)
    rows = []
    for t in range(y.shape[1]):
        signs = torch.randint(0, 2, y[:, t].shape, generator=random).to(y) * 2 - 1
        product = (y[:, t] * signs).sum()
        (gradient,) = torch.autograd.grad(product, x, retain_graph=t + 1 < y.shape[1], allow_unused=True)
        gradient = torch.zeros_like(x) if gradient is None else gradient
        rows.append(gradient.square().sum(2).mean(0).sqrt())
    return torch.stack(rows)


def _of_wiring(
    model: SequenceNetwork, inputs: Tensor, num_probes: int
) -> tuple[Float[Tensor, "P T E"], Float[Tensor, "P T H"]]:
    with torch.no_grad():
        x = model.embedding(inputs).expand(num_probes, *[-1] * (2 if inputs.dim() == 2 else inputs.dim() - 1))
    x = x.contiguous().requires_grad_()
    with torch.enable_grad():
        y, _ = model.wiring(x)
    return x, y


def _of_parts(
    model: nn.Module, inputs: Tensor, num_probes: int, targets: Tensor | None
) -> tuple[Float[Tensor, "P S E"], Float[Tensor, "P T D"]]:
    """What stands at the bottom and at the top of a model that is only observed from outside."""
    copies = inputs.repeat_interleave(num_probes, 0)
    copied = None if targets is None else targets.repeat_interleave(num_probes, 0)
    num_steps = inputs.shape[1] if targets is None else targets.shape[1]
    x = copies.requires_grad_() if copies.is_floating_point() and copies.dim() == 3 else None
    y: Tensor | None = None

    def keep(module: nn.Module, arguments: object, output: object) -> object:
        nonlocal x, y
        found = next((part for part in tensors_in(output) if part.is_floating_point()), None)
        if found is None or found.dim() != 3 or found.shape[0] != num_probes:
            return None
        if x is None and found is output and found.shape[1] == inputs.shape[1]:
            x = found.detach().requires_grad_()
            return x
        if x is not None and found.requires_grad and found.shape[1] == num_steps:
            y = found
        return None

    handles = [module.register_forward_hook(keep) for module in model.modules()]
    try:
        with torch.enable_grad():
            outputs_of(model, copies, targets=copied)
    finally:
        for handle in handles:
            handle.remove()
    if x is None or y is None:
        raise UserError("model", type(model).__name__, "reads no sequence step by step")
    return x, y


def reach(matrix: Float[Tensor, "T T"]) -> float:
    """How many steps back the inputs are that outputs depend on: the mean weighted by influence, over the
    outputs of the later half."""
    T = matrix.shape[0]
    steps = torch.arange(T, dtype=matrix.dtype, device=matrix.device)
    back = (steps[:, None] - steps[None, :]).abs()
    later = matrix[T // 2 :]
    return float(((later * back[T // 2 :]).sum(1) / later.sum(1).clamp(min=1e-12)).mean())

"""Which inputs an output of a recurrent model still depends on: the norm of d output_t / d input_s."""

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import UserError
from anncestry.layers.sequence_network import SequenceNetwork

PROBES = 8


def influence(model: nn.Module, inputs: Tensor, num_probes: int = PROBES) -> Float[Tensor, "T T"]:
    """The Frobenius norm of d y_t / d x_s for every pair of steps, row t, column s.

    y are the outputs of the top layer (before the readout), x what the lowest layer reads: a series' values,
    or the embeddings of tokens. The norm is estimated without bias from products with random signs v,
    E |J^T v|^2 = |J|^2 (Hutchinson); one backward pass for every t serves all of them.

    Args:
        model: a recurrent or temporal convolutional model; it is put in evaluation mode for a while.
        inputs: one sequence, (1, T) or (1, T, D).

    Raises:
        UserError: the model has no wiring of sequences, or there is more than one sequence.
    """
    if not isinstance(model, SequenceNetwork):
        raise UserError("model", type(model).__name__, "reads no sequence step by step")
    if inputs.shape[0] != 1:
        raise UserError("inputs", tuple(inputs.shape), "must be one sequence")
    was_training = model.training
    model.eval()
    with torch.no_grad():
        x = model.embedding(inputs).expand(num_probes, *[-1] * (2 if inputs.dim() == 2 else inputs.dim() - 1))
    x = x.contiguous().requires_grad_()
    with torch.enable_grad():
        y, _ = model.wiring(x)
    random = torch.Generator().manual_seed(0)
    rows = []
    for t in range(y.shape[1]):
        signs = torch.randint(0, 2, y[:, t].shape, generator=random).to(y) * 2 - 1
        (gradient,) = torch.autograd.grad((y[:, t] * signs).sum(), x, retain_graph=t + 1 < y.shape[1])
        rows.append(gradient.square().sum(2).mean(0).sqrt())
    model.train(was_training)
    return torch.stack(rows)


def reach(matrix: Float[Tensor, "T T"]) -> float:
    """How many steps back the outputs of the later half look on average, weighted by influence."""
    T = matrix.shape[0]
    steps = torch.arange(T, dtype=matrix.dtype, device=matrix.device)
    back = (steps[:, None] - steps[None, :]).abs()
    later = matrix[T // 2 :]
    return float(((later * back[T // 2 :]).sum(1) / later.sum(1).clamp(min=1e-12)).mean())

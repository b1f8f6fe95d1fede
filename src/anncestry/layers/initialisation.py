"""What weights start from: the distributions of the papers.

A module sets its own start in ``reset_parameters``, as PyTorch's do; the functions here fill one weight, or
all weights of a model.
"""

import math

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.errors import UserError

INITIALISATIONS = ("lecun", "glorot", "he", "heuristic")


def initialise(weight: Tensor, scheme: str, negative_slope: float = 0.0) -> None:
    """Fill ``weight`` (fan_out, fan_in, *kernel) uniformly with the variance of the scheme.

    ========== ============================ ===========================================
    scheme     variance                     source
    ========== ============================ ===========================================
    lecun      1 / fan_in                   LeCun et al. 1998
    glorot     2 / (fan_in + fan_out)       Glorot & Bengio 2010, equation 16
    he         2 / ((1 + a^2) fan_in)       He et al. 2015 (1502.01852), equation 15
    heuristic  1 / (3 fan_in)               what Glorot & Bengio argue against, and
                                            what ``torch.nn.Linear`` does
    ========== ============================ ===========================================
    """
    receptive = math.prod(weight.shape[2:])
    fan_out, fan_in = weight.shape[0] * receptive, weight.shape[1] * receptive
    variances = {
        "lecun": 1 / fan_in,
        "glorot": 2 / (fan_in + fan_out),
        "he": 2 / ((1 + negative_slope**2) * fan_in),
        "heuristic": 1 / (3 * fan_in),
    }
    if scheme not in variances:
        raise UserError("init", scheme, "is not known", INITIALISATIONS)
    bound = math.sqrt(3 * variances[scheme])
    nn.init.uniform_(weight, -bound, bound)


def initialise_he_fan_out(model: nn.Module) -> None:
    """Convolutions from N(0, 2 / (F F K)), normalisation at 1 and 0, biases at 0.

    Source: He et al., 1502.01852, equation 14: what keeps the variance of the gradient. Every published
    ResNet and DenseNet starts so.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = math.prod(module.kernel_size) * module.out_channels
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def initialise_he(model: nn.Module, last: nn.Conv2d | nn.Linear) -> None:
    """Weights from N(0, 2 / fan-in), biases at 0; the ``last`` layer's from N(0, 0.01^2).

    Source: He et al., 1502.01852, equation 10: what keeps the variance through ReLUs. No ReLU follows the
    last layer: a small start leaves the first outputs near zero.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.normal_(last.weight, std=0.01)


def initialise_as_published(model: nn.Module, recurrent: tuple[str, ...], tiny: tuple[str, ...] = ()) -> None:
    """Weights from N(0, 0.01^2), biases at 0; those that recur orthogonal, gate by gate.

    Sources: Cho et al., 1406.1078, section 4.1; Bahdanau et al., 1409.0473, appendix B.1.

    Args:
        recurrent: how the names of square matrices end that multiply a state.
        tiny: how the names of those end that start from N(0, 0.001^2).
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() < 2:
                parameter.zero_()
            elif name.endswith(recurrent):
                for gate in parameter.split(parameter.shape[1]):
                    nn.init.orthogonal_(gate)
            else:
                parameter.normal_(std=0.001 if name.endswith(tiny) else 0.01)


def initialise_coding(model: nn.Module, last: nn.Module) -> None:
    """Weights from N(0, 2 / n), n the inputs that meet in one output, and N(0, 1 / n) in the ``last`` layer.

    Biases start at 0. Of a transposed convolution with stride S only 1 in S^2 weights of a kernel meets an
    output.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            stride = math.prod(module.stride) if isinstance(module, nn.ConvTranspose2d) else 1
            meeting = module.in_channels * math.prod(module.kernel_size) / stride
        elif isinstance(module, nn.Linear):
            meeting = module.in_features
        else:
            continue
        nn.init.normal_(module.weight, std=math.sqrt((1 if module is last else 2) / meeting))
        assert module.bias is not None
        nn.init.zeros_(module.bias)


def initialise_identity(convolution: nn.Conv2d, maps: int) -> None:
    """Hand every map on as it is; where the number of maps changes, means of neighbours.

    Source: Yu & Koltun, 1511.07122, equation 4, and 5 with its small noise where there is more than ``maps``
    to tell apart.
    """
    weight = convolution.weight
    out_channels, in_channels, height, width = weight.shape
    share = maps / out_channels
    nn.init.normal_(weight, std=0.0 if out_channels == in_channels == maps else 0.01 * share)
    group_out = torch.arange(out_channels, device=weight.device) * maps // out_channels
    group_in = torch.arange(in_channels, device=weight.device) * maps // in_channels
    with torch.no_grad():
        weight[:, :, height // 2, width // 2] += share * (group_out[:, None] == group_in)

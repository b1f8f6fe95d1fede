"""The convolutional network: small kernels that are the same everywhere, then coarser and coarser images.

Paper: Y. LeCun et al., "Backpropagation applied to handwritten zip code recognition", Neural Computation
1(4) (1989). The pattern language is that of the Stanford course CS231n.

    INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC

    a[k, y, x] = b[k] + sum_{c, i, j} W[k, c, i, j] h[c, y + i, x + j]

A CONV of F x F kernels from D to K channels has F F D K + K parameters, whatever the size of the image.

Later nets in one line each, with what they brought (for images of 8 x 8 and more; widths as you like):

    LeNet-5, 1998: windows averaged, then fully connected layers

    INPUT -> CONV5-6 -> TANH -> AVGPOOL2 -> CONV5-16 -> TANH -> AVGPOOL2 -> [FC-84 -> TANH]*K -> FC

    AlexNet, 2012: windows that overlap

    INPUT -> CONV5-32 -> RELU -> POOL3/2 -> CONV3-64 -> RELU -> POOL3/2 -> DROPOUT -> FC-128 -> RELU -> FC

    all convolutional, 2014: strides in place of pooling, one average at the end

    INPUT -> [[CONV3 -> RELU]*2 -> CONV3/2 -> RELU]*2 -> CONV3 -> RELU -> CONV1 -> RELU -> GAP -> FC

    factorised, 2015: 6 C C weights in place of 9 C C, and the same field

    INPUT -> [CONV1x3 -> CONV3x1 -> NORM -> RELU -> POOL]*2 -> GAP -> FC

    bottleneck, 2015: 3 x 3 between 1 x 1 down to a quarter and up again; 17/16 C C weights, two 3 x 3 18 C C

    INPUT -> CONV-64 -> [RELU -> CONV1-16 -> RELU -> CONV3-16 -> RELU -> CONV1-64 -> NORM]*2 -> GAP -> FC

    dilated, 2015: a field of 15 x 15 in three layers, at full resolution

    INPUT -> CONV3 -> RELU -> CONV3:2 -> RELU -> CONV3:4 -> RELU -> GAP -> FC

The mean over a map and a linear layer commute, so ``GAP -> FC`` is also the all-convolutional net whose last
layer is a 1 x 1 convolution with one channel for each class. There are no shortcuts in this language: that
is what ResNet and DenseNet added.

Differs from the MLP: the first layers are not dense; units see a window, and share their weights.

Departures from the paper: pooling layers where the net of 1989 takes every second position (CONV5/2 in a
pattern does); every channel reads all channels below, not a hand-made table of some; ReLU with He's
initialisation and cross-entropy by default (``LeNet`` presets: tanh and LeCun's initialisation).
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.dropout import Dropout
from anncestry.layers.images.config import ImageConfig, problem
from anncestry.layers.images.pattern import PlannedLayer, parse_pattern, plan
from anncestry.layers.initialisation import INITIALISATIONS, initialise
from anncestry.rules import Count, Rate, Size, one_of
from anncestry.signature import Signature

PATTERN = "INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC"


@dataclass(frozen=True, kw_only=True)
class CNNConfig(ImageConfig):
    """A pattern, and the sizes it leaves open.

    Attributes:
        pattern: the layers, in the language of `anncestry.layers.images.pattern`.
        num_convs: what N stands for.
        num_blocks: what M stands for.
        num_hidden: what K stands for.
        pool: whether what is marked ``?`` is there.
        channels: of a CONV without a number, until the first POOL or stride; doubled behind each of them.
        hidden_size: units of an FC without a number, but for the last one.
        kernel_size: of a CONV without a number.
        padding: ``same`` keeps height and width through a CONV of stride 1 (odd kernels), ``valid`` stays
            inside the image; POOL and AVGPOOL always do.
        init: ``lecun``, ``glorot``, ``he`` or ``heuristic``; biases start at zero.
        dropout: probability of zeroing in a DROPOUT layer; without one in the pattern it does nothing.
    """

    pattern: str = PATTERN
    num_convs: Count = 1
    num_blocks: Count = 2
    num_hidden: Count = 1
    pool: bool = True
    channels: Size = 16
    hidden_size: Size = 64
    kernel_size: Size = 3
    padding: Annotated[str, one_of(("same", "valid"))] = "same"
    init: Annotated[str, one_of(INITIALISATIONS)] = "he"
    dropout: Rate = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.layers()  # the pattern has a grammar of its own

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """The config for a data set; ``width`` sets the channels, and the hidden units to four times that."""
        channels = width or 16
        fields = {
            "channels": channels,
            "hidden_size": 4 * channels,
        }
        return cls(**{**problem(signature), **fields, **overrides})

    def layers(self) -> tuple[PlannedLayer, ...]:
        """Every layer with its shapes; a `UserError` where the pattern or the image does not allow it."""
        counts = {"N": self.num_convs, "M": self.num_blocks, "K": self.num_hidden}
        return plan(
            parse_pattern(self.pattern, counts, self.pool),
            self.input_shape,
            self.output_size,
            channels=self.channels,
            hidden_size=self.hidden_size,
            kernel_size=self.kernel_size,
            padded=self.padding == "same",
        )


class Norm(nn.BatchNorm2d):
    """Batch normalisation of maps (B, C, H, W) or units (B, C). A batch that holds a single value for each
    channel has no deviation: that of the training so far is taken."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Both shapes are right."""

    def forward(self, input: Tensor) -> Tensor:
        if self.training and input.numel() == self.num_features:
            seen = (self.running_mean, self.running_var, self.weight, self.bias)
            return nn.functional.batch_norm(input, *seen, eps=self.eps)
        return super().forward(input)


class CNN(nn.Module):
    """The layers of the pattern, one after the other."""

    def __init__(self, config: CNNConfig) -> None:
        super().__init__()
        self.config = config
        modules: list[nn.Module] = []
        for layer in config.layers():
            if layer.name == "FC" and len(layer.in_shape) == 3:
                modules.append(nn.Flatten())
            if layer.name != "INPUT":
                modules.append(self._module(layer))
        self.layers = nn.Sequential(*modules)
        for name, parameter in self.named_parameters():
            if not name.endswith("weight"):
                nn.init.zeros_(parameter)
            elif parameter.dim() > 1:  # the gain of a normalisation is 1
                initialise(parameter, config.init)
        # No ReLU follows the last layer, and max-pooling has raised what it reads: at He's variance the
        # first outputs would be far from undecided (a loss 3.0 nats above ln K, against 0.7 at this one).
        last = self.layers[-1]
        assert isinstance(last, nn.Linear), "a pattern ends with FC"
        initialise(last.weight, "heuristic")

    def _module(self, layer: PlannedLayer) -> nn.Module:
        match layer.name:
            case "CONV":
                channels = (layer.in_shape[0], layer.out_shape[0])
                where = (layer.stride, layer.padding, layer.dilation)
                return nn.Conv2d(*channels, layer.size, *where, bias=layer.bias)
            case "FC":
                return nn.Linear(math.prod(layer.in_shape), layer.out_shape[0], bias=layer.bias)
            case "POOL":
                return nn.MaxPool2d(layer.size, layer.stride)
            case "AVGPOOL":
                return nn.AvgPool2d(layer.size, layer.stride)
            case "GAP":
                return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            case "NORM":
                return Norm(layer.in_shape[0])
            case "DROPOUT":
                return Dropout(self.config.dropout)
            case "TANH":
                return nn.Tanh()
            case "SIGMOID":
                return nn.Sigmoid()
            case _:
                return nn.ReLU()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """The logits of each image: (B, C, H, W) -> (B, K); of regression the values."""
        return self.layers(x)

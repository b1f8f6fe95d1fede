"""The convolutional network: small kernels that are the same everywhere, then coarser and coarser images.

Paper: Y. LeCun et al., "Backpropagation applied to handwritten zip code recognition", Neural Computation
1(4) (1989). The pattern language is that of the Stanford course CS231n.

    INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC

    a[k, y, x] = b[k] + sum_{c, i, j} W[k, c, i, j] h[c, y + i, x + j]

A CONV of F x F kernels from D to K channels has F F D K + K parameters, whatever the size of the image.

Differs from the MLP: the first layers are not dense; units see a window, and share their weights.

Departures from the paper: pooling layers where the net of 1989 takes every second place; every channel
reads all channels below, not a hand-made table of some; ReLU with He's initialisation and cross-entropy
by default (``LeNet`` presets: tanh and LeCun's initialisation).
"""

import math
from dataclasses import dataclass
from typing import Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.errors import require
from anncestry.layers.convolution import PlannedLayer, parse_pattern, plan
from anncestry.layers.feed_forward import INITIALISATIONS, initialise
from anncestry.layers.image_network import ImageConfig, problem
from anncestry.signature import Signature

PATTERN = "INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC"


@dataclass(frozen=True, kw_only=True)
class CNNConfig(ImageConfig):
    """A pattern, and the sizes it leaves open.

    Attributes:
        pattern: the layers, in the language of `anncestry.layers.convolution`.
        num_convs: what N stands for.
        num_blocks: what M stands for.
        num_hidden: what K stands for.
        pool: whether what is marked ``?`` is there.
        channels: of a CONV without a number, until the first pooling layer; doubled by each of them.
        hidden_size: units of an FC without a number, but for the last one.
        kernel_size: of a CONV without a number.
        padding: ``same`` keeps height and width through a CONV (odd kernels), ``valid`` stays inside.
        init: ``lecun``, ``glorot``, ``he`` or ``heuristic``; biases start at zero.
        dropout: probability of zeroing in a DROPOUT layer; without one in the pattern it does nothing.
    """

    pattern: str = PATTERN
    num_convs: int = 1
    num_blocks: int = 2
    num_hidden: int = 1
    pool: bool = True
    channels: int = 16
    hidden_size: int = 64
    kernel_size: int = 3
    padding: str = "same"
    init: str = "he"
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_convs", "num_blocks", "num_hidden"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "must not be negative")
        self.check_positive("channels", "hidden_size", "kernel_size")
        paddings = ("same", "valid")
        require(self.padding in paddings, "padding", self.padding, "must be one of", paddings)
        require(self.init in INITIALISATIONS, "init", self.init, "must be one of", INITIALISATIONS)
        self.check_dropout()
        self.layers()

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
            if name.endswith("weight"):
                initialise(parameter, config.init)
            else:
                nn.init.zeros_(parameter)
        # No ReLU follows the last layer, and max-pooling has raised what it reads: at He's variance the
        # first answers would be far from undecided (a loss 3.0 nats above ln K, against 0.7 at this one).
        last = self.layers[-1]
        assert isinstance(last, nn.Linear), "a pattern ends with FC"
        initialise(last.weight, "heuristic")

    def _module(self, layer: PlannedLayer) -> nn.Module:
        match layer.name:
            case "CONV":
                padding = layer.size // 2 if self.config.padding == "same" else 0
                return nn.Conv2d(layer.in_shape[0], layer.out_shape[0], layer.size, padding=padding)
            case "FC":
                return nn.Linear(math.prod(layer.in_shape), layer.out_shape[0])
            case "POOL":
                return nn.MaxPool2d(layer.size)
            case "AVGPOOL":
                return nn.AvgPool2d(layer.size)
            case "DROPOUT":
                return nn.Dropout(self.config.dropout)
            case "TANH":
                return nn.Tanh()
            case "SIGMOID":
                return nn.Sigmoid()
            case _:
                return nn.ReLU()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        return self.layers(x)

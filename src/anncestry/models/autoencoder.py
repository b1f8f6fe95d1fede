"""The convolutional autoencoder: an image through a bottleneck of a few numbers, and back.

Papers: D. Rumelhart, G. Hinton & R. Williams, "Learning internal representations by error propagation", in
Parallel Distributed Processing 1 (1986): a net whose target is its input. J. Masci, U. Meier, D. Cireşan &
J. Schmidhuber, "Stacked convolutional auto-encoders for hierarchical feature extraction", ICANN (2011): the
same with convolutions, equations 4 and 5.

    code = encoder(x)        x' = decoder(code)        to be small: sum over pixels of (x' - x)^2 / 2

Differs from the convolutional network: no classes; behind the code the layers run backwards.

Departures from the paper: all layers learn at once, not one after the other; the way back has weights of its
own, where the paper's are those of the way down, mirrored; ReLU for tanh; the code is a dense layer; strides
unless ``coarser`` says ``pool``, which the paper has.
"""

from dataclasses import dataclass

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.images.autoencoding import Decoder, Encoder, ImageCodingConfig
from anncestry.protocols import Reconstruction


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(ImageCodingConfig):
    """Sizes of an autoencoder; see `ImageCodingConfig`."""


class Autoencoder(nn.Module):
    """Code and draw again."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config, config.code_size)
        self.decoder = Decoder(config)

    def encode(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B Z"]:
        """The code of each image."""
        return self.encoder(x)

    def decode(self, z: Float[Tensor, "B Z"]) -> Float[Tensor, "B C H W"]:
        """The image of each code."""
        return self.decoder(z)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """A `Reconstruction`, joined: images (B, C, H, W) -> (B, K = C H W)."""
        return Reconstruction(self.decode(self.encode(x)).flatten(1)).joined()

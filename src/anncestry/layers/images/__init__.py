"""Layers of networks that read or draw images."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.layers.images.autoencoding import Decoder, Encoder, NormalSample
    from anncestry.layers.images.config import ImageConfig
    from anncestry.layers.images.pattern import parse_pattern, plan

__all__ = ["Decoder", "Encoder", "ImageConfig", "NormalSample", "parse_pattern", "plan"]
__getattr__, __dir__ = hand_on(__name__)

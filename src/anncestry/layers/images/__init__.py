"""Layers of networks that read or draw images."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.layers.images.autoencoding import Decoder, Encoder, NormalSample
    from anncestry.layers.images.config import ImageConfig
    from anncestry.layers.images.dense_block import dense_block
    from anncestry.layers.images.pattern import parse_pattern, plan

__all__ = ["Decoder", "Encoder", "ImageConfig", "NormalSample", "dense_block", "parse_pattern", "plan"]
__getattr__, __dir__ = hand_on(__name__)

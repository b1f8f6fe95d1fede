"""What models are made of."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.layers.activations import activation
    from anncestry.layers.character_encoder import CharacterEncoder
    from anncestry.layers.initialisation import initialise
    from anncestry.layers.linear import Linear, TiedReadout
    from anncestry.layers.online import OnlineLinear
    from anncestry.layers.scalar_mix import ScalarMix

__all__ = [
    "CharacterEncoder",
    "Linear",
    "OnlineLinear",
    "ScalarMix",
    "TiedReadout",
    "activation",
    "initialise",
]
__getattr__, __dir__ = hand_on(__name__)

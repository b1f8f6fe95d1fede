"""Recurrent networks and multi-layer perceptrons of Keras, both ways."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.checkpoints.converters.keras.configuration import KerasModel, read_model
    from anncestry.checkpoints.converters.keras.weights import from_keras, to_keras

__all__ = ["KerasModel", "from_keras", "read_model", "to_keras"]
__getattr__, __dir__ = hand_on(__name__)

"""How a model is executed on the machine at hand, with a plain path beside everything that is fast."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.engine.layout import lay_out
    from anncestry.engine.packed import PackedWeight
    from anncestry.engine.precision import fast_float32
    from anncestry.engine.prediction import Prediction, inference
    from anncestry.engine.weight_cache import caching_weights
    from anncestry.engine.workers import shared_out, side_by_side

__all__ = [
    "PackedWeight",
    "Prediction",
    "caching_weights",
    "fast_float32",
    "inference",
    "lay_out",
    "shared_out",
    "side_by_side",
]
__getattr__, __dir__ = hand_on(__name__)

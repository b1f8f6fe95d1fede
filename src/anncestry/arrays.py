"""The axis letters used in every signature, and the tensor annotations that carry them.

====  =========================  ====  =========================
B     batch                      H     hidden units (or height, in images)
T     time steps                 G     gates times hidden units
D     input features             V     vocabulary
C     channels (images)          K     classes, targets or outputs
W     width (images)             L     layers
====  =========================  ====  =========================

Images are ``B C H W``, sequences are batch first (``B T D``), tokens are ``B T``. Masks are boolean and
True means visible. Shapes are checked at run time only under ``pytest --shapes``.
"""

from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

__all__ = ["Bool", "Float", "Int", "Shaped", "Tensor"]

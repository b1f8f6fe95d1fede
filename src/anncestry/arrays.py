"""The axis letters used in every signature, and the tensor annotations that carry them.

====  =====================================  ====  ========================================
B     batch: examples or sequences           T     time steps, tokens; queries of attention
N     examples, texts or sources in all      S     source positions; keys of attention
M     a selection of them, or of tokens      P     positions so far, or distances
R     hypotheses of all sources: N k rows    h     attention heads
k     hypotheses (or steps) of one source    d     features of a head
D     features of an input, a Transformer    V     vocabulary
E     features of an embedding               K     classes, targets, outputs, new channels
H     hidden units; beside W: image height   L     layers
G     gates times hidden units               A     hidden units of an alignment
C     channels                               Z     codes of an autoencoder
W     image width                            F     side of a convolution's kernel
====  =====================================  ====  ========================================

A letter with a digit is another size of its kind (``H2``: 2 H units, or a smaller image's height); an axis
without a letter is spelt out (``"N words"``); ``_`` is of any size, ``...`` any axes. A test reads every
annotation against `AXES`.

Images are ``B C H W``, sequences are batch first (``B T D``), tokens are ``B T``. Masks are boolean and
True means visible. Shapes are checked at run time only under ``pytest --shapes``.
"""

from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

__all__ = ["AXES", "Bool", "Float", "Int", "Shaped", "Tensor"]

AXES = frozenset("BNMRkDEHGCWTSPhdVKLAZF")
"""The letters of the legend above."""

"""Which peers are installed, and in which precisions this processor can be asked.

A peer is imported where it is asked to run, so that one that is missing is a line of the table and no error.
"""

import sys
from importlib.util import find_spec
from typing import NamedTuple

from anncestry.engine.int8 import int8_kind
from anncestry.engine.prediction import bfloat16_is_faster

NAMES = {
    "ctranslate2": "CTranslate2",
    "onnxruntime": "ONNX Runtime",
    "transformers": "transformers",
    "sentence_transformers": "sentence-transformers",
}
"""Of a module: how its program is called."""

SHOWN = {"32": "float32", "bf16": "bfloat16", "int8": "int8"}
"""How a precision of `Prediction` is called in a table."""


class Field(NamedTuple):
    """Who can run here.

    Attributes:
        there: modules of peers that are installed.
        precisions: of `Prediction`, that this processor has.
        unmeasured: a line on each that is missing.
    """

    there: frozenset[str]
    precisions: tuple[str, ...]
    unmeasured: list[str]


def look_around(*modules: str, precisions: tuple[str, ...] = ("32", "bf16", "int8")) -> Field:
    """Which of these peers and precisions can run here."""
    there = frozenset(module for module in modules if is_installed(module))
    lines = [f"{NAMES.get(m, m)} is not installed, so it was not run." for m in modules if m not in there]
    reasons = {}
    if not bfloat16_is_faster():
        reasons["bf16"] = "bfloat16 is slower than float32 on this processor"
    if int8_kind() is None:
        reasons["int8"] = "this processor or PyTorch has no products of 8-bit integers"
    lines += [f"{SHOWN[p]}: unmeasured here: {reasons[p]}." for p in precisions if p in reasons]
    return Field(there, tuple(p for p in precisions if p not in reasons), lines)


def is_installed(module: str) -> bool:
    """Whether a module could be imported; nothing is."""
    return module in sys.modules or find_spec(module) is not None

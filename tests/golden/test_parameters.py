"""The names and shapes of all parameters and buffers that are saved, as checked-in text.

A difference means that weights saved yesterday do not load today. Where that is meant, write the file
anew with

    UPDATE_GOLDEN=1 python -m pytest tests/golden

and say in the changelog what happens to saved weights.
"""

import difflib
import os
from pathlib import Path

import torch

from anncestry.inspection.conformance import tiny_signature
from anncestry.timeline import TIMELINE

GOLDEN = Path(__file__).with_name("parameters.txt")


def described() -> str:
    """One block per architecture, for the first learning problem it fits, at width 8."""
    lines = []
    for architecture in TIMELINE:
        inputs, task = min(architecture.fits)
        width = 8 if architecture.has_width else None
        with torch.device("meta"):
            model = architecture.build(architecture.configure(tiny_signature(inputs, task), width=width))
        lines.append(f"{architecture.id} ({inputs}, {task})")
        for name, value in model.state_dict().items():
            kind = str(value.dtype).removeprefix("torch.")
            lines.append(f"  {name} {kind} {'x'.join(map(str, value.shape)) or 'scalar'}")
    return "\n".join(lines) + "\n"


def test_parameters_are_named_and_shaped_as_ever():
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(described(), encoding="utf-8")
    known, now = GOLDEN.read_text(encoding="utf-8").splitlines(), described().splitlines()
    difference = "\n".join(difflib.unified_diff(known, now, "checked in", "now", lineterm="", n=1))
    assert not difference, f"saved weights no longer fit; if that is meant: {__doc__}\n{difference}"

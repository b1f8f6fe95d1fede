"""The family tree of artificial neural networks, alive.

    import anncestry

    model = anncestry.create("lstm", input_size=10, hidden_size=20, output_size=5)
    run = anncestry.load("runs/lstm-digits")
    anncestry.check_model(model)

Names are imported when they are first used, so ``import anncestry`` alone loads no torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

from anncestry.version import __version__

if TYPE_CHECKING:
    from anncestry import timeline
    from anncestry.data import DataOptions, load_data
    from anncestry.errors import UserError
    from anncestry.inference.embedding import embed
    from anncestry.inspection.conformance import check_model
    from anncestry.inspection.costs import costs
    from anncestry.models.create import create
    from anncestry.race.compare import compare
    from anncestry.runs.run import Run, load
    from anncestry.signature import Signature
    from anncestry.timeline import TIMELINE
    from anncestry.training.settings import TrainingSettings
    from anncestry.training.train import train

_HOMES = {
    "check_model": "anncestry.inspection.conformance",
    "compare": "anncestry.race.compare",
    "costs": "anncestry.inspection.costs",
    "create": "anncestry.models.create",
    "embed": "anncestry.inference.embedding",
    "load": "anncestry.runs.run",
    "load_data": "anncestry.data",
    "DataOptions": "anncestry.data",
    "Run": "anncestry.runs.run",
    "TrainingSettings": "anncestry.training.settings",
    "timeline": "anncestry.timeline",
    "train": "anncestry.training.train",
    "Signature": "anncestry.signature",
    "UserError": "anncestry.errors",
    "TIMELINE": "anncestry.timeline",
}
__all__ = [
    "TIMELINE",
    "DataOptions",
    "Run",
    "Signature",
    "TrainingSettings",
    "UserError",
    "__version__",
    "check_model",
    "compare",
    "costs",
    "create",
    "embed",
    "load",
    "load_data",
    "timeline",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'anncestry' has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    return home if name == "timeline" else getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)

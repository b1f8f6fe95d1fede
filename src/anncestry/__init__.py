"""The family tree of artificial neural networks, alive.

    import anncestry

    model = anncestry.create("lstm", input_size=10, hidden_size=20, output_size=5)
    run = anncestry.load("runs/lstm-digits")
    anncestry.check_model(model)

Names are imported when they are first used, so ``import anncestry`` alone loads no torch.
"""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on
from anncestry.version import __version__

if TYPE_CHECKING:
    from anncestry import timeline
    from anncestry.data import DataOptions, load_data
    from anncestry.decoding import Search
    from anncestry.drawings.history import log
    from anncestry.errors import UserError
    from anncestry.inspection.conformance import check_model
    from anncestry.inspection.costs import costs
    from anncestry.models.create import create
    from anncestry.race.compare import compare
    from anncestry.runs.overview import diff, summary
    from anncestry.runs.run import Run, embed, load
    from anncestry.signature import Signature
    from anncestry.timeline import TIMELINE
    from anncestry.training.settings import TrainingSettings
    from anncestry.training.train import train

__all__ = [
    "TIMELINE",
    "DataOptions",
    "Run",
    "Search",
    "Signature",
    "TrainingSettings",
    "UserError",
    "__version__",
    "check_model",
    "compare",
    "costs",
    "create",
    "diff",
    "embed",
    "load",
    "load_data",
    "log",
    "summary",
    "timeline",
    "train",
]
__getattr__, __dir__ = hand_on(__name__)

"""The loop: one for every architecture, on Lightning Fabric."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.training.history import History
    from anncestry.training.outcome import Diverged, Fit, Progress
    from anncestry.training.settings import TrainingSettings
    from anncestry.training.train import recipe, resume

__all__ = ["Diverged", "Fit", "History", "Progress", "TrainingSettings", "recipe", "resume"]
__getattr__, __dir__ = hand_on(__name__)

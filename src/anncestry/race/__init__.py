"""The race: every architecture that fits the data under an equal budget, with baselines, ranked with its
uncertainty."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.race.budget import Budget
    from anncestry.race.compare import resume
    from anncestry.race.results import Results
    from anncestry.race.running import Moment, Unwritten

__all__ = ["Budget", "Moment", "Results", "Unwritten", "resume"]
__getattr__, __dir__ = hand_on(__name__)

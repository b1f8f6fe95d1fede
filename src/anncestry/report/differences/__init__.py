"""What sets two models apart, on a terminal."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.report.differences.behaviour import print_behaviour
    from anncestry.report.differences.summary import print_differences

__all__ = ["print_behaviour", "print_differences"]
__getattr__, __dir__ = hand_on(__name__)

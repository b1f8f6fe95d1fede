"""This project beside its peers on this machine: the work that is timed, by whom, and how it is timed fairly.

Listing the rows imports no torch; each is set up and run in a process of its own.
"""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.bench.catalogue import PARTS, ROWS, Row, select
    from anncestry.bench.running import run_bench

__all__ = ["PARTS", "ROWS", "Row", "run_bench", "select"]
__getattr__, __dir__ = hand_on(__name__)

"""Options that a beam search heeds and greedy search does not."""

from collections.abc import Mapping
from typing import Any

from anncestry.cli.given import flag
from anncestry.errors import UserError

OF_BEAMS = ("alpha", "unfinished")
_WHAT = {
    "alpha": "is the length penalty of a beam search; give --beam too",
    "unfinished": "orders the texts of a beam search; give --beam too",
}


def check_no_beams(told: Mapping[str, Any]) -> None:
    """Raise `UserError` where greedy search was told how beams are ranked."""
    for name in OF_BEAMS:
        if name in told:
            raise UserError(flag(name), told[name], _WHAT[name])

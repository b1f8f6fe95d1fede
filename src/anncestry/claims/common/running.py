"""Running claims one by one; what is done is on disk, whatever happens to the rest."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from anncestry.claims.common import records
from anncestry.claims.common.claim import Claim, Evidence
from anncestry.runs.folder import make_folder

Watch = Callable[[int, Claim, Evidence | None], None]
"""Called with a claim's number, from 1, before it is run and again with its evidence."""


class Checked(NamedTuple):
    """What was measured.

    Attributes:
        results: each claim that was run, with its evidence.
        interrupted: whether a person stopped before the last one.
    """

    results: list[records.Result]
    interrupted: bool


def run_claims(claims: Sequence[Claim], folder: Path, seed: int = 0, watch: Watch | None = None) -> Checked:
    """Run the experiments of claims, and write what is known after each; Ctrl-C ends them early.

    Args:
        folder: gets claims.html, claims.json, claims.md and one picture per claim.
        seed: the first of the seeds that the experiments use.
        watch: see `Watch`.

    Raises:
        UserError: the folder cannot be made, or a file not be written.
    """
    make_folder(folder)
    results: list[records.Result] = []
    try:
        for number, claim in enumerate(claims, 1):
            if watch is not None:
                watch(number, claim, None)
            evidence = claim.run(seed)
            results.append((claim, evidence))
            records.write(folder, results, seed)
            if watch is not None:
                watch(number, claim, evidence)
    except KeyboardInterrupt:
        if results:  # it may have come in the middle of writing
            records.write(folder, results, seed)
        return Checked(results, interrupted=True)
    return Checked(results, interrupted=False)

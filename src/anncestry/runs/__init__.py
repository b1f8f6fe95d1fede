"""Run folders: what training writes and everything else reads."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.runs.evaluation import Evaluation
    from anncestry.runs.exports import export_run
    from anncestry.runs.folder import RunFolder
    from anncestry.runs.imported import write_import
    from anncestry.runs.overview import diff, summary
    from anncestry.runs.run import Run, load

__all__ = ["Evaluation", "Run", "RunFolder", "diff", "export_run", "load", "summary", "write_import"]
__getattr__, __dir__ = hand_on(__name__)

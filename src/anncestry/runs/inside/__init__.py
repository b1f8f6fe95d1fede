"""Inside a run at work, as one HTML page: hidden states and gates, feature maps, attention heads.

`inspect_run` makes the page of any run that has one. Nothing here imports `anncestry.runs.run`, so that
`Run.inspect` can call it.
"""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from anncestry.runs.inside.alignments import alignment_page
    from anncestry.runs.inside.inspecting import inspect_run, kind_of_page
    from anncestry.runs.inside.options import InspectOptions
    from anncestry.runs.inside.reconstructions import reconstruction_page

__all__ = ["InspectOptions", "alignment_page", "inspect_run", "kind_of_page", "reconstruction_page"]
__getattr__, __dir__ = hand_on(__name__)

"""Under which titles ``--help`` shows the options of a command.

A field of a command's ``Arguments`` names its group in its type: ``Annotated[Path | None, OUTPUT]``. The
options of the data are grouped by kind, as the catalogue of sources says. Imports no torch.
"""

from dataclasses import dataclass

from anncestry.data.sources.catalogue import OPTION_KINDS


@dataclass(frozen=True)
class Group:
    """A group of options in the help of a command."""

    title: str


INPUT = Group("input")
DATA = Group("data")
MODEL = Group("model")
OPTIMIZATION = Group("optimization")
BUDGET = Group("budget")
GENERATION = Group("generation")
SEARCH = Group("beam search")
MACHINE = Group("machine")
OUTPUT = Group("output")
OTHER = Group("options")
OF_KINDS = {kind: Group(f"data: {kind}") for kind in OPTION_KINDS}
_NET = (MODEL, OPTIMIZATION, BUDGET, GENERATION, SEARCH)
ORDER = (INPUT, DATA, *OF_KINDS.values(), *_NET, OTHER, MACHINE, OUTPUT)
"""How the groups follow each other, where a command has them."""

_OF_TRAINING = {
    BUDGET: ("epochs", "max_steps", "max_seconds", "patience", "evaluations", "select"),
    MACHINE: ("accumulate", "precision", "compile", "save_seconds", "devices", "accelerator"),
    OF_KINDS["images"]: ("augment",),
}


_OF_PREDICTION = {SEARCH: ("beam", "n_best", "alpha", "unfinished"), OUTPUT: ("alignments", "out")}


def group_of_prediction(option: str) -> Group:
    """The group of a field of `PredictOptions`."""
    return next((group for group, options in _OF_PREDICTION.items() if option in options), GENERATION)


def group_of_data(option: str) -> Group:
    """The group of a field of `DataOptions`: its kind of data, or all of them."""
    kinds = (kind for kind, options in OPTION_KINDS.items() if option in options)
    kind = next(kinds, None)
    return DATA if kind is None else OF_KINDS[kind]


def group_of_training(option: str) -> Group:
    """The group of a field of `TrainingSettings`."""
    return next((group for group, options in _OF_TRAINING.items() if option in options), OPTIMIZATION)

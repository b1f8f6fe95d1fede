"""The one ordered catalogue of architectures. Everything that speaks of "all of them" reads `TIMELINE`.

Entries are plain data and name their classes as text, so that listing the family imports no torch.
"""

from typing import Any

from anncestry.errors import UserError, nearest
from anncestry.timeline.architecture import Architecture, Departure, Preset, check_fields
from anncestry.timeline.branches.bert_forks import BERT_FORKS
from anncestry.timeline.branches.beyond_bert import BEYOND_BERT
from anncestry.timeline.branches.cells import CELL_ENTRIES
from anncestry.timeline.branches.convolutional import CONVOLUTIONAL
from anncestry.timeline.branches.dilated import DILATED
from anncestry.timeline.branches.feed_forward import FEED_FORWARD, FIRST_CONVOLUTIONAL
from anncestry.timeline.branches.generative import GENERATIVE
from anncestry.timeline.branches.lean_encoders import LEAN_ENCODERS
from anncestry.timeline.branches.pretrained_decoders import PRETRAINED_DECODERS
from anncestry.timeline.branches.pretrained_encoders import PRETRAINED_ENCODERS
from anncestry.timeline.branches.pretrained_features import PRETRAINED_FEATURES
from anncestry.timeline.branches.recurrent import RECURRENT
from anncestry.timeline.branches.sequence_to_sequence import SEQUENCE_TO_SEQUENCE
from anncestry.timeline.branches.shortcuts import SHORTCUTS
from anncestry.timeline.branches.temporal import TEMPORAL
from anncestry.timeline.branches.transformers import TRANSFORMERS

__all__ = [
    "KINDS",
    "TIMELINE",
    "Architecture",
    "Departure",
    "Preset",
    "check_fields",
    "find",
    "find_preset",
    "kind_of",
    "usual_settings",
]

KINDS: dict[str, tuple[Architecture, ...]] = {
    "feed-forward": FEED_FORWARD,
    "convolutional": (FIRST_CONVOLUTIONAL, *CONVOLUTIONAL),
    "generative": GENERATIVE,
    "recurrent": (*RECURRENT, *CELL_ENTRIES, *DILATED, *SHORTCUTS),
    "temporal": TEMPORAL,
    "sequence-to-sequence": SEQUENCE_TO_SEQUENCE,
    "transformer": TRANSFORMERS,
    "pre-trained": (
        *PRETRAINED_FEATURES, *PRETRAINED_DECODERS, *PRETRAINED_ENCODERS, *BERT_FORKS, *LEAN_ENCODERS,
        *BEYOND_BERT,
    ),
}  # fmt: skip
"""The branches of the family."""
TIMELINE: tuple[Architecture, ...] = tuple(
    sorted((entry for branch in KINDS.values() for entry in branch), key=lambda entry: entry.year)
)
"""Every architecture, in the order of its year."""
Architecture.timeline = TIMELINE


def kind_of(architecture: Architecture) -> str:
    """The branch that an entry is on."""
    return next(kind for kind, branch in KINDS.items() if architecture in branch)


def find(name: str) -> Architecture:
    """The architecture of that id, alias or preset; an underscore is read as a hyphen.

    Raises:
        UserError: nothing has that name; the nearest names are given.
    """
    wanted = name.strip().lower().replace("_", "-")
    for architecture in TIMELINE:
        names = (architecture.id, *architecture.aliases, *(preset.name for preset in architecture.presets))
        if wanted in names:
            return architecture
    raise UserError("model", name, "is not on the timeline", nearest(wanted, [a.id for a in TIMELINE]))


def find_preset(name: str) -> Preset | None:
    """The preset of that name, or None where the name is an architecture's own."""
    wanted = name.strip().lower().replace("_", "-")
    return next((p for a in TIMELINE for p in a.presets if p.name == wanted), None)


def usual_settings(name: str, fine_tuning: bool = False) -> dict[str, Any]:
    """Fields of ``TrainingSettings`` that an architecture or preset is trained with by default.

    Args:
        fine_tuning: on a task, from weights that were trained on text of any kind.
    """
    if fine_tuning and find(name).fine_tuning:
        return dict(find(name).fine_tuning)
    preset = find_preset(name)
    return {**find(name).recipe, **(preset.recipe if preset else {})}

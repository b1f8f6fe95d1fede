"""What several entries share: the learning problems they fit, and how a departure is written."""

from anncestry.timeline.architecture import Departure

CLASSES = "classification"
FLAT = frozenset(
    (inputs, task)
    for inputs in ("vector", "image", "series")
    for task in ("classification", "regression", "forecasting")
)
FLAT_CLASSES = frozenset((inputs, task) for inputs, task in FLAT if task == CLASSES)
SEQUENCES = frozenset(
    {("image", "classification"), ("image", "regression"), ("tokens", "classification"),
     ("series", "classification"), ("series", "regression"), ("series", "forecasting"),
     ("series", "tagging"), ("tokens", "tagging")}
)  # fmt: skip
CAUSAL = SEQUENCES | {("tokens", "language-model"), ("series", "next-frame")}


def departure(
    subject: str,
    paper: str,
    ours: str,
    authors_code: str = "not consulted",
    *,
    why: str = "",
    switch: str = "",
    test: str = "",
) -> Departure:
    """A line of the fidelity ledger."""
    known = {"subject": subject, "paper": paper, "authors_code": authors_code, "ours": ours}
    return Departure(**known, why=why, switch=switch, test=test)


OWN_PIECES = departure(
    "pieces of a user's own text",
    "SentencePiece",
    "BERT's WordPiece by default; the published files of SentencePiece are read",
    "SentencePiece",
    why="a new vocabulary needs no second way of learning it",
    switch="--level",
    test="data/sources/test_masked_text.py::test_each_encoder_learns_its_own_kind_of_pieces",
)
"""Of encoders that were published with SentencePiece."""

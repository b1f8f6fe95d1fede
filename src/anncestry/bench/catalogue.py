"""The rows of the table of speeds: the work that is timed, in parts. Imports no torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from anncestry.errors import UserError, nearest

SPINNING = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "100000"}
"""The environment in which threads that wait for an operator spin; libgomp reads it when it is loaded."""


@dataclass(frozen=True)
class Row:
    """One piece of work.

    Attributes:
        id: its name on the command line.
        part: the module in ``bench/parts`` that sets it up; a name on the command line too.
        title: what a person reads.
        is_spun: whether it is also run with threads that spin while they wait.
    """

    id: str
    part: str
    title: str
    is_spun: bool = False

    @property
    def environments(self) -> Mapping[str, Mapping[str, str]]:
        """Variables of each environment that it is run in, by what the environment is called."""
        return {"": {}, "spinning": SPINNING} if self.is_spun else {"": {}}


ROWS: tuple[Row, ...] = (
    Row("minilm", "encode", "all-MiniLM-L6-v2, encoding"),
    Row("bert-base", "encode", "BERT of base size, encoding"),
    Row("gpt2-one", "generate", "GPT-2 small, generating one text", is_spun=True),
    Row("gpt2-eight", "generate", "GPT-2 small, generating eight texts", is_spun=True),
    Row("gpt2-long", "generate", "GPT-2 small, one text behind a long context"),
    Row("transformer-base", "translate", "Transformer of base size, translating with a beam of 4"),
    Row("gpt-step", "train", "GPT of 10.65 M parameters, a training step"),
    Row("densenet-121-one", "images", "DenseNet-121, one image"),
    Row("densenet-121-eight", "images", "DenseNet-121, eight images"),
    Row("densenet-bc-step", "images", "DenseNet-BC 100-12, a training step"),
    Row("lstm-650", "recurrent", "LSTM 2 x 650, predicting"),
    Row("start-up", "start", "Start-up of the command line"),
    Row("growth", "growth", "Growth with length and batch: encoding and generating, time and memory"),
)
"""Every row, in the order of the table."""

PARTS: tuple[str, ...] = tuple(dict.fromkeys(row.part for row in ROWS))
"""The parts, in the order of the table."""


def select(names: Iterable[str]) -> tuple[Row, ...]:
    """The rows of those names, of parts or of rows, in the order of the table; all where no name is given.

    Raises:
        UserError: a name is neither's; the nearest ones are given.
    """
    wanted = [name.strip().lower().replace("_", "-") for name in names]
    for given, name in zip(names, wanted, strict=True):
        known = [*PARTS, *(row.id for row in ROWS)]
        if name not in known:
            raise UserError("parts", given, "is no part or row of the table", nearest(name, known))
    return tuple(row for row in ROWS if not wanted or row.id in wanted or row.part in wanted)

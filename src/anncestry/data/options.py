"""The options of a data source, as the command line shows them. Imports no torch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How to read the data.

    Attributes:
        target: csv: the column to predict, by name or by position (1 is the first); the last one unless told.
        task: csv: what to predict; found from the target column unless told. `forecasting` predicts the
            target from the rows before it.
        window: forecasting: past values a prediction sees. Text: tokens read before a gradient is cut.
        horizon: forecasting: how many steps ahead.
        header: csv: whether the first row holds names; found out unless told.
        image_size: images: height and width everything is resized to; that of the first image unless told.
        max_chars: text: read at most so many characters.
        skip_bad: images: leave out unreadable files instead of stopping.
    """

    target: str | None = None
    task: Literal["classification", "regression", "forecasting"] | None = None
    window: int | None = None
    horizon: int = 1
    header: bool | None = None
    image_size: int | None = None
    max_chars: int | None = None
    skip_bad: bool = False

"""Objectives: the loss that is differentiated and the figures that are reported, over sums.

An objective adds up over examples, so that a data set scored in batches of any size, or on several
devices, gets the same numbers: ``tally`` returns sums, ``metrics`` turns the sums of everything into
figures. ``loss`` is the sum over the batch; who differentiates it divides by ``count``.
"""

from collections.abc import Mapping

from anncestry.arrays import Tensor
from anncestry.errors import require

LOWER_IS_BETTER = frozenset(
    ("loss", "nll", "bits", "perplexity", "forward", "backward", "rmse", "mae", "mse", "kl")
)
"""Figures that are errors; of all others more is better."""


class Objective:
    """The contract of this package.

    Attributes:
        figures: the names that `metrics` gives, that which selects by default first.
        whole_figures: the names that `of_whole` gives.
        width: numbers in an output, where there are figures of the whole.
        primary: the figure a race is ranked by, that says which weights are kept, and that patience watches.
    """

    figures: tuple[str, ...] = ("loss",)
    whole_figures: tuple[str, ...] = ()
    width: int = 1
    primary: str = "loss"

    @property
    def higher_is_better(self) -> bool:
        """Which way ``primary`` points."""
        return self.primary not in LOWER_IS_BETTER

    @property
    def choices(self) -> tuple[str, ...]:
        """The figures that can select."""
        return (*self.figures, *self.whole_figures)

    def select_by(self, name: str) -> None:
        """Make a figure the primary one.

        Raises:
            UserError: the task has no such figure.
        """
        require(name in self.choices, "select", name, "is not reported for this task", self.choices)
        self.primary = name

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The sum over everything that is counted (a scalar, differentiable)."""
        raise NotImplementedError

    def count(self, targets: Tensor) -> int:
        """How many answers ``targets`` holds: examples, or tokens of a language model."""
        raise NotImplementedError

    def tally(self, outputs: Tensor, targets: Tensor, loss: Tensor | None = None) -> Tensor:
        """Float64 sums that add over batches; the first two are the loss and the count."""
        raise NotImplementedError

    def metrics(self, sums: Tensor) -> dict[str, float]:
        """Figures from the added sums, ``loss`` and the primary one among them."""
        raise NotImplementedError

    def initial_loss(self) -> float | None:
        """What an untrained model's mean loss is near, or None where nothing is known."""
        raise NotImplementedError

    def of_whole(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Figures that no sums give, of the outputs and targets of everything; undefined ones are left out.

        Only asked where ``whole_figures`` names some.
        """
        return {}

    def by_class(self, sums: Tensor) -> dict[str, list[int]]:
        """For each class, label or tag how often it was ``right``, ``answered`` and ``true``; empty where the
        answers are none."""
        return {}

    def better(self, new: Mapping[str, float], old: Mapping[str, float]) -> bool:
        """Whether figures are better than others: by the primary one, and where it is equal by the loss.

        A figure that is undefined (absent or not a number) is worse than any other.
        """
        sign = 1 if self.higher_is_better else -1
        worst = float("-inf")

        def rank(figures: Mapping[str, float]) -> tuple[float, float]:
            value, loss = sign * figures.get(self.primary, worst * sign), -figures["loss"]
            return (value if value == value else worst), (loss if loss == loss else worst)

        return rank(new) > rank(old)

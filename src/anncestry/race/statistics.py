"""How sure a race can be: intervals of scores, and differences that more seeds would confirm.

A score varies for two reasons. The *test rows* are a sample: 27 of them cannot part 97 % from 100 %. The
*seed* draws weights, the order of the data and often the split. Both count here:

- Rows: each run keeps a value for every test row (`anncestry.race.outcomes`); v is the variance of their
  mean. Differences of two entrants are taken row by row, since both met the same rows.
- Seeds: s^2 is the variance of the scores. Where every seed draws its own split the splits overlap, and the
  mean of S seeds varies more than s^2 / S: by s^2 (1/S + test/train) (Nadeau and Bengio, "Inference for the
  generalization error", Machine Learning 52, 2003). Where all share the test rows, these are a part of its
  own: s^2 / S + v of the rows' means.
- Three seeds know little of s^2. It is taken to be no less than v times what the entrants have in common: the
  median of their s^2 / v.

Reported differences are corrected for their number (Holm, "A simple sequentially rejective multiple test
procedure", Scandinavian Journal of Statistics 6, 1979).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, stdev, variance

import numpy as np

CONFIDENCE = 0.95
SHARE, POSITIVE = (0.0, 1.0), (0.0, math.inf)


@dataclass(frozen=True)
class Design:
    """How the seeds of a race hang together.

    Attributes:
        shared: whether all of them have the same test rows.
        ratio: test rows for each training row.
    """

    shared: bool = True
    ratio: float = 0.0


@dataclass(frozen=True)
class Sample:
    """The scores of one entrant, or its differences to another.

    Attributes:
        values: by seed.
        rows: by seed, a value for every test row (or block of rows), whose mean is the score; none where they
            are not known.
        bounds: between which a score can lie.
        between: whether these are differences of two entrants.
    """

    values: Mapping[int, float]
    rows: Mapping[int, np.ndarray] = field(default_factory=dict)
    bounds: tuple[float, float] = (-math.inf, math.inf)
    between: bool = False

    @property
    def mean(self) -> float:
        return fmean(self.values.values())

    @property
    def seed_variance(self) -> float | None:
        """s^2, of one seed's score; None for one seed."""
        return variance(self.values.values()) if len(self.values) > 1 else None

    @property
    def row_variance(self) -> float | None:
        """v, of one seed's score; None where no rows are known."""
        known = [self.variance_of_mean(rows) for rows in self.rows.values()]
        return fmean(known) if known else None

    def variance_of_mean(self, rows: np.ndarray) -> float:
        """Of independent rows.

        For shares with one more right and one more wrong prediction, for their differences with one of
        either sign, so that it is never zero (Agresti and Coull, The American Statistician 52, 1998; Agresti
        and Min, Statistics in Medicine 24, 2005).
        """
        count = len(rows)
        if self.bounds == SHARE:
            total = float(rows.sum()) + (0 if self.between else 1)
            return (float(np.square(rows).sum()) + 1 - total**2 / (count + 2)) / (count + 2) ** 2
        return float(rows.var(ddof=1)) / count if count > 1 else math.inf

    def minus(self, other: "Sample") -> "Sample":
        """The differences over the seeds that both have, row by row."""
        seeds = [seed for seed in self.values if seed in other.values]
        values = {seed: self.values[seed] - other.values[seed] for seed in seeds}
        pairs = {seed: (self.rows.get(seed), other.rows.get(seed)) for seed in seeds}
        rows = {seed: found for seed, pair in pairs.items() if (found := _differences(*pair)) is not None}
        return Sample(values, rows, self.bounds, between=True)


def _differences(ours: np.ndarray | None, theirs: np.ndarray | None) -> np.ndarray | None:
    """Row by row; of blocks of different sizes, as many as the fewer.

    Where the rows of one are not known it is taken to vary as much as the other, and independently of it.
    """
    if ours is None or theirs is None:
        known = theirs if ours is None else ours
        return None if known is None else math.sqrt(2) * (known - known.mean())
    count = min(len(ours), len(theirs))
    first, second = (
        rows if len(rows) == count else np.array([part.mean() for part in np.array_split(rows, count)])
        for rows in (ours, theirs)
    )
    return first - second


@dataclass(frozen=True)
class Spread:
    """What is known of the mean of a sample.

    Attributes:
        error: its standard error; infinite where nothing is known.
        freedom: degrees of freedom of Student's t.
    """

    error: float
    freedom: float

    def half(self, level: float = 1 - CONFIDENCE) -> float:
        """Half of a two-sided interval that errs with probability ``level``."""
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, 1 - level / 2)) * self.error

    def chance(self, distance: float) -> float:
        """The probability of a mean so far from the truth, on either side (a p-value)."""
        from scipy.special import stdtr

        if distance == 0 or math.isinf(self.error):
            return 1.0
        return 2 * float(stdtr(self.freedom, -abs(distance) / self.error)) if self.error else 0.0


def spreads(samples: Sequence[Sample], design: Design) -> list[Spread]:
    """The spread of every mean; what seeds add to rows is judged from all samples together."""
    known = [
        (sample.seed_variance / sample.row_variance, len(sample.values) - 1)
        for sample in samples
        if sample.seed_variance is not None and sample.row_variance
    ]
    common = 0.0 if design.shared else 1.0  # splits of their own: rows are a part of what seeds differ by
    if known:
        # The median of a chi-squared variable over its mean, by Wilson and Hilferty.
        ratios = [ratio / (1 - 2 / (9 * freedom)) ** 3 for ratio, freedom in known]
        common = max(common, median(ratios))
    together = sum(freedom for _, freedom in known)
    return [_spread(sample, design, common, together) for sample in samples]


def _spread(sample: Sample, design: Design, common: float, together: float) -> Spread:
    count, own, rows = len(sample.values), sample.seed_variance, sample.row_variance
    if own is None and rows is None:
        return Spread(math.inf, 1.0)
    one_seed = max(own or 0.0, common * (rows or 0.0))
    if design.shared:
        lengths = {len(values) for values in sample.rows.values()}
        mean = np.mean(list(sample.rows.values()), axis=0) if len(lengths) == 1 else None
        of_rows = (rows or 0.0) if mean is None else sample.variance_of_mean(mean)
        total = one_seed / count + of_rows
    else:
        total = one_seed * (1 / count + design.ratio)
    freedom = count - 1 if rows is None else max(count - 1, together)
    if own is None:  # one seed, of which the rows alone are known
        freedom = sum(map(len, sample.rows.values())) - 1
    return Spread(math.sqrt(total), max(freedom, 1.0))


def interval(sample: Sample, spread: Spread) -> tuple[float, float] | None:
    """A 95 % interval of the mean, within its bounds; None where nothing is known.

    Shares: Wilson's score interval for as many rows as would have this spread. Scores from 0 on: symmetric
    in the logarithm.
    """
    if math.isinf(spread.error) or (spread.error == 0 and not sample.rows):
        return None
    mean, half = sample.mean, spread.half()
    if sample.bounds == SHARE:
        low, high = _wilson(sample, spread)
    elif sample.bounds == POSITIVE and mean > 0:
        low, high = mean * math.exp(-half / mean), mean * math.exp(min(half / mean, 700.0))
    else:
        low, high = mean - half, mean + half
    least, most = sample.bounds
    return min(mean, max(least, low)), max(
        mean, min(most, high)
    )  # whatever rounding does, the mean is inside


def _wilson(sample: Sample, spread: Spread) -> tuple[float, float]:
    mean = smoothed = min(max(sample.mean, 0.0), 1.0)
    if sample.rows:
        count = fmean(map(len, sample.rows.values()))
        smoothed = (mean * count + 1) / (count + 2)
    weight = spread.half() ** 2 / max(smoothed * (1 - smoothed), 1e-12)  # quantile^2 / rows
    half = math.sqrt(weight * mean * (1 - mean) + weight**2 / 4) / (1 + weight)
    centre = (mean + weight / 2) / (1 + weight)
    return centre - half, centre + half


def holm(chances: Sequence[float], picked: float = 1, level: float = 1 - CONFIDENCE) -> list[float]:
    """The level that each of several comparisons is decided at, so that any of them errs with ``level``.

    The likeliest difference is held against level / n, the next against level / (n - 1), ... until one fails:
    it and those after it are not reported.

    Args:
        chances: the p-value of each.
        picked: how many comparisons each stands for: who is compared because it came out best of several was
            compared with all of them before.
    """
    levels, failed = [level / picked] * len(chances), None
    for place, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        levels[index] = failed or level / picked / (len(chances) - place)
        if failed is None and chances[index] > levels[index]:
            failed = levels[index]
    return levels


def half_interval(values: Sequence[float]) -> float | None:
    """Half the 95 % t-interval around the mean of independent ``values``; None for fewer than two."""
    if len(values) < 2:
        return None
    return Spread(stdev(values) / math.sqrt(len(values)), len(values) - 1).half()

"""The digits of scikit-learn, read without it."""

import numpy as np
from sklearn.datasets import load_digits

from anncestry.data.sources.digits import _read


def test_they_are_those_that_scikit_learn_reads():
    for ours, theirs in zip(_read(), load_digits(return_X_y=True), strict=True):
        assert np.array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype

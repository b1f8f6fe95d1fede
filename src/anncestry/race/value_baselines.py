"""Baselines of real values: means, the last value, linear models, boosted trees, principal components."""

import numpy as np

from anncestry.data.splits.dataset import Dataset, Examples
from anncestry.layers.images.autoencoding import usual_code_size
from anncestry.race.baseline import TREES, Baseline, flat, scored, tree_limits
from anncestry.race.outcomes import Scored


def _mean(dataset: Dataset) -> tuple[Scored, str]:
    (_, targets), (_, truth) = flat(dataset.train), flat(dataset.test)
    return scored(dataset, np.tile(targets.mean(0), (len(truth), 1))), ""


def _persistence(dataset: Dataset) -> tuple[Scored, str]:
    assert isinstance(dataset.test, Examples)
    column = getattr(dataset.processor, "target_input", 0)  # inputs and targets share their scale
    return scored(dataset, dataset.test.inputs[:, -1, [column]].numpy()), ""


def _ridge(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.linear_model import RidgeCV

    (inputs, targets), (unseen, _) = flat(dataset.train), flat(dataset.test)
    model = RidgeCV(alphas=np.logspace(-7, 4, 23)).fit(inputs.astype(np.float64), targets)
    outputs = model.predict(unseen.astype(np.float64)).reshape(len(unseen), -1)
    return scored(dataset, outputs), f"penalty {model.alpha_:.3g} chosen by cross-validation"


def _boosted_values(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    (inputs, targets), (unseen, _) = flat(dataset.train), flat(dataset.test)
    rows, iterations, note = tree_limits(inputs, targets.shape[1])
    outputs = []
    for column in targets.T:
        model = HistGradientBoostingRegressor(max_iter=iterations, **TREES)
        outputs.append(model.fit(inputs[rows], column[rows]).predict(unseen))
    return scored(dataset, np.stack(outputs, 1)), note


def _mean_image(dataset: Dataset) -> tuple[Scored, str]:
    (images, _), (unseen, _) = flat(dataset.train), flat(dataset.test)
    return scored(dataset, np.tile(images.mean(0), (len(unseen), 1))), ""


def _pca(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.decomposition import PCA

    (images, _), (unseen, _) = flat(dataset.train), flat(dataset.test)
    size = min(usual_code_size(dataset.signature.shape), *images.shape)
    model = PCA(size, random_state=0).fit(images)
    return scored(dataset, model.inverse_transform(model.transform(unseen))), f"{size} components"


MEAN = Baseline("mean", "Mean", "always predicts the mean of the training targets", _mean)
PERSISTENCE = Baseline("persistence", "Persistence", "the last value seen is the forecast", _persistence)
RIDGE = Baseline("ridge", "Ridge regression", "a linear model with an L2 penalty (scikit-learn)", _ridge)
BOOSTED_REGRESSION = Baseline(
    "boosted-trees", "Boosted trees", "histogram gradient boosting (scikit-learn)", _boosted_values
)
MEAN_IMAGE = Baseline(
    "mean-image", "Mean image", "always predicts the mean of the training images", _mean_image
)
PCA = Baseline(
    "pca", "Principal components", "the best linear code with as many units as the nets' (scikit-learn)", _pca
)

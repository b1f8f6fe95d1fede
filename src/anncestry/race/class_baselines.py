"""Baselines of classes and labels: frequencies, linear models, boosted trees, n-grams."""

import warnings
from typing import Any

import numpy as np

from anncestry.data.splits.dataset import Dataset, Examples
from anncestry.race.baseline import TREES, Baseline, flat, scored, scored_classes, tree_limits
from anncestry.race.outcomes import Scored

MAX_LINEAR_WORK = 2e10  # rows x features x classes x iterations of logistic regression
MIN_ITERATIONS = 20  # of logistic regression, however large the data


def _majority(dataset: Dataset) -> tuple[Scored, str]:
    (_, targets), (inputs, _) = flat(dataset.train), flat(dataset.test)
    classes, counts = np.unique(targets, return_counts=True)
    return scored_classes(dataset, classes, np.tile(counts / counts.sum(), (len(inputs), 1))), ""


def _logistic(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    (inputs, targets), (unseen, _) = flat(dataset.train), flat(dataset.test)
    work = inputs.size * dataset.signature.output_size
    limit = int(np.clip(MAX_LINEAR_WORK / work, MIN_ITERATIONS, 1000))
    model = LogisticRegression(max_iter=limit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the note
        model.fit(inputs, targets)
    note = f"stopped after {limit} iterations" if model.n_iter_.max() >= limit else ""
    return scored_classes(dataset, np.asarray(model.classes_), model.predict_proba(unseen)), note


def _boosted_classes(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    (inputs, targets), (unseen, _) = flat(dataset.train), flat(dataset.test)
    rows, iterations, note = tree_limits(inputs, dataset.signature.output_size)
    model = HistGradientBoostingClassifier(max_iter=iterations, **TREES)
    model.fit(inputs[rows], targets[rows])
    return scored_classes(dataset, np.asarray(model.classes_), model.predict_proba(unseen)), note


def _ngram_classifier(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(_ngrams(), LogisticRegression(C=10, max_iter=300))
    assert isinstance(dataset.train, Examples)
    model.fit(_as_texts(dataset.train), dataset.train.targets.numpy())
    return scored_classes(dataset, model.classes_, model.predict_proba(_as_texts(dataset.test))), ""


def _as_texts(split: Any) -> list[str]:
    """Tokens as words."""
    return [" ".join(str(token) for token in row if token) for row in split.inputs.tolist()]


def _ngrams() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 3), token_pattern=r"\S+", min_df=2, sublinear_tf=True)


def _label_scores(dataset: Dataset, probabilities: np.ndarray) -> Scored:
    """``probabilities`` (N, K) of every label."""
    likely = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return scored(dataset, np.log(likely) - np.log1p(-likely))


def _label_frequency(dataset: Dataset) -> tuple[Scored, str]:
    (_, targets), (inputs, _) = flat(dataset.train), flat(dataset.test)
    return _label_scores(dataset, np.tile(targets.mean(0), (len(inputs), 1))), ""


def _label_logistic(dataset: Dataset) -> tuple[Scored, str]:
    return _each_label(dataset, *(flat(split)[0] for split in (dataset.train, dataset.test)))


def _label_ngrams(dataset: Dataset) -> tuple[Scored, str]:
    vectorizer = _ngrams()
    return _each_label(
        dataset,
        vectorizer.fit_transform(_as_texts(dataset.train)),
        vectorizer.transform(_as_texts(dataset.test)),
    )


def _each_label(dataset: Dataset, inputs: Any, unseen: Any) -> tuple[Scored, str]:
    """Logistic regression for each label by itself; one that is always there, or never, is predicted so."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    assert isinstance(dataset.train, Examples)
    targets, columns = dataset.train.targets.numpy(), []
    limit = int(np.clip(MAX_LINEAR_WORK / (inputs.size * targets.shape[1]), MIN_ITERATIONS, 1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for column in targets.T:
            if column.min() == column.max():
                columns.append(np.full(unseen.shape[0], column[0]))
                continue
            model = LogisticRegression(max_iter=limit).fit(inputs, column)
            columns.append(model.predict_proba(unseen)[:, 1])
    return _label_scores(
        dataset, np.stack(columns, 1)
    ), "" if limit == 1000 else f"at most {limit} iterations"


CLASSIFIERS = [
    Baseline("majority", "Majority class", "always predicts the most frequent class", _majority),
    Baseline(
        "logistic", "Logistic regression", "a linear model with cross-entropy (scikit-learn)", _logistic
    ),
    Baseline(
        "boosted-trees", "Boosted trees", "histogram gradient boosting (scikit-learn)", _boosted_classes
    ),
]
NGRAM_CLASSIFIER = Baseline(
    "ngram-logistic",
    "N-gram logistic",
    "logistic regression on the weighted 1- to 3-grams of the tokens (scikit-learn)",
    _ngram_classifier,
)
LABEL_NGRAM = Baseline(
    "ngram-logistic",
    "N-gram logistic",
    "for each label logistic regression on the weighted 1- to 3-grams of the tokens (scikit-learn)",
    _label_ngrams,
)
LABEL_FREQUENCY = Baseline(
    "label-frequency", "Label frequency", "every label as often as in training", _label_frequency
)
LABEL_LOGISTIC = Baseline(
    "logistic", "Logistic regression", "a linear model for each label (scikit-learn)", _label_logistic
)

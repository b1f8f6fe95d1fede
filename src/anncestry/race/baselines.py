"""What every network has to beat: guessing, a linear model, boosted trees, counting n-grams.

They see the training split alone, as one flat row of numbers for each example, and are scored by the same
objective as the networks. They get no limit of seconds; on large data their work is capped, and the note
of the run says how.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anncestry.data.splits.dataset import Dataset, Examples, ParallelStreams, Stream
from anncestry.layers.images.autoencoding import usual_code_size
from anncestry.objectives import objective_of
from anncestry.protocols import IGNORED
from anncestry.race.ngram_baseline import KneserNey, unigram_log_probabilities
from anncestry.race.outcomes import Scored, scored_tokens, sums_of_outputs
from anncestry.race.text_baselines import model_1, most_frequent, nearest_source, retrieved_texts
from anncestry.signature import Signature

MAX_TEXT = 4_000_000  # tokens the n-gram model reads
MAX_LINEAR_WORK = 2e10  # rows x features x classes x iterations of logistic regression
MIN_ITERATIONS = 20  # of logistic regression, however large the data
MAX_TREE_VALUES = 8e6  # rows x features of boosted trees
MAX_TREE_WORK = 2e5  # features x classes x iterations of boosted trees
_TREES: Any = {"early_stopping": False, "random_state": 0}


@dataclass(frozen=True)
class Baseline:
    """A way to predict without a network.

    Attributes:
        id, name: as the tables show them.
        about: what it does, in one sentence.
        score: data set -> (test scores, note). The same split gives the same score.
    """

    id: str
    name: str
    about: str
    score: Callable[[Dataset], tuple[Scored, str]]


def baselines_for(signature: Signature) -> list[Baseline]:
    """The baselines of a task, the simplest first."""
    if signature.task == "classification" and signature.inputs == "tokens":
        return [_CLASSIFIERS[0], _NGRAM_CLASSIFIER]
    if signature.inputs == "characters":  # of words; numbers that measure nothing
        return []
    if signature.task == "multi-label":
        return [_LABEL_FREQUENCY, _LABEL_NGRAM if signature.inputs == "tokens" else _LABEL_LOGISTIC]
    return {
        "classification": _CLASSIFIERS,
        "regression": [_MEAN, _RIDGE, _BOOSTED_REGRESSION],
        "forecasting": [_PERSISTENCE, _RIDGE, _BOOSTED_REGRESSION],
        "language-model": _LANGUAGE_MODELS,
        "tagging": [_FREQUENT_TAG] if signature.inputs == "tokens" else [],
        "next-frame": [_KEY_FREQUENCY, _SAME_FRAME],
        "reconstruction": [_MEAN_IMAGE, _PCA],
        "translation": [_NEAREST_TEXT, _MODEL_1],
        "captioning": [_FREQUENT_CAPTION, _NEAREST_IMAGE],
    }.get(signature.task, [])


def _flat(split) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (N, features) and targets (N,) or (N, K)."""
    assert isinstance(split, Examples)
    return split.inputs.flatten(1).numpy(), split.targets.numpy()


def _scored(dataset: Dataset, outputs: np.ndarray) -> Scored:
    """Test scores of outputs (N, K): log-probabilities of classes, or standardised target values."""
    return _scored_outputs(dataset, torch.from_numpy(np.ascontiguousarray(outputs, np.float32)))


def _scored_outputs(dataset: Dataset, outputs: Tensor) -> Scored:
    assert isinstance(dataset.test, Examples)
    objective, targets = objective_of(dataset), dataset.test.targets
    metrics = objective.metrics(objective.tally(outputs, targets))
    if objective.whole_figures:
        metrics |= objective.of_whole(outputs, targets)
    return Scored(metrics, sums_of_outputs(objective, outputs, dataset.test), objective.metrics)


# ---- classification ---------------------------------------------------------------------------------


def _class_scores(dataset: Dataset, classes: np.ndarray, probabilities: np.ndarray) -> Scored:
    """``probabilities`` (N, seen classes); classes without a training example get almost none."""
    everything = np.full((len(probabilities), dataset.signature.output_size), 1e-12)
    everything[:, classes] = np.clip(probabilities, 1e-12, 1.0)
    return _scored(dataset, np.log(everything))


def _majority(dataset: Dataset) -> tuple[Scored, str]:
    (_, targets), (inputs, _) = _flat(dataset.train), _flat(dataset.test)
    classes, counts = np.unique(targets, return_counts=True)
    return _class_scores(dataset, classes, np.tile(counts / counts.sum(), (len(inputs), 1))), ""


def _logistic(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    (inputs, targets), (unseen, _) = _flat(dataset.train), _flat(dataset.test)
    work = inputs.size * dataset.signature.output_size
    limit = int(np.clip(MAX_LINEAR_WORK / work, MIN_ITERATIONS, 1000))
    model = LogisticRegression(max_iter=limit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the note
        model.fit(inputs, targets)
    note = f"stopped after {limit} iterations" if model.n_iter_.max() >= limit else ""
    return _class_scores(dataset, np.asarray(model.classes_), model.predict_proba(unseen)), note


def _boosted_classes(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    (inputs, targets), (unseen, _) = _flat(dataset.train), _flat(dataset.test)
    rows, iterations, note = _tree_limits(inputs, dataset.signature.output_size)
    model = HistGradientBoostingClassifier(max_iter=iterations, **_TREES)
    model.fit(inputs[rows], targets[rows])
    return _class_scores(dataset, np.asarray(model.classes_), model.predict_proba(unseen)), note


def _tree_limits(inputs: np.ndarray, outputs: int) -> tuple[np.ndarray, int, str]:
    """Rows to learn from, boosting iterations, and a note where the data were cut."""
    num_rows, num_features = inputs.shape
    iterations = int(np.clip(MAX_TREE_WORK / (num_features * outputs), 10, 100))
    most = max(1000, int(MAX_TREE_VALUES / num_features))
    if num_rows <= most:
        return np.arange(num_rows), iterations, "" if iterations == 100 else f"{iterations} iterations"
    rows = np.random.default_rng(0).choice(num_rows, most, replace=False)
    return rows, iterations, f"{most:,} of {num_rows:,} training rows, {iterations} iterations"


_CLASSIFIERS = [
    Baseline("majority", "Majority class", "always predicts the most frequent class", _majority),
    Baseline(
        "logistic", "Logistic regression", "a linear model with cross-entropy (scikit-learn)", _logistic
    ),
    Baseline(
        "boosted-trees", "Boosted trees", "histogram gradient boosting (scikit-learn)", _boosted_classes
    ),
]

# ---- several labels ---------------------------------------------------------------------------------


def _label_scores(dataset: Dataset, probabilities: np.ndarray) -> Scored:
    """``probabilities`` (N, K) of every label."""
    likely = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return _scored(dataset, np.log(likely) - np.log1p(-likely))


def _label_frequency(dataset: Dataset) -> tuple[Scored, str]:
    (_, targets), (inputs, _) = _flat(dataset.train), _flat(dataset.test)
    return _label_scores(dataset, np.tile(targets.mean(0), (len(inputs), 1))), ""


def _label_logistic(dataset: Dataset) -> tuple[Scored, str]:
    return _each_label(dataset, *(_flat(split)[0] for split in (dataset.train, dataset.test)))


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


_LABEL_FREQUENCY = Baseline(
    "label-frequency", "Label frequency", "every label as often as in training", _label_frequency
)
_LABEL_LOGISTIC = Baseline(
    "logistic", "Logistic regression", "a linear model for each label (scikit-learn)", _label_logistic
)

# ---- regression and forecasting ---------------------------------------------------------------------


def _mean(dataset: Dataset) -> tuple[Scored, str]:
    (_, targets), (_, truth) = _flat(dataset.train), _flat(dataset.test)
    return _scored(dataset, np.tile(targets.mean(0), (len(truth), 1))), ""


def _persistence(dataset: Dataset) -> tuple[Scored, str]:
    assert isinstance(dataset.test, Examples)
    column = getattr(dataset.processor, "target_input", 0)  # inputs and targets share their scale
    return _scored(dataset, dataset.test.inputs[:, -1, [column]].numpy()), ""


def _ridge(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.linear_model import RidgeCV

    (inputs, targets), (unseen, _) = _flat(dataset.train), _flat(dataset.test)
    model = RidgeCV(alphas=np.logspace(-7, 4, 23)).fit(inputs.astype(np.float64), targets)
    outputs = model.predict(unseen.astype(np.float64)).reshape(len(unseen), -1)
    return _scored(dataset, outputs), f"penalty {model.alpha_:.3g} chosen by cross-validation"


def _boosted_values(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    (inputs, targets), (unseen, _) = _flat(dataset.train), _flat(dataset.test)
    rows, iterations, note = _tree_limits(inputs, targets.shape[1])
    outputs = []
    for column in targets.T:
        model = HistGradientBoostingRegressor(max_iter=iterations, **_TREES)
        outputs.append(model.fit(inputs[rows], column[rows]).predict(unseen))
    return _scored(dataset, np.stack(outputs, 1)), note


_MEAN = Baseline("mean", "Mean", "always predicts the mean of the training targets", _mean)
_PERSISTENCE = Baseline("persistence", "Persistence", "the last value seen is the forecast", _persistence)
_RIDGE = Baseline("ridge", "Ridge regression", "a linear model with an L2 penalty (scikit-learn)", _ridge)
_BOOSTED_REGRESSION = Baseline(
    "boosted-trees", "Boosted trees", "histogram gradient boosting (scikit-learn)", _boosted_values
)

# ---- sequences with lengths -----------------------------------------------------------------------------


def _ngram_classifier(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(_ngrams(), LogisticRegression(C=10, max_iter=300))
    assert isinstance(dataset.train, Examples)
    model.fit(_as_texts(dataset.train), dataset.train.targets.numpy())
    return _class_scores(dataset, model.classes_, model.predict_proba(_as_texts(dataset.test))), ""


def _as_texts(split: Any) -> list[str]:
    """Tokens as words."""
    return [" ".join(str(token) for token in row if token) for row in split.inputs.tolist()]


def _ngrams() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 3), token_pattern=r"\S+", min_df=2, sublinear_tf=True)


def _frequent_tag(dataset: Dataset) -> tuple[Scored, str]:
    train, test = dataset.train, dataset.test
    assert isinstance(train, Examples)
    assert isinstance(test, Examples)
    K, inside = dataset.signature.output_size, train.targets != IGNORED
    counts = torch.full((dataset.signature.vocab_size, K), 0.01)
    pairs = train.inputs[inside] * K + train.targets[inside]
    counts.view(-1).index_add_(0, pairs, torch.ones(len(pairs)))
    known = counts.sum(1) > 0.011 * K
    counts[~known] = counts.sum(0)  # a word never seen: as all words together
    outputs = (counts / counts.sum(1, keepdim=True)).log()
    return _scored_outputs(dataset, outputs[test.inputs]), ""


def _frame_scores(dataset: Dataset, on: Tensor) -> Scored:
    """``on``: the probability of every bit of the test frames."""
    assert isinstance(dataset.test, Examples)
    logits = torch.logit(on.clamp(1e-4, 1 - 1e-4)).expand_as(dataset.test.targets)
    return _scored_outputs(dataset, logits)


def _key_frequency(dataset: Dataset) -> tuple[Scored, str]:
    assert isinstance(dataset.train, Examples)
    targets = dataset.train.targets
    return _frame_scores(dataset, targets[targets[..., 0] != IGNORED].mean(0)), ""


def _same_frame(dataset: Dataset) -> tuple[Scored, str]:
    train, test = dataset.train, dataset.test
    assert isinstance(train, Examples)
    assert isinstance(test, Examples)
    inside = train.targets[..., 0] != IGNORED
    before, after = train.inputs[inside], train.targets[inside]
    # Of each key apart, and never certain: how often it stays, and how often it comes.
    stays = (before * after).sum(0).add(0.5) / before.sum(0).add(1)
    comes = ((1 - before) * after).sum(0).add(0.5) / (1 - before).sum(0).add(1)
    return _frame_scores(dataset, torch.where(test.inputs > 0, stays, comes)), ""


_NGRAM_CLASSIFIER = Baseline(
    "ngram-logistic",
    "N-gram logistic",
    "logistic regression on the weighted 1- to 3-grams of the tokens (scikit-learn)",
    _ngram_classifier,
)
_LABEL_NGRAM = Baseline(
    "ngram-logistic",
    "N-gram logistic",
    "for each label logistic regression on the weighted 1- to 3-grams of the tokens (scikit-learn)",
    _label_ngrams,
)
_FREQUENT_TAG = Baseline(
    "frequent-tag", "Most frequent tag", "the tag that the word has most often in training", _frequent_tag
)
_KEY_FREQUENCY = Baseline("frequency", "Frequency", "every bit as often as in training", _key_frequency)
_SAME_FRAME = Baseline(
    "same-frame", "Same frame", "the last frame again, with a chance of change", _same_frame
)

# ---- reconstructed images -------------------------------------------------------------------------------


def _mean_image(dataset: Dataset) -> tuple[Scored, str]:
    (images, _), (unseen, _) = _flat(dataset.train), _flat(dataset.test)
    return _scored(dataset, np.tile(images.mean(0), (len(unseen), 1))), ""


def _pca(dataset: Dataset) -> tuple[Scored, str]:
    from sklearn.decomposition import PCA

    (images, _), (unseen, _) = _flat(dataset.train), _flat(dataset.test)
    size = min(usual_code_size(dataset.signature.shape), *images.shape)
    model = PCA(size, random_state=0).fit(images)
    return _scored(dataset, model.inverse_transform(model.transform(unseen))), f"{size} components"


_MEAN_IMAGE = Baseline(
    "mean-image", "Mean image", "always draws the mean of the training images", _mean_image
)
_PCA = Baseline(
    "pca", "Principal components", "the best linear code with as many units as the nets' (scikit-learn)", _pca
)

# ---- generated texts --------------------------------------------------------------------------------------

_NEAREST_TEXT = Baseline(
    "nearest-source",
    "Nearest source",
    "the translation of the training source most like it, by weighted 1- and 2-grams (scikit-learn)",
    lambda dataset: retrieved_texts(dataset, nearest_source),
)
_MODEL_1 = Baseline(
    "ibm-model-1",
    "IBM Model 1",
    "each token by the one it most likely becomes, in the source's order",
    model_1,
)
_FREQUENT_CAPTION = Baseline(
    "frequent-caption",
    "Most frequent caption",
    "the caption that training has most often, for every image",
    lambda dataset: retrieved_texts(dataset, most_frequent),
)
_NEAREST_IMAGE = Baseline(
    "nearest-image",
    "Nearest image",
    "a caption of the training image with the nearest pixels",
    lambda dataset: retrieved_texts(dataset, nearest_source),
)

# ---- language models --------------------------------------------------------------------------------


def _tokens(split) -> np.ndarray:
    if isinstance(split, ParallelStreams):  # each row but the last ends with the first token of the next
        return split.tokens[:, :-1].flatten().numpy()
    assert isinstance(split, Stream)
    return split.tokens.long().numpy()


def _text_figures(nats: float) -> dict[str, float]:
    return {"loss": nats, "bits": nats / math.log(2), "perplexity": math.exp(min(nats, 700.0))}


def _unigram(dataset: Dataset) -> tuple[Scored, str]:
    table = unigram_log_probabilities(_tokens(dataset.train), dataset.signature.vocab_size)
    return scored_tokens(table[_tokens(dataset.test)[1:]], _text_figures), ""


def _kneser_ney(dataset: Dataset) -> tuple[Scored, str]:
    tokens = _tokens(dataset.train)
    model = KneserNey(tokens[-MAX_TEXT:], dataset.signature.vocab_size, _tokens(dataset.validation))
    note = f"{model.order}-grams, the order chosen on validation"
    if len(tokens) > MAX_TEXT:
        note += f"; the last {MAX_TEXT:,} of {len(tokens):,} training tokens"
    return scored_tokens(model.log_probabilities(_tokens(dataset.test)), _text_figures), note


_LANGUAGE_MODELS = [
    Baseline("unigram", "Unigram", "the frequency of each token, whatever came before", _unigram),
    Baseline(
        "kneser-ney", "Kneser-Ney n-gram", "interpolated n-gram counts, modified discounts", _kneser_ney
    ),
]

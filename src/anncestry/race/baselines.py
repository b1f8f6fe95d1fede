"""What every network has to beat: guessing, a linear model, boosted trees, counting n-grams.

They see the training split alone, as one flat row of numbers for each example, and are scored by the same
objective as the networks. They get no limit of seconds; on large data their work is capped, and the note
of the run says how.
"""

from anncestry.race.baseline import Baseline
from anncestry.race.class_baselines import (
    CLASSIFIERS,
    LABEL_FREQUENCY,
    LABEL_LOGISTIC,
    LABEL_NGRAM,
    NGRAM_CLASSIFIER,
)
from anncestry.race.sequence_baselines import FREQUENT_TAG, KEY_FREQUENCY, LANGUAGE_MODELS, SAME_FRAME
from anncestry.race.text_baselines import model_1, most_frequent, nearest_source, retrieved_texts
from anncestry.race.value_baselines import BOOSTED_REGRESSION, MEAN, MEAN_IMAGE, PCA, PERSISTENCE, RIDGE
from anncestry.signature import Signature


def baselines_for(signature: Signature) -> list[Baseline]:
    """The baselines of a task, the simplest first."""
    if signature.task == "classification" and signature.inputs == "tokens":
        return [CLASSIFIERS[0], NGRAM_CLASSIFIER]
    if signature.inputs == "characters":  # of words; numbers that measure nothing
        return []
    if signature.task == "multi-label":
        return [LABEL_FREQUENCY, LABEL_NGRAM if signature.inputs == "tokens" else LABEL_LOGISTIC]
    return {
        "classification": CLASSIFIERS,
        "regression": [MEAN, RIDGE, BOOSTED_REGRESSION],
        "forecasting": [PERSISTENCE, RIDGE, BOOSTED_REGRESSION],
        "language-model": LANGUAGE_MODELS,
        "tagging": [FREQUENT_TAG] if signature.inputs == "tokens" else [],
        "next-frame": [KEY_FREQUENCY, SAME_FRAME],
        "reconstruction": [MEAN_IMAGE, PCA],
        "translation": [NEAREST_TEXT, MODEL_1],
        "captioning": [FREQUENT_CAPTION, NEAREST_IMAGE],
    }.get(signature.task, [])


NEAREST_TEXT = Baseline(
    "nearest-source",
    "Nearest source",
    "the translation of the training source most like it, by weighted 1- and 2-grams (scikit-learn)",
    lambda dataset: retrieved_texts(dataset, nearest_source),
)
MODEL_1 = Baseline(
    "ibm-model-1",
    "IBM Model 1",
    "each token by the one it most likely becomes, in the source's order",
    model_1,
)
FREQUENT_CAPTION = Baseline(
    "frequent-caption",
    "Most frequent caption",
    "the caption that training has most often, for every image",
    lambda dataset: retrieved_texts(dataset, most_frequent),
)
NEAREST_IMAGE = Baseline(
    "nearest-image",
    "Nearest image",
    "a caption of the training image with the nearest pixels",
    lambda dataset: retrieved_texts(dataset, nearest_source),
)

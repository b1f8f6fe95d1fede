"""BERT's forks that change how it reads: texts apart, in any order, in many languages, thinner."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Departure, Preset
from anncestry.timeline.common import departure
from anncestry.timeline.pretrained_encoders import SMALL_RECIPE

_UNCASED, _SEPARATOR = 30_522, 102  # BERT's

# ---- Sentence-BERT --------------------------------------------------------------------------------------

_SENTENCES: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 2e-5,
    "weight_decay": 0.01,
    "schedule": "linear",
    "warmup_steps": 6250,  # a tenth of a million pairs in batches of 16
    "epochs": 1,
    "batch_size": 16,
}
_SENTENCE_BASE: dict[str, Any] = {
    "input_size": _UNCASED, "hidden_size": 768, "num_layers": 12, "num_heads": 12, "separator": _SEPARATOR,
    "pooling": "mean",
}  # fmt: skip
_SENTENCE_PRESETS = (
    Preset(
        name="sentence-bert-base",
        config={**_SENTENCE_BASE, "task": "embedding", "output_size": 768},
        num_parameters=108_891_648,
        source="Reimers & Gurevych, 1908.10084: BERT-base's 109,482,240 less the 590,592 of its pooler, "
        "which the mean of all tokens does not ask",
        recipe=_SENTENCES,
    ),
    Preset(
        name="sentence-bert-nli-base",
        config={**_SENTENCE_BASE, "task": "classification", "output_size": 3},
        num_parameters=108_898_560,
        source="Reimers & Gurevych, 1908.10084, section 3: the same and 3 x 3 x 768 = 6,912 of the softmax",
        recipe=_SENTENCES,
    ),
)
_SENTENCE_DEPARTURES: tuple[Departure, ...] = (
    departure(
        "biases of the softmax",
        "none in the formula",
        "none",
        "a linear layer with biases in later releases",
    ),
    departure(
        "what the cosine is held against",
        "the annotated similarity",
        "the target as the data bring it: bring it to 0 ... 1, which a cosine can reach",
        "the annotated 0 ... 5, divided by 5",
    ),
    departure("triplets", "a third objective, for the one data set that has them", "not there", "there"),
    departure(
        "how two texts reach the model",
        "one after the other",
        "packed as BERT's pairs, and split at the first separator; so `--data` of pairs serves both",
        "one after the other",
    ),
    departure(
        "an input of one text",
        "not said: vectors go to a logistic regression",
        "a linear layer on its vector",
        "vectors go to a logistic regression",
    ),
)

BEYOND_BERT: tuple[Architecture, ...] = (
    Architecture(
        id="sentence-bert",
        name="Sentence-BERT",
        year=2019,
        paper="Reimers & Gurevych, Sentence embeddings using siamese BERT-networks, 1908.10084",
        parents=("bert",),
        adds="one encoder for each of two texts, the mean of a text's tokens, an answer from two vectors",
        removes="two texts that see each other; the heads for hidden words and for what follows",
        departures=_SENTENCE_DEPARTURES,
        fits=frozenset({("tokens", "classification"), ("tokens", "regression")}),
        module="sentence_bert",
        model="SentenceBert",
        config="SentenceBertConfig",
        recipe=SMALL_RECIPE,
        presets=_SENTENCE_PRESETS,
        aliases=("sbert",),
    ),
)

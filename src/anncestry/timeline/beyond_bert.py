"""BERT's forks that change how it reads: texts apart, in any order, in many languages, thinner."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Departure, Preset
from anncestry.timeline.common import departure
from anncestry.timeline.multilingual_encoders import MULTILINGUAL_ENCODERS, without_head
from anncestry.timeline.pretrained_encoders import ENCODER_FITS, PRETRAINING, SMALL_RECIPE

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

# ---- BART -----------------------------------------------------------------------------------------------

_DENOISING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 4e-4,
    "beta2": 0.98,
    "epsilon": 1e-6,
    "weight_decay": 0.01,
    "schedule": "linear",
    "warmup_steps": 30_000,
    "max_steps": 500_000,
    "batch_size": 8000,
}
_BYTES = 50_265


def _bart(name: str, layers: int, width: int, heads: int, words: int, count: int, source: str) -> Preset:
    sizes = {"hidden_size": width, "num_layers": layers, "num_heads": heads}
    vocabulary = {"input_size": words, "output_size": words, "seq_len": 128, "target_len": 128}
    return Preset(
        name=name,
        config={**vocabulary, **sizes},
        num_parameters=count,
        source=source,
        recipe=_DENOISING,
    )


_BART_PRESETS = (
    _bart("bart-base", 6, 768, 12, _BYTES, 139_420_416, "Lewis et al., 1910.13461, section 4"),
    _bart("bart-large", 12, 1024, 16, _BYTES, 406_291_456, "Lewis et al., 1910.13461, section 5"),
    _bart(
        "bart-large-cnn", 12, 1024, 16, 50_264, 406_290_432, "the authors' fine-tuned files: without the mask"
    ),
)
_BART_DEPARTURES: tuple[Departure, ...] = (
    departure(
        "positions",
        "not said",
        "learned; the first token has row 2 of 1026, as files have it",
        "learned, from the number of the filler + 1 = 2",
    ),
    departure(
        "normalisation of the embeddings", "not said", "on both sides, before dropout", "on both sides"
    ),
    departure("scale of the embeddings", "not said", "none", "none: sqrt(d) is an option"),
    departure("biases of attention", "not said", "there", "there"),
    departure("initial weights", "N(0, 0.02^2)", "the paper's; biases 0", "the same, filler's row at 0"),
    departure(
        "before the first word",
        "the end of the text before",
        "our token of its own; an imported one begins with the vector of </s>, which it cannot write there",
        "</s>",
    ),
    departure(
        "classification",
        "the decoder reads the text too; its last vector goes to a linear layer",
        "not there: it writes",
        "there",
    ),
    departure(
        "the noise",
        "30 % of the tokens in spans of Poisson(3), one mask each; sentences change places",
        "it is data: noised texts as sources, the texts as targets",
        "drawn while data are loaded",
    ),
    departure(
        "one vocabulary",
        "of source and target",
        "the same where both sides have as many words (--joint); else the answer's table scores alone",
        "of source and target; another encoder is put below for translation",
    ),
    departure(
        "smaller sizes",
        "not there",
        "two layers, four heads and 128 features, unless told otherwise, for data of a person's own",
        "not there",
    ),
)

# ---- XLNet ----------------------------------------------------------------------------------------------

_PERMUTED: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 4e-4,
    "weight_decay": 0.01,
    "epsilon": 1e-6,
    "schedule": "linear",
    "warmup_steps": 40_000,
    "max_steps": 500_000,
    "batch_size": 8192,
}
_SEP_PIECE = 4  # of the authors' SentencePiece model


_XLNET_SOURCE = (
    "Yang et al., 1906.08237, appendix A.4; with the vector that asks and the projections of distances, "
    "and no head"
)
_XLNET_MORE: dict[str, Any] = {"separator": _SEP_PIECE, "recipe": _PERMUTED, "seq_len": 512}
_XLNET_PRESETS = (
    without_head("xlnet-base", 12, 768, 12, 32_000, 116_718_336, _XLNET_SOURCE, **_XLNET_MORE),
    without_head("xlnet-large", 24, 1024, 16, 32_000, 360_268_800, _XLNET_SOURCE, **_XLNET_MORE),
)
_XLNET_DEPARTURES: tuple[Departure, ...] = (
    departure(
        "the order",
        "of all tokens; the last sixth is predicted",
        "the data say which are predicted, the model draws their order; the others come first, all at once, "
        "and see each other",
        "the same, in n-gram spans; drawn while data are read",
    ),
    departure(
        "the order in evaluation",
        "not said",
        "that of reading, so that a score is a number",
        "drawn with the data",
    ),
    departure(
        "separators and the last token",
        "not said",
        "seen by all, as other given words are",
        "stand in the order, are never predicted and are seen by those behind them",
    ),
    departure(
        "who sees nothing",
        "does not happen",
        "takes nothing in",
        "spreads its weights evenly over what is hidden from it",
    ),
    departure(
        "the memory",
        "384 places of the segment before, in pre-training",
        "`remember` takes and gives it; not used in training, whose batches do not go on with each other",
        "384 places; reused while data are read in order",
    ),
    departure(
        "two directions of the data",
        "half of a batch reads backwards",
        "not there: one direction",
        "half of a batch reads backwards, with distances of the other sign",
    ),
    departure(
        "without targets",
        "not said",
        "every word from all others, which takes a pass for each place",
        "not there",
    ),
    departure("initial weights", "not said", "N(0, 0.02^2); biases of linear layers 0", "the same"),
    departure("eps of the normalisation", "not said", "1e-12; `norm_eps`", "1e-12"),
    departure(
        "questions",
        "the end is asked given the start",
        "BERT's span: start and end by themselves",
        "a beam of starts, each with its ends",
    ),
    departure(
        "smaller sizes",
        "not there",
        "two layers, 128 features and four heads, unless told otherwise, for data of a person's own",
        "not there",
    ),
)

# ---- MobileBERT -----------------------------------------------------------------------------------------

_MOBILE_PRESETS = (
    without_head(
        "mobilebert-base", 24, 512, 4, _UNCASED, 24_581_888,
        "Sun et al., 2004.02984, table 1: embeddings and blocks; the paper prints 25.3 million",
        separator=_SEPARATOR, inner_size=512, recipe=PRETRAINING,
    ),
)  # fmt: skip
_MOBILE_DEPARTURES: tuple[Departure, ...] = (
    departure(
        "how it learns",
        "layer by layer from a large teacher with inverted bottlenecks, then hidden words",
        "as BERT: hidden words, and how the second text follows; no teacher",
        "the paper's",
    ),
    departure(
        "the word beyond a text's ends",
        "not said",
        "zeros, whatever the batch",
        "zeros at the end of the batch; where a text is padded, the filler's vector",
    ),
    departure("order of the three words", "not said", "the next, the token, the one before", "the same"),
    departure(
        "readout of hidden words",
        "not said",
        "a table of 512 - 128 features more beside that of words",
        "the same",
    ),
    departure(
        "what stands for a text",
        "not said",
        "the first token's vector as it is",
        "the same; tanh is an option",
    ),
    departure("dropout", "not said", "none, but 0.1 on attention's weights", "none of features"),
    departure("operations", "8 bits, and NoNorm, for phones", "NoNorm in training too", "the same"),
    departure(
        "smaller sizes",
        "a tiny one with other bottlenecks",
        "two layers, 128 features, 64 in the bottleneck, unless told otherwise, for a person's own data",
        "the paper's",
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
    Architecture(
        id="bart",
        name="BART",
        year=2019,
        paper="Lewis et al., BART: denoising sequence-to-sequence pre-training, 1910.13461",
        parents=("bert", "transformer", "gpt"),
        adds="a decoder that writes the whole text, spans of any length behind one mask, sentences shuffled",
        removes="the head for hidden words, the second text, segments, the pooler",
        departures=_BART_DEPARTURES,
        fits=frozenset({("tokens", "translation")}),
        module="bart",
        model="BART",
        config="BARTConfig",
        recipe={**SMALL_RECIPE, "label_smoothing": 0.1},
        presets=_BART_PRESETS,
    ),
    Architecture(
        id="xlnet",
        name="XLNet",
        year=2019,
        paper="Yang et al., XLNet: generalized autoregressive pretraining, 1906.08237",
        parents=("bert",),
        adds="words predicted in an order drawn anew, two streams, distances in place of positions, a memory",
        removes="the mask among the words, the second text's question, positions, biases of q, k and v",
        departures=_XLNET_DEPARTURES,
        fits=ENCODER_FITS,
        module="xlnet",
        model="XLNet",
        config="XLNetConfig",
        recipe=SMALL_RECIPE,
        data={"masking": "permutation"},
        presets=_XLNET_PRESETS,
    ),
    *MULTILINGUAL_ENCODERS,
    Architecture(
        id="mobilebert",
        name="MobileBERT",
        year=2020,
        paper="Sun et al., MobileBERT: a compact BERT, 2004.02984",
        parents=("bert", "albert", "distilbert"),
        adds="a bottleneck around every block with four feed-forward nets, three words side by side, NoNorm",
        removes="the width of blocks, statistics of normalisation, GELU, the pooler's layer",
        departures=_MOBILE_DEPARTURES,
        fits=ENCODER_FITS,
        module="mobilebert",
        model="MobileBert",
        config="MobileBertConfig",
        recipe=SMALL_RECIPE,
        presets=_MOBILE_PRESETS,
    ),
)

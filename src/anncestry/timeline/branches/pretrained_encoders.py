"""Encoders that are trained on text of any kind first, and then on a task."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Departure, Preset
from anncestry.timeline.common import departure

ENCODER_FITS = frozenset({
    ("tokens", "masked-lm"), ("tokens", "classification"), ("tokens", "regression"), ("tokens", "tagging"),
    ("tokens", "span"),
})  # fmt: skip
PRETRAINING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1e-4,
    "weight_decay": 0.01,
    "decay_on": "matrices",
    "epsilon": 1e-6,
    "clip_norm": 1.0,
    "schedule": "linear",
    "warmup_steps": 10_000,
    "max_steps": 1_000_000,
    "batch_size": 256,
}
_UNCASED, _CASED = 30_522, 28_996
_SEPARATOR = 102
_SMALL = {  # Turc et al., 1908.08962: layers and width of each, and what its encoder and pooler count
    (2, 128): 4_385_920, (2, 256): 9_591_040, (2, 512): 22_458_880, (2, 768): 38_603_520,
    (4, 128): 4_782_464, (4, 256): 11_170_560, (4, 512): 28_763_648, (4, 768): 52_779_264,
    (6, 128): 5_179_008, (6, 256): 12_750_080, (6, 512): 35_068_416, (6, 768): 66_955_008,
    (8, 128): 5_575_552, (8, 256): 14_329_600, (8, 512): 41_373_184, (8, 768): 81_130_752,
    (10, 128): 5_972_096, (10, 256): 15_909_120, (10, 512): 47_677_952, (10, 768): 95_306_496,
    (12, 128): 6_368_640, (12, 256): 17_488_640, (12, 512): 53_982_720,
}  # fmt: skip
_NICKNAMES = {(2, 128): "bert-tiny", (4, 256): "bert-mini", (4, 512): "bert-small", (8, 512): "bert-medium"}


def encoder_preset(
    name: str,
    layers: int,
    width: int,
    heads: int,
    words: int,
    count: int,
    source: str,
    recipe: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    **config: Any,
) -> Preset:
    """A published size as it embeds a text: the encoder with its pooler, and no head.

    The published counts are those of an encoder and its pooler, so that is what is counted.
    """
    sizes = {"hidden_size": width, "num_layers": layers, "num_heads": heads}
    embeds = {"task": "embedding", "pooling": "pooler", "input_size": words, "output_size": width}
    config = {**embeds, **sizes, "separator": _SEPARATOR, **config}
    return Preset(
        name=name,
        config=config,
        num_parameters=count,
        source=source,
        recipe=recipe or PRETRAINING,
        data=data or {},
    )


def _small(layers: int, width: int, count: int) -> Preset:
    name = _NICKNAMES.get((layers, width), f"bert-{layers}x{width}")
    return encoder_preset(name, layers, width, width // 64, _UNCASED, count, "Turc et al., 1908.08962")


_PAPER = "Devlin et al., 1810.04805, section 3"
_BASE, _LARGE = (12, 768, 12), (24, 1024, 16)
_BERT_PRESETS = (
    encoder_preset("bert-base", *_BASE, _UNCASED, 109_482_240, _PAPER),
    encoder_preset("bert-base-cased", *_BASE, _CASED, 108_310_272, _PAPER),
    encoder_preset("bert-large", *_LARGE, _UNCASED, 335_141_888, _PAPER),
    encoder_preset("bert-large-cased", *_LARGE, _CASED, 333_579_264, _PAPER),
    encoder_preset("bert-multilingual-cased", *_BASE, 119_547, 177_853_440, "the authors' files"),
    encoder_preset("bert-multilingual-uncased", *_BASE, 105_879, 167_356_416, "the authors' files"),
    encoder_preset("bert-chinese", *_BASE, 21_128, 102_267_648, "the authors' files"),
    *(_small(layers, width, count) for (layers, width), count in _SMALL.items()),
)

_BERT_DEPARTURES: tuple[Departure, ...] = (
    departure(
        "GELU",
        "x Phi(x)",
        "x Phi(x)",
        "by the error function at first, by a tanh from February 2019 on",
        why="it is the paper's and the first release's",
        switch="activation",
        test="timeline/ledgers/test_pretrained_encoders.py::test_gelu",
    ),
    departure(
        "eps of the normalisation",
        "not said",
        "1e-12",
        "1e-12",
        switch="norm_eps",
        test="timeline/ledgers/test_pretrained_encoders.py::test_eps_of_the_normalisations",
    ),
    departure(
        "which text a token belongs to",
        "given with the input",
        "told by the separators of the input; `segments` of forward where they are known",
        "given with the input",
        why="an input is then tokens alone, as of every other model",
        switch="separator",
        test="timeline/ledgers/test_pretrained_encoders.py::test_texts_are_told_apart_by_separators",
    ),
    departure(
        "padding",
        "not said",
        "weights of exactly 0; takes part in the products of a batch",
        "-10000 is added to its scores; only keys are masked",
        why="an answer must not hang on what a text is padded with",
        test="timeline/ledgers/test_pretrained_encoders.py::test_padding_has_no_weight_at_all",
    ),
    departure(
        "what stands for masked tokens",
        "80 % the mask, 10 % a random word, 10 % stay",
        "the paper's shares; never special tokens, neither hidden nor put in",
        "the random word may be any row of the vocabulary",
        switch="--masking",
        test="data/corruption/test_masking.py::test_shares_over_many_tokens",
    ),
    departure(
        "how often words are hidden anew",
        "not said",
        "in every pass, and always alike where it is scored",
        "drawn once, for ten copies of the text",
        why="it costs nothing here, and copies of a text do",
        test="data/splits/test_masked_lm.py::test_training_draws_other_masks_in_every_pass",
    ),
    departure(
        "how many are hidden",
        "15 %",
        "the code's rule: 15 % of the length, rounded, at least 1",
        "the same, at most 20 of 128 tokens",
        test="data/corruption/test_masking.py::test_tokens_are_exactly_the_rounded_share",
    ),
    departure(
        "whole words",
        "not there",
        "`whole-words`: the code's rule",
        "an option: a word that is too long for what is left is passed over, and each of its "
        "pieces is drawn for itself",
        switch="--masking",
        test="data/corruption/test_masking.py::test_whole_words_are_those_of_the_naive_loop",
    ),
    departure(
        "how often the second text is another's",
        "half of the time",
        "the code's rule, so more than half of the time",
        "half of the time, and always where a stretch has but one sentence",
        switch="--pairs",
        test="data/corruption/test_sentence_pairs.py::test_more_than_half_of_the_next_sentences_are_random",
    ),
    departure(
        "the number of each answer about it",
        "not said",
        "0 follows, 1 is another's",
        "0 follows, 1 is another's",
        test="data/corruption/test_sentence_pairs.py::test_every_pair_is_what_its_relation_says",
    ),
    departure(
        "long and short inputs",
        "128 tokens for 90 % of the steps, then 512",
        "one length, 128 unless told; of pairs, one document of ten has a shorter one",
        "files of each length; one document of ten has a shorter one",
        why="a run reads one data set",
        switch="--window",
        test="data/corruption/test_sentence_pairs.py::test_a_tenth_of_the_documents_has_a_shorter_target",
    ),
    departure(
        "texts that are too long for an input",
        "not said",
        "the code's rule",
        "the longer one loses tokens, each from its front or its end by the toss of a coin",
        test="data/corruption/test_sentence_pairs.py::test_truncation_is_at_both_ends",
    ),
    departure(
        "average of the losses",
        "sum of the mean losses",
        "each over the whole batch, and added",
        "each over the whole batch, the hidden words' with 1e-5 more in the denominator",
        test="timeline/ledgers/test_pretrained_encoders.py::test_losses_are_means_over_the_batch",
    ),
    departure(
        "correction of Adam's first steps",
        "not said",
        "`adamw` corrects; `bert-adam` is the code's",
        "none: 3.2 times the step at first, at most 6.6 times, after a few thousand steps the same",
        switch="--optimizer",
        test="training/test_optimizers.py::test_berts_adam_is_its_formula",
    ),
    departure(
        "rate at the end of the warm-up",
        "rises, then falls in a line to 0",
        "falls in a line from the first step on, also while it rises: no jump",
        "rises to the whole rate, then is at once on the line that fell from the first step on",
        switch="--schedule",
        test="training/test_optimizers.py::test_a_warm_up_by_share_rises_with_the_run",
    ),
    departure(
        "what weight decay spares",
        "not said",
        "biases, and gains of normalisations: what is no matrix",
        "what is named a bias or a normalisation",
        switch="--decay-on",
        test="training/test_optimizers.py::test_decay_may_spare_biases_and_gains",
    ),
    departure(
        "initial weights",
        "not said",
        "N(0, 0.02^2) cut at two deviations; biases 0",
        "the same",
        test="timeline/ledgers/test_pretrained_encoders.py::test_initial_weights",
    ),
    departure(
        "rows of the vocabulary and parameters",
        "30,000 pieces; 110 M and 340 M",
        "the published files': 30,522 rows make 109,482,240 and 335,141,888 with the pooler",
        "30,522 rows, 28,996 with capitals",
        test="timeline/ledgers/test_pretrained_encoders.py::test_published_counts_by_head",
    ),
    departure(
        "smaller sizes",
        "not there",
        "two layers, 128 features and four heads, unless told otherwise, for data of a person's own",
        "24 smaller ones of Turc et al., 1908.08962",
        why="what two cores can train; the 24 are presets",
        switch="--width",
        test="timeline/ledgers/test_pretrained_encoders.py::test_smaller_sizes_unless_told",
    ),
)

# What suits a person's own data and two cores; the paper's recipe comes with the presets.
SMALL_RECIPE: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 0.01,
    "decay_on": "matrices",
    "clip_norm": 1.0,
    "schedule": "linear",
    "warmup_steps": 100,
    "batch_size": 32,
}

# The paper's grid is 5e-5, 3e-5 and 2e-5, 16 or 32 texts, 2 to 4 epochs; the warm-up is the code's. Small
# encoders want more, up to 3e-4 (Turc et al., 1908.08962).
FINE_TUNING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 5e-5,
    "weight_decay": 0.01,
    "decay_on": "matrices",
    "clip_norm": 1.0,
    "schedule": "linear",
    "warmup": 0.1,
    "batch_size": 32,
    "epochs": 3,
}

PRETRAINED_ENCODERS: tuple[Architecture, ...] = (
    Architecture(
        id="bert",
        name="BERT",
        year=2018,
        paper="Devlin et al., BERT: pre-training of deep bidirectional Transformers, 1810.04805",
        parents=("transformer", "gpt", "elmo"),
        adds="hidden words, the second text, segments, learned positions, GELU; fine-tuned whole",
        removes="the decoder, and the sinusoids",
        departures=_BERT_DEPARTURES,
        fits=ENCODER_FITS,
        module="bert",
        model="Bert",
        config="BertConfig",
        recipe=SMALL_RECIPE,
        fine_tuning=FINE_TUNING,
        presets=_BERT_PRESETS,
    ),
)

"""Encoders of other languages than English, or of many at once: XLM and FlauBERT."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Departure, Preset
from anncestry.timeline.branches.pretrained_encoders import ENCODER_FITS, SMALL_RECIPE
from anncestry.timeline.common import departure


def without_head(
    name: str, layers: int, width: int, heads: int, words: int, count: int, source: str, **more: Any
) -> Preset:
    """A published size as it embeds a text by the mean of its tokens, which needs no layer of its own.

    Args:
        more: further fields of the config, and ``recipe``.
    """
    sizes = {"input_size": words, "hidden_size": width, "num_layers": layers, "num_heads": heads}
    recipe = more.pop("recipe")
    config = {"task": "embedding", "output_size": width, "pooling": "mean", **sizes, **more}
    return Preset(name=name, config=config, num_parameters=count, source=source, recipe=recipe)


_MANY: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 1e-4,
    "batch_size": 64,
}
_XNLI = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh")
_XLM_PRESETS = (
    without_head(
        "xlm-xnli15", 12, 1024, 8, 95_000, 248_976_384,
        "Lample & Conneau, 1901.07291, section 5.1: 95,000 pieces and 15 languages; counted without a head",
        languages=_XNLI, recipe=_MANY, seq_len=256,
    ),
)  # fmt: skip
_FLAUBERT: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 6e-4,
    "beta2": 0.98,
    "epsilon": 1e-6,
    "weight_decay": 0.01,
    "schedule": "linear",
    "warmup_steps": 24_000,
    "batch_size": 8192,
}
_FLAUBERT_LARGE: dict[str, Any] = {"norm": "pre", "layer_drop": 0.2}
_FRENCH, _LE = 68_729, "Le et al., 1912.05372, section 4"
_FLAUBERT_PRESETS = (
    without_head("flaubert-base", 12, 768, 12, _FRENCH, 138_233_088, _LE, recipe=_FLAUBERT, seq_len=512),
    without_head(
        "flaubert-large", 24, 1024, 16, _FRENCH, 373_214_208, _LE,
        recipe=_FLAUBERT, seq_len=512, **_FLAUBERT_LARGE,
    ),
)  # fmt: skip
_SMALLER = departure(
    "smaller sizes",
    "not there",
    "two layers, 128 features and four heads, unless told otherwise, for data of a person's own",
    "not there",
    why="what two cores can train",
    switch="--width",
    test="timeline/ledgers/test_pretrained_encoders.py::test_smaller_sizes_unless_told",
)
_XLM_DEPARTURES: tuple[Departure, ...] = (
    departure(
        "the causal language model",
        "a third objective: words from those before them",
        "not there; gpt is that net",
        "there: `causal`",
        why="one net of each kind",
        test="parity/test_beyond_bert.py::test_what_does_not_come_in",
    ),
    departure(
        "which language a token is of",
        "given with the input",
        "`segments` of forward; of a text and its translation the first and the second of `languages`; none "
        "where nobody says",
        "given with the input",
        why="an input is then tokens alone, as of every other model",
        switch="languages",
        test="models/test_beyond_bert_forks.py::test_a_translation_has_its_own_positions_and_language",
    ),
    departure(
        "marks of a text's ends",
        "</s> at both",
        "as the tokenizer packs texts: the first separator ends the first text, so a text must not begin "
        "with one",
        "</s> at both",
        switch="separator",
        test="models/test_beyond_bert_forks.py::test_a_translation_has_its_own_positions_and_language",
    ),
    departure(
        "which words are hidden",
        "15 %, rare ones rather than frequent ones: by the square root of their inverse frequency",
        "15 % at random, as BERT's",
        "the paper's, by an option",
        why="all encoders here learn from the same data",
        switch="--masking",
        test="data/corruption/test_masking.py::test_shares_over_many_tokens",
    ),
    departure(
        "languages of a batch",
        "drawn by (share)^0.5",
        "not there: texts come as the data have them",
        "drawn by (share)^0.7 or ^0.5",
        why="data have no column that names a language",
    ),
    departure(
        "streams",
        "256 tokens that may cross sentences",
        "the data's blocks: whole sentences, over the borders of documents",
        "the paper's",
        switch="--window",
        test="data/corruption/test_sentence_pairs.py::test_blocks_are_the_text_in_whole_sentences",
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
        "initial weights",
        "not said",
        "N(0, 0.02^2) cut at two deviations; biases 0",
        "tables N(0, 1/d)",
        why="as BERT's, so that the two differ by what the paper changed",
        test="timeline/ledgers/test_pretrained_encoders.py::test_initial_weights",
    ),
    departure(
        "parameters",
        "95,000 pieces and 15 languages",
        "248,976,384 without a head, for 95,000 rows exactly",
        test="timeline/ledgers/test_multilingual_encoders.py::test_published_counts",
    ),
    _SMALLER,
)
_FLAUBERT_DEPARTURES: tuple[Departure, ...] = (
    departure(
        "the large net",
        "normalises before sub-layers and leaves out layers with probability 0.2",
        "a preset: `norm=pre`, `layer_drop=0.2`; a whole block is left out; nothing is normalised at the end",
        "the same",
        switch="norm",
        test="models/test_beyond_bert_forks.py::test_blocks_are_left_out_in_training_alone",
    ),
    departure(
        "languages",
        "one",
        "no language vectors; XLM's where they are named",
        "the same",
        switch="languages",
        test="models/test_beyond_bert_forks.py::test_a_pair_to_answer_about_is_one_text",
    ),
    departure(
        "head of a task",
        "the first token's vector",
        "as it is, to a linear layer",
        "the same",
        test="models/test_beyond_bert_forks.py::test_a_pair_to_answer_about_is_one_text",
    ),
    departure(
        "warm-up of the rate",
        "24,000 steps of the base net",
        "the same in the presets' recipe, then linear to 0",
        "polynomial decay",
        switch="--warmup-steps",
        test="timeline/ledgers/test_multilingual_encoders.py::test_published_recipes",
    ),
    departure(
        "eps of the normalisation",
        "not said",
        "1e-12",
        "1e-12 in the base net, 1e-6",
        switch="norm_eps",
        test="timeline/ledgers/test_pretrained_encoders.py::test_eps_of_the_normalisations",
    ),
    departure(
        "parameters",
        "138 M and 373 M",
        "138,233,088 and 373,214,208 without a head",
        test="timeline/ledgers/test_multilingual_encoders.py::test_published_counts",
    ),
    _SMALLER,
)

MULTILINGUAL_ENCODERS: tuple[Architecture, ...] = (
    Architecture(
        id="xlm",
        name="XLM",
        year=2019,
        paper="Lample & Conneau, Cross-lingual language model pretraining, 1901.07291",
        parents=("bert", "gpt"),
        adds="many languages with a vector each, texts with their translations, whose positions begin anew",
        removes="the second text's question, segments, the pooler, the layer before the readout",
        departures=_XLM_DEPARTURES,
        fits=ENCODER_FITS,
        module="xlm",
        model="XLM",
        config="XLMConfig",
        recipe=SMALL_RECIPE,
        data={"level": "word-bpe"},
        presets=_XLM_PRESETS,
    ),
    Architecture(
        id="flaubert",
        name="FlauBERT",
        year=2019,
        paper="Le et al., FlauBERT: unsupervised language model pre-training for French, 1912.05372",
        parents=("roberta", "xlm"),
        adds="71 GB of French, XLM's net; the large one normalises first and leaves out layers in training",
        removes="English, byte-level pieces, segments",
        departures=_FLAUBERT_DEPARTURES,
        fits=ENCODER_FITS,
        module="xlm",
        model="XLM",
        config="XLMConfig",
        recipe=SMALL_RECIPE,
        data={"level": "word-bpe"},
        presets=_FLAUBERT_PRESETS,
    ),
)

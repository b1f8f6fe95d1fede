"""The fidelity ledgers of XLM and FlauBERT."""

from anncestry.timeline.architecture import Departure
from anncestry.timeline.common import departure

_SMALLER = departure(
    "smaller sizes",
    "not there",
    "two layers, 128 features and four heads by default, for a user's own data",
    "not there",
    why="what two cores can train",
    switch="--width",
    test="timeline/ledgers/test_pretrained_encoders.py::test_smaller_sizes_by_default",
)

XLM: tuple[Departure, ...] = (
    departure(
        "the causal language model",
        "a third objective: words from those before them",
        "not there; gpt is that net",
        "there: `causal`",
        why="one net of each kind",
        test="checkpoints/converters/hugging_face/test_other_encoders.py::test_what_does_not_come_in",
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
        "which tokens are masked",
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

FLAUBERT: tuple[Departure, ...] = (
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

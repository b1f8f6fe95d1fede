"""BERT's forks that want fewer weights, fewer layers, or less training."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.branches.pretrained_encoders import (
    ENCODER_FITS,
    PRETRAINING,
    SMALL_RECIPE,
    encoder_preset,
)
from anncestry.timeline.common import OWN_PIECES, departure

_BASE, _LARGE = (12, 768, 12), (24, 1024, 16)
_UNCASED, _ALBERT = 30_522, 30_000
_ALBERT_SEPARATOR = 3

# ---- ALBERT ---------------------------------------------------------------------------------------------

_ALBERT_RECIPE: dict[str, Any] = {
    **PRETRAINING, "optimizer": "lamb", "learning_rate": 1.76e-3, "warmup_steps": 3125,
    "max_steps": 125_000, "batch_size": 4096,
}  # fmt: skip


def _albert(name: str, shape: tuple[int, int, int], count: int, printed: str, **config: Any) -> Preset:
    return encoder_preset(
        name, *shape, _ALBERT, count,
        f"Lan et al., 1909.11942, table 1, which prints {printed}; with a pooler",
        _ALBERT_RECIPE, separator=_ALBERT_SEPARATOR, embed_dim=128, activation="gelu-tanh",
        data={"pairs": "order"}, **config,
    )  # fmt: skip


_ALBERT_ENTRY = Architecture(
    id="albert",
    name="ALBERT",
    year=2019,
    paper="Lan et al., ALBERT: a lite BERT for self-supervised learning of language representations, "
    "1909.11942",
    parents=("bert",),
    adds="one block for all layers; tables of 128 features; which text is first; runs of words are hidden",
    removes="each layer's own weights, and the question whether a second text is another's",
    departures=(
        OWN_PIECES,
        departure(
            "GELU",
            "x Phi(x)",
            "by a tanh",
            "by a tanh",
            why="published weights were trained so",
            switch="activation",
            test="timeline/ledgers/test_pretrained_encoders.py::test_gelu",
        ),
        departure(
            "which runs of words",
            "one to three words, the longer the rarer: p ~ 1 / n",
            "the same, of whole words, drawn anew in every pass",
            "of whole words, drawn once for 40 copies of the text",
            switch="--masking",
            test="data/corruption/test_masking.py::test_spans_have_the_papers_lengths",
        ),
        departure(
            "what stands for a run of words",
            "not said",
            "each piece is drawn for itself: the mask, a random word, or as it was",
            why="as BERT's whole words are",
            switch="--masking",
            test="timeline/ledgers/test_lean_encoders.py::test_words_of_a_run_share_no_fate",
        ),
        departure(
            "parameters of xxlarge",
            "235 M",
            "222,595,584: what the published shape counts",
            "222,595,584",
            why="the published shape does not make 235 M",
            test="timeline/ledgers/test_lean_encoders.py::test_published_counts_by_head",
        ),
        departure(
            "optimizer",
            "LAMB, 0.00176, batches of 4096",
            "LAMB in the presets' recipe: its paper's formula; biases and gains take Adam's step",
            "LAMB without a correction of its first steps; biases and gains take Adam's step",
            why="in a small net of a person's own AdamW is used, whose batches are small",
            switch="--optimizer",
            test="training/test_optimizers.py::test_lamb_is_its_formula",
        ),
        departure(
            "dropout",
            "none in the last part of xxlarge's training",
            "0.1, and none in xxlarge",
            "none in all of the second version",
            switch="dropout",
            test="timeline/ledgers/test_lean_encoders.py::test_dropout_of_the_presets",
        ),
        departure(
            "which text comes first",
            "two consecutive texts, swapped in half of the cases",
            "the data's: `order`; a stretch of one sentence is cut in its middle",
            "where random_next_sentence is false",
            switch="--pairs",
            test="data/corruption/test_sentence_pairs.py::test_relations_are_as_likely",
        ),
        departure(
            "a dropout before the answer about two texts",
            "not said",
            "none, as in BERT",
            test="timeline/ledgers/test_lean_encoders.py::test_no_dropout_before_the_answer_about_two_texts",
        ),
        departure(
            "smaller sizes",
            "not there",
            "for data of a person's own tables have half of the width's features, at most 128",
            why="128 features would be no fewer than the width of a small net",
            switch="embed_dim",
            test="timeline/ledgers/test_pretrained_encoders.py::test_smaller_sizes_unless_told",
        ),
    ),
    fits=ENCODER_FITS,
    module="albert",
    model="Albert",
    config="AlbertConfig",
    recipe=SMALL_RECIPE,
    data={"masking": "n-grams"},
    presets=(
        _albert("albert-base", _BASE, 11_683_584, "12 M"),
        _albert("albert-large", _LARGE, 17_683_968, "18 M"),
        _albert("albert-xlarge", (24, 2048, 16), 58_724_864, "60 M"),
        _albert("albert-xxlarge", (12, 4096, 64), 222_595_584, "235 M", dropout=0.0, attention_dropout=0.0),
    ),
)  # fmt: skip

# ---- DistilBERT -----------------------------------------------------------------------------------------

_DISTILBERT = Architecture(
    id="distilbert",
    name="DistilBERT",
    year=2019,
    paper="Sanh et al., DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter, "
    "1910.01108",
    parents=("bert", "roberta"),
    adds="a teacher's scores and hidden states beside the hidden words; its every second layer to begin with",
    removes="half of the layers, segments, the pooler, and the question about a second text",
    departures=(
        departure(
            "weights of the three losses",
            "a linear combination",
            "5, 2 and 1, at a temperature of 2",
            "5, 2 and 1 in its example, at a temperature of 2",
            test="training/test_distilling.py::test_the_loss_is_the_formula",
        ),
        departure(
            "where teacher and student are compared",
            "not said",
            "at every token that is no padding",
            "the same, unless told to compare hidden places alone",
            test="timeline/ledgers/test_lean_encoders.py::test_a_student_is_compared_at_all_that_is_no_padding",
        ),
        departure(
            "which layers it begins with",
            "one layer out of two",
            "the first of every two: 0, 2, 4, ...",
            "0, 2, 4, 7, 9, 11 of 12",
            why="a rule that serves teachers of any depth",
            switch="--teacher",
            test="training/test_distilling.py::test_it_begins_with_every_second_layer",
        ),
        departure(
            "without a teacher",
            "not meant",
            "it is trained as BERT on hidden words",
            why="that is what every other model is measured by",
            switch="--teacher",
            test="contract/test_timeline_contract.py::test_the_model_conforms",
        ),
        departure(
            "dropout before an answer",
            "not said",
            "`dropout`, 0.1",
            "0.2 before the last layer of classifiers",
            switch="dropout",
            test="timeline/ledgers/test_bert_forks.py::test_dropout_before_an_answer",
        ),
    ),
    fits=ENCODER_FITS,
    module="distilbert",
    model="DistilBert",
    config="DistilBertConfig",
    recipe=SMALL_RECIPE,
    presets=(
        encoder_preset(
            "distilbert-base", 6, 768, 12, _UNCASED, 66_362_880,
            "Sanh et al., 1910.01108, table 3, which prints 66 M; 66,985,530 with the hidden words' layer",
            {**PRETRAINING, "learning_rate": 5e-4, "batch_size": 4096},
            num_segments=0, pooling="mean",
        ),
    ),
)  # fmt: skip

# ---- ELECTRA --------------------------------------------------------------------------------------------

_ELECTRA_RECIPE = {**PRETRAINING, "clip_norm": 1.0, "epsilon": 1e-6}


def _electra(
    name: str, shape: tuple[int, int, int], count: int, with_head: str, divisor: int,
    recipe: dict[str, Any], embed_dim: int = 0,
) -> Preset:  # fmt: skip
    return encoder_preset(
        name, *shape, _UNCASED, count,
        f"Clark et al., 2003.10555, table 6: the discriminator, {with_head} with its head",
        {**_ELECTRA_RECIPE, **recipe}, pooling="mean", embed_dim=embed_dim, generator_divisor=divisor,
    )  # fmt: skip


_ELECTRA = Architecture(
    id="electra",
    name="ELECTRA",
    year=2020,
    paper="Clark et al., ELECTRA: pre-training text encoders as discriminators rather than generators, "
    "2003.10555",
    parents=("bert", "roberta"),
    adds="every token is asked about: whether a small BERT put it there; one set of tables for both nets",
    removes="the mask in what is read, the softmax of the net that is kept, the second text",
    departures=(
        departure(
            "hidden words",
            "15 % become the mask",
            "as the data hide them: 80 % become the mask, 10 % a random word, 10 % stay",
            "85 % become the mask, 15 % stay; places are drawn with replacement, so there are fewer",
            why="all encoders here learn from the same data",
            switch="--masking",
            test="data/corruption/test_masking.py::test_shares_over_many_tokens",
        ),
        departure(
            "a drawn word that is the right one",
            "counts as original",
            "counts as original",
            "counts as original",
            test="models/test_bert_forks.py::test_the_discriminator_reads_what_was_drawn",
        ),
        departure(
            "what the nets share",
            "the tables of tokens and positions",
            "all below the projection: tokens, positions, segments and their normalisation",
            "tokens, positions and segments, with the normalisation in the same scope",
            why="published files of both nets fit",
            test="models/test_bert_forks.py::test_both_nets_have_one_set_of_tables",
        ),
        departure(
            "size of the small one's generator",
            "a quarter",
            "the preset's is as wide as the discriminator; 4 is the paper's",
            "a quarter, and 1 for the file that was published",
            why="the published file's",
            switch="generator_divisor",
            test="timeline/ledgers/test_lean_encoders.py::test_sizes_of_generators",
        ),
        departure(
            "layers of the generator",
            "fewer features, as many layers",
            "as many layers; width and heads are divided, and four times the width is inside",
            "the same",
            switch="generator_divisor",
            test="timeline/ledgers/test_lean_encoders.py::test_sizes_of_generators",
        ),
        departure(
            "GELU",
            "x Phi(x)",
            "x Phi(x), in both heads whatever `activation` is",
            "x Phi(x)",
            switch="activation",
            test="timeline/ledgers/test_lean_encoders.py::test_electras_heads_have_gelu_whatever_the_blocks_have",
        ),
        departure(
            "hidden words of the large one",
            "25 %",
            "the data's share, 15 %",
            "25 %",
            why="the share is no option of the data",
            test="data/corruption/test_masking.py::test_tokens_are_exactly_the_rounded_share",
        ),
        departure(
            "rate of each layer in fine-tuning",
            "falls from layer to layer",
            "one for all layers",
            "falls by 0.8, or 0.9 for the large one",
            why="models are compared under one way of training",
            test="timeline/ledgers/test_lean_encoders.py::test_one_rate_for_all_layers",
        ),
        departure(
            "what is measured",
            "tasks",
            "loss and perplexity are the generator's; replaced_accuracy is the discriminator's",
            why="the generator's words can be held against other models'",
            test="models/test_bert_forks.py::test_the_loss_of_both_nets_and_padding",
        ),
        departure(
            "evaluation",
            "not said",
            "words are drawn by a fixed random number",
            why="scores repeat",
            test="models/test_bert_forks.py::test_the_discriminator_reads_what_was_drawn",
        ),
    ),
    fits=ENCODER_FITS,
    module="electra",
    model="Electra",
    config="ElectraConfig",
    recipe=SMALL_RECIPE,
    presets=(
        _electra(
            "electra-small", (12, 256, 4), 13_483_008, "13,549,057", 1,
            {"learning_rate": 5e-4, "batch_size": 128}, 128,
        ),
        _electra(
            "electra-base", _BASE, 108_891_648, "109,483,009", 3,
            {"learning_rate": 2e-4, "batch_size": 256, "max_steps": 766_000},
        ),
        _electra(
            "electra-large", _LARGE, 334_092_288, "335,142,913", 4,
            {"learning_rate": 2e-4, "batch_size": 2048, "max_steps": 1_750_000},
        ),
    ),
)  # fmt: skip

LEAN_ENCODERS: tuple[Architecture, ...] = (_ALBERT_ENTRY, _DISTILBERT, _ELECTRA)

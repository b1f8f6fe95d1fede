"""Architectures made of attention alone."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Departure, Preset
from anncestry.timeline.common import departure

_ADAM = {"optimizer": "adam", "beta2": 0.98, "epsilon": 1e-9}
_WORDS = 25  # of a typical sentence with its end


def _noam(width: int, warmup_steps: int) -> dict[str, Any]:
    """Section 5.3: the rate is d^-0.5 min(step^-0.5, step w^-1.5), with its peak at step w."""
    return {
        **_ADAM,
        "learning_rate": (width * warmup_steps) ** -0.5,
        "schedule": "inverse-sqrt",
        "warmup_steps": warmup_steps,
        "label_smoothing": 0.1,
    }


_PAPER = {
    "input_size": 37_000,
    "output_size": 37_000,
    "tie": "all",
    "seq_len": _WORDS,
    "target_len": _WORDS,
}
_PAIRS = {"level": "bpe", "vocab_size": 37_000, "joint": True, "batch_tokens": 50_000}
_BASE = Preset(
    name="transformer-base",
    config={**_PAPER, "hidden_size": 512, "num_layers": 6, "num_heads": 8},
    num_parameters=63_045_632,
    source="Vaswani et al., 1706.03762, table 3; the paper prints 65 million, which no one vocabulary gives "
    "together with the big model's 213 million",
    recipe={**_noam(512, 4000), "max_steps": 100_000, "average": 5},
    data=_PAIRS,
)
_BIG = Preset(
    name="transformer-big",
    config={**_PAPER, "hidden_size": 1024, "num_layers": 6, "num_heads": 16, "dropout": 0.3},
    num_parameters=214_171_648,
    source="Vaswani et al., 1706.03762, table 3",
    recipe={**_noam(1024, 4000), "max_steps": 300_000, "average": 20},
    data=_PAIRS,
)
_TINY = Preset(
    name="transformer-tiny",
    config={
        "input_size": 9_712,
        "output_size": 9_712,
        "hidden_size": 128,
        "num_layers": 4,
        "num_heads": 4,
        "inner_size": 256,
        "dropout": 0.3,
        "tie": "all",
        "attention_bias": True,
        "positions": "tensor2tensor",
        "norm_eps": 1e-5,
        "target_len": 16,
    },
    num_parameters=2_568_192,
    source="Wu et al. (2021), LividWo/Revisit-MMT, for Multi30k: 1,325,056 weights beside the embeddings",
    recipe={**_noam(128, 2000), "learning_rate": 5e-3, "max_steps": 8000, "average": 10},
    data={"level": "bpe", "vocab_size": 10_000, "joint": True, "lowercase": True, "batch_tokens": 4096},
)

_EQUATIONS = "models/test_encoder_decoders.py::test_the_scores_are_those_of_the_equations"
_OURS = "timeline/ledgers/test_transformers.py::"
_DEPARTURES: tuple[Departure, ...] = (
    departure(
        "positions",
        "sine and cosine in turn, wavelengths up to 10000^(2i/d)",
        "the paper's; `positions=tensor2tensor` has the code's, `concatenated` Marian's",
        "first all sines, then all cosines; the last wavelength is exactly 10000 * 2 pi",
        why="no order of features turns one into the other, so a checkpoint needs its own",
        switch="positions",
        test="layers/attention/test_attention.py::test_positions_are_the_formulas",
    ),
    departure(
        "number of the first position",
        "0",
        "0; `first_position` (fairseq begins behind the number of its filler)",
        "0",
        switch="first_position",
        test=f"{_OURS}test_positions_begin_where_it_is_told",
    ),
    departure(
        "scale of the embeddings",
        "sqrt(d), before positions are added",
        "sqrt(d), and weights from N(0, 1/d); `scale_embeddings`",
        "sqrt(d), and weights from N(0, 1/d)",
        why="scaled weights of variance 1 would drown the positions",
        switch="scale_embeddings",
        test=f"{_OURS}test_words_and_positions_start_with_like_sizes",
    ),
    departure(
        "place of the normalisation",
        "behind each sub-layer",
        "the paper's; `norm=pre` has the later code's",
        "behind in the first version, before and once more at the end from the second on",
        switch="norm",
        test="layers/attention/test_attention.py::test_where_the_norm_is",
    ),
    departure(
        "biases of the attention's projections",
        "none in the formulas",
        "none; `attention_bias` (torch.nn, fairseq, Marian)",
        "none",
        switch="attention_bias",
        test=_EQUATIONS,
    ),
    departure(
        "label smoothing",
        "0.1, not said how it is spread",
        "0.1 / V on every word, the right one among them",
        "0.1 / (V - 1) on every wrong word, less the entropy of that",
        why="as torch.nn spreads it; figures are reported without",
        switch="--label-smoothing",
        test="objectives/test_sequence.py::test_loss_and_figures",
    ),
    departure(
        "before the first word",
        "not said",
        "a token of its own",
        "a vector of zeros",
        why="every decoder of the family is asked in the same way",
        test="models/test_encoder_decoders.py::test_what_a_decoder_reads",
    ),
    departure(
        "dropout of attention's weights and of hidden units",
        "none",
        "none; `attention_dropout`, `inner_dropout`",
        "none in the first version, 0.1 from the second on",
        switch="attention_dropout, inner_dropout",
        test=f"{_OURS}test_only_sums_are_dropped_unless_told",
    ),
    departure(
        "initial weights",
        "not said",
        "the code's; queries, keys and values each by themselves",
        "uniform, scaled by fan-in and fan-out; embeddings N(0, 1/d)",
        why="as one matrix for all three they would start smaller",
        test=f"{_OURS}test_queries_keys_and_values_start_as_matrices_of_their_own",
    ),
    departure(
        "eps of the normalisation",
        "not said",
        "1e-6; `norm_eps` (1e-5 in torch.nn and Marian)",
        "1e-6",
        switch="norm_eps",
        test=f"{_OURS}test_what_is_added_to_the_variance",
    ),
    departure(
        "normalisation",
        "of biased variance",
        "the paper's",
        "the paper's; the Annotated Transformer's divides by the deviation over n - 1, plus eps",
        test=_EQUATIONS,
    ),
    departure(
        "masked scores of attention",
        "minus infinity",
        "minus infinity; a source without a word is refused",
        why="a finite number hides that a query sees nothing",
        test=f"{_OURS}test_a_source_without_a_word_is_refused",
    ),
    departure(
        "padding",
        "not said",
        "not looked at, not scored; takes part in the products",
        "embedded as zeros, and left out of the feed-forward nets",
        why="what is computed there is read by nothing",
        test=_EQUATIONS,
    ),
    departure(
        "size of a batch",
        "about 25,000 tokens of sources, and as many of answers",
        "`--batch-tokens`: both together, padding and all processes counted; 50,000 in the presets",
        "4,096 tokens for each processor",
        why="memory goes by what is computed, padding with it",
        switch="--batch-tokens",
        test="data/splits/test_seq2seq.py::test_every_row_comes_once_and_as_it_is",
    ),
    departure(
        "average of weights",
        "of the last 5 (20) checkpoints, ten minutes apart",
        "of those at the last 5 (20) evaluations, and kept only where it scores better",
        why="a run does not depend on a clock",
        switch="--average",
        test="training/test_fit.py::test_the_average_is_of_the_weights_at_the_last_evaluations",
    ),
    departure(
        "search",
        "4 hypotheses, 0.6 for the length; at most 50 words more than the source",
        "the best word each time unless told: `--beam 4`; 0.6 for the length; at most 20 words and two usual "
        "answers more than the source",
        why="50 is far too much for short sentences",
        test=f"{_OURS}test_an_answer_may_be_longer_than_its_source",
    ),
    departure(
        "number of parameters",
        "65 and 213 million",
        "63,045,632 and 214,171,648, with 37,000 words",
        why="no one vocabulary gives both of the paper's",
        test="timeline/test_timeline.py::test_presets_count_what_they_say",
    ),
    departure(
        "smaller sizes",
        "not there",
        "two layers, four heads and 128 features, unless told otherwise, for data of a person's own",
        "`transformer_tiny` has the same, with f = 512",
        switch="num_layers, num_heads, hidden_size",
        test=f"{_OURS}test_it_is_small_unless_told",
    ),
)

TRANSFORMERS: tuple[Architecture, ...] = (
    Architecture(
        id="transformer",
        name="Transformer",
        year=2017,
        paper="Vaswani et al., Attention is all you need, 1706.03762",
        parents=("rnnsearch", "gnmt", "resnet"),
        adds="self-attention of several heads, position vectors, a feed-forward net at every place",
        removes="recurrence: nothing is passed on from step to step",
        departures=_DEPARTURES,
        fits=frozenset({("tokens", "translation")}),
        module="transformer",
        model="Transformer",
        config="TransformerConfig",
        recipe={**_noam(128, 400), "learning_rate": 2e-3},
        presets=(_BASE, _BIG, _TINY),
    ),
)

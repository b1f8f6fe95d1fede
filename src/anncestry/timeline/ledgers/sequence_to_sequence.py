"""The fidelity ledger of encoder-decoders with recurrent decoders."""

from anncestry.timeline.architecture import Departure
from anncestry.timeline.common import departure

_EQUATIONS = "models/test_encoder_decoders.py::test_the_logits_are_those_of_the_equations"
_OURS = "timeline/ledgers/test_sequence_to_sequence.py::"

_LOSS = departure(
    "loss",
    "a sum over the words of a sentence, a mean over the batch",
    "a mean over words; the presets' learning rate and clipping are scaled for sentences of 25 words",
    why="a rate then does not depend on the lengths of a person's own texts",
    test=f"{_OURS}test_the_mean_over_words_learns_what_the_published_sum_does",
)
_SAMPLING = departure(
    "scheduled sampling",
    "not there; Bengio et al. (1506.03099) raise the probability in training and also draw the word",
    "`scheduled_sampling`: one probability, the best word; no gradient goes through the choice",
    switch="scheduled_sampling",
    test="models/test_encoder_decoders.py::test_scheduled_sampling_reads_the_best_word_in_training_alone",
)
_START = departure(
    "initial weights",
    "N(0, 0.01^2), recurrent matrices orthogonal",
    "PyTorch's; `published_start` (in the preset) is the paper's",
    why="the paper's suit Adadelta",
    switch="published_start",
    test=f"{_OURS}test_weights_start_small_where_it_is_asked_for",
)
_FIRST_WORD = departure(
    "before the first word",
    "not said",
    "a token of its own, whose embedding is learnt",
    why="every decoder of the family is asked in the same way",
    test="models/test_encoder_decoders.py::test_what_a_decoder_reads",
)
_ADAM = f"{_OURS}test_adam_learns_by_default"
_ADADELTA = departure(
    "optimizer",
    "Adadelta, rho 0.95, epsilon 1e-6",
    "Adam",
    why="one optimizer for all, so that architectures can be compared",
    switch="--optimizer",
    test=_ADAM,
)
_OPEN = f"{_OURS}test_the_forget_gate_starts_open"
_FORGET_BIAS = departure(
    "bias of the forget gate",
    "not said",
    "starts at 1; `forget_bias` (0 in the papers' presets, and 1 in tensorflow/nmt's, within `init_range`)",
    switch="forget_bias",
    test=_OPEN,
)
_CNN = departure(
    "convolutional net",
    "a large one, pre-trained on ImageNet's classes",
    "a small one of 3 x 3 convolutions and max-pooling, learnt with the rest: `channels`, `num_convs`",
    why="it learns on one processor, without ImageNet",
    switch="channels, num_convs",
    test=f"{_OURS}test_the_net_that_sees_is_small_and_learns",
)

RNN_ENCODER_DECODER: tuple[Departure, ...] = (
    departure(
        "reset gate of the decoder",
        "multiplies U h + C c, behind the products (appendix A.1.2)",
        "the authors' code",
        "multiplies h before the product; C c is not gated",
        why="encoder and decoder then have one cell",
        test=_EQUATIONS,
    ),
    departure(
        "what it is for",
        "scoring the phrase pairs of another system",
        "generating whole sentences",
        why="the other system is not part of the family",
    ),
    _START,
    _FIRST_WORD,
    _ADADELTA,
    _SAMPLING,
)

SEQ2SEQ: tuple[Departure, ...] = (
    _LOSS,
    departure(
        "learning rate",
        "halved every half epoch after 5 epochs",
        "a quarter after every whole one",
        why="rates are set by whole epochs",
        switch="--decay",
        test=f"{_OURS}test_the_rate_of_an_epoch_is_the_published_one_of_its_second_half",
    ),
    departure(
        "what a finished text is ranked by",
        "its log probability",
        "that over GNMT's penalty of its length, with 0.6; `--alpha 0` is the paper's",
        why="one search for all decoders",
        test="decoding/test_dispatch.py::test_the_length_penalty_decides_between_an_early_end_and_a_long_text",
    ),
    _FORGET_BIAS,
    _SAMPLING,
)

RNNSEARCH: tuple[Departure, ...] = (
    departure(
        "state of alignment and readout",
        "the previous one, s_{i-1}",
        "the previous one, s_{i-1}",
        "the previous one: hidden states are shifted by one step",
        test=_EQUATIONS,
    ),
    departure(
        "update gate",
        "lets the new state in: (1 - z) s + z s~",
        "keeps the old one, as in the RNN encoder-decoder: z s + (1 - z) s~",
        why="the same function, with the gate's weights of the opposite sign",
        test=_EQUATIONS,
    ),
    departure(
        "logits",
        "one matrix behind the maxout",
        "one matrix; `output_rank` (620 in the preset `rnnsearch-groundhog`) has the code's factor",
        "two factors, 500 x 620 and 620 x 30,000",
        switch="output_rank",
        test="models/test_encoder_decoders.py::test_published_sizes_are_those_without_biases",
    ),
    _START,
    _FIRST_WORD,
    _ADADELTA,
    _SAMPLING,
)

SHOW_AND_TELL: tuple[Departure, ...] = (
    _CNN,
    departure(
        "optimizer",
        "SGD",
        "Adam",
        "im2txt: SGD with 2, halved every 8 epochs; norm of the gradients up to 5",
        why="one optimizer for all, so that architectures can be compared",
        switch="--optimizer",
        test=_ADAM,
    ),
    departure("bias of the forget gate", "not said", "starts at 1", test=_OPEN),
    _SAMPLING,
)

LUONG_ATTENTION: tuple[Departure, ...] = (
    departure(
        "concat",
        "v . tanh(W [h; a])",
        "the code's; `score=additive` has a matrix for either",
        "v . tanh(W h + a): the annotation has no matrix",
        why="it is what the published figures of concat are of",
        switch="score",
        test="layers/seq2seq/test_alignment.py::test_a_score_is_its_formula",
    ),
    departure(
        "local-p",
        "p = S sigma(...), a Gaussian at p over a window",
        "the code's: the Gaussian is not normalised again",
        "p from the first to the last position; softmax around floor(p), then the Gaussian at p",
        why="it is what the published figures are of; normalising again came later",
        test="layers/seq2seq/test_alignment.py::test_the_predicted_window_is_the_formula_and_is_not_normalised_again",
    ),
    departure(
        "local-m past the end",
        "not said",
        "attends around the last position",
        why="a window must hold a position",
        test="layers/seq2seq/test_alignment.py::test_the_monotonic_window_moves_with_the_step",
    ),
    departure(
        "order of the annotations",
        "as read, the source reversed",
        "always the source's, so that the t-th position is the same either way",
        why="a reversed source turns windows and alignments round",
        switch="reverse_source",
        test=f"{_OURS}test_annotations_are_in_the_order_of_the_source",
    ),
    departure(
        "an encoder that reads both ways",
        "not there",
        "`bidirectional` is tensorflow/nmt's",
        "tensorflow/nmt: one such layer for two, whose last states start two layers of the decoder; "
        "seq2seq-attn adds the states of both directions",
        switch="bidirectional",
        test="models/test_encoder_decoders.py::test_a_net_that_reads_both_ways_starts_alternate_layers",
    ),
    departure(
        "factor of a product",
        "none",
        "none; `scaled` has tensorflow/nmt's",
        "tensorflow/nmt (scaled_luong): one that is learnt",
        switch="scaled",
        test="layers/seq2seq/test_alignment.py::test_scaled_products_and_the_normed_additive_score",
    ),
    departure(
        "attentional state",
        "tanh(W [c; h])",
        "the paper's; `attention_activation=identity` has tensorflow/nmt's",
        "tensorflow/nmt: W [c; h]",
        switch="attention_activation",
        test=f"{_OURS}test_the_attentional_state_is_squashed_by_default",
    ),
    _LOSS,
    _FORGET_BIAS,
    _SAMPLING,
)

SHOW_ATTEND_AND_TELL: tuple[Departure, ...] = (
    _CNN,
    departure(
        "doubly stochastic attention",
        "a term that asks for attention to each position",
        "left out",
        why="the loss is that of every sequence-to-sequence model",
    ),
    departure(
        "hard attention",
        "a second model, learnt by REINFORCE",
        "soft attention alone",
        why="the soft one is what the rest of the family goes on with",
    ),
    departure(
        "optimizer",
        "RMSprop or Adam",
        "Adam",
        why="one optimizer for all, so that architectures can be compared",
        switch="--optimizer",
        test=_ADAM,
    ),
    _SAMPLING,
)

GNMT: tuple[Departure, ...] = (
    departure(
        "context above the bottom layer",
        "the bottom's own: found with its output of the step before",
        "the paper's; `new_context` (in the presets) has gnmt_v2",
        "`gnmt`: the paper's; `gnmt_v2`, in the published settings: found with the same step's",
        switch="new_context",
        test="models/test_gnmt.py::test_the_first_word_is_written_unseen_unless_the_context_is_new",
    ),
    departure(
        "before the first word",
        "not said",
        "the code's; the state in which the encoder's lowest layer has read back to front goes first",
        "the decoder's layers start from the encoder's last states, and from a context of zeros",
        test="models/test_gnmt.py::test_the_decoder_starts_where_the_encoder_has_ended",
    ),
    departure(
        "alignment score",
        "a net with one hidden layer",
        "the paper's; `normed` (in the presets) is the code's",
        "the same with v normed and a bias",
        switch="normed",
        test=_EQUATIONS,
    ),
    departure(
        "dropout",
        "of 0.2 to 0.3 on the layers' inputs",
        "the code's",
        "on what each layer reads, its shortcut left out; none before the readout",
        switch="dropout",
        test=f"{_OURS}test_nothing_is_dropped_before_the_logits",
    ),
    departure(
        "vocabulary",
        "wordpieces, 8,000 to 32,000 for both languages",
        "whatever the data have",
        "byte pairs, 32,000 merges for both languages, with separate embeddings",
        why="the presets have the code's",
        switch="--vocab-size",
    ),
    departure(
        "initial weights",
        "uniform in plus or minus 0.04",
        "PyTorch's; `init_range` (0.1 in the presets) is for biases and v's length too",
        "uniform in plus or minus 0.1; biases 0, v's length 1 / sqrt(1024)",
        switch="init_range",
        test=f"{_OURS}test_every_weight_starts_within_the_range",
    ),
    departure(
        "training",
        "Adam for 60,000 steps, then SGD, then a reward for whole sentences; clipped so as to be quantised",
        "Adam; the presets have the code's, with a quarter after every whole epoch",
        "SGD for 10 epochs, the rate halved every half epoch after 5",
        why="quantised arithmetic was for Google's processors; a reward is another objective",
        switch="--optimizer",
        test=f"{_OURS}test_the_rate_of_an_epoch_is_the_published_one_of_its_second_half",
    ),
    departure(
        "search",
        "with a penalty of length and one of coverage",
        "the same formula: 0.6 for the length (`--alpha`); coverage (`decoding.Search`) only in Python",
        "a penalty of length with 1",
        why="one search for all decoders",
        test="decoding/test_search.py::test_coverage_counts_what_was_attended_to_less_than_once",
    ),
    _LOSS,
    _SAMPLING,
)

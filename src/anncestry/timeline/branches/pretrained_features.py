"""Nets that are trained on plain text, and whose inner layers other nets then read."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Departure, Preset
from anncestry.timeline.common import departure

_LEVEL = {"level": "characters"}


def _elmo(name: str, cells: int, size: int, highways: int, count: int) -> Preset:
    """A published size as it embeds texts. All have the same 2048 filters."""
    config: dict[str, Any] = {
        "task": "embedding",
        "hidden_size": cells,
        "proj_size": size,
        "num_highways": highways,
        "char_embed_dim": 16,
        "filter_widths": (1, 2, 3, 4, 5, 6, 7),
        "filter_counts": (32, 32, 64, 128, 256, 512, 1024),
    }
    source = "allennlp.org/elmo, in millions; counted from the authors' options, without the training softmax"
    return Preset(name=name, config=config, num_parameters=count, source=source, data=_LEVEL)


_OURS = "timeline/ledgers/test_pretrained_features.py::"
_DEPARTURES: tuple[Departure, ...] = (
    departure(
        "bias of the forget gate",
        "not said",
        "contained in the stored bias; the published files are changed on the way in and out",
        "1 is added at every step and is not in the stored bias",
        why="all LSTMs of the family run the same equations",
        test="checkpoints/test_elmo.py::test_texts_one_after_the_other_give_the_published_vectors",
    ),
    departure(
        "gate of the highway layers",
        "not said",
        "the code's, named `gate`; starts at -2",
        "the gate called carry lets the new value in; AllenNLP's carries the old one, with the opposite sign",
        test="layers/test_character_encoder.py::test_a_highway_begins_by_passing_on",
    ),
    departure(
        "order of maximum and ReLU",
        "not said",
        "maximum, bias, ReLU: the same function; what fills a word up is convolved too",
        "the same",
        test="layers/test_character_encoder.py::test_what_fills_a_word_up_is_convolved",
    ),
    departure(
        "numbers of characters",
        "not said",
        "0 is where no word is, and learns nothing; each number of the code's training is 1 higher",
        "261 in training; 1 higher and a row of zeros in front, which makes 262, for vectors of words",
        why="one numbering for both",
        test="data/splits/test_character_words.py::test_the_published_numbers",
    ),
    departure(
        "weights of the mixture",
        "softmax(s)",
        "softmax(s)",
        "softmax(s + 1/L), which is the same; the penalty draws to the plain mean, not to no layer",
        test="layers/test_scalar_mix.py::test_it_is_the_published_formula",
    ),
    departure(
        "normalisation of layers before the mixture",
        "optional, not said how",
        "the code's; off, `mix_norm`",
        "one mean and variance over all features of all words of the batch, eps 1e-12; off",
        why="with it a text's vectors depend on what else is in the batch",
        switch="mix_norm",
        test="layers/test_scalar_mix.py::test_one_mean_and_one_variance_over_all_words_of_a_batch",
    ),
    departure(
        "state between batches",
        "not said",
        "zero for every text; handed in and out by value, for who wants the code's",
        "carried from batch to batch, so that a text's vectors depend on what ran before",
        why="the same text has the same vectors",
        test="models/test_elmo.py::test_the_state_makes_a_text_depend_on_what_came_before",
    ),
    departure(
        "shortcut between layers",
        "a residual connection from the first layer to the second",
        "the paper's; `skip`",
        "an option with no weights: files with and without it look alike. AllenNLP always adds it",
        switch="skip",
        test="layers/recurrent/test_bilm.py::test_layers_add_their_input_but_for_the_lowest",
    ),
    departure(
        "end of shorter texts",
        "not said",
        "the backward model begins at each text's own end",
        "the same",
        test="layers/recurrent/test_bilm.py::test_the_backward_model_begins_at_each_texts_own_end",
    ),
    departure(
        "marks of a text's ends",
        "not said",
        "read by the language models and cut from what they give",
        "the same",
        test="models/test_elmo.py::test_it_is_the_equations",
    ),
    departure(
        "loss",
        "both directions together",
        "the code's",
        "half of both directions, so that it is a mean for each word",
        test="objectives/test_bidirectional.py::test_the_loss_is_half_of_both_directions",
    ),
    departure(
        "windows of training",
        "not said",
        "lines of a text with their marks, cut at `--window` words (64); the state begins at zero in each, "
        "and the backward model sees no further than its own piece",
        "20 words of sentences one after the other, each direction in a stream of its own; the state goes on",
        why="training reads texts as they are read later on",
        switch="--window",
        test="data/splits/test_character_words.py::test_a_long_line_is_cut_but_asked_for_whole",
    ),
    departure(
        "softmax over the words",
        "not said",
        "all of them up to 32,768, else a sample of 8192 for each direction; the figures are over all",
        "a sample of 8192 words by the log-uniform distribution",
        why="a small vocabulary is compared as fast as a sample",
        switch="sampled_words",
        test="models/test_elmo.py::test_of_many_words_the_scores_are_left_to_who_compares_them",
    ),
    departure(
        "optimizer",
        "not said",
        "Adam with 0.002, for data of a person's own",
        "Adagrad with 0.2 from accumulators of 1, on the loss times 20; norm of the gradients up to 10",
        why="one optimizer for all, so that architectures can be compared",
        switch="--optimizer",
        test=f"{_OURS}test_adam_learns_unless_told",
    ),
    departure(
        "initial weights of the LSTMs",
        "not said",
        "uniform within 1/sqrt(cells); characters, convolutions, highways and projection as in the code",
        "those of TensorFlow's LSTMCell",
        why="all LSTMs of the family start alike",
        test=f"{_OURS}test_where_weights_start",
    ),
    departure(
        "the task's net",
        "one for each of six tasks, over word vectors and ELMo side by side",
        "a bidirectional LSTM over ELMo alone, dropout 0.5 on it; `task_hidden=0` reads it out linearly",
        "AllenNLP's models",
        why="what ELMo gives is seen best with little above it",
        switch="task_hidden",
        test=f"{_OURS}test_the_net_of_a_task_reads_the_mixture_alone",
    ),
    departure(
        "smaller sizes",
        "not there",
        "filters up to three characters, one highway layer, 256 cells and 64 features, unless told otherwise",
        "small, medium and original: the presets",
        why="it learns on one processor",
        switch="filter_widths, num_highways, hidden_size, proj_size",
        test=f"{_OURS}test_it_is_small_unless_told",
    ),
)

PRETRAINED_FEATURES: tuple[Architecture, ...] = (
    Architecture(
        id="elmo",
        name="ELMo",
        year=2018,
        paper="Peters et al., Deep contextualized word representations, 1802.05365",
        parents=("residual-stack", "lstmp", "bilstm"),
        adds="a second stack that reads backwards, words from characters, a learnt mixture of all layers",
        removes="training anew for every task, and unknown words",
        departures=_DEPARTURES,
        fits=frozenset({
            ("characters", "bidirectional-lm"), ("characters", "tagging"), ("characters", "classification"),
        }),
        module="elmo",
        model="ELMo",
        config="ELMoConfig",
        recipe={"learning_rate": 2e-3, "clip_norm": 1.0, "batch_size": 32},
        data=_LEVEL,
        presets=(
            _elmo("elmo-small", 1024, 128, 1, 13_593_296),
            _elmo("elmo-medium", 2048, 256, 1, 28_027_728),
            _elmo("elmo-original", 4096, 512, 2, 93_600_848),
        ),
    ),
)  # fmt: skip

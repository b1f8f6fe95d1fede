"""The fidelity ledgers of GPT and GPT-2."""

from anncestry.timeline.architecture import Departure
from anncestry.timeline.common import departure

_OURS = "timeline/ledgers/test_pretrained_decoders.py::"

_SHARED: tuple[Departure, ...] = (
    departure(
        "default sizes",
        "12 layers, 12 heads, 768 features",
        "four layers, four heads, 128 features, for a user's own data; `gpt-base`, `gpt2-small`",
        "the paper's",
        why="it learns on one processor",
        switch="num_layers, num_heads, hidden_size",
        test=f"{_OURS}test_it_is_small_by_default",
    ),
    departure(
        "a text that is longer than the positions",
        "not said",
        "an error; generation beyond the last position drops the older half and reads the newer half again",
        "GPT cuts each part of an input; GPT-2 generates no further",
        why="where one token goes, all others are read again: dropping half does so rarely",
        switch="num_positions",
        test="models/test_gpt.py::test_beyond_the_last_position_the_older_half_is_dropped",
    ),
    departure(
        "what is trained on",
        "windows of contiguous text",
        "windows of parallel streams, one after the other, each read by itself from position 0 on",
        "not released",
        why="the same batches serve recurrent nets, which carry a state",
        switch="--window",
        test="models/test_gpt.py::test_windows_are_read_apart",
    ),
)

GPT: tuple[Departure, ...] = (
    *_SHARED,
    departure(
        "dropout of embeddings",
        "0.1",
        "of the sums of embeddings and positions",
        "of the table itself: one mask for all uses of a row, of the positions, and of the logits",
        why="as its ports do",
        switch="embedding_dropout",
        test=f"{_OURS}test_sums_are_dropped_and_not_the_table",
    ),
    departure(
        "auxiliary language-modelling loss",
        "weight 0.5",
        "none by default: `text_weight=0.5`; their own ablation is better without, on average",
        "0.5; averaged over each text's own tokens, then over texts",
        switch="text_weight",
        test="models/test_gpt.py::test_the_text_is_learnt_beside_the_answer",
    ),
    departure(
        "softmax of the language-modelling loss",
        "the vocabulary",
        "the vocabulary, with its special tokens",
        "all rows of one table: also those of the positions",
        why="a position is never the next word",
        test=f"{_OURS}test_positions_are_no_words",
    ),
    departure(
        "optimizer",
        "Adam with decoupled weight decay of 0.01",
        "AdamW; the rate rises from the first step on, and the decay follows it",
        "eps is not corrected for bias; the first step has a rate of 0; the decay follows the corrected rate",
        why="PyTorch's; the first step has an effect",
        switch="--optimizer",
        test=f"{_OURS}test_the_first_step_moves_and_decays",
    ),
    departure(
        "schedule",
        "rises over 2,000 updates, then falls as a cosine to 0",
        "the cosine is of the share of all steps",
        "the cosine is of the share of all updates, and is not begun anew behind the warm-up",
        switch="--schedule",
        test=f"{_OURS}test_the_cosine_is_not_begun_anew_behind_the_warm_up",
    ),
    departure(
        "fine-tuning",
        "rate 6.25e-5, batch 32, 3 epochs, warm-up over 0.2 %, linear decay",
        "the paper's and the code's, where `--from` brings a run of text to a task",
        "the paper's; gradients are clipped to norm 1",
        switch="--learning-rate",
        test=f"{_OURS}test_a_task_is_learnt_as_published",
    ),
    departure(
        "masked attention logits",
        "not said",
        "minus infinity",
        "w b - 1e9 (1 - b)",
        why="the same function, as each token attends to itself; Hugging Face's port has -1e4",
        test="models/test_gpt.py::test_nothing_sees_the_future",
    ),
    departure(
        "text before it is cut",
        "repaired by ftfy, split by spaCy",
        "split by rules of ours, which agree on common English; rare texts get other ids",
        "ftfy, a standardisation of its own, spaCy's English, lower case",
        why="neither is needed for anything else",
        switch="--level",
        test="tokenizers/test_tokenizer.py::test_gpt_splits_words_as_its_training_did",
    ),
    departure(
        "similarity, multiple choice",
        "heads of fine-tuning",
        "`models.gpt.Similarity` and `MultipleChoice`, in Python alone",
        "multiple choice alone is released",
        why="no data source has texts of these forms",
        test="models/test_gpt.py::test_heads_for_several_texts",
    ),
)

GPT2: tuple[Departure, ...] = (
    *_SHARED,
    departure(
        "initial weights",
        "those of residual layers scaled by 1 / sqrt(N), N their number",
        "N(0, 0.02), the last weights of a sub-layer N(0, 0.02 / sqrt(2 layers)), as nanoGPT",
        "N(0, 0.02) unscaled, positions N(0, 0.01)",
        why="the released code only runs trained nets",
        test="models/test_gpt.py::test_initial_weights",
    ),
    departure(
        "training recipe",
        "batch 512; rates found by hand, not printed",
        "nanoGPT's",
        "not released",
        why="it is the one that is published",
        switch="--learning-rate",
        test=f"{_OURS}test_the_recipe_of_gpt2_is_nanogpts",
    ),
    departure(
        "dropout",
        "not said",
        "0.1, as in GPT",
        "none: the released code only runs the net",
        switch="dropout, embedding_dropout, attention_dropout",
        test=f"{_OURS}test_gpt2_drops_as_gpt_does",
    ),
    departure(
        "zero-shot question answering",
        "asked for in words",
        "also a linear layer on the last token, as in GPT",
        "not there",
        why="small nets cannot do it",
        test="models/test_gpt.py::test_answers_are_read_at_the_last_token",
    ),
    departure(
        "tokens that --top-p leaves",
        "not said",
        "the fewest that have at least this probability (Holtzman et al., 1904.09751)",
        "those that have at most this probability together, which is one fewer, and at least one",
        test="decoding/test_sampling.py::test_the_probabilities_are_those_of_the_set_that_is_left",
    ),
    departure(
        "number of parameters",
        "117, 345, 762 and 1542 million",
        "124, 355, 774 and 1558 million",
        "the README says that 117 and 345 were wrong",
        test="timeline/test_timeline.py::test_presets_count_what_they_say",
    ),
)

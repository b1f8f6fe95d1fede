"""Decoders that learn to go on with text first, and then a task."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Departure, Preset
from anncestry.timeline.common import departure

DECODER_FITS = frozenset(
    {("tokens", "language-model"), ("tokens", "classification"), ("tokens", "regression")}
)
_OWN_TEXT: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "beta2": 0.99,
    "weight_decay": 0.1,
    "decay_on": "matrices",
    "clip_norm": 1.0,
    "schedule": "cosine",
    "warmup_steps": 100,
}
"""nanoGPT's, for small nets on a person's own text."""
_NO_DROPOUT = {"dropout": 0.0, "embedding_dropout": 0.0, "attention_dropout": 0.0}
_WEBTEXT: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 6e-4,
    "beta2": 0.95,
    "weight_decay": 0.1,
    "decay_on": "matrices",
    "clip_norm": 1.0,
    "schedule": "cosine",
    "warmup_steps": 2000,
    "batch_size": 512,
    "max_steps": 600_000,
}
"""nanoGPT's for GPT-2: the authors published none."""

_BASE = Preset(
    name="gpt-base",
    config={"input_size": 40_478, "output_size": 40_478, "hidden_size": 768, "num_positions": 512},
    num_parameters=116_534_784,
    source="Radford et al. (2018), section 4.1; params_shapes.json of their code",
    recipe={
        "optimizer": "adamw",
        "learning_rate": 2.5e-4,
        "beta2": 0.999,
        "weight_decay": 0.01,
        "decay_on": "matrices",
        "schedule": "cosine",
        "warmup_steps": 2000,
        "batch_size": 64,
        "epochs": 100,
    },
    data={"level": "word-bpe", "vocab_size": 40_478, "window": 512},
)


def _gpt2(name: str, layers: int, width: int, heads: int, num_parameters: int, printed: str) -> Preset:
    return Preset(
        name=name,
        config={
            "input_size": 50_257,
            "output_size": 50_257,
            "hidden_size": width,
            "num_layers": layers,
            "num_heads": heads,
            "num_positions": 1024,
        },
        num_parameters=num_parameters,
        source=f"Radford et al. (2019), table 2, which prints {printed} million; counted from the weights",
        recipe=_WEBTEXT,
        data={"level": "byte-bpe", "vocab_size": 50_257, "window": 1024},
    )


def _characters(
    name: str, layers: int, width: int, heads: int, window: int, num_parameters: int, source: str,
    recipe: dict[str, Any], **more: Any,
) -> Preset:  # fmt: skip
    """A net for the characters of tiny-shakespeare, of which there are 65."""
    return Preset(
        name=name,
        config={
            "input_size": 65,
            "output_size": 65,
            "hidden_size": width,
            "num_layers": layers,
            "num_heads": heads,
            "num_positions": window,
            "seq_len": window,
            **more,
        },
        num_parameters=num_parameters,
        source=source,
        recipe={**_OWN_TEXT, **recipe},
        data={"level": "char", "window": window, "split": "tail-10"},
    )


_NANO = _characters(
    "gpt-nano", 4, 128, 4, 64, 809_856,
    "Karpathy, nanoGPT, its setting for a CPU on tiny-shakespeare; there without biases",
    {"batch_size": 12, "max_steps": 2000}, **_NO_DROPOUT,
)  # fmt: skip
_MINI = _characters(
    "gpt-mini", 6, 384, 6, 256, 10_770_816,
    "Karpathy, nanoGPT, its setting for tiny-shakespeare; there without biases",
    {"batch_size": 64, "max_steps": 5000}, dropout=0.2, embedding_dropout=0.2, attention_dropout=0.2,
)  # fmt: skip

_OURS = "timeline/ledgers/test_pretrained_decoders.py::"
_SHARED: tuple[Departure, ...] = (
    departure(
        "sizes, unless told otherwise",
        "12 layers, 12 heads, 768 features",
        "four layers, four heads, 128 features, for data of a person's own; `gpt-base`, `gpt2-small`",
        "the paper's",
        why="it learns on one processor",
        switch="num_layers, num_heads, hidden_size",
        test=f"{_OURS}test_it_is_small_unless_told",
    ),
    departure(
        "a text that is longer than the positions",
        "not said",
        "an error; writing beyond the last position drops the older half and reads the newer half again",
        "GPT cuts each part of an input; GPT-2 writes no further",
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

_GPT_DEPARTURES: tuple[Departure, ...] = (
    *_SHARED,
    departure(
        "dropout of embeddings",
        "0.1",
        "of the sums of embeddings and positions",
        "of the table itself: one mask for all uses of a row, of the positions, and of the scores of words",
        why="as its ports do",
        switch="embedding_dropout",
        test=f"{_OURS}test_sums_are_dropped_and_not_the_table",
    ),
    departure(
        "loss of the text beside an answer",
        "weight 0.5",
        "none unless told: `text_weight=0.5`; their own ablation is better without, on average",
        "0.5; averaged over each text's own tokens, then over texts",
        switch="text_weight",
        test="models/test_gpt.py::test_the_text_is_learnt_beside_the_answer",
    ),
    departure(
        "words that text loss is spread over",
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
        "masked scores of attention",
        "not said",
        "minus infinity",
        "w b - 1e9 (1 - b)",
        why="the same function, as each token sees itself; Hugging Face's port has -1e4",
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

_GPT2_DEPARTURES: tuple[Departure, ...] = (
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
        "answers about a text",
        "asked for in words",
        "also a linear layer on the last token, as in GPT",
        "not there",
        why="small nets answer no questions in words",
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

_FINE_TUNING: dict[str, Any] = {  # section 4.1 of GPT's paper; the norm is its code's
    "optimizer": "adamw",
    "learning_rate": 6.25e-5,
    "weight_decay": 0.01,
    "decay_on": "matrices",
    "clip_norm": 1.0,
    "schedule": "linear",
    "warmup": 0.002,
    "batch_size": 32,
    "epochs": 3,
}

PRETRAINED_DECODERS: tuple[Architecture, ...] = (
    Architecture(
        id="gpt",
        name="GPT",
        year=2018,
        paper="Radford et al., Improving language understanding by generative pre-training",
        parents=("transformer",),
        adds="first a language model of any text, then a task; learnt positions, Gaussian error linear units",
        removes="the encoder, and the attention to it",
        departures=_GPT_DEPARTURES,
        fits=DECODER_FITS,
        module="gpt",
        model="GPT",
        config="GPTConfig",
        recipe=_OWN_TEXT,
        fine_tuning=_FINE_TUNING,
        presets=(_BASE,),
    ),
    Architecture(
        id="gpt2",
        name="GPT-2",
        year=2019,
        paper="Radford et al., Language models are unsupervised multitask learners",
        parents=("gpt",),
        adds="a normalisation before each sub-layer and one behind all, smaller initial weights",
        removes="the normalisation of the sum behind each sub-layer",
        departures=_GPT2_DEPARTURES,
        fits=DECODER_FITS,
        module="gpt2",
        model="GPT2",
        config="GPT2Config",
        recipe=_OWN_TEXT,
        fine_tuning=_FINE_TUNING,
        presets=(
            _gpt2("gpt2-small", 12, 768, 12, 124_439_808, "117"),
            _gpt2("gpt2-medium", 24, 1024, 16, 354_823_168, "345"),
            _gpt2("gpt2-large", 36, 1280, 20, 774_030_080, "762"),
            _gpt2("gpt2-xl", 48, 1600, 25, 1_557_611_200, "1542"),
            _NANO,
            _MINI,
        ),
        aliases=("gpt-2",),
    ),
)

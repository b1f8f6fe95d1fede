"""Encoder-decoders with recurrent decoders: fixed contexts, attention, captions of images."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.common import departure

_TRANSLATION = frozenset({("tokens", "translation")})
_CAPTIONING = frozenset({("image", "captioning")})
_RECIPE = {"learning_rate": 2e-3, "clip_norm": 1.0}
_WORDS = 25  # of a typical sentence with its end, by which sums over time are made means
_LOSS = departure(
    "loss",
    "a sum over the words of a sentence, a mean over the batch",
    f"a mean over words; the presets' learning rate and clipping are scaled for sentences of {_WORDS} words",
)
_SAMPLING = departure(
    "scheduled sampling",
    "not there; Bengio et al. (1506.03099) raise the probability in training and also draw the word",
    "`scheduled_sampling`: one probability, the best word; no gradient goes through the choice",
)
_START = departure(
    "initial weights",
    "N(0, 0.01^2), recurrent matrices orthogonal",
    "PyTorch's; `published_start` (in the preset) is the paper's",
)
_FIRST_WORD = departure("before the first word", "not said", "a token of its own, whose embedding is learnt")
_ADADELTA = departure("optimizer", "Adadelta, rho 0.95, epsilon 1e-6", "Adam")
_FORGET_BIAS = departure(
    "bias of the forget gate",
    "not said",
    "starts at 1; `forget_bias` (the presets start within `init_range`)",
)
_CNN = departure(
    "convolutional net",
    "a large one, pre-trained on ImageNet's classes",
    "a small one of 3 x 3 convolutions and max-pooling, learnt with the rest: `channels`, `num_convs`",
)


def _sgd(learning_rate: float, epochs: int, decay: float, decay_after: int) -> dict[str, Any]:
    """Plain SGD over batches of 128, the gradient (summed over words) clipped at 5."""
    return {
        "optimizer": "sgd",
        "momentum": 0.0,
        "learning_rate": learning_rate * _WORDS,
        "clip_norm": 5 / _WORDS,
        "batch_size": 128,
        "epochs": epochs,
        "evaluations": epochs,
        "decay": decay,
        "decay_after": decay_after,
    }


_CHO = Preset(
    name="cho-phrases",
    config={
        "input_size": 15_000,
        "output_size": 15_000,
        "hidden_size": 1000,
        "embed_dim": 100,
        "maxout_size": 500,
        "output_rank": 100,
        "published_start": True,
    },
    num_parameters=18_274_000,
    source="Cho et al., 1406.1078, section 4.1 and appendix A: 18.25 million weights, and biases",
)
_SUTSKEVER = Preset(
    name="sutskever-wmt14",
    config={
        "input_size": 160_000,
        "output_size": 80_000,
        "hidden_size": 1000,
        "embed_dim": 1000,
        "num_layers": 4,
        "forget_bias": 0.0,
        "init_range": 0.08,
        "seq_len": _WORDS,
        "target_len": _WORDS,
    },
    num_parameters=384_112_000,
    source="Sutskever et al., 1409.3215, section 3.4: 384,000,000 weights, and biases",
    recipe=_sgd(0.7, 8, 0.25, 5),
)
_BAHDANAU = {
    "input_size": 30_000,
    "output_size": 30_000,
    "hidden_size": 1000,
    "embed_dim": 620,
    "align_size": 1000,
    "maxout_size": 500,
    "published_start": True,
    "seq_len": 30,
    "target_len": 30,
}
_LUONG = {
    "input_size": 50_000,
    "output_size": 50_000,
    "hidden_size": 1000,
    "embed_dim": 1000,
    "num_layers": 4,
    "dropout": 0.2,
    "init_range": 0.1,
    "forget_bias": 0.0,
    "seq_len": _WORDS,
    "target_len": _WORDS,
}
_NMT = Preset(
    name="nmt-tutorial",
    config={
        "input_size": 17_191,
        "output_size": 7_709,
        "hidden_size": 512,
        "embed_dim": 512,
        "num_layers": 2,
        "bidirectional": True,
        "reverse_source": False,
        "scaled": True,
        "attention_activation": "identity",
        "output_bias": False,
        "dropout": 0.2,
        "init_range": 0.1,
        "seq_len": _WORDS,
        "target_len": _WORDS,
    },
    num_parameters=27_451_905,
    source="tensorflow/nmt, iwslt15.json (scaled_luong), English to Vietnamese",
    recipe=_sgd(1.0, 12, 0.5, 8),
)


def _gnmt(num_layers: int, num_parameters: int) -> Preset:
    return Preset(
        name=f"gnmt-{num_layers}",
        config={
            "input_size": 36_548,
            "output_size": 36_548,
            "hidden_size": 1024,
            "embed_dim": 1024,
            "num_layers": num_layers,
            "new_context": True,
            "normed": True,
            "dropout": 0.2,
            "init_range": 0.1,
            "seq_len": _WORDS,
            "target_len": _WORDS,
        },
        num_parameters=num_parameters,
        source=f"tensorflow/nmt, wmt16_gnmt_{num_layers}_layer.json; 32,000 merges of both languages "
        "(wmt16_en_de.sh) are a vocabulary of 36,548, as the log in tensorflow/nmt#74 shows",
        recipe=_sgd(1.0, 10, 0.25, 5),
        data={"level": "bpe", "vocab_size": 36_548, "joint": True},
    )


SEQUENCE_TO_SEQUENCE: tuple[Architecture, ...] = (
    Architecture(
        id="rnn-encoder-decoder",
        name="RNN encoder-decoder",
        year=2014,
        paper="Cho et al., Learning phrase representations using RNN encoder-decoder, 1406.1078",
        parents=("gru",),
        adds="a second net that writes, with the first one's last state before it at every step",
        removes="the answer of fixed length",
        departures=(
            departure(
                "reset gate of the decoder",
                "multiplies U h + C c, behind the products (appendix A.1.2)",
                "the authors' code",
                "multiplies h before the product; C c is not gated",
            ),
            departure(
                "what it is for", "scoring the phrase pairs of another system", "writing whole sentences"
            ),
            _START,
            _FIRST_WORD,
            _ADADELTA,
            _SAMPLING,
        ),
        fits=_TRANSLATION,
        module="rnn_encoder_decoder",
        model="RNNEncoderDecoder",
        config="RNNEncoderDecoderConfig",
        recipe=_RECIPE,
        presets=(_CHO,),
        aliases=("encoder-decoder",),
    ),
    Architecture(
        id="seq2seq",
        name="Sequence to sequence",
        year=2014,
        paper="Sutskever, Vinyals & Le, Sequence to sequence learning with neural networks, 1409.3215",
        parents=("stacked-lstm", "rnn-encoder-decoder"),
        adds="a second stack that starts from the states of the first; the source reversed",
        removes="the answer of fixed length",
        departures=(
            _LOSS,
            departure(
                "learning rate", "halved every half epoch after 5 epochs", "a quarter after every whole one"
            ),
            _FORGET_BIAS,
            _SAMPLING,
        ),
        fits=_TRANSLATION,
        module="seq2seq",
        model="Seq2Seq",
        config="Seq2SeqConfig",
        recipe=_RECIPE,
        presets=(_SUTSKEVER,),
    ),
    Architecture(
        id="rnnsearch",
        name="RNNsearch (additive attention)",
        year=2014,
        paper="Bahdanau, Cho & Bengio, Neural machine translation by jointly learning to align and "
        "translate, 1409.0473",
        parents=("rnn-encoder-decoder", "brnn"),
        adds="an alignment with every place of the source, which is kept in both directions",
        removes="the fixed context",
        departures=(
            departure(
                "state of alignment and readout",
                "the previous one, s_{i-1}",
                "the previous one, s_{i-1}",
                "the previous one: hidden states are shifted by one step",
            ),
            departure(
                "scores of words",
                "one matrix behind the maxout",
                "one matrix; `output_rank` (620 in the preset `rnnsearch-groundhog`) has the code's factor",
                "two factors, 500 x 620 and 620 x 30,000",
            ),
            _START,
            _FIRST_WORD,
            _ADADELTA,
            _SAMPLING,
        ),
        fits=_TRANSLATION,
        module="rnnsearch",
        model="RNNSearch",
        config="RNNSearchConfig",
        recipe=_RECIPE,
        presets=(
            Preset(
                name="rnnsearch-50",
                config=_BAHDANAU,
                num_parameters=80_442_000,
                source="Bahdanau et al., 1409.0473, appendix A.2.3: 80.4 million weights, and biases",
            ),
            Preset(
                name="rnnsearch-groundhog",
                config={**_BAHDANAU, "output_rank": 620},
                num_parameters=84_352_000,
                source="the same in the authors' code, GroundHog: 84.3 million weights, and biases",
            ),
        ),
        aliases=("bahdanau-attention", "additive-attention"),
    ),
    Architecture(
        id="show-and-tell",
        name="Show and Tell",
        year=2014,
        paper="Vinyals et al., Show and tell: a neural image caption generator, 1411.4555",
        parents=("seq2seq", "cnn"),
        adds="a convolutional net for a reader: the image is the first word",
        removes="the source text",
        departures=(_CNN, departure("optimizer", "SGD", "Adam"), _FORGET_BIAS, _SAMPLING),
        fits=_CAPTIONING,
        module="show_and_tell",
        model="ShowAndTell",
        config="ShowAndTellConfig",
        recipe=_RECIPE,
        aliases=("neural-image-caption",),
    ),
    Architecture(
        id="luong-attention",
        name="Luong attention",
        year=2015,
        paper="Luong, Pham & Manning, Effective approaches to attention-based neural machine translation, "
        "1508.04025",
        parents=("rnnsearch", "seq2seq"),
        adds="scores that are products, with the state of the same step; local windows; input feeding",
        removes="the maxout, and the encoder's second direction",
        departures=(
            departure(
                "concat",
                "v . tanh(W [h; a])",
                "the code's; `score=additive` has a matrix for either",
                "v . tanh(W h + a): the annotation has no matrix",
            ),
            departure(
                "local-p",
                "p = S sigma(...), a Gaussian at p over a window",
                "the code's: the Gaussian is not normalised again",
                "p from the first to the last place; softmax around floor(p), then the Gaussian at p",
            ),
            departure("local-m past the end", "not said", "looks around the last place"),
            departure(
                "order of the annotations",
                "as read, the source reversed",
                "always the source's, so that the t-th place is the same either way",
            ),
            _LOSS,
            _FORGET_BIAS,
            _SAMPLING,
        ),
        fits=_TRANSLATION,
        module="luong_attention",
        model="LuongAttention",
        config="LuongAttentionConfig",
        recipe=_RECIPE,
        presets=(
            Preset(
                name="luong-global",
                config={**_LUONG, "score": "location"},
                num_parameters=220_132_000,
                source="Luong et al., 1508.04025, section 4.1 and table 1: global (location) with feeding",
                recipe=_sgd(1.0, 12, 0.5, 8),
            ),
            Preset(
                name="luong-local",
                config={**_LUONG, "window": "local-p"},
                num_parameters=222_083_000,
                source="Luong et al., 1508.04025, section 4.1 and table 1: local-p (general) with feeding",
                recipe=_sgd(1.0, 12, 0.5, 8),
            ),
            _NMT,
        ),
        aliases=("luong",),
    ),
    Architecture(
        id="show-attend-and-tell",
        name="Show, Attend and Tell",
        year=2015,
        paper="Xu et al., Show, attend and tell: neural image caption generation with visual attention, "
        "1502.03044",
        parents=("show-and-tell", "rnnsearch"),
        adds="an alignment with the places of the feature map, and a gate for what was seen",
        removes="the one vector for the image",
        departures=(
            _CNN,
            departure(
                "doubly stochastic attention", "a term that asks each place to be looked at", "left out"
            ),
            departure("hard attention", "a second model, learnt by REINFORCE", "soft attention alone"),
            departure("optimizer", "RMSprop or Adam", "Adam"),
            _SAMPLING,
        ),
        fits=_CAPTIONING,
        module="show_attend_and_tell",
        model="ShowAttendAndTell",
        config="ShowAttendAndTellConfig",
        recipe=_RECIPE,
    ),
    Architecture(
        id="gnmt",
        name="GNMT (Google's neural machine translation)",
        year=2016,
        paper="Wu et al., Google's neural machine translation system: bridging the gap between human and "
        "machine translation, 1609.08144",
        parents=("luong-attention", "residual-stack"),
        adds="shortcuts around the layers; the bottom of the decoder alone asks, every layer gets the answer",
        removes="the attentional state, and every wait of an upper layer for the attention",
        departures=(
            departure(
                "context above the bottom layer",
                "the bottom's own: found with its output of the step before",
                "the paper's; `new_context` (in the presets) has gnmt_v2",
                "`gnmt`: the paper's; `gnmt_v2`, in the published settings: found with the same step's",
            ),
            departure(
                "before the first word",
                "not said",
                "the code's; the state in which the encoder's lowest layer has read back to front goes first",
                "the decoder's layers start from the encoder's last states, and from a context of zeros",
            ),
            departure(
                "score",
                "a net with one hidden layer",
                "the paper's; `normed` (in the presets) is the code's",
                "the same with v normed and a bias",
            ),
            departure(
                "dropout",
                "of 0.2 to 0.3 on the layers' inputs",
                "the code's",
                "on what each layer reads, its shortcut left out; none before the scores of words",
            ),
            departure(
                "vocabulary",
                "wordpieces, 8,000 to 32,000 for both languages",
                "whatever the data have",
                "byte pairs, 32,000 merges for both languages, with separate embeddings",
            ),
            departure(
                "initial weights",
                "uniform in plus or minus 0.04",
                "PyTorch's; `init_range` (0.1 in the presets) is for biases and v's length too",
                "uniform in plus or minus 0.1; biases 0, v's length 1 / sqrt(1024)",
            ),
            departure(
                "training",
                "Adam for 60,000 steps, then SGD, then a reward for whole sentences; clipped so as to be "
                "quantised",
                "Adam; the presets have the code's, with a quarter after every whole epoch",
                "SGD for 10 epochs, the rate halved every half epoch after 5",
            ),
            _LOSS,
            _SAMPLING,
        ),
        fits=_TRANSLATION,
        module="gnmt",
        model="GNMT",
        config="GNMTConfig",
        recipe=_RECIPE,
        presets=(_gnmt(4, 210_880_513), _gnmt(8, 294_799_361)),
        aliases=("google-nmt",),
    ),
)

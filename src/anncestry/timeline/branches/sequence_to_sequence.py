"""Encoder-decoders with recurrent decoders: fixed contexts, attention, captions of images."""

from typing import Any

from anncestry.timeline.architecture import Architecture, Preset
from anncestry.timeline.ledgers import sequence_to_sequence as ledger

_TRANSLATION = frozenset({("tokens", "translation")})
_CAPTIONING = frozenset({("image", "captioning")})
_RECIPE = {"learning_rate": 2e-3, "clip_norm": 1.0}
_WORDS = 25  # of a typical sentence with its end, by which sums over time are made means


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
        adds="a decoder, which reads the encoder's last state at every step",
        removes="the output of fixed length",
        departures=ledger.RNN_ENCODER_DECODER,
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
        removes="the output of fixed length",
        departures=ledger.SEQ2SEQ,
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
        adds="attention: an alignment with every position of the source, which is encoded in both directions",
        removes="the fixed context",
        departures=ledger.RNNSEARCH,
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
        adds="a convolutional encoder: the image is the first word",
        removes="the source text",
        departures=ledger.SHOW_AND_TELL,
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
        adds="multiplicative attention with the state of the same step; local windows; input feeding",
        removes="the maxout, and the encoder's second direction",
        departures=ledger.LUONG_ATTENTION,
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
        adds="attention to the positions of the feature map, and a gate for the context",
        removes="the one vector for the image",
        departures=ledger.SHOW_ATTEND_AND_TELL,
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
        adds="shortcuts around the layers; the decoder's bottom alone attends, every layer gets the context",
        removes="the attentional state, and every wait of an upper layer for the attention",
        departures=ledger.GNMT,
        fits=_TRANSLATION,
        module="gnmt",
        model="GNMT",
        config="GNMTConfig",
        recipe=_RECIPE,
        presets=(_gnmt(4, 210_880_513), _gnmt(8, 294_799_361)),
        aliases=("google-nmt",),
    ),
)

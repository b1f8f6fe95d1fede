"""The claims of the literature that this machine can check, in the order of history.

Listing them imports no torch; the experiment of each (``claim.py`` says what one consists of) is imported
when it is run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from anncestry.claims.common.claim import Claim, Evidence, Judgement, Verdict
from anncestry.errors import UserError, nearest

log = logging.getLogger(__name__)

__all__ = ["CLAIMS", "Claim", "Evidence", "Judgement", "Verdict", "find", "select"]

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="perceptron-convergence",
        sentence="On separable data the perceptron makes at most (R/gamma)^2 mistakes in all, in any order.",
        paper="Novikoff, On convergence proofs on perceptrons (1962)",
    ),
    Claim(
        id="xor",
        sentence="XOR is beyond the perceptron and within a multi-layer perceptron.",
        paper="Minsky & Papert, Perceptrons (1969); Rumelhart, Hinton & Williams (1986)",
    ),
    Claim(
        id="tanh-gradients",
        sentence="tanh passes larger gradients than the sigmoid: its slope reaches 1, the other's only 1/4.",
        paper="LeCun, Bottou, Orr & Müller, Efficient BackProp (1998); Glorot & Bengio (2010)",
    ),
    Claim(
        id="vanishing-gradient",
        sentence="A recurrent net's gradient must vanish where the largest singular value of U is below 1, "
        "and can explode only where it is above.",
        paper="Pascanu, Mikolov & Bengio, On the difficulty of training recurrent neural networks, 1211.5063",
    ),
    Claim(
        id="lstm-long-lags",
        sentence="An LSTM learns over lags that defeat a simple recurrent net with as many parameters.",
        paper="Hochreiter & Schmidhuber, Long short-term memory, Neural Computation 9 (1997)",
    ),
    Claim(
        id="forget-gate",
        sentence="On a stream that is never cut into pieces an LSTM must be able to forget.",
        paper="Gers, Schmidhuber & Cummins, Learning to forget, Neural Computation 12 (2000)",
    ),
    Claim(
        id="stacked-lstm",
        sentence="A stacked LSTM is an LSTM over the output sequence of the LSTM below, and nothing more.",
        paper="Graves, Mohamed & Hinton, Speech recognition with deep recurrent neural networks, 1303.5778",
    ),
    Claim(
        id="fixed-context-length",
        sentence="A fixed context fails on long inputs and attention does not.",
        paper="Cho et al., On the properties of neural machine translation, 1409.1259; Bahdanau, Cho & "
        "Bengio, 1409.0473",
    ),
    Claim(
        id="reversed-source",
        sentence="Where the target keeps the order of the source, a net with a fixed context learns better "
        "when it reads the source back to front.",
        paper="Sutskever, Vinyals & Le, Sequence to sequence learning with neural networks, 1409.3215",
    ),
    Claim(
        id="beam-finds-more",
        sentence="Beam search finds likelier texts than greedy search, and better ones.",
        paper="Sutskever, Vinyals & Le, Sequence to sequence learning with neural networks, 1409.3215",
    ),
    Claim(
        id="input-need-not-be-a-sequence",
        sentence="What a sequence is generated from need not be a sequence: a net learns to caption images.",
        paper="Vinyals et al., Show and tell, 1411.4555; Xu et al., Show, attend and tell, 1502.03044",
    ),
    Claim(
        id="shared-encoder-decoder",
        sentence="An encoder and a decoder may share their weights at little cost in accuracy.",
        paper="Dai & Le, Semi-supervised sequence learning, 1511.01432",
    ),
    Claim(
        id="deep-shortcuts",
        sentence="Ten plain recurrent layers train worse than three; a shortcut makes ten trainable.",
        paper="Kim, El-Khamy & Lee, 1701.03360; Zhang et al., 1510.08983; Wu et al., 1609.08144",
    ),
    Claim(
        id="dilated-vs-skip",
        sentence="A dilated connection has shorter paths and fewer steps in sequence than a skip connection, "
        "and remembers where an LSTM of its size does not.",
        paper="Chang et al., Dilated recurrent neural networks, 1710.02224",
    ),
    Claim(
        id="sequential-steps",
        sentence="Recurrence takes T steps in sequence at a cost of T d^2; dilated convolution so many as "
        "grow like log T.",
        paper="Vaswani et al., 1706.03762, table 1; Bai, Kolter & Koltun, 1803.01271",
    ),
    Claim(
        id="tcn-copy-memory",
        sentence="A dilated convolution remembers over a lag at which an LSTM of its size is at chance.",
        paper="Bai, Kolter & Koltun, 1803.01271",
    ),
    Claim(
        id="attention-vs-recurrence",
        sentence="Self-attention costs n^2 d and recurrence n d^2, so attention is the cheaper one up to "
        "about n = d (without the projections, which table 1 leaves out).",
        paper="Vaswani et al., Attention is all you need, 1706.03762, table 1",
    ),
    Claim(
        id="path-length-attention",
        sentence="Between any two positions attention has a path of constant length, dilated convolution one "
        "of log n, recurrence one of n; so an untrained LSTM loses the gradient and attention does not.",
        paper="Vaswani et al., Attention is all you need, 1706.03762, table 1",
    ),
    Claim(
        id="shared-over-positions",
        sentence="A Transformer's weights are the same at all positions, and without position vectors it "
        "cannot distinguish them.",
        paper="Vaswani et al., Attention is all you need, 1706.03762, sections 3.3 and 3.5",
    ),
    Claim(
        id="masked-attention-hides",
        sentence="The mask of a decoder's self-attention hides the future tokens; without it the decoder "
        "learns to copy them and cannot generate.",
        paper="Vaswani et al., Attention is all you need, 1706.03762, section 3.2.3",
    ),
    Claim(
        id="trains-at-once-generates-one-by-one",
        sentence="A Transformer is trained on all target tokens at once and generates them one by one.",
        paper="Vaswani et al., Attention is all you need, 1706.03762, sections 1 and 3.1",
    ),
    Claim(
        id="queries-keys-values-same",
        sentence="Queries, keys and values may be made by one matrix at little cost in accuracy.",
        paper="Vaswani et al., 1706.03762, section 3.2; Kitaev, Kaiser & Levskaya, Reformer, 2001.04451",
    ),
    Claim(
        id="post-norm-needs-warmup",
        sentence="A Transformer that normalises behind its sub-layers needs a warm-up of the learning rate, "
        "and one that normalises before them does not.",
        paper="Xiong et al., On layer normalization in the Transformer architecture, 2002.04745",
    ),
    Claim(
        id="elmo-vectors-differ-by-context",
        sentence="ELMo's vector of one word form differs between contexts, and its layer of tokens does not.",
        paper="Peters et al., Deep contextualized word representations, 1802.05365",
    ),
    Claim(
        id="elmo-needs-no-fine-tuning",
        sentence="ELMo needs no fine-tuning: a tagger above frozen language models is as good as one that "
        "trains them too, and better than without pre-training.",
        paper="Peters et al., Deep contextualized word representations, 1802.05365",
    ),
    Claim(
        id="both-sides-change-a-word",
        sentence="In BERT the words to its right change a word's vector, and in a GPT they do not.",
        paper="Devlin et al., BERT, 1810.04805, section 1 and figure 3",
    ),
    Claim(
        id="cls-feeds-the-classifier",
        sentence="BERT's classification of a text depends on the last layer's vector of [CLS] alone, and "
        "that depends on all tokens.",
        paper="Devlin et al., BERT, 1810.04805, section 3.2 and figure 4",
    ),
    Claim(
        id="bert-learns-from-fewer-positions",
        sentence="BERT gets error at 15 % of the positions and a GPT at all, so BERT is the slower at first.",
        paper="Devlin et al., BERT, 1810.04805, section 3.1 and appendix C.1",
    ),
    Claim(
        id="albert-shares-parameters",
        sentence="Layers that share their weights cut the parameters and nothing of the computation, at "
        "little cost in accuracy.",
        paper="Lan et al., ALBERT, 1909.11942",
    ),
    Claim(
        id="electra-learns-from-all",
        sentence="ELECTRA gets error at every token where BERT gets it at 15 %, and so learns more in as "
        "many steps.",
        paper="Clark et al., ELECTRA, 2003.10555",
    ),
    Claim(
        id="local-connectivity",
        sentence="On a 32×32×3 image a unit of a 5×5 convolution has 5×5×3 = 75 weights and a bias, a fully "
        "connected unit 3072 and a bias.",
        paper="LeCun et al., Gradient-based learning applied to document recognition (1998)",
    ),
    Claim(
        id="conv-parameters",
        sentence="A convolution from D to K channels with an F×F kernel has F×F×D×K + K parameters, "
        "whatever the size of the image.",
        paper="LeCun et al., Gradient-based learning applied to document recognition (1998)",
    ),
    Claim(
        id="pooling-discards",
        sentence="Max-pooling 2×2 with stride 2 discards exactly 75 % of the activations.",
        paper="Stanford's CS231n notes on convolutional networks (2015)",
    ),
    Claim(
        id="one-by-one",
        sentence="A 1×1 convolution is a dot product over the channels at every position: a dense layer that "
        "all positions share, with D×K weights whatever the size of the image.",
        paper="Lin, Chen & Yan, Network in network, 1312.4400",
    ),
    Claim(
        id="two-3x3",
        sentence="Two 3×3 convolutions have the field of one 5×5, and three that of a 7×7, with fewer "
        "weights and more non-linearity.",
        paper="Simonyan & Zisserman, Very deep convolutional networks, 1409.1556",
    ),
    Claim(
        id="dilation-field",
        sentence="Where dilations double from layer to layer the receptive field grows exponentially and the "
        "parameters linearly, with no pixel left out.",
        paper="Yu & Koltun, Multi-scale context aggregation by dilated convolutions, 1511.07122",
    ),
    Claim(
        id="bottleneck-savings",
        sentence="A 1×1 bottleneck around a 3×3 convolution, and 1×F + F×1 instead of F×F, save parameters "
        "and FLOPs alike, at little cost in accuracy.",
        paper="He et al., 1512.03385; Szegedy et al., Rethinking the Inception architecture, 1512.00567",
    ),
    Claim(
        id="densenet-vs-resnet",
        sentence="A DenseNet reaches a ResNet's accuracy with fewer parameters.",
        paper="Huang et al., Densely connected convolutional networks, 1608.06993",
    ),
    Claim(
        id="vae-without-pooling",
        sentence="A variational autoencoder does better without pooling.",
        paper="Springenberg et al., Striving for simplicity, 1412.6806; Radford, Metz & Chintala, 1511.06434",
    ),
)
"""Every claim, in the order of its architectures."""


_FORMER = {"trains-at-once-writes-one-by-one": "trains-at-once-generates-one-by-one"}
"""Ids of the last release that were renamed; they are understood for one release more."""


def find(name: str) -> Claim:
    """The claim of that id; an underscore is read as a hyphen.

    Raises:
        UserError: there is no such claim; the nearest names are given.
    """
    wanted = name.strip().lower().replace("_", "-")
    if wanted in _FORMER:
        log.warning("the claim %s is now called %s", wanted, _FORMER[wanted])
        wanted = _FORMER[wanted]
    for claim in CLAIMS:
        if claim.id == wanted:
            return claim
    raise UserError(
        "claim", name, "is not one of the claims", nearest(wanted, [claim.id for claim in CLAIMS])
    )


def select(names: Iterable[str]) -> tuple[Claim, ...]:
    """The claims of those names in the order given, each once; all of them where no name is given."""
    return tuple(dict.fromkeys(find(name) for name in names)) or CLAIMS

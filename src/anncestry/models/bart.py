r"""BART: a whole Transformer that learns by denoising: it reconstructs a text from a corrupted copy.

Paper: M. Lewis, Y. Liu, N. Goyal, M. Ghazvininejad, A. Mohamed, O. Levy, V. Stoyanov & L. Zettlemoyer, "BART:
denoising sequence-to-sequence pre-training for natural language generation, translation, and comprehension",
1910.13461 (2019).

    x = Drop(LN(E[token] + P[position + 2]))        on both sides, each with its P and its LN; one E
    encoder, decoder and p(y_t) = softmax(E x_t):   the Transformer's, with gelu and with biases in attention

The source is the noised text: spans of Poisson(3) tokens have become one mask each, and sentences have
changed order (section 2.2; `anncestry.data.corruption.infilling`). The target is the text as it was.

Differs from BERT: a decoder generates the whole text, so a mask may stand for any number of words. Differs
from the Transformer: learned positions, a normalisation above the embeddings and no sqrt(d) there, GELU.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.layers.attention.positions import Learned
from anncestry.layers.linear import Linear
from anncestry.models.transformer import Transformer, TransformerConfig
from anncestry.rules import only
from anncestry.signature import Signature

FIRST_POSITION = 2  # the rows before are left over from the filler's number, in the authors' code


@dataclass(frozen=True, kw_only=True)
class BARTConfig(TransformerConfig):
    """Sizes and parts: those of `anncestry.models.transformer.TransformerConfig`, with BART's values.

    Attributes:
        num_positions: the longest text, in tokens; the tables have two rows more.
    """

    num_heads: int = 12
    positions: Annotated[str, only("learned", "BART has no other")] = "learned"
    num_positions: int = 1024
    norm: Annotated[str, only("post", "BART has no other")] = "post"
    tie: str = "all"
    scale_embeddings: Annotated[bool, only(False, "BART's are as they are")] = False
    attention_bias: bool = True
    activation: str = "gelu"
    attention_dropout: float = 0.1
    norm_eps: float = 1e-5

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """As the Transformer's; two vocabularies, which a translation may have, cannot share a table."""
        tie = "all" if signature.vocab_size == signature.output_size else "output"
        longest = max(cls.num_positions, signature.shape[0], signature.target_len)
        usual = {"tie": tie, "num_positions": longest}
        return super().for_signature(signature, width=width, **{**usual, **overrides})


class NormedPositions(Learned):
    """Learned positions, and the normalisation of what they are added to.

    Args:
        width: D.
        num_positions: the longest text.
        eps: added to the variance.
    """

    def __init__(self, width: int, num_positions: int, eps: float) -> None:
        super().__init__(width, FIRST_POSITION + num_positions)
        self.norm = nn.LayerNorm(width, eps)

    def forward(self, start: int, num_positions: int) -> Float[Tensor, "P D"]:
        return super().forward(FIRST_POSITION + start, num_positions)


class BART(Transformer):
    """An encoder of noised text, and a decoder of what it was."""

    config: BARTConfig

    def _positions(self):
        return NormedPositions(self.config.hidden_size, self.config.num_positions, self.config.norm_eps)

    def reset_parameters(self) -> None:
        """Matrices and tables from N(0, 0.02^2); biases at zero."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def embed_tokens(self, embedding, positions, tokens, start=0):
        x = embedding(tokens) + positions(start, tokens.shape[1])
        return self.dropout(positions.norm(x))  # pyright: ignore[reportCallIssue]

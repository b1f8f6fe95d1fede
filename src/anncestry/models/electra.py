r"""ELECTRA: an encoder that detects the tokens which a small BERT has replaced.

Paper: K. Clark, M.-T. Luong, Q. Le & C. Manning, "ELECTRA: pre-training text encoders as discriminators
rather than generators", 2003.10555 (2020).

    e = Drop(LN(E_word[token] + E_segment[segment] + E_position[position])),   one set of tables for both nets
    generator      w ~ softmax(LN(gelu(W_t G(e of the text with masked tokens) + b_t)) E_word^T + b)
    discriminator  D(e of the text with w in their place), and of every token:  v . gelu(W_d x + b_d) + c
    learns         CE(masked tokens) + 50 BCE(the token is not the one that stood there)

Nothing is learnt through w: it is drawn. What is kept for a task is the discriminator.

Differs from BERT: the loss sees every token, not 15 % of them; no mask is in what the kept net reads; there
is no next-sentence prediction.

Departures from the paper: see the ledger of its entry on the timeline.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.layers.attention.packing import Visible, over_tokens
from anncestry.layers.linear import Linear
from anncestry.layers.seq2seq.encoder_decoder import visible_positions
from anncestry.models.bert import NO_POOLER, Bert, BertConfig, MaskedLMHead, Pooler, encoder_block
from anncestry.protocols import MaskedLMOutput
from anncestry.rules import Size, only, relation, where
from anncestry.signature import Signature

GENERATOR_FITS = relation(
    lambda c: c.hidden_size % (c.generator_divisor * c.generator_heads) == 0,
    "must leave a width that its heads share: {hidden_size} through it, by {generator_heads}",
)


@dataclass(frozen=True, kw_only=True)
class ElectraConfig(BertConfig):
    """BERT's sizes and parts, of the discriminator; no next-sentence prediction; a pooler in tasks alone.

    Attributes:
        generator_divisor: masked-lm: width and heads of the generator are the discriminator's through this.
    """

    num_relations: Annotated[int, only(0, "ELECTRA is not asked how two texts follow each other")] = 0
    pooling: Annotated[str, NO_POOLER] = "mean"
    generator_divisor: Annotated[Size, where(GENERATOR_FITS, task="masked-lm")] = 3

    @classmethod
    def for_signature(cls, signature: Signature, *, width: int | None = None, **overrides: Any):
        """As BERT's; the generator has a quarter of the width, and at least 32 features where there are so
        many."""
        wide = overrides.get("hidden_size", width or 128)
        divisor = next(d for d in (4, 2, 1) if d == 1 or (wide % d == 0 and wide // d >= 32))
        return super().for_signature(signature, width=width, **{"generator_divisor": divisor, **overrides})

    @property
    def generator_heads(self) -> int:
        """Heads of the generator."""
        return max(1, self.num_heads // self.generator_divisor)

    def generator_config(self) -> BertConfig:
        """The sizes of the generator's blocks, which have four times its width inside."""
        divisor = self.generator_divisor
        width, heads = self.hidden_size // divisor, self.generator_heads
        return replace(self, hidden_size=width, num_heads=heads, inner_size=0, generator_divisor=1)


class ReplacedTokens(nn.Module):
    """v . gelu(W x + b) + c: how sure it is of each token that it does not belong there."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear, self.out = Linear(width, width), Linear(width, 1)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T"]:
        return self.out(self.linear(x, "gelu")).squeeze(-1)


class Generator(nn.Module):
    """A small BERT on the discriminator's tables.

    Args:
        config: of its blocks.
        embed_dim: E of the tables.
    """

    def __init__(self, config: BertConfig, embed_dim: int) -> None:
        super().__init__()
        width = config.hidden_size
        self.widen = Linear(embed_dim, width) if embed_dim != width else None
        self.blocks = nn.ModuleList(encoder_block(config) for _ in range(config.num_layers))
        self.head = MaskedLMHead(width, embed_dim, config.input_size, "gelu", config.norm_eps)

    def forward(self, x: Float[Tensor, "B T D"], visible: Visible = None) -> Float[Tensor, "B T inner"]:
        """The vectors of all tokens; `head` makes logits of them."""
        x = x if self.widen is None else self.widen(x)
        for block in self.blocks:
            x = block(x, visible)
        return x


class Electra(Bert):
    """The discriminator, with a generator beside it for masked tokens."""

    config: ElectraConfig

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        self.generator = None
        if config.task == "masked-lm":
            embed_dim = config.embed_dim or config.hidden_size
            self.generator = Generator(config.generator_config(), embed_dim)
            self.reset_parameters(self.generator)

    def make_pooler(self) -> Pooler:
        return Pooler(self.config.hidden_size, nn.functional.gelu, self.config.dropout)

    def make_head(self) -> nn.Module:
        return ReplacedTokens(self.config.hidden_size) if self.fills_in else super().make_head()

    def forward(self, tokens, lengths=None, targets=None, segments=None):
        """The outputs of whole texts, (B, T) tokens.

        Args:
            lengths, segments, targets: as for `Bert.forward`.

        Returns:
            As `Bert.forward`; for masked-lm the generator's logits, with ``targets`` in a `MaskedLMOutput`
            that holds those of the discriminator too.
        """
        if self.generator is None:
            return super().forward(tokens, lengths, targets, segments)
        table: Any = self.embeddings.words.weight  # pyright: ignore[reportAttributeAccessIssue]
        features = self.embeddings.features(tokens, segments)  # pyright: ignore
        x = over_tokens(self.generator, self.generator.blocks, features, lengths)
        if targets is None:
            return self.generator.head(x, table)
        asked = self.asked(targets)
        words = self.generator.head(x[asked], table)
        read = tokens.masked_scatter(asked, self.draw(words))
        drawn = asked & (read != targets)  # one that happens to be right is no other
        replaced = self.replaced(read, lengths, segments)
        return MaskedLMOutput(words, replaced=replaced, drawn=drawn)

    @torch.no_grad()
    def draw(self, words: Float[Tensor, "M V"]) -> Int[Tensor, "M"]:
        """A word of each row, by its probability; in evaluation always the same ones."""
        random = None if self.training else torch.Generator(words.device).manual_seed(0)
        return words.float().softmax(-1).multinomial(1, generator=random).squeeze(1)

    def replaced(
        self,
        tokens: Int[Tensor, "B T"],
        lengths: Int[Tensor, "B"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T"]:
        """How sure the discriminator is of each token that it stands in for another one: above 0 where that
        is likelier than not; minus infinity for padding."""
        logits = self.head(self.encode(tokens, lengths, segments))
        if lengths is None:
            return logits
        return logits.masked_fill(~visible_positions(lengths, tokens), -torch.inf)

"""A training step of a GPT of 10.65 M parameters, with dropout of 0.1, against what people run.

Six layers of 384, 256 tokens, 12 texts a step: nanoGPT's small setting. A plain definition in its style, with
fused attention, one projection and dropout in its places, stands for it as it comes on a processor: float32,
AdamW, gradients clipped. Ours is the step of the loop that ``anncestry train gpt2`` runs, with its settings.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.bench.contest import Contest, Contestant
from anncestry.bench.peers import look_around
from anncestry.engine.precision import fast_float32
from anncestry.models.create import create
from anncestry.objectives.objective import LanguageModel
from anncestry.protocols import Batch
from anncestry.training.fit import make_fabric
from anncestry.training.optimizers import Position
from anncestry.training.steps import GradientStep
from anncestry.training.train import recipe

NEEDS: tuple[str, ...] = ()
CPU = torch.device("cpu")
DROPOUT = 0.1
Run = Callable[[], None]


class Sizes(NamedTuple):
    """Of the net and of a step."""

    vocabulary: int
    layers: int
    width: int
    heads: int
    context: int
    texts: int


FULL, TINY = Sizes(65, 6, 384, 6, 256, 12), Sizes(11, 1, 16, 2, 8, 2)


@contextmanager
def gpt_step(tiny: bool = False) -> Iterator[Contest]:
    """As both come, in float32, and in bfloat16."""
    sizes = TINY if tiny else FULL
    around = look_around(precisions=("32", "bf16"))
    torch.manual_seed(0)
    tokens = torch.randint(sizes.vocabulary, (sizes.texts, sizes.context + 1))
    usual = recipe("gpt2")
    found = [
        Contestant("nanoGPT's kind, as it comes (float32)", peer(sizes, tokens), "as it comes"),
        Contestant("nanoGPT's kind, float32, fused AdamW", peer(sizes, tokens, tuned=True)),
        Contestant(f"anncestry, as it comes ({usual.precision})", ours(sizes, tokens), "as it comes", True),
        Contestant("anncestry float32", ours(sizes, tokens, "32"), ours=True),
    ]
    if "bf16" in around.precisions:
        low = peer(sizes, tokens, tuned=True, bfloat16=True)
        found.append(Contestant("nanoGPT's kind, bfloat16, fused AdamW", low, "bfloat16"))
        found.append(Contestant("anncestry bfloat16", ours(sizes, tokens, "bf16"), "bfloat16", True))
    note = f"{sizes.texts} texts of {sizes.context} tokens a step, dropout {DROPOUT} wherever GPT-2 has one."
    amount = sizes.texts * sizes.context
    yield Contest(found, amount, "tokens", None, around.unmeasured, note, warm_up=2)


CONTESTS = {"gpt-step": gpt_step}


def ours(sizes: Sizes, tokens: Int[Tensor, "B T"], precision: str | None = None) -> Run:
    """A step of the loop; the precision is its own choice unless given."""
    torch.manual_seed(0)
    model = create(
        "gpt2", input_size=sizes.vocabulary, output_size=sizes.vocabulary, hidden_size=sizes.width,
        num_layers=sizes.layers, num_heads=sizes.heads, num_positions=sizes.context, seq_len=sizes.context,
        dropout=DROPOUT, embedding_dropout=DROPOUT, attention_dropout=DROPOUT,
    )  # fmt: skip
    changes = {} if precision is None else {"precision": precision}
    settings = recipe("gpt2", max_steps=1000, batch_size=sizes.texts, **changes)
    learn = GradientStep(model.train(), LanguageModel(sizes.vocabulary), settings, make_fabric(settings))
    batch = Batch(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())

    def run() -> None:
        with fast_float32(CPU):
            learn(batch, None, Position(0, 0.0, 0))

    return run


def peer(sizes: Sizes, tokens: Int[Tensor, "B T"], tuned: bool = False, bfloat16: bool = False) -> Run:
    """A step as people write it.

    Args:
        tuned: with the fast float32 products and one kernel of AdamW.
        bfloat16: products in bfloat16.
    """
    torch.manual_seed(0)
    model = PlainGPT(sizes).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, betas=(0.9, 0.99), fused=tuned or None)
    inputs, targets = tokens[:, :-1], tokens[:, 1:].flatten()

    def run() -> None:
        with fast_float32(CPU) if tuned else nullcontext():
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                loss = nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return run


class PlainBlock(nn.Module):
    """A layer of a plain GPT."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, self.heads = sizes.width, sizes.heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.net = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(self.norm_1(x)).chunk(3, -1)
        )
        seen = nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=DROPOUT, is_causal=True)
        x = x + self.dropout(self.out(seen.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.net(self.norm_2(x)))


class PlainGPT(nn.Module):
    """A GPT as people write it down; words and readout share their weights."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.width
        self.words, self.positions = nn.Embedding(sizes.vocabulary, width), nn.Embedding(sizes.context, width)
        self.dropout = nn.Dropout(DROPOUT)
        self.blocks = nn.Sequential(*(PlainBlock(sizes) for _ in range(sizes.layers)))
        self.norm, self.readout = nn.LayerNorm(width), nn.Linear(width, sizes.vocabulary, bias=False)
        self.readout.weight = self.words.weight

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        positions = torch.arange(tokens.shape[1])
        x = self.dropout(self.words(tokens) + self.positions(positions))
        return self.readout(self.norm(self.blocks(x)))

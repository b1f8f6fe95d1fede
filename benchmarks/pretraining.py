"""Training steps of a GPT and of a BERT, against what people run.

GPT: six layers of 384, 256 tokens, 12 texts a step, as in a small setting of nanoGPT; a plain definition in
the same style stands for it: fused attention, one projection, AdamW. BERT: masked tokens, four layers of
256, 32 inputs of 128 tokens, against transformers, at equal precision.

    python -m benchmarks.pretraining [--compile]
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.engine.memory import keep_freed_memory
from anncestry.engine.precision import fast_float32
from anncestry.models.create import create
from anncestry.objectives.masked import MaskedLanguageModel
from anncestry.protocols import IGNORED, outputs_of
from benchmarks.densenet import matrix_peak
from benchmarks.timing import interleave, table, threads, worth_running

THREADS = 2
CPU = torch.device("cpu")
VOCABULARY, LAYERS, WIDTH, HEADS, CONTEXT, TEXTS = 65, 6, 384, 6, 256, 12
WORDS, INPUTS, LENGTH = 8_000, 32, 128
Step = Callable[[], None]


class PlainBlock(nn.Module):
    """A layer of a plain GPT."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.net = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = (
            part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in self.qkv(self.norm_1(x)).chunk(3, -1)
        )
        seen = nn.functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.net(self.norm_2(x))


class PlainGPT(nn.Module):
    """A GPT as people write it down."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(PlainBlock() for _ in range(LAYERS)))
        self.norm, self.readout = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.readout.weight = self.words.weight

    def forward(self, tokens: Tensor) -> Tensor:
        positions = torch.arange(tokens.shape[1])
        return self.readout(self.norm(self.blocks(self.words(tokens) + self.positions(positions))))


def stepper(model: nn.Module, loss_of: Callable[[], Tensor], rounded: bool, fused: bool, fast: bool) -> Step:
    """One training step.

    Args:
        rounded: whether products are in bfloat16.
        fused: whether AdamW is one kernel.
        fast: whether float32 products take the fast kernels.
    """
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, fused=fused or None)

    def step() -> None:
        model.train()
        with fast_float32(CPU) if fast else nullcontext():
            with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
                loss = loss_of()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return step


def gpt_table(rounds: int, compiled: bool) -> str:
    """The GPT."""
    from transformers import GPT2Config, GPT2LMHeadModel

    size = {"hidden_size": WIDTH, "num_layers": LAYERS, "num_heads": HEADS, "num_positions": CONTEXT}
    size |= {"dropout": 0.0, "embedding_dropout": 0.0, "attention_dropout": 0.0, "seq_len": CONTEXT}
    tokens = torch.randint(VOCABULARY, (TEXTS, CONTEXT + 1))
    inputs, targets = tokens[:, :-1], tokens[:, 1:].flatten()
    peer_config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip

    def contestant(kind: str, rounded: bool, fused: bool, fast: bool, compile_it: bool = False) -> Step:
        torch.manual_seed(0)
        if kind == "ours":
            model: Any = create("gpt2", input_size=VOCABULARY, output_size=VOCABULARY, **size)
        else:
            model = PlainGPT() if kind == "plain" else GPT2LMHeadModel(peer_config)
        run = torch.compile(model) if compile_it else model

        def loss() -> Tensor:
            found: Any = run(inputs)
            logits = found[0] if kind == "ours" else found if kind == "plain" else found.logits
            return nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets)

        return stepper(model, loss, rounded, fused, fast)

    contestants: dict[str, Step] = {
        "plain (nanoGPT's default on a processor: float32)": contestant("plain", False, False, False),
        "transformers, float32": contestant("peer", False, False, False),
        "transformers, bfloat16": contestant("peer", True, True, True),
        "plain, bfloat16, fused AdamW": contestant("plain", True, True, True),
        "anncestry, float32": contestant("ours", False, True, True),
        "anncestry, bfloat16": contestant("ours", True, True, True),
    }
    if compiled:
        contestants["plain, bfloat16, fused AdamW, compiled"] = contestant("plain", True, True, True, True)
        contestants["anncestry, bfloat16, compiled"] = contestant("ours", True, True, True, True)
    results = interleave(worth_running(contestants), rounds, warm_up=2)
    rates = ", ".join(f"{row.name} {TEXTS * CONTEXT / row.seconds:,.0f}" for row in results)
    title = f"Training a GPT of {LAYERS} x {WIDTH}, {TEXTS} x {CONTEXT} tokens"
    return table(title, results, f"Tokens a second: {rates}.")


def bert_table(rounds: int) -> str:
    """The BERT."""
    from transformers import BertConfig, BertForMaskedLM

    size = {"hidden_size": 256, "num_layers": 4, "num_heads": 4}
    tokens = torch.randint(WORDS, (INPUTS, LENGTH))
    targets = tokens.masked_fill(torch.rand(tokens.shape) > 0.15, IGNORED)
    objective = MaskedLanguageModel(WORDS)

    def contestant(ours: bool, rounded: bool, tuned: bool) -> Step:
        torch.manual_seed(0)
        if ours:
            model: Any = create("bert", input_size=WORDS, output_size=WORDS, **size)
        else:
            model = BertForMaskedLM(
                BertConfig(
                    vocab_size=WORDS, hidden_size=256, num_hidden_layers=4, num_attention_heads=4,
                    intermediate_size=1024,
                )
            )  # fmt: skip

        def loss() -> Tensor:
            if not ours:
                return model(tokens, labels=targets).loss
            outputs, _ = outputs_of(model, tokens, targets=targets, asked_only=True)
            return objective.loss(outputs.float(), targets) / objective.count(targets)

        return stepper(model, loss, rounded, tuned, tuned)

    contestants = {
        "transformers, float32": contestant(False, False, False),
        "transformers, float32, fast products, fused AdamW": contestant(False, False, True),
        "transformers, bfloat16, fused AdamW": contestant(False, True, True),
        "anncestry, float32": contestant(True, False, True),
        "anncestry, bfloat16": contestant(True, True, True),
    }
    results = interleave(worth_running(contestants), rounds, warm_up=2)
    rates = ", ".join(f"{row.name} {INPUTS * LENGTH / row.seconds:,.0f}" for row in results)
    title = f"Training a BERT of 4 x 256 on masked tokens, {INPUTS} x {LENGTH} tokens, {WORDS:,} words"
    return table(title, results, f"Tokens a second: {rates}.")


def main(quick: bool = False, compiled: bool = False) -> str:
    """Both tables."""
    torch.manual_seed(0)
    keep_freed_memory()
    rounds = 1 if quick else 7
    with threads(THREADS):
        return "\n\n".join([matrix_peak(), gpt_table(rounds, compiled), bert_table(rounds)])


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--compile", action="store_true", help="compiled contestants too: minutes more")
    arguments = parser.parse_args()
    print(main(arguments.quick, arguments.compile))

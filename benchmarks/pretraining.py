"""A training step of a BERT on masked tokens, against transformers at equal precision.

Four layers of 256, 32 inputs of 128 tokens. That of a GPT is timed by ``anncestry bench train``.

    python -m benchmarks.pretraining
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.bench.timing import interleave, table
from anncestry.engine.memory import keep_freed_memory
from anncestry.engine.precision import fast_float32
from anncestry.engine.prediction import bfloat16_is_faster
from anncestry.engine.threads import limited_threads
from anncestry.models.create import create
from anncestry.objectives.masked import MaskedLanguageModel
from anncestry.protocols import IGNORED, outputs_of

THREADS = 2
CPU = torch.device("cpu")
WORDS, INPUTS, LENGTH = 8_000, 32, 128
Step = Callable[[], None]


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
    if not bfloat16_is_faster():  # the processor would emulate it
        contestants = {name: one for name, one in contestants.items() if "bfloat16" not in name}
    results = interleave(contestants, rounds, warm_up=2)
    rates = ", ".join(f"{row.name} {INPUTS * LENGTH / row.seconds:,.0f}" for row in results)
    title = f"Training a BERT of 4 x 256 on masked tokens, {INPUTS} x {LENGTH} tokens, {WORDS:,} words"
    return table(title, results, f"Tokens a second: {rates}.")


def main(quick: bool = False) -> str:
    """The table."""
    torch.manual_seed(0)
    keep_freed_memory()
    rounds = 1 if quick else 7
    with limited_threads(THREADS):
        return bert_table(rounds)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one round")
    print(main(parser.parse_args().quick))

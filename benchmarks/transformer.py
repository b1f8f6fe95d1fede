"""Training a Transformer against Hugging Face's Marian and ``torch.nn.Transformer``; memory in translating.

One step of base size on 48 pairs, in the order they come (padded) and in batches by length. Translating
beside the peers is timed by ``anncestry bench translate``.

    python -m benchmarks.transformer
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.bench.parts.translate import lengths_of
from anncestry.bench.timing import interleave, table
from anncestry.decoding import Search
from anncestry.engine.memory import keep_freed_memory
from anncestry.engine.precision import fast_float32
from anncestry.engine.threads import limited_threads
from anncestry.inference.generation import generate
from anncestry.models.create import configure, create
from anncestry.objectives.sequence import SequenceLikelihood
from anncestry.protocols import IGNORED
from anncestry.signature import END

THREADS = 2
CPU = torch.device("cpu")
VOCABULARY, STEPS, BEAM, PAIRS = 32_000, 32, 4, 48
Run = Callable[[], object]


def memory_note() -> str:
    """Whether memory grows while ten thousand sentences are translated, and what a cache takes."""
    model = create("transformer", input_size=1000, output_size=1000, hidden_size=64, num_layers=2).eval()
    search, sizes = Search(beam=BEAM, max_length=12), []
    for count in (2000, 8000):
        sources = torch.randint(4, 1000, (count, 12))
        generate(model, sources, torch.full((count,), 12), search)
        sizes.append(resident())
    positions = 1 + BEAM * (STEPS - 1)
    cache = 2 * 6 * 512 * positions * 4
    grown = (sizes[1] - sizes[0]) / 2**20
    note = f"Resident memory after 2,000 sentences {sizes[0] / 2**20:.0f} MiB, after 8,000 more "
    note += f"{grown:+.0f} MiB. The cache of a source of base size takes {cache / 2**20:.1f} MiB in float32 "
    note += f"after {STEPS} steps with a beam of {BEAM}: 2 L d numbers for each of {positions} positions."
    return note


def resident() -> int:
    """Bytes of memory that this process holds."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


# ---- training ---------------------------------------------------------------------------------------------


class PlainTransformer(nn.Module):
    """``torch.nn.Transformer`` with embeddings, positions and a readout around it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 512)
        self.body = nn.Transformer(512, 8, 6, 6, 2048, 0.1, batch_first=True)
        self.positions = nn.Parameter(torch.randn(64, 512), requires_grad=False)

    def forward(self, source: Tensor, tokens: Tensor, visible: Tensor) -> Tensor:
        x, y = (self.embedding(t) * 512**0.5 + self.positions[: t.shape[1]] for t in (source, tokens))
        causal = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        hidden = ~visible
        out = self.body(
            x,
            y,
            tgt_mask=causal,
            src_key_padding_mask=hidden,
            memory_key_padding_mask=hidden,
            tgt_is_causal=True,
        )
        return out @ self.embedding.weight.t()


def batches(pairs: Sequence[tuple[list[int], ...]], by_length: bool) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(source, lengths, targets) of two batches, in the order of the pairs or by their lengths."""
    pairs = sorted(pairs, key=lambda pair: len(pair[0])) if by_length else pairs
    made = []
    for first in range(0, len(pairs), PAIRS):
        part = pairs[first : first + PAIRS]
        source = torch.zeros(len(part), max(len(s) for s, _ in part), dtype=torch.long)
        targets = torch.full((len(part), max(len(t) for _, t in part)), IGNORED)
        for row, (s, t) in enumerate(part):
            source[row, : len(s)], targets[row, : len(t)] = torch.tensor(s), torch.tensor(t)
        made.append((source, torch.tensor([len(s) for s, _ in part]), targets))
    return made


def train_table(rounds: int) -> str:
    """Two steps over two batches: ours by length, theirs as they come and by length too."""
    from transformers import MarianConfig, MarianMTModel

    drawn = [lengths_of(2 * PAIRS) for _ in range(2)]
    pairs = [
        tuple(torch.randint(4, VOCABULARY, (length,)).tolist() for length in (a, max(4, (a + b) // 2)))
        for a, b in zip(*drawn, strict=True)
    ]
    count = sum(len(t) for _, t in pairs)
    objective = SequenceLikelihood(VOCABULARY)
    config = configure("transformer-base", {"input_size": VOCABULARY, "output_size": VOCABULARY})
    ours, plain = (
        create("transformer-base", input_size=VOCABULARY, output_size=VOCABULARY),
        PlainTransformer(),
    )
    assert config.hidden_size == 512
    size: dict[str, Any] = {"d_model": 512, "encoder_layers": 6, "decoder_layers": 6}
    size |= {"encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048, "encoder_attention_heads": 8}
    marian = MarianMTModel(
        MarianConfig(
            vocab_size=VOCABULARY, pad_token_id=0, eos_token_id=END, decoder_start_token_id=0,
            decoder_attention_heads=8, activation_function="relu", scale_embedding=True, dropout=0.1, **size
        )
    )  # fmt: skip
    optimizers = {
        id(model): [torch.optim.Adam(model.parameters(), 1e-5, fused=fused) for fused in (None, True)]
        for model in (ours, plain, marian)
    }

    def loss_of(model: nn.Module, source: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        if model is ours:
            return objective.loss(ours(source, targets, lengths), targets)
        visible = torch.arange(source.shape[1]) < lengths.unsqueeze(1)
        tokens = torch.cat([torch.full((len(targets), 1), 2), targets[:, :-1].clamp(min=0)], 1)
        if model is plain:
            logits = plain(source, tokens, visible)
        else:
            logits = marian(
                input_ids=source, attention_mask=visible.long(), decoder_input_ids=tokens, use_cache=False
            ).logits
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )

    def steps(model: nn.Module, by_length: bool, tuned: bool) -> Run:
        parts, optimizer = batches(pairs, by_length), optimizers[id(model)][int(tuned)]

        def run() -> None:
            model.train()
            for source, lengths, targets in parts:
                loss = loss_of(model, source, lengths, targets) / int((targets != IGNORED).sum())
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()

        def tuned_run() -> None:
            with fast_float32(CPU):
                run()

        return tuned_run if tuned else run

    contestants = {
        "torch.nn.Transformer, as it comes": steps(plain, False, False),
        "Marian, as it comes": steps(marian, False, False),
        "torch.nn.Transformer, by length, fast float32, fused Adam": steps(plain, True, True),
        "Marian, by length, fast float32, fused Adam": steps(marian, True, True),
        "anncestry": steps(ours, True, True),
    }
    results = interleave(contestants, rounds, warm_up=1)
    mine = next(result for result in results if result.name == "anncestry")
    with torch.device("meta"):
        weights = sum(parameter.numel() for parameter in create("transformer-base").parameters())
    work = 6 * weights * count  # every weight meets about every target token once
    note = (
        f"{count / mine.seconds:.0f} target tokens a second; about {work / mine.seconds / 1e9:.0f} GFLOP/s."
    )
    return table(f"Training, base size, 2 x {PAIRS} pairs, {count} target tokens", results, note)


def main(quick: bool = False) -> str:
    """All tables."""
    torch.manual_seed(0)
    keep_freed_memory()
    with limited_threads(THREADS):
        rounds = 1 if quick else 5
        return "\n\n".join([memory_note(), train_table(rounds)])


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one round")
    print(main(parser.parse_args().quick))

"""The Transformer against Hugging Face's Marian, CTranslate2 and ``torch.nn.Transformer``.

Translation: base size, a vocabulary of 32,000, one set of random weights that all three load, beam of 4, 64
sources with lengths as of Multi30k's English sentences and others up to 40, targets of exactly 32 tokens: all
do the same steps. Peers are shown as people run them and as well tuned as ours: sorted input, two workers.
Training: one step of base size on 48 pairs, in the order they come (padded) and in batches by length.

    python -m benchmarks.transformer
"""

import copy
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.checkpoints.importing import import_weights
from anncestry.data.processors import processor_from_json
from anncestry.decoding import Search
from anncestry.engine.memory import keep_freed_memory
from anncestry.engine.precision import fast_float32
from anncestry.engine.prediction import Prediction
from anncestry.inference.generation import generate
from anncestry.models.create import configure, create
from anncestry.objectives.sequence import SequenceLikelihood
from anncestry.protocols import IGNORED
from anncestry.signature import END
from benchmarks.densenet import matrix_peak
from benchmarks.timing import interleave, table, threads

THREADS = 2
CPU = torch.device("cpu")
VOCABULARY, SOURCES, STEPS, BEAM, PAIRS = 32_000, 64, 32, 4, 48
Run = Callable[[], object]


def lengths_of(count: int) -> list[int]:
    """Lengths as sentences have: most 8 to 24, a few up to 40."""
    drawn = (torch.randn(count) * 0.45 + 2.6).exp().round().long().clamp(4, 40)
    return drawn.tolist()


def marian(folder: Path) -> Any:
    """A Marian of base size with random weights, written to a folder and converted for CTranslate2."""
    from transformers import MarianConfig, MarianMTModel

    size: dict[str, Any] = {
        "d_model": 512,
        "encoder_layers": 6,
        "decoder_layers": 6,
        "max_position_embeddings": 128,
    }
    size |= {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in
             (("ffn_dim", 2048), ("attention_heads", 8))}  # fmt: skip
    config = MarianConfig(
        vocab_size=VOCABULARY, pad_token_id=VOCABULARY - 1, eos_token_id=0, bos_token_id=None,
        decoder_start_token_id=VOCABULARY - 1, scale_embedding=True, activation_function="relu",
        forced_eos_token_id=None, **size,
    )  # fmt: skip
    peer: Any = MarianMTModel(config).eval()
    with torch.no_grad():  # logits that differ, so that all generate the same
        peer.model.shared.weight.mul_(5)
        peer.model.shared.weight[VOCABULARY - 1] = 0
    peer.save_pretrained(folder)
    words = {"</s>": 0, "<unk>": 1, **{f"w{i}": i for i in range(2, VOCABULARY - 1)}, "<pad>": VOCABULARY - 1}
    (folder / "vocab.json").write_text(json.dumps(words))
    return peer


def converted(peer: Any, folder: Path) -> Path:
    """The same weights as CTranslate2 reads them. The decoder starts from zeros there, as Marian's does."""
    from ctranslate2.converters.transformers import MarianMTLoader

    spec: Any = MarianMTLoader().get_model_spec(copy.deepcopy(peer))
    tokens = ["</s>", "<unk>", *(f"w{i}" for i in range(2, VOCABULARY - 1))]
    spec.decoder.start_from_zero_embedding = True
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.eos_token = spec.config.decoder_start_token = "</s>"
    spec.config.unk_token = "<unk>"
    spec.validate()
    spec.optimize()
    folder.mkdir()
    spec.save(str(folder))
    return folder


def translate_table(rounds: int) -> str:
    """All of 64 sources, with every peer and every precision."""
    import ctranslate2

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peer = marian(folder / "marian")
        imported = import_weights(folder / "marian")
        ours = create(imported.architecture, **imported.config)
        ours.load_state_dict(imported.tensors)
        native = converted(peer, folder / "ct2")
        readers = {
            (kind, workers): ctranslate2.Translator(
                str(native), compute_type=kind, inter_threads=workers, intra_threads=THREADS // workers
            )
            for kind in ("float32", "int8")
            for workers in (1, 2)
        }
    names = processor_from_json(imported.processor or {}).target.tokens  # pyright: ignore
    words = {name: row for row, name in enumerate(names)}
    torch.set_num_threads(THREADS)  # a CTranslate2 with two workers has left this thread with one
    lengths = lengths_of(SOURCES)
    sentences = [torch.randint(2, VOCABULARY - 1, (length,)).tolist() for length in lengths]
    sorted_rows = sorted(range(SOURCES), key=lambda row: lengths[row])

    def hugging_face(rows: list[int], size: int) -> dict[int, list[int]]:
        found = {}
        for first in range(0, len(rows), size):
            part = rows[first : first + size]
            longest = max(lengths[row] for row in part) + 1
            ids = torch.full((len(part), longest), VOCABULARY - 1)
            for index, row in enumerate(part):
                ids[index, : lengths[row] + 1] = torch.tensor([*sentences[row], 0])
            with torch.no_grad():
                texts = peer.generate(
                    input_ids=ids, attention_mask=ids != VOCABULARY - 1, num_beams=BEAM, do_sample=False,
                    min_new_tokens=STEPS, max_new_tokens=STEPS, length_penalty=1.0, early_stopping=False,
                    forced_eos_token_id=None, bad_words_ids=[[VOCABULARY - 1]],
                )  # fmt: skip
            found |= {row: text[1:].tolist() for row, text in zip(part, texts, strict=True)}
        return found

    def native_run(kind: str, workers: int) -> dict[int, list[str]]:
        results = readers[kind, workers].translate_batch(
            [[f"w{token}" for token in sentences[row]] + ["</s>"] for row in sorted_rows],
            beam_size=BEAM, min_decoding_length=STEPS, max_decoding_length=STEPS,
            max_batch_size=SOURCES // workers, length_penalty=1.0,
        )  # fmt: skip
        return {row: r.hypotheses[0] for row, r in zip(sorted_rows, results, strict=True)}

    inputs = torch.zeros(SOURCES, max(lengths) + 1, dtype=torch.long)
    for row, sentence in enumerate(sentences):
        inputs[row, : lengths[row] + 1] = torch.tensor([words[f"w{token}"] for token in sentence] + [END])
    counts = torch.tensor(lengths) + 1
    search = Search(beam=BEAM, min_length=STEPS, max_length=STEPS, length_penalty="average", alpha=1.0)
    predictions = {precision: Prediction(precision) for precision in ("32", "bf16", "int8")}
    models = {precision: prediction.prepared(ours.eval()) for precision, prediction in predictions.items()}

    def run(precision: str) -> list:
        return generate(models[precision], inputs, counts, search, prediction=predictions[precision])

    contestants: dict[str, Run] = {
        "Marian, batches of 32 in order": lambda: hugging_face(list(range(SOURCES)), 32),
        "Marian, sorted": lambda: hugging_face(sorted_rows, 32),
        "CTranslate2 float32": lambda: native_run("float32", 1),
        "CTranslate2 float32, 2 workers": lambda: native_run("float32", 2),
        "CTranslate2 int8": lambda: native_run("int8", 1),
        "CTranslate2 int8, 2 workers": lambda: native_run("int8", 2),
        "anncestry float32": lambda: run("32"),
        "anncestry bfloat16": lambda: run("bf16"),
        "anncestry int8": lambda: run("int8"),
    }
    theirs = {row: [f"w{token}" for token in text] for row, text in hugging_face(sorted_rows, 32).items()}
    same = {
        precision: sum(
            [names[token] for token in best[0].tokens] == theirs[row][: len(best[0].tokens)]
            for row, best in enumerate(run(precision))
        )
        for precision in predictions
    }
    other = native_run("float32", 2)
    same_ct2 = sum(theirs[row] == other[row] for row in range(SOURCES))
    results = interleave(contestants, rounds, warm_up=0)
    note = f"Texts equal to Marian's: {same['32']} of {SOURCES} in float32, {same['bf16']} in bfloat16, "
    note += f"{same['int8']} in int8; CTranslate2's in float32: {same_ct2}."
    return table(
        f"Translation, base size, {SOURCES} sources, beam {BEAM}, {STEPS} tokens each", results, note
    )


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
    with threads(THREADS):
        rounds = 1 if quick else 5
        return "\n\n".join([matrix_peak(), memory_note(), translate_table(rounds), train_table(rounds)])


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one round")
    print(main(parser.parse_args().quick))

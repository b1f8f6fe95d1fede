"""A Transformer of base size translating with a beam of 4, against Hugging Face's Marian and CTranslate2.

A vocabulary of 32,000, one set of random weights that all three load, 64 sources with lengths as of
Multi30k's English sentences and others up to 40, targets of exactly 32 tokens: all do the same steps. Peers
run as people run them and as well tuned as ours: sorted input, two workers.
"""

import copy
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from anncestry.arrays import Int, Tensor
from anncestry.bench.contest import Agreement, Contest, Contestant
from anncestry.bench.peers import SHOWN, look_around
from anncestry.checkpoints.importing import import_weights
from anncestry.data.processors import processor_from_json
from anncestry.decoding import Search
from anncestry.engine.prediction import Prediction
from anncestry.inference.generation import generate
from anncestry.models.create import create
from anncestry.signature import END

PEERS, NEEDS = (
    ("transformers", "ctranslate2"),
    ("transformers",),
)  # the latter writes the folder that all load
BEAM, BATCH = 4, 32


class Sizes(NamedTuple):
    """Of the net, of the vocabulary, and of what is translated."""

    width: int
    layers: int
    vocabulary: int
    sources: int
    steps: int


FULL, TINY = Sizes(512, 6, 32_000, 64, 32), Sizes(32, 1, 100, 6, 4)


class Sources(NamedTuple):
    """What is translated, in words as both peers name them: ``w7`` is 7."""

    sentences: list[list[int]]
    by_length: list[int]


@contextmanager
def translating(tiny: bool = False) -> Iterator[Contest]:
    """All sources, with every peer and every precision."""
    sizes = TINY if tiny else FULL
    around, threads = look_around(*PEERS), torch.get_num_threads()
    torch.manual_seed(0)
    lengths = lengths_of(sizes.sources)
    sentences = [torch.randint(2, sizes.vocabulary - 1, (length,)).tolist() for length in lengths]
    sources = Sources(sentences, sorted(range(sizes.sources), key=lambda row: lengths[row]))
    with tempfile.TemporaryDirectory() as made:
        peer = marian(Path(made) / "marian", sizes)
        found = [
            Contestant(f"transformers, {title}", partial(transformers_run, peer, sources, order, sizes))
            for title, order in (("32 in order", range(sizes.sources)), ("sorted", sources.by_length))
        ]
        if "ctranslate2" in around.there:
            found += native(peer, Path(made) / "ct2", sources, sizes, threads)
            torch.set_num_threads(threads)  # one with two workers has left this thread with one
        found += ours(Path(made) / "marian", sources, sizes, around.precisions)
    agreement = Agreement("equal texts", equal_texts, ".1%")
    note = f"{sizes.sources} sources, {sizes.steps} tokens each, beam {BEAM}; random weights tie often."
    yield Contest(found, sizes.sources, "sentences", agreement, around.unmeasured, note)


CONTESTS = {"transformer-base": translating}


def lengths_of(count: int) -> list[int]:
    """Lengths as sentences have: most 8 to 24, a few up to 40."""
    drawn = (torch.randn(count) * 0.45 + 2.6).exp().round().long().clamp(4, 40)
    return drawn.tolist()


def marian(folder: Path, sizes: Sizes) -> Any:
    """A Marian with random weights, written to a folder."""
    from transformers import MarianConfig, MarianMTModel

    end, pad = 0, sizes.vocabulary - 1
    size: dict[str, Any] = {"d_model": sizes.width, "max_position_embeddings": 128}
    for side in ("encoder", "decoder"):
        size |= {f"{side}_layers": sizes.layers, f"{side}_ffn_dim": 4 * sizes.width}
        size |= {f"{side}_attention_heads": max(2, sizes.width // 64)}
    config = MarianConfig(
        vocab_size=sizes.vocabulary, pad_token_id=pad, eos_token_id=end, bos_token_id=None,
        decoder_start_token_id=pad, scale_embedding=True, activation_function="relu",
        forced_eos_token_id=None, **size,
    )  # fmt: skip
    peer: Any = MarianMTModel(config).eval()
    with torch.no_grad():  # logits that differ, so that all generate the same
        peer.model.shared.weight.mul_(5)
        peer.model.shared.weight[pad] = 0
    peer.save_pretrained(folder)
    words = {"</s>": end, "<unk>": 1, **{f"w{i}": i for i in range(2, pad)}, "<pad>": pad}
    (folder / "vocab.json").write_text(json.dumps(words))
    return peer


def transformers_run(peer: Any, sources: Sources, order: Sequence[int], sizes: Sizes) -> list[list[str]]:
    """Its ``generate``, batch by batch in that order."""
    pad, found, rows = sizes.vocabulary - 1, {}, list(order)
    for first in range(0, len(rows), BATCH):
        part = rows[first : first + BATCH]
        ids = torch.full((len(part), max(len(sources.sentences[row]) for row in part) + 1), pad)
        for index, row in enumerate(part):
            sentence = sources.sentences[row]
            ids[index, : len(sentence) + 1] = torch.tensor([*sentence, 0])
        with torch.no_grad():
            texts = peer.generate(
                input_ids=ids, attention_mask=ids != pad, num_beams=BEAM, do_sample=False,
                min_new_tokens=sizes.steps, max_new_tokens=sizes.steps, length_penalty=1.0,
                early_stopping=False, forced_eos_token_id=None, bad_words_ids=[[pad]],
            )  # fmt: skip
        found |= {row: [f"w{t}" for t in text[1:].tolist()] for row, text in zip(part, texts, strict=True)}
    return [found[row] for row in range(len(rows))]


def native(peer: Any, folder: Path, sources: Sources, sizes: Sizes, threads: int) -> list[Contestant]:
    """CTranslate2, sorted, in both of its precisions, with one worker on all threads and with two.

    The decoder starts from zeros there, as Marian's does.
    """
    import ctranslate2
    from ctranslate2.converters.transformers import MarianMTLoader

    spec: Any = MarianMTLoader().get_model_spec(copy.deepcopy(peer))
    tokens = ["</s>", "<unk>", *(f"w{i}" for i in range(2, sizes.vocabulary - 1))]
    spec.decoder.start_from_zero_embedding = True
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.eos_token = spec.config.decoder_start_token = "</s>"
    spec.config.unk_token = "<unk>"
    spec.validate()
    spec.optimize()
    folder.mkdir()
    spec.save(str(folder))
    rows = sources.by_length
    given = [[f"w{token}" for token in sources.sentences[row]] + ["</s>"] for row in rows]

    def contestant(kind: str, workers: int) -> Contestant:
        translator = ctranslate2.Translator(
            str(folder), compute_type=kind, inter_threads=workers, intra_threads=max(1, threads // workers)
        )

        def run() -> list[list[str]]:
            results = translator.translate_batch(
                given, beam_size=BEAM, min_decoding_length=sizes.steps, max_decoding_length=sizes.steps,
                max_batch_size=-(-len(given) // workers), length_penalty=1.0,
            )  # fmt: skip
            found = {row: result.hypotheses[0] for row, result in zip(rows, results, strict=True)}
            return [found[row] for row in range(len(rows))]

        return Contestant(f"CTranslate2 {kind}, {workers} worker{'s' * (workers > 1)}", run, kind)

    return [contestant(kind, workers) for kind in ("float32", "int8") for workers in (1, 2)]


def ours(folder: Path, sources: Sources, sizes: Sizes, precisions: tuple[str, ...]) -> list[Contestant]:
    """This project, in every precision that this processor has."""
    imported = import_weights(folder)
    model = create(imported.architecture, **imported.config).eval()
    model.load_state_dict(imported.tensors)
    names = processor_from_json(imported.processor or {}).target.tokens  # pyright: ignore
    inputs, lengths = as_read(sources, {name: row for row, name in enumerate(names)})
    search = Search(
        beam=BEAM, min_length=sizes.steps, max_length=sizes.steps, length_penalty="average", alpha=1
    )

    def contestant(precision: str) -> Contestant:
        prediction = Prediction(precision)
        net = prediction.prepared(model)

        def run() -> list[list[str]]:
            best = generate(net, inputs, lengths, search, prediction=prediction)
            return [[names[token] for token in hypotheses[0].tokens] for hypotheses in best]

        return Contestant(f"anncestry {SHOWN[precision]}", run, SHOWN[precision], True)

    return [contestant(precision) for precision in precisions]


def as_read(sources: Sources, words: dict[str, int]) -> tuple[Int[Tensor, "N S"], Int[Tensor, "N"]]:
    """The sources in our tokens, and their lengths."""
    lengths = torch.tensor([len(sentence) + 1 for sentence in sources.sentences])
    inputs = torch.zeros(len(lengths), int(lengths.max()), dtype=torch.long)
    for row, sentence in enumerate(sources.sentences):
        inputs[row, : len(sentence) + 1] = torch.tensor([words[f"w{token}"] for token in sentence] + [END])
    return inputs, lengths


def equal_texts(found: list[list[str]], wanted: list[list[str]]) -> float:
    """The share of texts that are the same, as far as the first goes."""
    same = sum(one == other[: len(one)] for one, other in zip(found, wanted, strict=True))
    return same / len(wanted)

"""GPT-2 of the small size generating greedily, against transformers and CTranslate2; random weights.

A prompt of 64 tokens and 64 more, one text at a time and eight together; and one text behind 1,000 tokens
beside the same net behind 64, which shows what a long context costs. All load the same folder.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from anncestry.arrays import Int, Tensor
from anncestry.bench.contest import Agreement, Contest, Contestant
from anncestry.bench.peers import SHOWN, look_around
from anncestry.checkpoints.importing import import_weights
from anncestry.decoding import Sampling, read_prompt
from anncestry.engine.prediction import Prediction
from anncestry.engine.progress import Counter
from anncestry.inference.continuation import Prompt, sample_rows
from anncestry.models.create import create

PEERS, NEEDS = (
    ("transformers", "ctranslate2"),
    ("transformers",),
)  # the latter writes the folder that all load
Run = Callable[[], Tensor]


class Sizes(NamedTuple):
    """Of the net, of the prompt, of what is generated, and of the long context."""

    config: dict[str, Any]
    vocabulary: int
    prompt: int
    steps: int
    long: int


FULL = Sizes({}, 50_257, 64, 64, 1_000 - 24)  # 1,000 tokens at the end of 24 more
TINY = Sizes({"vocab_size": 120, "n_embd": 32, "n_layer": 2, "n_head": 2}, 120, 6, 4, 40)
FEW = 24  # tokens that are generated behind the long context, and behind the short one beside it


@contextmanager
def generating(count: int, tiny: bool = False) -> Iterator[Contest]:
    """So many texts at once, with every peer and every precision."""
    sizes = TINY if tiny else FULL
    around, threads = look_around(*PEERS), torch.get_num_threads()
    prompts = prompts_of(count, sizes.prompt, sizes)
    with tempfile.TemporaryDirectory() as made:
        peer = write_folder(Path(made) / "gpt2", sizes)
        found = [Contestant("transformers", partial(transformers_run, peer, prompts, sizes.steps))]
        if "ctranslate2" in around.there:
            found += native(peer, Path(made) / "ct2", prompts, sizes, threads)
            torch.set_num_threads(threads)
        models = prepared(Path(made) / "gpt2", around.precisions)
    for precision, (model, prediction) in models.items():
        run = partial(our_run, model, prediction, prompts, sizes.steps)
        found.append(Contestant(f"anncestry {SHOWN[precision]}", run, SHOWN[precision], True))
    agreement = Agreement("equal tokens", equal_tokens, ".1%")
    note = f"Greedy, prompts of {sizes.prompt} tokens, {sizes.steps} more; the seconds include the prompt."
    yield Contest(found, count * sizes.steps, "tokens", agreement, around.unmeasured, note)


@contextmanager
def long_context(tiny: bool = False) -> Iterator[Contest]:
    """One text at the end of a long context, against the same net at a short one: what a token takes."""
    sizes = TINY if tiny else FULL
    around = look_around()
    with tempfile.TemporaryDirectory() as made:
        write_folder(Path(made) / "gpt2", sizes)
        models = prepared(Path(made) / "gpt2", around.precisions)
    found = []
    for precision, (model, prediction) in models.items():
        shown = SHOWN[precision]
        short = f"anncestry {shown}, behind {sizes.prompt} tokens"
        for length in (sizes.prompt, sizes.long):
            step = reading(model, prediction, prompts_of(1, length, sizes))
            name, against = (
                f"anncestry {shown}, behind {length:,} tokens",
                "" if length == sizes.prompt else short,
            )
            found.append(Contestant(name, step, shown, bool(against), against))
    note = f"{FEW} tokens are generated, and the time of reading the prompt is left out."
    yield Contest(found, FEW, "tokens", None, around.unmeasured, note)


CONTESTS = {
    "gpt2-one": partial(generating, 1),
    "gpt2-eight": partial(generating, 8),
    "gpt2-long": long_context,
}


def prompts_of(count: int, length: int, sizes: Sizes) -> Int[Tensor, "N T"]:
    """Random tokens."""
    random = torch.Generator().manual_seed(1)
    return torch.randint(1, sizes.vocabulary, (count, length), generator=random)


def write_folder(folder: Path, sizes: Sizes) -> Any:
    """A GPT-2 with random weights, whose logits differ enough that rounding seldom changes a token."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    peer: Any = GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0, **sizes.config)).eval()
    with torch.no_grad():
        for parameter in peer.parameters():
            if parameter.dim() == 2:
                parameter.mul_(2)
    peer.save_pretrained(folder)
    return peer


def prepared(folder: Path, precisions: tuple[str, ...]) -> dict[str, tuple[Any, Prediction]]:
    """Our net of that folder in each precision, and how it predicts."""
    imported = import_weights(folder)
    model = create(imported.architecture, **imported.config).eval()
    model.load_state_dict(imported.tensors)
    predictions = {precision: Prediction(precision) for precision in precisions}
    return {precision: (one.prepared(model), one) for precision, one in predictions.items()}


class Numbers:
    """A processor that leaves tokens the numbers that they are."""

    def decode_tokens(self, tokens: Int[Tensor, "T"]) -> Int[Tensor, "T"]:
        return tokens


def our_run(model: Any, prediction: Prediction, prompts: Tensor, steps: int) -> Tensor:
    """The tokens behind each prompt, as ``predict`` continues prompts."""
    given = [Prompt("", tokens, tokens) for tokens in prompts]
    best, random = Sampling(temperature=0), torch.Generator()
    rows = sample_rows(model, Numbers(), given, best, steps, random, 1, prediction, Counter(None, 0))
    return torch.stack([row["continuation"] for row in rows])


def reading(model: Any, prediction: Prediction, prompts: Tensor) -> Run:
    """Reads the prompts once; each run generates behind them again."""
    with prediction.scope(prompts.device):
        logits, first = read_prompt(model, prompts)

    def run() -> Tensor:
        tokens, state, found = logits.argmax(1), first, []
        with prediction.scope(prompts.device):
            for number in range(FEW):
                found.append(tokens)
                with prediction.threads(prompts.device, "step", len(tokens), prompts.shape[1] + number):
                    scores, state = model.step(tokens, state)
                tokens = scores.argmax(1)
        return torch.stack(found, dim=1)

    return run


def transformers_run(peer: Any, prompts: Tensor, steps: int) -> Tensor:
    """Its ``generate``."""
    with torch.no_grad():
        texts = peer.generate(
            prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=steps, do_sample=False,
            min_new_tokens=steps, pad_token_id=0,
        )  # fmt: skip
    return texts[:, prompts.shape[1] :]


def native(peer: Any, folder: Path, prompts: Tensor, sizes: Sizes, threads: int) -> list[Contestant]:
    """CTranslate2 with one worker on all threads, and with one for each thread where there are more texts;
    for one text, on one thread too."""
    import ctranslate2
    from ctranslate2.converters.transformers import GPT2Loader

    words = [f"w{i}" for i in range(sizes.vocabulary)]
    spec: Any = GPT2Loader().get_model_spec(peer)
    spec.register_vocabulary(words)
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "w0"
    spec.validate()
    spec.optimize()
    folder.mkdir()
    spec.save(str(folder))
    named = [[words[token] for token in row] for row in prompts.tolist()]

    def contestant(kind: str, workers: int, each: int) -> Contestant:
        generator = ctranslate2.Generator(
            str(folder), compute_type=kind, inter_threads=workers, intra_threads=each
        )

        def run() -> Tensor:
            results = generator.generate_batch(
                named, max_length=sizes.steps, min_length=sizes.steps, beam_size=1, sampling_topk=1,
                include_prompt_in_result=False, max_batch_size=-(-len(named) // workers),
            )  # fmt: skip
            return torch.tensor([result.sequences_ids[0] for result in results])

        threads_shown = f"{each} thread{'s' * (each > 1)}"
        workers_shown = f"{workers} workers of {threads_shown}" if workers > 1 else threads_shown
        return Contestant(f"CTranslate2 {kind}, {workers_shown}", run, kind)

    settings = [(1, threads), (1, 1) if len(prompts) == 1 else (threads, 1)]
    return [contestant(kind, *setting) for kind in ("float32", "int8") for setting in dict.fromkeys(settings)]


def equal_tokens(found: Tensor, wanted: Tensor) -> float:
    """The share of positions with the same token."""
    return float((found == wanted).float().mean())

"""What length and batch cost: seconds a token and the memory of a process of its own.

Encoding: a net of MiniLM's size with 1,024 positions reads texts of 32 to 1,024 tokens, 8 at a time, and 1 to
64 texts of 128 tokens; transformers' BERT of that size beside it, where it is installed. Generating: GPT-2
small writes 16 tokens behind 32 to 1,000, and behind 32 for 1 to 64 texts at once. Random weights, float32.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from anncestry.bench.peers import is_installed
from anncestry.bench.timing import Meter, interleave

LENGTHS, BATCHES = (32, 128, 512, 1_024), (1, 8, 64)
ENCODED_BATCH, ENCODED_LENGTH, PROMPT, STEPS = 8, 128, 32, 16
OURS, PEER = "anncestry", "transformers"
TIMES = 3  # samples


class Point(NamedTuple):
    """One measurement.

    Attributes:
        work: ``encoding`` or ``generating``.
        system: whose.
        axis: which of the two grows: ``length`` or ``batch``.
    """

    work: str
    system: str
    axis: str
    batch: int
    length: int


def points() -> Iterator[Point]:
    """All of them."""
    for system in (OURS, PEER) if is_installed(PEER) else (OURS,):
        for length in LENGTHS:
            yield Point("encoding", system, "length", ENCODED_BATCH, length)
        for batch in BATCHES:
            yield Point("encoding", system, "batch", batch, ENCODED_LENGTH)
        for length in (*LENGTHS[:-1], 1_000):
            yield Point("generating", system, "length", 1, length)
        for batch in BATCHES:
            yield Point("generating", system, "batch", batch, PROMPT)


def measure(point: Point, tiny: bool = False, meter: Meter | None = None) -> dict[str, Any]:
    """Seconds a token, the median of some calls, and the megabytes that this process ever held at once.

    Args:
        tiny: with a net of a few units.
        meter: what is read; default: this machine's clock and counters.
    """
    run, tokens = (_encoding if point.work == "encoding" else _generating)(point, tiny)
    (timed,) = interleave({point.system: run}, TIMES, warm_up=1, meter=meter)
    return {**point._asdict(), "seconds": timed.seconds / tokens, "megabytes": peak_megabytes()}


def peak_megabytes(status: Path = Path("/proc/self/status")) -> float:
    """The most memory that this process has held at once.

    Linux's own count, where it is: the other one takes over what the parent held.
    """
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource  # not on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 1024)


def _encoding(point: Point, tiny: bool) -> tuple[Callable[[], object], int]:
    import torch

    width, layers, heads = (16, 1, 2) if tiny else (384, 6, 12)
    tokens = torch.randint(1, 1_000, (point.batch, point.length))
    count = point.batch * point.length
    if point.system == PEER:
        from transformers import BertConfig, BertModel

        sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
        sizes |= {"intermediate_size": 4 * width, "max_position_embeddings": LENGTHS[-1]}
        peer: Any = BertModel(BertConfig(**sizes), add_pooling_layer=False).eval()  # pyright: ignore

        def theirs() -> object:
            with torch.no_grad():
                return peer(tokens).last_hidden_state

        return theirs, count
    from anncestry.engine.prediction import Prediction
    from anncestry.inference.batched import encode
    from anncestry.models.create import create

    size: dict[str, Any] = {"hidden_size": width, "num_layers": layers, "num_heads": heads}
    problem = {"task": "embedding", "input_size": 30_522, "output_size": width, "pooling": "mean"}
    model = create("sentence-bert", num_positions=LENGTHS[-1], **problem, **size).eval()
    lengths, prediction = torch.full((point.batch,), point.length), Prediction()
    return lambda: encode(model, tokens, lengths, prediction), count


def _generating(point: Point, tiny: bool) -> tuple[Callable[[], object], int]:
    import torch

    from anncestry.bench.parts import generate

    sizes = generate.TINY if tiny else generate.FULL
    random = torch.Generator().manual_seed(1)
    prompts = torch.randint(1, sizes.vocabulary, (point.batch, point.length), generator=random)
    count = point.batch * STEPS
    if point.system == PEER:
        from transformers import GPT2Config, GPT2LMHeadModel

        config = GPT2Config(bos_token_id=0, eos_token_id=0, **sizes.config)  # pyright: ignore
        peer: Any = GPT2LMHeadModel(config).eval()
        return lambda: generate.transformers_run(peer, prompts, STEPS), count
    from anncestry.engine.prediction import Prediction
    from anncestry.models.create import create

    names = {"n_embd": "hidden_size", "n_layer": "num_layers", "n_head": "num_heads"}
    size: dict[str, Any] = {name: sizes.config[key] for key, name in names.items() if key in sizes.config}
    if tiny:
        size |= {"input_size": sizes.vocabulary, "output_size": sizes.vocabulary}
    model = create("gpt2" if tiny else "gpt2-small", **size).eval()
    prediction = Prediction()
    return lambda: generate.our_run(model, prediction, prompts, STEPS), count

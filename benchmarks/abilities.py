"""Tries what PyTorch's tools can do with every architecture, against the table of exceptions.

    python -m benchmarks.abilities [--only NAME ...] [--columns NAME ...] [--write]

About twenty minutes on two cores for all of it. Each cell is tried on a tiny net, of tokens where the
architecture reads any. Prints a line for each cell, and exits with 1 where one is not as the table says.
``--write`` writes ``docs/abilities.md`` and tries nothing.
"""

import argparse
import dataclasses
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed

from anncestry.checkpoints.onnx_graph import Graph, onnx_bytes
from anncestry.files import write_text
from anncestry.inspection import abilities
from anncestry.inspection.conformance import tiny_signature
from anncestry.report.abilities import abilities_page
from anncestry.signature import Signature
from anncestry.timeline import TIMELINE, Architecture
from anncestry.timeline.abilities import COLUMNS, exception

PAGE = Path(__file__).resolve().parents[1] / "docs" / "abilities.md"


def tiny(architecture: Architecture) -> tuple[Any, Signature]:
    """A config with room for a few lengths, and its learning problem."""
    pairs = sorted(architecture.fits, key=lambda pair: (pair[0] not in ("tokens", "characters"), pair))
    signature = tiny_signature(*pairs[0])  # pyright: ignore[reportArgumentType]
    config = architecture.configure(signature, width=8 if architecture.has_width else None)
    if 0 < getattr(config, "num_positions", 0) < 16:
        config = dataclasses.replace(config, num_positions=16)
    return config, signature


def hooks(config: Any, signature: Signature) -> str:
    silent = {name for training in (False, True) for name in abilities.silent(config, signature, training)}
    return abilities.watched_alike(config, signature) or (f"silent: {sorted(silent)}" if silent else "")


def onnx(config: Any, signature: Signature, int8: bool = False) -> str:
    torch.manual_seed(0)
    model = abilities.build(config)
    with torch.no_grad():  # weights that are all zero would agree whatever is made of them
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    onnx_bytes(Graph(model, signature), int8)
    return ""


def hf(config: Any, signature: Signature) -> str:
    from anncestry.hf import AnncestryConfig, AnncestryModel
    from anncestry.models.create import architecture_of

    made = AnncestryConfig(architecture_of(config).id, dataclasses.asdict(config))
    tokens, _ = signature.example(2)
    with torch.no_grad():
        AnncestryModel(made).eval()(tokens, torch.ones_like(tokens))
    return ""


TRIED: dict[str, Callable[[Any, Signature], str]] = {
    "deferred": abilities.deferred,
    "hooks": hooks,
    "compile": abilities.compiled,
    "export": abilities.exported,
    "onnx": onnx,
    "int8": lambda config, signature: onnx(config, signature, int8=True),
    "ddp": lambda config, signature: abilities.distributed(config, signature, asked=False),
    "fsdp2": abilities.sharded,
    "hf": hf,
}


def cell(architecture: Architecture, column: str) -> str:
    """What is wrong with it in one line; nothing where it is right."""
    try:
        return TRIED[column](*tiny(architecture))
    except Exception as error:  # whatever a tool raises is the finding
        return f"{type(error).__name__}: {str(error)[:200]}".replace("\n", " ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])  # pyright: ignore
    parser.add_argument("--only", nargs="*", default=[], help="architectures")
    parser.add_argument("--columns", nargs="*", default=list(COLUMNS), choices=list(COLUMNS))
    parser.add_argument("--write", action="store_true", help="write docs/abilities.md and try nothing")
    arguments = parser.parse_args()
    if arguments.write:
        write_text(PAGE, abilities_page())
        return 0
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    wrong = 0
    for architecture in TIMELINE:
        if arguments.only and architecture.id not in arguments.only:
            continue
        for column in arguments.columns:
            began, reason = time.monotonic(), exception(architecture, column)
            found = cell(architecture, column)
            # some exceptions ask for a word more than these trials do, and those with it pass
            fine = not found or reason is not None
            wrong += not fine
            seconds = time.monotonic() - began
            word = "ok" if fine else "WRONG"
            print(f"{word} {architecture.id} {column} {seconds:.1f} s {found}", flush=True)
    torch.distributed.destroy_process_group()
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

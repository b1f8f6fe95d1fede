"""Classify, forecast or continue inputs with a run."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Arguments:
    """Which run, on which inputs."""

    run: tyro.conf.Positional[Path]
    """A run folder."""
    inputs: tyro.conf.Positional[tuple[str, ...]]
    """Files, folders, - for standard input, or the inputs themselves: a row of numbers, a text to go on."""
    json: bool = False
    """Print one JSON object per input."""
    length: int = 200
    """Language models: how many tokens to write."""
    temperature: float = 0.8
    """Language models: 0 takes the likeliest token each time, 1 samples as the model believes."""
    seed: int = 0
    """Language models: fixes what is sampled."""


def run(arguments: Arguments) -> int:
    """Print the predictions."""
    from anncestry.errors import UserError
    from anncestry.runs import Run

    trained = Run(arguments.run)
    if not arguments.inputs:
        raise UserError("INPUT", None, "say what to predict: a file, a folder, -, or the input itself")
    if trained.signature.task == "language-model":
        return _continue(trained, arguments)
    for source in arguments.inputs:
        for row in trained.predict(source):
            _print(row, arguments.json)
    return 0


def _print(row: dict, as_json: bool) -> None:
    import json

    if as_json:
        print(json.dumps(row, ensure_ascii=False))
        return
    figures = dict(row)
    label = figures.pop("input")
    parts = []
    for value in figures.values():
        if isinstance(value, dict):
            best = sorted(value.items(), key=lambda pair: -pair[1])[:3]
            parts.append("  ".join(f"{key} {number:.3f}" for key, number in best))
        else:
            parts.append(f"{value:.6g}" if isinstance(value, float) else str(value))
    print(f"{label}\t" + "\t".join(parts))


def _continue(trained, arguments: Arguments) -> int:
    """Write on from each prompt, character by character as they are drawn."""
    import json

    import torch

    from anncestry.decoding import sample

    random = torch.Generator().manual_seed(arguments.seed)
    for source in arguments.inputs:
        label, prompts = trained.processor.read(source)
        prompt = prompts[0]
        tokens = sample(trained.model, prompt, arguments.length, arguments.temperature, random)
        if arguments.json:
            text = trained.processor.decode_tokens(torch.tensor(list(tokens)))
            print(json.dumps({"input": label[0], "continuation": text}, ensure_ascii=False))
            continue
        sys.stdout.write(trained.processor.decode_tokens(prompt))
        for token in tokens:
            sys.stdout.write(trained.processor.decode_tokens(torch.tensor([token])))
            sys.stdout.flush()
        print()
    return 0

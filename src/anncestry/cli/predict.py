"""Classify, forecast or continue inputs with a run."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

WINDOW = 8  # tokens that are decoded together


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
    top_k: int = 0
    """Language models: draw from so many of the likeliest tokens; 0 for all."""
    top_p: float = 1.0
    """Language models: draw from the fewest tokens that have this probability together; 1 for all."""
    samples: int = 1
    """Language models: how many continuations of each prompt."""
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
    if "tags" in figures and len(label.split()) == len(figures["tags"]):
        print(" ".join(f"{word}/{tag}" for word, tag in zip(label.split(), figures["tags"], strict=True)))
        return
    parts = []
    for value in figures.values():
        if isinstance(value, dict):
            best = sorted(value.items(), key=lambda pair: -pair[1])[:3]
            parts.append("  ".join(f"{key} {number:.3f}" for key, number in best))
        else:
            parts.append(f"{value:.6g}" if isinstance(value, float) else str(value))
    print(f"{label}\t" + "\t".join(parts))


def _continue(trained, arguments: Arguments) -> int:
    """Write on from each prompt; a single continuation is written as it is drawn."""
    import json

    import torch

    from anncestry.decoding import Rule, sample

    rule = Rule(arguments.temperature, arguments.top_k, arguments.top_p)
    random = torch.Generator().manual_seed(arguments.seed)
    decode = trained.processor.decode_tokens
    for source in arguments.inputs:
        label, prompts = trained.processor.read(source)
        prompt = prompts[0]
        drawn = sample(trained.model, prompt, arguments.length, rule, random, arguments.samples)
        if arguments.json or arguments.samples > 1:
            for tokens in torch.tensor(list(drawn)).view(-1, arguments.samples).t():
                if arguments.json:
                    row = {"input": label[0], "continuation": decode(tokens)}
                    print(json.dumps(row, ensure_ascii=False))
                else:
                    print(decode(torch.cat([prompt, tokens])), end="\n\n")
            continue
        written, text = prompt.tolist(), decode(prompt)
        sys.stdout.write(text)
        for (token,) in drawn:
            written.append(token)
            whole = decode(torch.tensor(written[-WINDOW:]))  # words need those before them for their blanks
            before = decode(torch.tensor(written[-WINDOW:-1]))
            sys.stdout.write(whole[len(before) :])
            sys.stdout.flush()
        print()
    return 0

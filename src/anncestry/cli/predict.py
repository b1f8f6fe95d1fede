"""Classify, forecast, continue or draw inputs again with a run."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

WINDOW = 8  # tokens that are decoded together
SHOWN, DRAWN = 48, 24  # images of a page: of those given, and new ones


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
    """Language models and new images: fixes what is sampled."""
    out: Path | None = None
    """Autoencoders: a page to write, with the images, how they came back, and new ones."""


def run(arguments: Arguments) -> int:
    """Print the predictions."""
    from anncestry.errors import UserError
    from anncestry.runs import Run

    trained = Run(arguments.run)
    if not arguments.inputs:
        raise UserError("INPUT", None, "say what to predict: a file, a folder, -, or the input itself")
    if trained.signature.task == "language-model":
        return _continue(trained, arguments)
    if arguments.out is not None and trained.signature.task != "reconstruction":
        raise UserError("--out", str(arguments.out), "a page is written of images that are drawn again")
    for source in arguments.inputs:
        for row in trained.predict(source):
            _print(row, arguments.json)
    if arguments.out is not None:
        _draw(trained, arguments, arguments.out)
    return 0


def _draw(trained, arguments: Arguments, out: Path) -> None:
    """Write the page of images and print where it is."""
    import torch

    from anncestry.report.generated import Pictures, generated_page
    from anncestry.runs import make_folder

    given = torch.cat([trained.processor.read(source)[1] for source in arguments.inputs])
    images = given[:SHOWN]
    outputs = trained.outputs(images)[:, : trained.signature.output_size]
    rows = [trained.processor.pixels(values).numpy() for values in (images, outputs.view_as(images))]
    about = "Above, the image that was given; below it, what its code is drawn as."
    parts = [Pictures(title="Drawn again", about=about, rows=rows)]
    if hasattr(trained.model, "sample"):
        with torch.no_grad():
            new = trained.model.sample(DRAWN, torch.Generator().manual_seed(arguments.seed))
        about = f"Drawn from random codes (seed {arguments.seed}); nobody has seen them before."
        parts.append(Pictures(title="New images", about=about, rows=[trained.processor.pixels(new).numpy()]))
    name, data = trained.architecture.name, trained.config["data"]["name"]
    size = trained.config["model"]["code_size"]
    facts = [
        f"Every image became {size} numbers, and was drawn again from them.",
        f"{name} ({trained.architecture.year}), trained on {data}.",
        f"{len(images)} of {len(given)} images are shown." if len(given) > len(images) else "",
    ]
    make_folder(out.parent)
    out.write_text(generated_page(f"{name}: {trained.folder.name}", facts, parts), encoding="utf-8")
    print(f"Page: {out}")


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
    if "mse" in figures:  # figures without a unit that says what they are
        print(f"{label}\t" + "\t".join(f"{name} {value:.4g}" for name, value in figures.items()))
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

"""Classify, forecast, continue, fill in, embed, translate, caption or draw inputs again with a run."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from anncestry.amounts import check_seed
from anncestry.cli.given import flag, given
from anncestry.cli.of_beams import OF_BEAMS, check_no_beams
from anncestry.cli.rows import check_rows_file, write_rows
from anncestry.errors import UserError, require
from anncestry.files import check_writable

WINDOW = 8  # tokens that are decoded together
UNFINISHED, MOST_BYTES = "\ufffd", 4  # a character of which a token holds but some bytes, and their number
NUMBERS = 4  # of a vector, as they are shown
SHOWN, DRAWN = 48, 24  # on a page: of those given, and new images


@dataclass(frozen=True, kw_only=True)
class Options:
    """What some tasks can be asked for.

    Attributes:
        length: language models: how many tokens to write.
        temperature: language models: 0 takes the likeliest token each time, 1 samples as the model believes.
        top_k: language models: sample from so many of the likeliest tokens; 0 for all.
        top_p: language models: sample from the fewest tokens that have this probability together; 1 for all.
        samples: language models: how many continuations of each prompt.
        seed: language models and new images: fixes what is sampled.
        beam: translations and captions: the width of the beam search; 1 is greedy search.
        n_best: translations and captions: how many texts to print for each input, with their scores.
        alpha: translations and captions: the length penalty of a beam search, 0 for none.
        unfinished: translations and captions: what becomes of texts that a beam search cuts at the greatest
            length: compared with finished ones by score, or put last.
        alignments: translations and captions: a page to write, which shows where the net looked for each
            word. The net must have an attention, as rnnsearch, luong-attention, gnmt and
            show-attend-and-tell have.
        out: a file to write: a table of the predictions (.csv, .jsonl) with a row for each input.
            Autoencoders: a page (.html) with the images, how they came back, and new ones. Encoders that
            embed texts: a NumPy file (.npy) of float32 with a row for each text.
    """

    length: int = 200
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    samples: int = 1
    seed: int = 0
    beam: int = 1
    n_best: int = 1
    alpha: float = 0.6
    unfinished: Literal["compared", "last"] = "compared"
    alignments: Path | None = None
    out: Path | None = None


_SAMPLED = ("temperature", "top_k", "top_p", "samples", "seed")
_SEARCHED = ("beam", "n_best", *OF_BEAMS, "alignments")
_OF_TASK = {
    "language-model": ("length", *_SAMPLED),
    "reconstruction": ("out", "seed"),
    "embedding": ("out",),
}
GivenOptions: Any = given(Options)
Sources = list[str | Path]


@dataclass(frozen=True)
class Arguments:
    """Which run, on which inputs."""

    run: tyro.conf.Positional[Path]
    """A run folder."""
    inputs: tyro.conf.Positional[tuple[str, ...]]
    """Files, folders, - for standard input, or the inputs themselves: a row of numbers, a text to go on, a
    text with a [MASK] in place of a word."""
    literal: bool = False
    """Take every input as it stands, also where it is the name of a file that is there, or `-`."""
    json: bool = False
    """Print one JSON object per input."""
    precision: Literal["32", "bf16", "int8"] = "32"
    """`32`; `bf16`, about twice as fast where the processor has it, which rounds to two or three digits; or
    `int8` for the products of Transformers, faster still."""
    options: Annotated[GivenOptions, tyro.conf.arg(name="")] = field(default_factory=dict)


def run(arguments: Arguments) -> int:
    """Print the predictions."""
    from anncestry.cli.inputs import input_of
    from anncestry.runs.run import Run, embeds_texts
    from anncestry.signature import GENERATION_TASKS

    trained = Run(arguments.run, arguments.precision)
    if not arguments.inputs:
        raise UserError("INPUT", None, "say what to predict: a file, a folder, -, or the input itself")
    options = _applicable(trained, arguments.options)
    sources = [input_of(word, trained.processor, arguments.literal) for word in arguments.inputs]
    if trained.signature.task == "language-model":
        return _continue(trained, sources, arguments, options)
    if embeds_texts(trained):
        return _embed(trained, sources, arguments, options)
    if trained.signature.task in GENERATION_TASKS:
        return _write(trained, sources, arguments, options)
    rows = (row for source in sources for row in trained.predict(source))
    if options.out is not None and trained.signature.task != "reconstruction":
        print(f"{write_rows(options.out, rows):,} rows: {options.out}")
        return 0
    for row in rows:
        _print(row, arguments.json)
    if options.out is not None:
        _draw(trained, sources, options, options.out)
    return 0


def _applicable(trained, options: Mapping[str, Any]) -> Options:
    """The options, each of which the run's task heeds.

    Raises:
        UserError: one could have no effect; it says which could.
    """
    from anncestry.runs.folder import make_folder
    from anncestry.signature import GENERATION_TASKS

    task = trained.signature.task
    usable = _SEARCHED if task in GENERATION_TASKS else _OF_TASK.get(task, ("out",))
    for name, value in options.items():
        choices = [flag(other) for other in usable] or ["--json", "--precision"]
        if name not in usable:
            rule = f"has no effect on a run whose task is {task}"
            raise UserError(flag(name), str(value), rule, choices)
    if options.get("temperature") == 0:
        for name in ("top_k", "top_p", "samples", "seed"):
            rule = "has no effect at --temperature 0, which takes the likeliest token each time"
            require(name not in options, flag(name), options.get(name), rule)
    if max(options.get("beam", 1), options.get("n_best", 1)) == 1:
        check_no_beams(options)
    check_seed(options.get("seed", 0), "--seed")
    if "length" in options:
        require(options["length"] >= 1, "--length", options["length"], "must be at least 1")
    if "alignments" in options:
        _check_looks(trained, options["alignments"])
    for name in ("alignments", "out"):
        if name in options:
            if usable == ("out",) and task not in _OF_TASK:
                check_rows_file(options[name], flag(name))
            make_folder(options[name].parent)
            check_writable(options[name], flag(name))
    return Options(**options)


def _embed(trained, sources: Sources, arguments: Arguments, options: Options) -> int:
    """Write the vectors of all texts to a file, or print them, or the first numbers of each."""
    import io
    import json

    import numpy as np
    import torch

    from anncestry.data.processors.packed import as_pair
    from anncestry.files import write_bytes

    out = options.out
    if out is not None and out.suffix != ".npy":
        raise UserError("--out", str(out), "vectors are written to a NumPy file; its name ends with .npy")
    lines = trained.processor.texts(sources)
    texts = [as_pair(line) for line in lines]
    vectors = trained.embed(texts)
    if num_cut := trained.processor.encode_counted(texts, blank=True)[2]:
        most = trained.processor.max_tokens
        remark = f"{num_cut} of {len(texts)} were longer than {most} tokens, the net's limit, and were cut"
        print(remark, file=sys.stderr)
    if out is not None:
        array = io.BytesIO()
        np.save(array, vectors.numpy())
        write_bytes(out, array.getvalue(), "--out")
        print(f"{len(vectors)} vectors of {vectors.shape[1]} numbers: {out}")
        return 0
    for line, vector in zip(lines, vectors, strict=True):
        if arguments.json:
            print(json.dumps({"input": line, "vector": vector.tolist()}, ensure_ascii=False))
            continue
        start = " ".join(f"{number:.4f}" for number in vector[:NUMBERS].tolist())
        print(f"{line}\t{len(vector)} numbers, length {torch.linalg.norm(vector):.4g}: {start} ...")
    return 0


def _write(trained, sources: Sources, arguments: Arguments, options: Options) -> int:
    """Print a line for every line or image, in their order; remarks go to standard error."""
    import json

    from anncestry.inference.generation import answer, usual_search

    beam = options.n_best if options.beam == 1 else options.beam
    changes = {name: getattr(options, name) for name in ("n_best", *OF_BEAMS)} | {"beam": beam}
    search = usual_search(trained.signature, **changes)
    key = "translation" if trained.signature.task == "translation" else "caption"
    looks, kept = [], options.alignments is not None
    for source in sources:
        rows = answer(trained.predictor, trained.processor, source, search, kept, trained.prediction)
        if kept:
            looks += _looks(trained, source, rows)
        for number, row in enumerate(rows, 1):
            row.pop("hypothesis", None)
            if arguments.json:
                print(json.dumps(row, ensure_ascii=False))
                continue
            if "note" in row:
                print(f"{source}, input {number}: {row['note']}", file=sys.stderr)
            name = f"{row['input']}\t" if key == "caption" else ""
            for best in row.get("n_best", [row]):
                score = f"{best['score']:.4f}\t" if "n_best" in row else ""
                print(f"{name}{score}{best[key]}")
    if options.alignments is not None:
        _write_page(trained, looks, options.alignments)
    return 0


def _check_looks(trained, out: Path) -> None:
    """Raise a `UserError` unless the net looks at its source while it writes."""
    from anncestry.inspection.alignments import attends_to_source

    name = trained.architecture.name
    if not attends_to_source(trained.model, trained.signature):
        rule = f"needs a net with an attention; this {name} reads its source into a state of fixed size and "
        rule += "never looks at it again, so there are no weights to show"
        raise UserError("--alignments", str(out), rule)


def _looks(trained, source: str | Path, rows: list[dict]) -> list:
    """What the page shows of the answers to one input: of the best text of each."""
    from anncestry.inspection.alignments import attention_over_image
    from anncestry.inspection.labels import labels_of
    from anncestry.report.inside.alignments import Aligned, heat_map, lit_images
    from anncestry.signature import END

    processor, looks = trained.processor, []
    captions = trained.signature.task == "captioning"
    images: list = processor.read_each(source) if captions else rows
    for row, image in zip(rows, images, strict=True):
        best = row.get("hypothesis")
        if best is None:  # nothing could be read
            continue
        words = labels_of(processor.target, [*best.tokens, END][: best.length])
        if captions:
            pixels = processor.images.pixels(image.value.unsqueeze(0))[0]
            maps = attention_over_image(best.alignment, *pixels.shape[1:])
            figure = lit_images(row["input"], words, pixels.numpy(), maps.numpy())
        else:
            read = processor.whole(processor.cut([row["input"]])[0])
            figure = heat_map(labels_of(processor.source, read), words, best.alignment.numpy())
        about = f"Score {best.score:.4g}, log probability {best.log_prob:.4g}."
        about += f" Note: {row['note']}." if "note" in row else ""
        text = row["caption" if captions else "translation"]
        title = Path(row["input"]).name if captions else row["input"]
        looks.append(Aligned(title=title, text=text, about=about, figure=figure))
    return looks


def _write_page(trained, looks: list, out: Path) -> None:
    """Write the page of alignments and print where it is; standard output holds nothing but the texts."""
    from anncestry.files import write_text
    from anncestry.report.inside.alignments import SMALLEST, alignments_page

    name, data = trained.architecture.name, trained.config["data"]
    data = "imported" if data is None else f"trained on {data['name']}"
    what = "A row is a word that was written, a column one of the source: the stronger the square, the more "
    what += f"the net looked there before it wrote. Weights below {SMALLEST} are left blank."
    if trained.signature.task == "captioning":
        what = "For each word the image is coloured where the net looked before it wrote it, by the scale of "
        what += "that word's largest weight."
    facts = [what, f"{name} ({trained.architecture.year}), {data}."]
    if len(looks) > SHOWN:
        facts.append(f"{SHOWN} of {len(looks)} are shown.")
    page = alignments_page(f"{name}: {trained.folder.name}", facts, looks[:SHOWN])
    write_text(out, page, "--alignments")
    print(f"Page: {out}", file=sys.stderr)


def _draw(trained, sources: Sources, options: Options, out: Path) -> None:
    """Write the page of images and print where it is."""
    import torch

    from anncestry.files import write_text
    from anncestry.report.inside.generated import Pictures, generated_page

    given = torch.cat([trained.processor.read(source)[1] for source in sources])
    images = given[:SHOWN]
    outputs = trained.outputs(images)[:, : trained.signature.output_size]
    rows = [trained.processor.pixels(values).numpy() for values in (images, outputs.view_as(images))]
    about = "Above, the image that was given; below it, what its code is drawn as."
    parts = [Pictures(title="Drawn again", about=about, rows=rows)]
    if hasattr(trained.model, "sample"):
        with torch.no_grad():
            new = trained.model.sample(DRAWN, torch.Generator().manual_seed(options.seed))
        about = f"Drawn from random codes (seed {options.seed}); nobody has seen them before."
        parts.append(Pictures(title="New images", about=about, rows=[trained.processor.pixels(new).numpy()]))
    name, data = trained.architecture.name, trained.config["data"]["name"]
    size = trained.config["model"]["code_size"]
    facts = [
        f"Every image became {size} numbers, and was drawn again from them.",
        f"{name} ({trained.architecture.year}), trained on {data}.",
        f"{len(images)} of {len(given)} images are shown." if len(given) > len(images) else "",
    ]
    write_text(out, generated_page(f"{name}: {trained.folder.name}", facts, parts), "--out")
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
    if "masks" in figures:
        print(f"{label}\t{figures['filled']}")
        for number, words in enumerate(figures["masks"], 1):
            print(f"  mask {number}: " + "  ".join(f"{word} {chance:.3f}" for word, chance in words))
        return
    if "answer" in figures:
        print(f"{label}\t{figures['answer'] or '(no answer)'}\t{figures['score']:.4g}")
        return
    if "mse" in figures:  # figures without a unit that says what they are
        print(f"{label}\t" + "\t".join(f"{name} {value:.4g}" for name, value in figures.items()))
        return
    parts = []
    for name, value in figures.items():
        if name == "labels":
            parts.append(", ".join(value) or "(none)")
        elif isinstance(value, dict):
            best = sorted(value.items(), key=lambda pair: -pair[1])[:3]
            parts.append("  ".join(f"{key} {number:.3f}" for key, number in best))
        else:
            parts.append(f"{value:.6g}" if isinstance(value, float) else str(value))
    print(f"{label}\t" + "\t".join(parts))


def _continue(trained, sources: Sources, arguments: Arguments, options: Options) -> int:
    """Write on from each prompt; a single continuation is written as it is drawn."""
    import json

    import torch

    from anncestry.decoding import Rule, sample

    rule = Rule(options.temperature, options.top_k, options.top_p)
    random = torch.Generator().manual_seed(options.seed)
    decode = trained.processor.decode_tokens
    for source in sources:
        label, prompts = trained.processor.read(source)
        prompt = _as_much_as_fits(prompts[0], trained.model, label[0])
        drawn = sample(trained.predictor, prompt, options.length, rule, random, options.samples)
        if arguments.json or options.samples > 1:
            for tokens in torch.tensor(list(drawn)).view(-1, options.samples).t():
                if arguments.json:
                    row = {"input": label[0], "continuation": decode(tokens)}
                    print(json.dumps(row, ensure_ascii=False))
                else:
                    print(decode(torch.cat([prompt, tokens])), end="\n\n")
            continue
        written, shown = prompt.tolist(), prompt.numel()  # tokens, and how many of them are on the screen
        last = shown + options.length
        sys.stdout.write(decode(prompts[0]))
        for (token,) in drawn:
            written.append(token)
            first = max(0, shown - WINDOW)  # words need those before them for their blanks
            before, whole = (decode(torch.tensor(written[first:end])) for end in (shown, len(written)))
            waiting = len(written) - shown < MOST_BYTES and len(written) < last
            if waiting and whole.endswith(UNFINISHED):
                continue
            sys.stdout.write(whole[len(before) :])
            sys.stdout.flush()
            shown = len(written)
        print()
    return 0


def _as_much_as_fits(prompt, model, label: str):
    """The end of a prompt that has more tokens than the model has positions, which is said."""
    positions = getattr(model.config, "num_positions", len(prompt))
    if len(prompt) > positions:
        note = f"{label}: only its last {positions} of {len(prompt)} tokens are read; the net has no more "
        print(f"{note}positions", file=sys.stderr)
    return prompt[-positions:]

"""Classify, forecast, continue, fill in, embed, translate, caption or reconstruct inputs with a run."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from anncestry.cli.given import flag, given
from anncestry.cli.groups import INPUT, MACHINE, OUTPUT, group_of_prediction
from anncestry.cli.printing import print_json, print_row, print_texts, print_vector
from anncestry.cli.rows import check_rows_file, check_vectors_file, write_rows, write_vectors
from anncestry.errors import UserError
from anncestry.files import check_writable
from anncestry.inference.predict_options import PredictOptions

if TYPE_CHECKING:
    from anncestry.runs.run import Run

Sources = list[str | Path]

_OF_TASK: dict[str, tuple[str, ...]] = {
    "language-model": (),
    "translation": ("alignments",),
    "captioning": ("alignments",),
    "reconstruction": ("out", "seed"),
    "embedding": ("out",),
}
"""Options that apply to a task beside those of generation; to other tasks: ``out``."""
GivenOptions: Any = given(PredictOptions, group_of=group_of_prediction)


@dataclass(frozen=True)
class Arguments:
    """Which run, on which inputs."""

    run: tyro.conf.Positional[Path]
    """A run folder."""
    inputs: tyro.conf.Positional[tuple[str, ...]]
    """Files, folders, - for standard input, or the inputs themselves: a row of numbers, a text to continue, a
    text with a [MASK] in place of a word."""
    literal: Annotated[bool, INPUT] = False
    """Take every input as it stands, also where it is the name of a file that is there, or `-`."""
    json: Annotated[bool, OUTPUT] = False
    """Print one JSON object per input."""
    precision: Annotated[Literal["32", "bf16", "int8"], MACHINE] = "32"
    """`32`; `bf16`, about twice as fast where the processor has it, which rounds to two or three digits; or
    `int8` for the products of Transformers, faster still."""
    options: Annotated[GivenOptions, tyro.conf.arg(name="")] = field(default_factory=dict)


def run(arguments: Arguments) -> int:
    """Print the predictions."""
    from anncestry.cli.inputs import input_of
    from anncestry.runs.run import Run
    from anncestry.signature import GENERATION_TASKS

    trained = Run(arguments.run, arguments.precision)
    if not arguments.inputs:
        raise UserError("INPUT", None, "say what to predict: a file, a folder, -, or the input itself")
    _check(trained, arguments.options)
    sources = [input_of(word, trained.processor, arguments.literal) for word in arguments.inputs]
    if trained.signature.task == "language-model":
        return _continue(trained, sources, arguments)
    if trained.embeds_texts:
        return _embed(trained, sources, arguments)
    if trained.signature.task in GENERATION_TASKS:
        return _generate(trained, sources, arguments)
    return _predict(trained, sources, arguments)


def _check(trained: "Run", options: dict[str, Any]) -> None:
    """Raise a `UserError` where an option could have no effect, or a file could not be written."""
    from anncestry.inference.options import OPTIONS, check_options
    from anncestry.runs.folder import make_folder
    from anncestry.runs.inside.alignments import check_alignment

    task = trained.signature.task
    generation = OPTIONS.get(task, ())
    usable = (*generation, *_OF_TASK.get(task, ("out",)))
    for name, value in options.items():
        rule = f"has no effect on a run whose task is {task}"
        if name not in usable:
            raise UserError(flag(name), str(value), rule, [flag(other) for other in usable])
    if generation:
        check_options(trained.signature, {name: v for name, v in options.items() if name in generation})
    if "alignments" in options:
        check_alignment(trained, "--alignments", str(options["alignments"]))
    if "out" in options and task not in _OF_TASK:
        check_rows_file(options["out"], "--out")
    if "out" in options and trained.embeds_texts:
        check_vectors_file(options["out"], "--out")
    for name in {"alignments", "out"} & options.keys():
        make_folder(options[name].parent)
        check_writable(options[name], flag(name))


def _predict(trained: "Run", sources: Sources, arguments: Arguments) -> int:
    """A line for each input, or a table of them; of autoencoders also a page."""
    from anncestry.runs.inside.reconstructions import reconstruction_page

    out = arguments.options.get("out")
    rows = (row for source in sources for row in _watched(trained.predict, source))
    if out is not None and trained.signature.task != "reconstruction":
        print(f"{write_rows(out, rows):,} rows: {out}")
        return 0
    for row in rows:
        print_json(row) if arguments.json else print_row(row)
    if out is not None:
        reconstruction_page(trained, sources, arguments.options.get("seed", 0)).write(out, "--out")
        print(f"Page: {out}")
    return 0


def _embed(trained: "Run", sources: Sources, arguments: Arguments) -> int:
    """Write the vectors of all texts to a file, or print them, or the first numbers of each."""
    from anncestry.data.processors.packed import as_pair
    from anncestry.inference.embedding import cut_note

    processor: Any = trained.processor
    lines = processor.texts(sources)
    texts = [as_pair(line) for line in lines]
    vectors: Any = _watched(trained.embed, texts)
    if note := cut_note(processor, texts):
        print(note, file=sys.stderr)
    out = arguments.options.get("out")
    if out is not None:
        write_vectors(out, vectors.numpy())
        print(f"{len(vectors)} vectors of {vectors.shape[1]} numbers: {out}")
        return 0
    for line, vector in zip(lines, vectors.tolist(), strict=True):
        print_json({"input": line, "vector": vector}) if arguments.json else print_vector(line, vector)
    return 0


def _generate(trained: "Run", sources: Sources, arguments: Arguments) -> int:
    """Print a line for every line or image, in their order; remarks go to standard error."""
    from anncestry.runs.inside.alignments import alignment_page

    options = dict(arguments.options)
    out = options.pop("alignments", None)
    key = "translation" if trained.signature.task == "translation" else "caption"
    generated = []
    for source in sources:
        rows = _watched(trained.generate, source, **options, alignments=out is not None)
        generated.append((source, rows))
        for number, row in enumerate(rows, 1):
            if arguments.json:
                print_json({name: value for name, value in row.items() if name != "hypothesis"})
                continue
            if "note" in row:
                print(f"{source}, input {number}: {row['note']}", file=sys.stderr)
            print_texts(row, key)
    if out is not None:
        alignment_page(trained, generated).write(out, "--alignments")
        print(f"Page: {out}", file=sys.stderr)  # standard output holds nothing but the texts
    return 0


def _continue(trained: "Run", sources: Sources, arguments: Arguments) -> int:
    """Continue each prompt; single sampled continuations are printed as they are generated, others side by
    side and printed at the end."""
    from anncestry.inference.continuation import generator_of

    options = dict(arguments.options)
    searched = "beam" in options or "n_best" in options
    if not searched and options.get("temperature") != 0:
        options["seed"] = generator_of(options.get("seed"))  # goes on from prompt to prompt
    samples = options.get("samples", 1)
    if not (arguments.json or searched or samples > 1):
        options.pop("samples", None)
        for source in sources:
            stream = trained.stream(source, **options)
            _remark(stream.prompt.label, stream.note)
            for piece in stream:
                sys.stdout.write(piece)
                sys.stdout.flush()
            print()
        return 0
    for number, row in enumerate(_watched(trained.generate, sources, **options)):
        _remark(row["input"], "" if number % samples else row.get("note", ""))
        if arguments.json:
            print_json(row)
        else:
            print_texts(row, "text", end="\n\n" if "n_best" in row or not searched else "\n")
    return 0


def _watched(method: Any, inputs: Any, **options: Any) -> Any:
    """What a method of the run gives for inputs; a bar shows how far it is."""
    from anncestry.cli.progress import long_work

    with long_work() as bar:
        return method(inputs, **options, progress=bar("predicting"))


def _remark(label: str, note: str) -> None:
    if note:
        print(f"{label}: {note}", file=sys.stderr)

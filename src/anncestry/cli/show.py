"""A model from outside: its layers with shapes, parameters and FLOPs, and what running it costs."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from anncestry.cli.overrides import Overrides
from anncestry.errors import UserError, require
from anncestry.timeline import Architecture, find, find_preset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from anncestry.inspection.concatenations import Concatenations
    from anncestry.inspection.costs import Costs
    from anncestry.inspection.layer_costs import LayerKind
    from anncestry.signature import Signature

DEFAULT_INPUTS = {
    "vector": "64", "image": "1x28x28", "series": "50x8", "tokens": "tokens:35x10000",
    "characters": "characters:24x50",
}  # fmt: skip
"""The example that an architecture is shown with unless told otherwise; every kind once."""
NUM_CLASSES = 10
NUM_WORDS, CAPTION_LEN = 10_000, 12  # of the captions that an image gets


@dataclass(frozen=True)
class Arguments:
    """Which model, and at what size."""

    name: tyro.conf.Positional[str]
    """An architecture or preset of `anncestry list`, or a run folder."""
    input: str | None = None
    """The shape of one input: 64 (a vector), 50x8 (a series: steps x features), 1x28x28 (an image),
    tokens:35x10000 (steps x vocabulary), characters:24x50 (words x characters of each)."""
    task: str | None = None
    """What is asked: classification, regression, forecasting, language-model, tagging, next-frame,
    reconstruction, translation or captioning."""
    width: int | None = None
    """The one number that scales the architecture: hidden units, or channels."""
    batch_size: int = 1
    """Examples that FLOPs and memory are counted for."""
    set: Overrides = ()
    """Fields of the architecture's config, as name=value."""
    ledger: tyro.conf.FlagCreatePairsOff[bool] = False
    """What paper, authors' code and this project do, and the test that holds it."""
    diagram: Path | None = None
    """Draw the module tree into this SVG file."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> int:
    """Print the layers and the summary; of what has heads of attention, also the other kinds of layer.

    Or the ledger, where that is asked for; a drawing alone is announced in a line.
    """
    architecture, config = configured(arguments)
    drawn_alone = arguments.diagram is not None and not arguments.json
    if arguments.batch_size != Arguments.batch_size and (arguments.ledger or drawn_alone):
        rule = "has no effect: neither a ledger nor a drawing counts FLOPs"
        raise UserError("--batch-size", arguments.batch_size, rule)
    if arguments.diagram is not None:
        from anncestry.drawings.architecture import write_diagram

        write_diagram(architecture, config, arguments.diagram)
        if not (arguments.ledger or arguments.json):
            print(f"Drew {arguments.diagram}.")
            return 0
    if arguments.ledger:
        from anncestry.cli.ledger import print_ledger_json, show_ledger

        print_ledger_json(architecture) if arguments.json else show_ledger(architecture, config)
        return 0
    show_costs(architecture, config, arguments)
    return 0


def show_costs(architecture: Architecture, config: Any, arguments: Arguments) -> None:
    """The layers and what they cost."""
    from anncestry.inspection.costs import costs
    from anncestry.inspection.layer_costs import layer_costs

    found = costs(config, batch_size=arguments.batch_size)
    sizes = (config.signature.shape[0], config.hidden_size) if hasattr(config, "num_heads") else None
    kinds = () if sizes is None else layer_costs(*sizes)
    if arguments.json:
        print_json(architecture, config, found, kinds)
        return
    show_tables(architecture, config.signature, found)
    if sizes is not None:
        show_kinds(*sizes, kinds)


def configured(arguments: Arguments) -> tuple[Architecture, Any]:
    """The architecture and the config that the arguments name.

    Raises:
        UserError: a name, shape or field is not what it must be.
    """
    from anncestry.cli.overrides import parse_overrides
    from anncestry.models.create import configure

    run_config = Path(arguments.name) / "config.json"
    if run_config.is_file():
        return _of_run(run_config, arguments)
    if Path(arguments.name).is_dir() and "/" in arguments.name:
        raise UserError("NAME", arguments.name, "is a folder, but no run folder: it has no config.json")
    architecture, preset = find(arguments.name), find_preset(arguments.name)
    values = parse_overrides(arguments.set, architecture.config_class())
    if preset is not None and arguments.input is None and arguments.task is None:
        if arguments.width is not None:
            raise UserError("--width", arguments.width, "a preset has its own widths")
        return architecture, configure(arguments.name, values)
    # A preset has as many classes as it was published with, whatever the images' size.
    num_classes = preset.config.get("output_size", NUM_CLASSES) if preset is not None else NUM_CLASSES
    signature = _signature(architecture, arguments, num_classes)
    return architecture, configure(arguments.name, values, signature=signature, width=arguments.width)


def _of_run(path: Path, arguments: Arguments) -> tuple[Architecture, Any]:
    """What a run folder says it holds; nothing but its ``config.json`` is read."""
    from anncestry.models.create import configure
    from anncestry.runs.run import Run

    given = {"--input": arguments.input, "--task": arguments.task, "--width": arguments.width}
    given["--set"] = arguments.set or None
    for option, value in given.items():
        if value is not None:
            raise UserError(option, value, "a run has its size; name its architecture to try another one")
    trained = Run(path.parent)
    return trained.architecture, configure(trained.architecture.id, trained.config["model"])


def _signature(
    architecture: Architecture, arguments: Arguments, num_classes: int = NUM_CLASSES
) -> "Signature":
    """The learning problem that ``--input`` and ``--task`` describe, what is missing filled in."""
    from anncestry.signature import GENERATION_TASKS, TASKS, Signature

    if arguments.task is not None and arguments.task not in TASKS:
        raise UserError("--task", arguments.task, "is not a task", TASKS)
    text = arguments.input
    if text is None:
        kinds = [inputs for inputs, task in sorted(architecture.fits) if arguments.task in (None, task)]
        # What reads vectors is shown with one; a model of sequences rather with a series than an image.
        reads_vectors = any(kind == "vector" for kind, _ in architecture.fits)
        preferred = tuple(DEFAULT_INPUTS) if reads_vectors else ("series", "image", "tokens", "characters")
        kind = next((kind for kind in preferred if kind in kinds), None)
        if kind is None:
            rule = f"{architecture.id} is not for this task"
            raise UserError("--task", arguments.task, rule, architecture.tasks)
        text = DEFAULT_INPUTS[kind]
    inputs, shape, vocab_size = parse_shape(text)
    task = arguments.task or _usual_task(architecture, inputs)
    if task in GENERATION_TASKS:
        written = {
            "output_size": vocab_size or NUM_WORDS,
            "target_len": shape[0] if vocab_size else CAPTION_LEN,
        }
        return Signature(task, inputs, shape, vocab_size=vocab_size, **written)  # pyright: ignore
    sizes = {"classification": num_classes, "tagging": num_classes, "language-model": vocab_size}
    sizes |= {"bidirectional-lm": NUM_WORDS, "next-frame": shape[-1], "reconstruction": math.prod(shape)}
    output_size = sizes.get(task, 1)
    return Signature(task, inputs, shape, output_size, vocab_size)  # pyright: ignore[reportArgumentType]


def _usual_task(architecture: Architecture, inputs: str) -> str:
    usual = {"tokens": "language-model", "characters": "bidirectional-lm"}.get(inputs, "classification")
    fitting = sorted(task for kind, task in architecture.fits if kind == inputs)
    return usual if usual in fitting or not fitting else fitting[0]


def parse_shape(text: str) -> tuple[str, tuple[int, ...], int]:
    """``(kind of input, shape, vocabulary)`` of ``64``, ``50x8``, ``1x28x28``, ``tokens:35x10000`` or
    ``characters:24x50``.

    Raises:
        UserError: it is none of these.
    """
    from anncestry.signature import NUM_CHARACTERS

    if text.startswith("characters:"):
        kind, shape, _ = parse_shape(text.removeprefix("characters:"))
        require(kind == "series", "--input", text, "must be words x characters, as in characters:24x50")
        return "characters", shape, NUM_CHARACTERS
    words, tokens = text.removeprefix("tokens:").split("x"), text.startswith("tokens:")
    kind = {1: "vector", 2: "tokens" if tokens else "series", 3: "image"}.get(len(words))
    if (
        kind is None
        or (tokens and kind != "tokens")
        or not all(word.isdecimal() and int(word) for word in words)
    ):
        rule = "must be a shape of whole numbers above 0"
        choices = ("64 (vector)", "50x8 (series)", "1x28x28 (image)", "tokens:35x10000 (steps x vocabulary)")
        raise UserError("--input", text, rule, choices)
    sizes = tuple(map(int, words))
    return (kind, sizes[:1], sizes[1]) if kind == "tokens" else (kind, sizes, 0)


def print_json(
    architecture: Architecture, config: Any, found: "Costs", kinds: "Sequence[LayerKind]" = ()
) -> None:
    """Everything as one JSON object."""
    import dataclasses
    import json

    described = {
        "architecture": architecture.id,
        "signature": config.signature.to_json(),
        "config": dataclasses.asdict(config),
        "costs": found.to_json(),
        **({"layer_kinds": list(map(dataclasses.asdict, kinds))} if kinds else {}),
    }
    print(json.dumps(described, indent=1, ensure_ascii=False))


def show_tables(architecture: Architecture, signature: "Signature", found: "Costs") -> None:
    """A table of the layers, and one of what the whole costs."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    title = f"[bold]{escape(architecture.name)}[/] ({architecture.year}) {escape(architecture.paper)}"
    console.print(title, highlight=False)
    shape = "x".join(map(str, signature.shape))
    vocabulary = f" of a vocabulary of {signature.vocab_size:,}" if signature.vocab_size else ""
    problem = f"{signature.task} of {signature.inputs} inputs {shape}{vocabulary}"
    console.print(f"{problem}, {signature.output_size:,} outputs", highlight=False)
    layers = Table(box=box.SIMPLE_HEAD)
    for heading in ("layer", "type", "output"):
        layers.add_column(heading, overflow="fold")
    sees = any(layer.receptive_field not in (None, (1, 1)) for layer in found.layers)
    for heading in ("parameters", "FLOPs", *(["sees"] if sees else [])):
        layers.add_column(heading, justify="right", no_wrap=True)
    for layer in found.layers:
        output = "x".join(map(str, layer.output_shape))
        field = "x".join(map(str, layer.receptive_field)) if layer.receptive_field else "all"
        row = (layer.name, layer.type, output, f"{layer.parameters:,}", f"{layer.flops:,}")
        layers.add_row(*row, *([field] if sees else []))
    console.print(layers)
    examples = "1 example" if found.batch_size == 1 else f"{found.batch_size:,} examples"
    total = Table(box=None, show_header=False)
    total.add_column(no_wrap=True)
    total.add_column(justify="right", no_wrap=True)
    total.add_column(style="dim")
    rows = [
        ("parameters", found.parameters, f"{4 * found.parameters:,} bytes in single precision"),
        ("FLOPs, forward", found.flops, f"for {examples}; a multiplication and an addition are two"),
        ("FLOPs, training", found.training_flops, f"{found.training_flops // max(1, found.flops)} x forward"),
        ("activation memory", found.activation_bytes, f"bytes kept for the backward pass of {examples}"),
        ("sequential steps", found.sequential_steps, "matrix products that wait for one another"),
    ]
    for name, figure, meaning in rows:
        total.add_row(name, f"{figure:,}", meaning)
    console.print(total)
    if found.concatenations:
        show_concatenations(console, found.concatenations)


def show_concatenations(console: "Console", blocks: "Sequence[Concatenations]") -> None:
    """What the concatenations of dense blocks hold, written layer by layer and in one buffer each."""
    from rich import box
    from rich.table import Table

    from anncestry.inspection.concatenations import BYTES

    console.print("\nConcatenations of one image, in bytes of single precision:", highlight=False)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("dense block", overflow="fold")
    for heading in ("layers", "maps", "of", "layer by layer", "one buffer", "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)

    def row(name: str, layers: int, maps: str, size: str, held: int, once: int) -> None:
        table.add_row(
            name, str(layers), maps, size, f"{BYTES * held:,}", f"{BYTES * once:,}", f"{held / once:.1f}"
        )

    for block in blocks:
        last = block.in_channels + block.num_layers * block.growth_rate
        maps, size = f"{block.in_channels}-{last}", f"{block.height}x{block.width}"
        row(
            block.name.rpartition(".")[2],
            block.num_layers,
            maps,
            size,
            block.layer_by_layer,
            block.one_buffer,
        )
    table.add_section()
    held, once = sum(block.layer_by_layer for block in blocks), sum(block.one_buffer for block in blocks)
    row("all", sum(block.num_layers for block in blocks), "", "", held, once)
    console.print(table)
    console.print("Quadratic in the layers, or linear; behind normalisation and ReLU as much again.")


def show_kinds(n: int, d: int, kinds: "Sequence[LayerKind]") -> None:
    """Table 1 of the Transformer's paper for n places of d features, and what our layers take."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from anncestry.inspection.layer_costs import KERNEL, WINDOW

    console = Console()
    sizes = f"n = {n:,}, d = {d:,}, k = {KERNEL}, r = {min(WINDOW, n)}"
    console.print(f"\nKinds of layers (1706.03762, table 1), {sizes}; millions of FLOPs:", highlight=False)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("layer", overflow="fold")
    table.add_column("order", no_wrap=True)
    for heading in ("table 1", "omitted", "ours", "steps", "path", "ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for kind in kinds:
        millions = (f"{flops / 1e6:.4g}" for flops in (kind.counted, kind.omitted, kind.measured))
        lengths = (f"{kind.steps:,}", f"{kind.path_length:,}")
        milliseconds = "" if kind.seconds is None else f"{1000 * kind.seconds:.3g}"
        table.add_row(kind.name, kind.complexity, *millions, *lengths, milliseconds)
    console.print(table)
    about = "Table 1: what its orders count. Omitted: the projections to queries, keys, values and back, "
    about += "8 n d^2. Ours: counted in our layer, which computes what lies outside its window and masks it. "
    about += (
        "Steps: products that wait for one another. Path: layers, or steps of recurrence, from the first "
    )
    about += "place to the last output. ms: the fastest of a few passes over one sequence, just now."
    console.print(about, highlight=False)
    attention, simple, lstm = kinds[:3]
    cheaper, flops = n < d, attention.measured
    told = f"By its order self-attention takes {'less' if cheaper else 'no less'} than recurrence, as n "
    told += (
        f"{'<' if cheaper else '>='} d. With its projections it takes {flops / simple.measured:.2f} times "
    )
    told += (
        f"the FLOPs of a recurrent layer with tanh, and {flops / lstm.measured:.2f} times those of an LSTM."
    )
    console.print(told, highlight=False)

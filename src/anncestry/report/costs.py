"""Tables of what a model costs: its layers, the whole, its dense blocks, and other kinds of layers."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

BYTES = 4  # of a number in single precision


def print_layers(console: Console, layers: Sequence[Any]) -> None:
    """A line for each layer.

    Args:
        layers: ``name, type, output_shape, parameters, flops, receptive_field`` of each; see
            `anncestry.inspection.costs.LayerCost`.
    """
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("layer", "type", "output"):
        table.add_column(heading, overflow="fold")
    sees = any(layer.receptive_field not in (None, (1, 1)) for layer in layers)
    for heading in ("parameters", "FLOPs", *(["sees"] if sees else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    for layer in layers:
        output = "x".join(map(str, layer.output_shape))
        field = "x".join(map(str, layer.receptive_field)) if layer.receptive_field else "all"
        row = (layer.name, layer.type, output, f"{layer.parameters:,}", f"{layer.flops:,}")
        table.add_row(*row, *([field] if sees else []))
    console.print(table)


def print_total(console: Console, costs: Any) -> None:
    """What the whole costs, a line for each figure; see `anncestry.inspection.costs.Costs`."""
    examples = "1 example" if costs.batch_size == 1 else f"{costs.batch_size:,} examples"
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    rows = [
        ("parameters", costs.parameters, f"{BYTES * costs.parameters:,} bytes in single precision"),
        ("FLOPs, forward", costs.flops, f"for {examples}; a multiplication and an addition are two"),
        ("FLOPs, training", costs.training_flops, f"{costs.training_flops // max(1, costs.flops)} x forward"),
        ("activation memory", costs.activation_bytes, f"bytes kept for the backward pass of {examples}"),
        ("sequential steps", costs.sequential_steps, "matrix products that wait for one another"),
    ]
    for name, figure, meaning in rows:
        table.add_row(name, f"{figure:,}", meaning)
    console.print(table)


def print_concatenations(console: Console, blocks: Sequence[Any]) -> None:
    """What the concatenations of dense blocks hold, written layer by layer and in one buffer each; see
    `anncestry.inspection.concatenations.Concatenations`."""
    console.print("\nConcatenations of one image, in bytes of single precision:", highlight=False)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("dense block", overflow="fold")
    for heading in ("layers", "maps", "of", "layer by layer", "one buffer", "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)

    def row(name: str, layers: int, maps: str, size: str, held: int, once: int) -> None:
        held_bytes, once_bytes = f"{BYTES * held:,}", f"{BYTES * once:,}"
        table.add_row(name, str(layers), maps, size, held_bytes, once_bytes, f"{held / once:.1f}")

    for block in blocks:
        last = block.in_channels + block.num_layers * block.growth_rate
        maps, size = f"{block.in_channels}-{last}", f"{block.height}x{block.width}"
        name = block.name.rpartition(".")[2]
        row(name, block.num_layers, maps, size, block.layer_by_layer, block.one_buffer)
    table.add_section()
    held, once = sum(block.layer_by_layer for block in blocks), sum(block.one_buffer for block in blocks)
    row("all", sum(block.num_layers for block in blocks), "", "", held, once)
    console.print(table)
    console.print("Quadratic in the layers, or linear; behind normalisation and ReLU as much again.")


def print_layer_kinds(console: Console, sizes: tuple[int, int, int, int], kinds: Sequence[Any]) -> None:
    """Table 1 of "Attention is all you need" for one sequence, and what our layers take.

    Args:
        sizes: n positions of d features, the kernel k and the window r.
        kinds: see `anncestry.inspection.layer_costs.LayerKind`; self-attention and both recurrent ones first.
    """
    n, d, kernel, window = sizes
    shown = f"n = {n:,}, d = {d:,}, k = {kernel}, r = {window}"
    console.print(f"\nKinds of layers (1706.03762, table 1), {shown}; millions of FLOPs:", highlight=False)
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
    about += "Steps: products that wait for one another. Path: layers, or steps of recurrence, from the "
    about += "first position to the last output. ms: the fastest of a few passes over one sequence, just now."
    console.print(about, highlight=False)
    attention, simple, lstm = kinds[:3]
    less, order = ("less", "<") if n < d else ("no less", ">=")
    verdict = f"By its order self-attention takes {less} than recurrence, as n {order} d. With its "
    verdict += f"projections it takes {attention.measured / simple.measured:.2f} times the FLOPs of a "
    verdict += f"recurrent layer with tanh, and {attention.measured / lstm.measured:.2f} times those of an "
    console.print(f"{verdict}LSTM.", highlight=False)

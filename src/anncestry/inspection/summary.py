"""The summary of a model: its layers with shapes, parameters and FLOPs, and what running it costs."""

from dataclasses import asdict, dataclass, is_dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from anncestry.inspection.costs import Costs, costs
from anncestry.inspection.layer_costs import KERNEL, WINDOW, LayerKind, layer_costs
from anncestry.report.shown import Shown
from anncestry.signature import Signature
from anncestry.timeline import Architecture

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, kw_only=True, repr=False)
class Summary(Shown):
    """What a model is and costs. ``str`` is the printed table, and a notebook shows it.

    Attributes:
        name: of the model, in prose.
        architecture: its entry on the timeline; None for a module of one's own.
        signature: the learning problem that it is shown with.
        config: its sizes; None for a module of one's own.
        costs: parameters, FLOPs, memory, sequential steps, and the layers.
        layer_kinds: table 1 of "Attention is all you need" for its sizes, where it has attention heads.
    """

    name: str
    architecture: Architecture | None
    signature: Signature
    config: Any
    costs: Costs
    layer_kinds: tuple[LayerKind, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "architecture": None if self.architecture is None else self.architecture.id,
            "signature": self.signature.to_json(),
            "config": asdict(self.config) if is_dataclass(self.config) else None,  # pyright: ignore
            "costs": self.costs.to_json(),
            **({"layer_kinds": list(map(asdict, self.layer_kinds))} if self.layer_kinds else {}),
        }

    def show(self, console: "Console | None" = None) -> None:
        """Print the layers and the whole; of what has attention heads, also the other kinds of layer."""
        from rich.console import Console
        from rich.markup import escape

        from anncestry.report.costs import print_concatenations, print_layer_kinds, print_layers, print_total

        console, entry = console or Console(), self.architecture
        about = "" if entry is None else f" ({entry.year}) {escape(entry.paper)}"
        console.print(f"[bold]{escape(self.name)}[/]{about}", highlight=False)
        console.print(_problem(self.signature), highlight=False)
        print_layers(console, self.costs.layers)
        print_total(console, self.costs)
        if self.costs.concatenations:
            print_concatenations(console, self.costs.concatenations)
        if self.layer_kinds:
            n, d = self.signature.shape[0], self.config.hidden_size
            print_layer_kinds(console, (n, d, KERNEL, min(WINDOW, n)), self.layer_kinds)


def summarize(
    model: Any,
    signature: Signature | None = None,
    *,
    architecture: Architecture | None = None,
    batch_size: int = 1,
) -> Summary:
    """The summary of a model or a config; names and run folders: `anncestry.runs.summary.summary`.

    Args:
        model: a ``torch.nn.Module``, which is neither changed nor run, or a config, which is not built.
        signature: the learning problem; default: that of the config.
        architecture: its entry on the timeline.
        batch_size: B, examples that FLOPs and memory are counted for.

    Raises:
        UserError: there is no signature, or the model cannot be run without weights.
    """
    config: Any = getattr(model, "config", None if isinstance(model, nn.Module) else model)
    found = costs(model, signature, batch_size=batch_size)
    signature = signature or config.signature
    assert signature is not None, "costs() needs one"
    with_heads = hasattr(config, "num_heads") and hasattr(config, "hidden_size")
    return Summary(
        name=type(model).__name__ if architecture is None else architecture.name,
        architecture=architecture,
        signature=signature,
        config=config,
        costs=found,
        layer_kinds=layer_costs(signature.shape[0], config.hidden_size) if with_heads else (),
    )


def _problem(signature: Signature) -> str:
    """``language-model of tokens inputs 35 of a vocabulary of 10,000, 10,000 outputs``."""
    shape = "x".join(map(str, signature.shape))
    vocabulary = f" of a vocabulary of {signature.vocab_size:,}" if signature.vocab_size else ""
    problem = f"{signature.task} of {signature.inputs} inputs {shape}{vocabulary}"
    return f"{problem}, {signature.output_size:,} outputs"

"""What PyTorch's tools can do with each architecture: the exceptions, with their reasons.

An architecture that is not named here can do all of it. ``tests/contract/test_abilities.py`` holds that for
what is quick to try, and ``python -m benchmarks.abilities`` tries all. ``docs/abilities.md`` is the table.
"""

from anncestry.timeline.architecture import Architecture

COLUMNS: dict[str, str] = {
    "deferred": "built on the meta device, given memory (`to_empty`) and loaded, or loaded with "
    "`assign=True`: the same outputs",
    "hooks": "a forward hook on each module fires, in training and in evaluation, and changes nothing",
    "compile": "`torch.compile`: the same outputs, and gradients",
    "export": "`torch.export` in evaluation, with batch and length free",
    "onnx": "`anncestry export --to onnx`: onnxruntime computes what the model does, for batches and "
    "sequences of any size",
    "int8": "the same with `--int8`",
    "ddp": "`DistributedDataParallel`, as training calls it",
    "fsdp2": "`fully_shard` on each block and on the whole: the same loss and gradients",
    "hf": "`anncestry.hf`: transformers' `Trainer`, `AutoModel`, `save_pretrained`",
}
"""What each column of the table says, by its name."""

OWN_RULE = "it learns by its own rule, not by gradients"
SPLIT = (
    "its input weights are multiplied separately with the token and with the context, so this "
    "`cell` is never called as a whole; watch the model or its readout"
)
UNWATCHED: dict[str, dict[str, str]] = {
    "rnn-encoder-decoder": {"cell": SPLIT},
    "rnnsearch": {"cell": SPLIT},
    "show-attend-and-tell": {"cell": SPLIT},
    "skip-rnn": {
        ".cell": "its output of d steps ago joins the gates of this `cell` from outside; watch the layer"
    },
}
"""Modules whose forward hooks stay silent, by the end of their name."""

NO_ONNX: dict[str, str] = {}
"""Architectures without an ONNX graph: none. Graphs of those that generate score a target, without search."""

ASKED = (
    "asked for masked tokens without `targets` it leaves parts unused, which DDP refuses: give targets, as "
    "training does, or `find_unused_parameters=True`"
)
LOOKED_UP = (
    "keys and values are taken from its blocks before they are called: "
    "`register_fsdp_forward_method(block, 'look_up')` for each of `%s`"
)
_RULES = ("perceptron", "adaline", "averaged-perceptron", "voted-perceptron")
EXCEPTIONS: dict[str, dict[str, str]] = {
    "hooks": {name: "; ".join(parts.values()) for name, parts in UNWATCHED.items()},
    "onnx": NO_ONNX,
    "int8": NO_ONNX,
    "ddp": {"spanbert": ASKED, "electra": ASKED, **dict.fromkeys(_RULES, OWN_RULE)},
    "fsdp2": {
        "transformer": LOOKED_UP % "decoder",
        "bart": LOOKED_UP % "decoder",
        "xlnet": LOOKED_UP % "blocks",
        **dict.fromkeys(_RULES, OWN_RULE),
    },
}
"""Of each column, the architectures that cannot, or not by themselves, and why."""


def exception(architecture: Architecture, column: str) -> str | None:
    """Why an architecture cannot do what a column says, or not by itself; None where it can."""
    if column == "hf":
        read = [task for inputs, task in architecture.fits if inputs == "tokens"]
        if not read:
            return "it does not read tokens"
        return None if set(read) != {"translation"} else "it generates texts"
    return EXCEPTIONS.get(column, {}).get(architecture.id)

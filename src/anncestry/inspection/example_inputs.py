"""The example that an architecture is shown with: an input as text, and the learning problem it makes.

64                    a vector of 64 numbers
50x8                  a series of 50 steps of 8 features
1x28x28               an image of 1 channel, 28 x 28 pixels
tokens:35x10000       35 tokens of a vocabulary of 10,000
characters:24x50      24 words of 50 characters each
"""

import math
from collections.abc import Mapping
from typing import Any

from anncestry.errors import UserError, require
from anncestry.models.create import configure
from anncestry.signature import GENERATION_TASKS, NUM_CHARACTERS, TASKS, Signature
from anncestry.timeline import Architecture, find, find_preset

DEFAULT_INPUTS = {
    "vector": "64", "image": "1x28x28", "series": "50x8", "tokens": "tokens:35x10000",
    "characters": "characters:24x50",
}  # fmt: skip
"""The input of every kind that an architecture is shown with by default."""
OF_SEQUENCES = ("series", "image", "tokens", "characters")
"""The order in which inputs are preferred for an architecture that reads no vectors."""
NUM_CLASSES = 10
NUM_WORDS, CAPTION_LEN = 10_000, 12  # of the captions of an image


def parse_input(text: str) -> tuple[str, tuple[int, ...], int]:
    """``(kind of input, shape, vocabulary)`` of a shape as text; the vocabulary of what is no token is 0.

    Raises:
        UserError: it is none of the forms above.
    """
    if text.startswith("characters:"):
        kind, shape, _ = parse_input(text.removeprefix("characters:"))
        require(kind == "series", "input", text, "must be words x characters, as in characters:24x50")
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
        raise UserError("input", text, rule, choices)
    sizes = tuple(map(int, words))
    return (kind, sizes[:1], sizes[1]) if kind == "tokens" else (kind, sizes, 0)


def input_text(signature: Signature) -> str:
    """The input of a learning problem as `parse_input` reads it."""
    shape = "x".join(map(str, signature.shape))
    if signature.inputs == "tokens":
        return f"tokens:{shape}x{signature.vocab_size}"
    return f"characters:{shape}" if signature.inputs == "characters" else shape


def example_config(
    name: str,
    *,
    input: str | None = None,
    task: str | None = None,
    width: int | None = None,
    fields: Mapping[str, Any] | None = None,
) -> tuple[Architecture, Any]:
    """An architecture of the timeline and its config for an example; what is not given is filled in.

    Args:
        name: an architecture, one of its aliases, or a preset.
        input: the shape of one input, as above; default: a preset's own, else one that the architecture fits.
        task: default: one that the architecture fits, rather classification or language modelling.
        width: the one number that scales an architecture; a preset has its own.
        fields: of the config.

    Raises:
        UserError: the name or a field is unknown, or the architecture does not fit the input or the task.
    """
    architecture, preset = find(name), find_preset(name)
    if preset is not None and input is None and task is None:
        if width is not None:
            raise UserError("width", width, "a preset has its own widths")
        return architecture, configure(name, fields or {})
    # A preset has as many classes as it was published with, whatever the images' size.
    num_classes = preset.config.get("output_size", NUM_CLASSES) if preset is not None else NUM_CLASSES
    signature = example_signature(architecture, input, task, num_classes)
    return architecture, configure(name, fields or {}, signature=signature, width=width)


def example_signature(
    architecture: Architecture, input: str | None, task: str | None, num_classes: int = NUM_CLASSES
) -> Signature:
    """The learning problem that an input and a task describe, what is missing filled in.

    Raises:
        UserError: there is no such task or input, or the architecture is not for this task.
    """
    if task is not None and task not in TASKS:
        raise UserError("task", task, "is not a task", TASKS)
    if input is None:
        kinds = {inputs for inputs, known in architecture.fits if task in (None, known)}
        # What reads vectors is shown with one; a model of sequences rather with a series than an image.
        reads_vectors = any(kind == "vector" for kind, _ in architecture.fits)
        preferred = tuple(DEFAULT_INPUTS) if reads_vectors else OF_SEQUENCES
        kind = next((kind for kind in preferred if kind in kinds), None)
        if kind is None:
            raise UserError("task", task, f"{architecture.id} is not for this task", architecture.tasks)
        input = DEFAULT_INPUTS[kind]
    inputs, shape, vocab_size = parse_input(input)
    task = task or _usual_task(architecture, inputs)
    if task in GENERATION_TASKS:
        target = {
            "output_size": vocab_size or NUM_WORDS,
            "target_len": shape[0] if vocab_size else CAPTION_LEN,
        }
        return Signature(task, inputs, shape, vocab_size=vocab_size, **target)  # pyright: ignore
    sizes = {"classification": num_classes, "tagging": num_classes, "language-model": vocab_size}
    sizes |= {"bidirectional-lm": NUM_WORDS, "next-frame": shape[-1], "reconstruction": math.prod(shape)}
    output_size = sizes.get(task, 1)
    return Signature(task, inputs, shape, output_size, vocab_size)  # pyright: ignore[reportArgumentType]


def _usual_task(architecture: Architecture, inputs: str) -> str:
    usual = {"tokens": "language-model", "characters": "bidirectional-lm"}.get(inputs, "classification")
    fitting = sorted(task for kind, task in architecture.fits if kind == inputs)
    return usual if usual in fitting or not fitting else fitting[0]


def signature_of_module(input: str, task: str | None) -> Signature:
    """The learning problem of a module without a config: what it reads; its outputs are of no consequence.

    Raises:
        UserError: there is no such input.
    """
    inputs, shape, vocab_size = parse_input(input)
    task = task or ("language-model" if inputs == "tokens" else "classification")
    length = shape[0] if task in GENERATION_TASKS else 0
    output_size = {"reconstruction": math.prod(shape), "span": 2}.get(task, vocab_size or NUM_CLASSES)
    return Signature(task, inputs, shape, output_size, vocab_size, target_len=length)  # pyright: ignore

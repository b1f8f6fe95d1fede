"""The layer-pattern language of convolutional nets, and the shapes that follow from a pattern.

A pattern is written the way the textbooks draw such a net:

    INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC

    sequence := item ("->" item)*
    item     := (layer | "[" sequence "]") ["*" count] ["?"]
    count    := a number, or one of the letters that ``counts`` binds
    layer    := NAME [size] ["-" width]

``*`` repeats an item (0 leaves it out) and ``?`` keeps it only where the net pools. Sizes are optional, in
the notation of the VGG paper: ``CONV5-32`` has 5 x 5 kernels and 32 channels, ``POOL3`` takes windows of
3 x 3 (as far apart as they are wide), ``FC-120`` has 120 units.

`parse_pattern` expands a pattern into `Layer`s, `plan` gives each one its shapes.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from anncestry.errors import UserError

LAYERS = ("INPUT", "CONV", "RELU", "TANH", "SIGMOID", "POOL", "AVGPOOL", "DROPOUT", "FC")
_SIZED = ("CONV", "POOL", "AVGPOOL")
_WIDE = ("CONV", "FC")
_MAX_LAYERS = 1000
_MAX_DEPTH = 10
_TOKEN = re.compile(r"->|[\[\]*?]|[A-Za-z]+\d*(?:-\d+)?|\d+")
_LAYER = re.compile(r"([A-Z]+?)(\d+)?(?:-(\d+))?")


@dataclass(frozen=True)
class Layer:
    """One layer of an expanded pattern.

    Attributes:
        name: one of `LAYERS`.
        size: kernel or window height and width, where the pattern says it.
        width: channels or units, where the pattern says it.
    """

    name: str
    size: int | None = None
    width: int | None = None

    def __str__(self) -> str:
        return f"{self.name}{self.size or ''}" + (f"-{self.width}" if self.width else "")


@dataclass(frozen=True)
class PlannedLayer:
    """A layer with its shapes, (C, H, W) before and (F,) after the first fully connected one.

    Attributes:
        name: one of `LAYERS`.
        size: kernel or window height and width; 0 where there is none.
        in_shape, out_shape: of one example.
    """

    name: str
    size: int
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]


def conv_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many places a kernel finds along an axis: floor((I + 2P - d(F - 1) - 1) / S) + 1."""
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


def parse_pattern(pattern: str, counts: dict[str, int], pool: bool) -> tuple[Layer, ...]:
    """The layers of a pattern, groups written out.

    Args:
        pattern: see the head of this file.
        counts: what the letters after ``*`` stand for.
        pool: whether items marked ``?`` are kept.

    Raises:
        UserError: it is not a pattern; the message says where.
    """
    return tuple(_Parser(pattern, counts, pool).parse())


class _Parser:
    """Recursive descent: one method for each line of the grammar."""

    def __init__(self, pattern: str, counts: dict[str, int], pool: bool) -> None:
        self.pattern, self.counts, self.pool = pattern, counts, pool
        self.place = 0  # where the next token is looked for

    def parse(self) -> list[Layer]:
        layers = self.sequence(0)
        if self.peek():
            self.fail("'->' or the end is expected")
        return layers

    def sequence(self, depth: int) -> list[Layer]:
        layers = self.item(depth)
        while self.peek() == "->":
            self.take()
            layers = layers + self.item(depth)
        return layers

    def item(self, depth: int) -> list[Layer]:
        layers = self.group(depth) if self.peek() == "[" else [self.layer()]
        if self.peek() == "*":
            self.take()
            count = self.count()
            if count * len(layers) > _MAX_LAYERS:
                self.fail(f"the pattern has more than {_MAX_LAYERS} layers")
            layers = layers * count
        if self.peek() == "?":
            self.take()
            layers = layers if self.pool else []
        return layers

    def group(self, depth: int) -> list[Layer]:
        if depth == _MAX_DEPTH:
            self.fail(f"groups are nested more than {_MAX_DEPTH} deep")
        self.take()
        layers = self.sequence(depth + 1)
        if self.peek() != "]":
            self.fail("'->' or ']' is expected")
        self.take()
        return layers

    def count(self) -> int:
        token = self.peek()
        if token not in self.counts and not token.isdigit():
            self.fail("a number or a letter is expected after '*'", list(self.counts))
        self.take()
        return self.counts[token] if token in self.counts else int(token)

    def layer(self) -> Layer:
        match = _LAYER.fullmatch(self.peek().upper())
        name, size, width = match.groups() if match else ("", None, None)
        if name not in LAYERS:
            self.fail("a layer is expected", LAYERS)
        if size is not None and name not in _SIZED:
            self.fail(f"{name} has no kernel, so no number directly behind it (FC-120 is an FC of 120 units)")
        if width is not None and name not in _WIDE:
            self.fail(f"{name} keeps the channels it gets, so it takes no number behind '-'")
        layer = Layer(name, None if size is None else int(size), None if width is None else int(width))
        if 0 in (layer.size, layer.width):
            self.fail("sizes start at 1")
        self.take()
        return layer

    def peek(self) -> str:
        """The next token, empty at the end of the pattern."""
        while self.pattern[self.place : self.place + 1].isspace():
            self.place += 1
        if self.place == len(self.pattern):
            return ""
        match = _TOKEN.match(self.pattern, self.place)
        if match is None:
            self.fail("this character has no meaning here")
        return match.group()

    def take(self) -> None:
        self.place += len(self.peek())

    def fail(self, what: str, choices: list[str] | tuple[str, ...] | None = None) -> NoReturn:
        rest = self.pattern[self.place : self.place + 12]
        where = f"at character {self.place + 1} ({rest!r})" if rest else "at its end"
        raise UserError("pattern", self.pattern, f"{where}: {what}", choices)


def plan(
    layers: tuple[Layer, ...],
    input_shape: tuple[int, ...],
    output_size: int,
    *,
    channels: int,
    hidden_size: int,
    kernel_size: int,
    padded: bool,
) -> tuple[PlannedLayer, ...]:
    """Sizes and shapes of every layer.

    Args:
        layers: from `parse_pattern`: INPUT first, a plain FC last, no CONV or POOL behind an FC.
        input_shape: (C, H, W).
        output_size: K, units of the last FC.
        channels: of a CONV without a number; doubled after every pooling layer.
        hidden_size: units of an FC without a number.
        kernel_size: of a CONV without a number.
        padded: whether a CONV keeps height and width, or stays within the image.

    Raises:
        UserError: the layers do not fit on each other, or on the image.
    """

    def fail(number: int, rule: str, hint: str | None = None) -> NoReturn:
        written = " -> ".join(map(str, layers))
        raise UserError("pattern", written, f"layer {number + 1}: {rule}", hint=hint)

    last = len(layers) - 1
    if not layers or layers[0].name != "INPUT":
        fail(0, "the first layer is INPUT")
    if layers[last].name != "FC" or layers[last].width is not None:
        fail(last, "the last layer is FC without a number: it has as many units as the answer")
    planned: list[PlannedLayer] = []
    shape: tuple[int, ...] = tuple(input_shape)
    for number, layer in enumerate(layers):
        before, size, name = shape, 0, layer.name
        if name == "INPUT" and number > 0:
            fail(number, "INPUT comes once, at the beginning")
        elif name == "FC":
            shape = (output_size if number == last else layer.width or hidden_size,)
        elif name in ("CONV", "POOL", "AVGPOOL"):
            if len(shape) == 1:
                fail(number, f"{name} reads an image, but the FC before it has left none")
            if name == "CONV":
                size, width = layer.size or kernel_size, layer.width or channels
                if padded and size % 2 == 0:
                    hint = "Or set padding=valid."
                    fail(number, f"a kernel that keeps the image's size is odd, not {size}", hint)
                sides = [conv_size(side, size, padding=size // 2 if padded else 0) for side in shape[1:]]
            else:
                size, width = layer.size or 2, shape[0]
                sides = [conv_size(side, size, stride=size) for side in shape[1:]]
                channels *= 2
            if min(sides) < 1:
                behind = planned[-1].name if number else "INPUT"
                left = "x".join(map(str, shape[1:]))
                rule = f"{name}{size} leaves nothing of the {left} image behind layer {number} ({behind})"
                fail(number, rule, "Fewer blocks (num_blocks), smaller kernels or pool=False would fit.")
            shape = (width, *sides)
        planned.append(PlannedLayer(name, size, before, shape))
    return tuple(planned)

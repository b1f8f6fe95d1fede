"""The layer-pattern language of convolutional nets, and the shapes that follow from a pattern.

A pattern is written the way the textbooks draw such a net:

    INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC

    sequence := item ("->" item)*
    item     := (layer | "[" sequence "]") ["*" count] ["?"]
    count    := a number, or one of the letters that ``counts`` binds
    layer    := NAME [size] ["/" stride] [":" dilation] ["-" width]
    size     := a number, or height "x" width

``*`` repeats an item (0 leaves it out) and ``?`` keeps it only where the net pools. All numbers are optional,
in the notation of the VGG paper and what has been added to it since:

    CONV5-32     5 x 5 kernels, 32 channels
    CONV1x3-16   kernels one position high and three wide; with CONV3x1-16 behind it a factorised 3 x 3
    CONV3/2-32   a kernel at every second position (stride 2), in place of pooling
    CONV3:2-16   a kernel that reads every second position (dilation 2; 1 is dense, as in PyTorch)
    POOL3        the maximum over windows of 3 x 3, as far apart as they are wide; AVGPOOL the mean
    POOL3/2      windows of 3 x 3 that overlap: one at every second position
    NORM         batch normalisation; what it follows needs no biases
    GAP          the mean of each map over the whole image
    FC-120       120 units

`parse_pattern` expands a pattern into `Layer`s, `plan` gives each one its shapes.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from anncestry.errors import UserError

LAYERS = (
    "INPUT", "CONV", "RELU", "TANH", "SIGMOID", "POOL", "AVGPOOL", "GAP", "NORM", "DROPOUT", "FC"
)  # fmt: skip
_SIZED = ("CONV", "POOL", "AVGPOOL")
_WIDE = ("CONV", "FC")
_MAX_LAYERS = 1000
_MAX_DEPTH = 10
_TOKEN = re.compile(r"->|[\[\]*?]|[A-Za-z]+(?:[\d/:][\dxX/:]*)?(?:-\d+)?|\d+")
_LAYER = re.compile(r"[A-Z]+(?:(\d+)(?:X(\d+))?)?(?:/(\d+))?(?::(\d+))?(?:-(\d+))?")


@dataclass(frozen=True)
class Layer:
    """One layer of an expanded pattern.

    Attributes:
        name: one of `LAYERS`.
        size: height and width of a kernel or window, where the pattern says it.
        width: channels or units, where the pattern says it.
        stride: positions from one window to the next, where the pattern says it.
        dilation: positions from one weight of a kernel to the next.
    """

    name: str
    size: tuple[int, int] | None = None
    width: int | None = None
    stride: int | None = None
    dilation: int = 1

    def __str__(self) -> str:
        size = "" if self.size is None else _written(self.size)
        stride = "" if self.stride is None else f"/{self.stride}"
        dilation = "" if self.dilation == 1 else f":{self.dilation}"
        return f"{self.name}{size}{stride}{dilation}" + (f"-{self.width}" if self.width else "")


def _written(size: tuple[int, int]) -> str:
    return str(size[0]) if size[0] == size[1] else f"{size[0]}x{size[1]}"


@dataclass(frozen=True, kw_only=True)
class PlannedLayer:
    """A layer with its shapes: (C, H, W), and (F,) behind the first FC or GAP.

    Attributes:
        name: one of `LAYERS`.
        size: height and width of a kernel or window; 0 where there is none.
        stride, padding: of the windows, down and across.
        dilation: of a kernel, 1 where it is dense.
        bias: whether a CONV or FC adds biases; a NORM behind it would take them away again.
        in_shape, out_shape: of one example.
    """

    name: str
    size: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: int = 1
    bias: bool = True
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]


def conv_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many positions a kernel finds along an axis: floor((I + 2P - d(F - 1) - 1) / S) + 1."""
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
        token = self.peek().upper()
        name = re.match("[A-Z]*", token)[0]  # pyright: ignore[reportOptionalSubscript]
        if name not in LAYERS:
            self.fail("a layer is expected", LAYERS)
        match = _LAYER.fullmatch(token)
        if match is None:
            self.fail(
                "the numbers of a layer are written as in CONV3, CONV1x3, CONV3/2, CONV3:2, CONV3/2:2-32"
            )
        numbers = [None if number is None else int(number) for number in match.groups()]
        height, across, stride, dilation, width = numbers
        if name not in _SIZED and (height, stride) != (None, None):
            self.fail(f"{name} has no kernel, so no number directly behind it (FC-120 is an FC of 120 units)")
        if name != "CONV" and dilation is not None:
            self.fail(f"{name} has no kernel that could be dilated, so no ':'")
        if name not in _WIDE and width is not None:
            self.fail(f"{name} keeps the channels it gets, so it takes no number behind '-'")
        if 0 in (height, across, stride, dilation, width):
            self.fail("sizes start at 1")
        self.take()
        size = None if height is None else (height, across or height)
        return Layer(name, size, width, stride, dilation or 1)

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
        layers: from `parse_pattern`: INPUT first, a plain FC last, nothing for images behind an FC or GAP.
        input_shape: (C, H, W).
        output_size: K, units of the last FC.
        channels: of a CONV without a number; doubled behind every layer with a stride above 1.
        hidden_size: units of an FC without a number.
        kernel_size: of a CONV without a number.
        padded: whether a CONV reads zeros around the image, so that stride 1 keeps height and width and
            stride S leaves every S-th position, or stays within the image, as POOL and AVGPOOL always do.

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
        fail(last, "the last layer is FC without a number: it has as many units as the output")
    planned: list[PlannedLayer] = []
    shape: tuple[int, ...] = tuple(input_shape)
    flat = ""  # the layer that has left no image
    for number, layer in enumerate(layers):
        name, behind = layer.name, layers[min(number + 1, last)].name
        size = stride = padding = (0, 0)
        before = shape
        if name == "INPUT" and number > 0:
            fail(number, "INPUT comes once, at the beginning")
        elif name == "FC":
            shape, flat = (output_size if number == last else layer.width or hidden_size,), flat or name
        elif flat and name in ("GAP", *_SIZED):
            fail(number, f"{name} reads an image, but the {flat} before it has left none")
        if name == "GAP":
            shape, flat = shape[:1], name
        elif name in _SIZED:
            plain = kernel_size if name == "CONV" else 2
            size = layer.size or (plain, plain)
            stride = (layer.stride, layer.stride) if layer.stride else (1, 1) if name == "CONV" else size
            if name == "CONV" and padded:
                if size[0] * size[1] % 2 == 0:
                    rule = f"a kernel that keeps the image's size is odd, not {_written(size)}"
                    fail(number, rule, "Or set padding=valid.")
                padding = (layer.dilation * (size[0] // 2), layer.dilation * (size[1] // 2))
            windows = zip(shape[1:], size, stride, padding, strict=True)
            sides = [conv_size(*window, layer.dilation) for window in windows]
            if min(sides) < 1:
                left = "x".join(map(str, shape[1:]))
                before_it = f"layer {number} ({planned[-1].name})"
                rule = f"{name}{_written(size)} leaves nothing of the {left} image behind {before_it}"
                fail(number, rule, "Fewer blocks (num_blocks), smaller kernels or pool=False would fit.")
            shape = (layer.width or channels if name == "CONV" else shape[0], *sides)
            channels *= 2 if max(stride) > 1 else 1
        planned.append(
            PlannedLayer(
                name=name, size=size, stride=stride, padding=padding, dilation=layer.dilation,
                bias=behind != "NORM", in_shape=before, out_shape=shape,
            )
        )  # fmt: skip
    return tuple(planned)

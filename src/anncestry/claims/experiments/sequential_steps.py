"""sequential-steps: what grows how with the length of a sequence, for recurrence and for dilated convolution?

Both kinds of net are run without weights; counted are the products that must wait for one another, and the
multiplications and additions. A recurrent layer must take T steps one after the other and costs T d^2. A
convolutional net whose dilations double from block to block reaches as far with a number of blocks that
grows like log T, all of whose steps in time are independent; its cost is T d^2 for each block.

Sources: Vaswani et al., 1706.03762, table 1; Bai, Kolter & Koltun, 1803.01271, section 3.
"""

import math
from collections.abc import Sequence

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.inspection.costs import costs
from anncestry.models.create import configure

KERNEL = 3
NETS = ("lstm", "tcn")


def blocks(length: int) -> int:
    """How many blocks a convolutional net needs for its last output to depend on the first of T inputs."""
    return math.ceil(math.log2((length - 1) / (2 * (KERNEL - 1)) + 1))


def measure(
    seed: int, lengths: Sequence[int] = (32, 64, 128, 256, 512), widths: Sequence[int] = (16, 32, 64)
) -> Rows:
    rows: Rows = []
    for net in NETS:
        for length in lengths:
            for width in widths:
                sizes = {"input_size": width, "hidden_size": width, "output_size": 1, "seq_len": length}
                if net == "tcn":
                    sizes |= {"kernel_size": KERNEL, "num_layers": blocks(length)}
                found = costs(configure(net, sizes))
                steps, flops = found.sequential_steps, found.flops
                rows.append({"net": net, "length": length, "width": width, "steps": steps, "flops": flops})
    return rows


def growth(rows: Rows, net: str, of: str, by: str) -> float:
    """The exponent p in ``of ~ by^p``, between the two largest values of ``by``."""
    fixed = "width" if by == "length" else "length"
    largest = max(row[fixed] for row in rows)
    points = sorted((row[by], row[of]) for row in rows if row["net"] == net and row[fixed] == largest)
    (x0, y0), (x1, y1) = points[-2:]
    return math.log(y1 / y0) / math.log(x1 / x0)


def judge(rows: Rows) -> Judgement:
    exponent = growth(rows, "lstm", "steps", "length")
    by_length, by_width = growth(rows, "lstm", "flops", "length"), growth(rows, "lstm", "flops", "width")
    longest = max(row["length"] for row in rows)
    width = max(row["width"] for row in rows)
    steps = {(row["net"], row["length"]): row["steps"] for row in rows if row["width"] == width}
    doubled = [steps["tcn", n] - steps["tcn", n // 2] for n in (longest, longest // 2)]
    because = (
        f"an LSTM's sequential steps grow like T^{exponent:.2f} and its operations like T^{by_length:.2f} "
        f"d^{by_width:.2f}; at T = {longest} it takes {steps['lstm', longest]} steps and the dilated "
        f"convolution {steps['tcn', longest]}, which grow by {doubled[1]} and {doubled[0]} when T doubles"
    )
    linear = abs(exponent - 1) < 0.05 and abs(by_length - 1) < 0.05 and abs(by_width - 2) < 0.1
    logarithmic = 0 < doubled[0] == doubled[1] and steps["tcn", longest] < longest / 4
    if linear and logarithmic:
        return Judgement(Verdict.HOLDS, because)
    return Judgement(Verdict.FAILS if steps["tcn", longest] >= longest else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    width = max(row["width"] for row in rows)
    for net, name in (("lstm", "LSTM"), ("tcn", "dilated convolution")):
        points = [
            (row["length"], row["steps"]) for row in rows if row["net"] == net and row["width"] == width
        ]
        axes.plot(*zip(*points, strict=True), "o-", label=name)
    axes.set(xlabel="length of the sequence T", ylabel="products that wait for one another")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.legend()

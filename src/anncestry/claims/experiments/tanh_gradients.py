"""tanh-gradients: is the gradient that reaches the first layer larger through tanh than through the sigmoid?

A unit multiplies what is sent back through it by its derivative: at most 1 for tanh, at most 1/4 for the
sigmoid. The experiment finds both maxima by differentiation, then sends the gradient of one loss on real
handwritten digits back through MLPs of growing depth that differ in the activation alone.

Sources: LeCun, Bottou, Orr & Müller, "Efficient BackProp" (1998), section 4.4; Glorot & Bengio,
"Understanding the difficulty of training deep feedforward neural networks" (2010).
"""

from collections.abc import Sequence
from statistics import geometric_mean

import torch
from sklearn.datasets import load_digits
from torch import nn

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.layers.activations import activation
from anncestry.models.mlp import MLP, MLPConfig

UNITS = ("tanh", "sigmoid")
BOUNDS = {"tanh": 1.0, "sigmoid": 0.25}


def steepest(unit: str) -> float:
    """The largest derivative over [-10, 10], in steps of 0.001."""
    x = torch.linspace(-10, 10, 20001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(activation(unit)(x).sum(), x)
    return slope.max().item()


def first_layer_gradient(
    unit: str, depth: int, seed: int, inputs: torch.Tensor, targets: torch.Tensor
) -> float:
    """Euclidean norm of the loss gradient in the first weight matrix, at the start of training."""
    torch.manual_seed(seed)  # both units start from the same weights
    config = MLPConfig(
        input_shape=(64,), hidden_sizes=(64,) * depth, output_size=10, activation=unit, init="glorot"
    )
    model = MLP(config).double()
    nn.functional.cross_entropy(model(inputs), targets).backward()
    gradient = model.get_parameter("layers.1.weight").grad  # layers.0 flattens
    assert gradient is not None
    return gradient.norm().item()


def measure(seed: int, depths: Sequence[int] = (2, 4, 6, 8, 10), num_seeds: int = 10) -> Rows:
    pixels, classes = load_digits(return_X_y=True)
    inputs = torch.as_tensor(pixels[:512], dtype=torch.float64)
    inputs = (inputs - inputs.mean()) / inputs.std()
    targets = torch.as_tensor(classes[:512], dtype=torch.int64)
    rows: Rows = [{"unit": unit, "steepest": steepest(unit)} for unit in UNITS]
    for depth in depths:
        for run in range(seed, seed + num_seeds):
            for unit in UNITS:
                norm = first_layer_gradient(unit, depth, run, inputs, targets)
                rows.append({"unit": unit, "depth": depth, "seed": run, "gradient": norm})
    return rows


def ratios(rows: Rows) -> dict[int, list[float]]:
    """Gradient through tanh over gradient through the sigmoid, for every depth, one per seed."""
    norms = {(row["depth"], row["seed"], row["unit"]): row["gradient"] for row in rows if "depth" in row}
    result: dict[int, list[float]] = {}
    for depth, seed, unit in norms:
        if unit == "tanh":
            result.setdefault(depth, []).append(norms[depth, seed, "tanh"] / norms[depth, seed, "sigmoid"])
    return result


def judge(rows: Rows) -> Judgement:
    slopes = {row["unit"]: row["steepest"] for row in rows if "steepest" in row}
    slopes_fit = all(abs(slopes[unit] - bound) < 1e-3 for unit, bound in BOUNDS.items())
    by_depth = ratios(rows)
    every = [ratio for found in by_depth.values() for ratio in found]
    larger = sum(ratio > 1 for ratio in every)
    means = {depth: geometric_mean(found) for depth, found in by_depth.items()}
    shallow, deep = min(means), max(means)
    because = (
        f"steepest slopes {slopes['tanh']:.3f} and {slopes['sigmoid']:.3f}; tanh passed the larger gradient "
        f"in {larger} of {len(every)} networks, {means[shallow]:.3g} times larger at depth {shallow} and "
        f"{means[deep]:.3g} times at depth {deep} (geometric means)"
    )
    if not slopes_fit or larger <= len(every) / 2:
        return Judgement(Verdict.FAILS, because)
    return Judgement(Verdict.HOLDS if larger == len(every) else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    for unit in UNITS:
        points = [(row["depth"], row["gradient"]) for row in rows if row["unit"] == unit and "depth" in row]
        depths = sorted({depth for depth, _ in points})
        means = [geometric_mean([norm for at, norm in points if at == depth]) for depth in depths]
        (line,) = axes.plot(depths, means, label=unit)
        axes.plot(*zip(*points, strict=True), ".", color=line.get_color(), alpha=0.4)
    axes.set(xlabel="hidden layers", ylabel="gradient norm in the first layer", yscale="log")
    axes.legend()

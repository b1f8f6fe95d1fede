"""xor: is XOR beyond the perceptron, and within an MLP?

The perceptron is shown the four points until a pass without an error or until it is out of passes. The MLP
with one hidden layer is trained with full-batch Adam (learning rate 0.05, at most 800 steps) from many
seeds, and what counts is the *rate* of seeds whose cross-entropy falls below 0.02: two hidden units can
represent XOR, but gradient descent often sticks before it finds them.

Sources: Minsky & Papert, "Perceptrons" (1969); Rumelhart, Hinton & Williams, "Learning internal
representations by error propagation" (1986).
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.models.mlp import MLP, MLPConfig
from anncestry.models.perceptron import Perceptron, PerceptronConfig

INPUTS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TARGETS = torch.tensor([0, 1, 1, 0])
INITS = {"tanh": "glorot", "sigmoid": "glorot", "relu": "he"}
RELIABLE = 0.9  # the share of seeds above which a net counts as able to learn it
SOLVED = 0.02


def perceptron_is_clean(seed: int, max_passes: int) -> bool:
    """Whether one of ``max_passes`` passes over the four points, each in a new order, had no error."""
    random = torch.Generator().manual_seed(seed)
    model = Perceptron(PerceptronConfig(input_shape=(2,), output_size=2))
    for _ in range(max_passes):
        order = torch.randperm(4, generator=random)
        model.learn(INPUTS[order], TARGETS[order])
        if model.converged(4):
            return True
    return False


def mlps_that_solve(unit: str, hidden: int, seeds: Sequence[int], max_steps: int) -> int:
    """How many of the seeds reach the threshold; all nets are trained side by side, as one batch."""
    nets = []
    for seed in seeds:
        torch.manual_seed(seed)
        config = MLPConfig(
            input_shape=(2,), hidden_sizes=(hidden,), output_size=2, activation=unit, init=INITS[unit]
        )
        nets.append(MLP(config))
    weights, _ = stack_module_state(nets)

    def loss_of_one(parameters):
        return nn.functional.cross_entropy(functional_call(nets[0], parameters, (INPUTS,)), TARGETS)

    optimizer = torch.optim.Adam(weights.values(), lr=0.05)  # elementwise, so the nets do not meet
    solved = torch.zeros(len(nets), dtype=torch.bool)
    for _ in range(max_steps):
        losses = vmap(loss_of_one)(weights)
        solved |= losses.detach() < SOLVED
        if solved.all():
            break
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
    return int(solved.sum())


def measure(
    seed: int,
    hidden_sizes: Sequence[int] = (2, 4, 8),
    num_seeds: int = 20,
    max_steps: int = 800,
    max_passes: int = 200,
) -> Rows:
    seeds = range(seed, seed + num_seeds)
    clean = sum(perceptron_is_clean(run, max_passes) for run in seeds)
    rows: Rows = [{"net": "perceptron", "hidden": 0, "solved": clean, "runs": num_seeds}]
    for unit in INITS:
        for hidden in hidden_sizes:
            solved = mlps_that_solve(unit, hidden, seeds, max_steps)
            rows.append({"net": f"{unit} MLP", "hidden": hidden, "solved": solved, "runs": num_seeds})
    return rows


def judge(rows: Rows) -> Judgement:
    perceptron = next(row for row in rows if row["net"] == "perceptron")
    nets: dict[str, list[str]] = {}
    for row in rows[1:]:
        nets.setdefault(row["net"], []).append(f"{row['solved']} with {row['hidden']}")
    best = max(row["solved"] / row["runs"] for row in rows[1:])
    phrases = "; ".join(f"{net} {', '.join(found)} hidden units" for net, found in nets.items())
    because = (
        f"of {perceptron['runs']} seeds each, the perceptron had an error-free pass in "
        f"{perceptron['solved']}; solved by {phrases}"
    )
    if perceptron["solved"] or best == 0:
        return Judgement(Verdict.FAILS, because)
    return Judgement(Verdict.HOLDS if best >= RELIABLE else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    nets = list(dict.fromkeys(row["net"] for row in rows))
    for net in nets:
        chosen = [row for row in rows if row["net"] == net]
        axes.plot(
            [row["hidden"] for row in chosen],
            [row["solved"] / row["runs"] for row in chosen],
            "o-",
            label=net,
        )
    axes.set(xlabel="hidden units", ylabel="share of seeds that solve XOR", ylim=(-0.05, 1.05))
    axes.set_xticks(sorted({row["hidden"] for row in rows}))
    axes.legend()

"""vanishing-gradient: does the recurrent matrix decide whether a gradient fades or explodes on its way back?

The error at the last step of an Elman network travels back through U^T f'(a) at every step, and f' of tanh
is at most 1. Pascanu, Mikolov & Bengio prove that it must vanish where the largest singular value of U is
below 1, and that it can explode only where that value is above 1. The experiment scales a random matrix to
largest singular values below, at and above 1, and measures ||dL/dh_{T-k}|| / ||dL/dh_T|| for every lag k,
with tanh and without any activation (where explosion has nothing to stop it).

Sources: Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", 1211.5063
(2013), section 2.1; Bengio, Simard & Frasconi (1994); Hochreiter (1991).
"""

from collections.abc import Sequence
from statistics import geometric_mean

import torch

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.layers.recurrent.cells import ElmanCell


class LinearCell(ElmanCell):
    """An Elman unit without its activation."""

    def advance(self, projected_t, state):
        h = torch.addmm(projected_t, state.h, self.weight_hh.t())
        return h, type(state)(h)


CELLS = {"tanh": ElmanCell, "linear": LinearCell}


def gradient_by_lag(unit: str, scale: float, seed: int, num_steps: int, hidden_size: int) -> list[float]:
    """||dL/dh_{T-k}|| / ||dL/dh_T|| for k = 0..num_steps - 1; U has the largest singular value ``scale``."""
    torch.manual_seed(seed)
    cell = CELLS[unit](4, hidden_size).double()
    with torch.no_grad():
        cell.weight_hh.normal_()
        cell.weight_hh *= scale / torch.linalg.matrix_norm(cell.weight_hh, 2)
    state, hidden = cell.initial_state(1), []
    for x_t in 0.1 * torch.randn(num_steps, 1, 4, dtype=torch.float64):
        h, state = cell.step(x_t, state)
        hidden.append(h)
    gradients = torch.autograd.grad((hidden[-1] * torch.randn_like(hidden[-1])).sum(), hidden)
    norms = [gradient.norm().item() for gradient in reversed(gradients)]
    return [norm / norms[0] for norm in norms]


def measure(
    seed: int,
    scales: Sequence[float] = (0.5, 0.9, 1.0, 2.0, 4.0),
    num_seeds: int = 10,
    num_steps: int = 60,
    hidden_size: int = 32,
) -> Rows:
    rows: Rows = []
    for unit in CELLS:
        for scale in scales:
            for run in range(seed, seed + num_seeds):
                by_lag = gradient_by_lag(unit, scale, run, num_steps, hidden_size)
                rows.append({"unit": unit, "scale": scale, "seed": run, "by_lag": by_lag})
    return rows


def judge(rows: Rows) -> Judgement:
    below = [row for row in rows if row["scale"] < 1]
    lag = len(below[0]["by_lag"]) - 1
    within = sum(
        value <= row["scale"] ** k * (1 + 1e-9) for row in below for k, value in enumerate(row["by_lag"])
    )
    points = sum(len(row["by_lag"]) for row in below)
    early = sum(max(row["by_lag"]) > 1 + 1e-9 for row in rows if row["scale"] <= 1)
    above = [row for row in rows if row["scale"] > 1 and row["unit"] == "linear"]
    exploded = sum(row["by_lag"][-1] > 1 for row in above)
    strongest = max(row["by_lag"][-1] for row in below)
    because = (
        f"below 1 the gradient at lag k stayed within scale^k at {within} of {points} points (at most "
        f"{strongest:.1e} of it is left after {lag} steps); it grew in {early} networks with a largest "
        f"singular value of at most 1, and in {exploded} of {len(above)} linear ones above 1"
    )
    if within < points or early:
        return Judgement(Verdict.FAILS, because)
    return Judgement(Verdict.HOLDS if exploded else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    scales = sorted({row["scale"] for row in rows})
    for unit, style in (("tanh", "-"), ("linear", ":")):
        for colour, scale in enumerate(scales):
            curves = [row["by_lag"] for row in rows if row["unit"] == unit and row["scale"] == scale]
            means = [
                geometric_mean(max(value, 1e-300) for value in at_lag) for at_lag in zip(*curves, strict=True)
            ]
            axes.plot(means, style, color=f"C{colour}", label=f"{unit}, largest singular value {scale:g}")
    axes.set(xlabel="lag k (steps back)", ylabel="gradient norm against the last step's", yscale="log")
    axes.set_ylim(bottom=1e-20)
    axes.legend(fontsize="x-small", ncols=2)

"""vae-without-pooling: does a variational autoencoder do better with strided convolutions than with pooling?

Four nets for scikit-learn's digits with exactly the same number of weights, which get the same steps of Adam
on the same batches. One halves the image by strides, and comes back by transposed convolutions; two halve it
by taking the maximum or the average of four positions, and come back by doubling every pixel. The fourth
tells the two ends apart: it pools on the way down, and comes back as the first. A step of the pooled nets
takes more arithmetic, as their convolutions run before the image is halved: equal steps favour no strides.

Measured on the test split: the evidence lower bound (ELBO, nats for an image, codes drawn; without the
constant of the normal distribution), its KL term, and the squared error of a pixel with the code at its mean.

Sources: Stanford's CS231n notes on convolutional networks ("Getting rid of pooling"); Springenberg et al.,
"Striving for simplicity", 1412.6806; Radford, Metz & Chintala, 1511.06434 (the same advice for GANs).
"""

import math
from collections.abc import Sequence
from statistics import fmean

import torch

from anncestry.claims.common.claim import Judgement, Rows, Verdict
from anncestry.data import DataOptions, Dataset, Examples, load_data
from anncestry.data.splits.dataset import epoch_order
from anncestry.layers.images.autoencoding import Decoder
from anncestry.models.vae import VAE, VAEConfig
from anncestry.objectives import objective_for
from anncestry.objectives.reconstruction import elbo
from anncestry.race.statistics import half_interval

NETS = {
    "strides": ("stride", "stride"),
    "max pooling": ("pool", "pool"),
    "average pooling": ("average", "average"),
    "max pooling on the way down alone": ("pool", "stride"),
}
POOLED = ("max pooling", "average pooling")
DRAWS = 16  # codes of a test image


def build(net: str, dataset: Dataset) -> VAE:
    """A new net of that name."""
    down, back = NETS[net]
    model = VAE(VAEConfig.for_signature(dataset.signature, coarser=down))
    if back != down:
        model.decoder = Decoder(VAEConfig.for_signature(dataset.signature, coarser=back))
    return model


def metrics(model: VAE, dataset: Dataset) -> dict[str, float]:
    """ELBO, KL and squared error of a pixel over the test split."""
    assert isinstance(dataset.test, Examples)
    images = dataset.test.inputs
    objective = objective_for(dataset.signature, dataset.processor.target_scale)
    model.eval()
    with torch.no_grad():
        bound = elbo(model, images, torch.Generator().manual_seed(0), DRAWS).mean().item()
        figures = objective.metrics(objective.tally(model(images), images))
    model.train()
    return {"elbo": bound, "kl": figures["kl"], "mse": figures["mse"]}


def train(net: str, seed: int, steps: Sequence[int]) -> Rows:
    """The test metrics after so many steps each."""
    dataset = load_data("digits", DataOptions(task="reconstruction"), seed)
    objective = objective_for(dataset.signature, dataset.processor.target_scale)
    torch.manual_seed(seed)
    model = build(net, dataset)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    rows: Rows = []
    step = epoch = 0
    while step < max(steps):
        for batch in dataset.train.batches(64, epoch_order(seed, epoch)):
            loss = objective.loss(model(batch.inputs), batch.targets) / len(batch.inputs)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step in steps:
                sizes = {"net": net, "seed": seed, "steps": step, "parameters": parameters}
                rows.append({**sizes, **metrics(model, dataset)})
            if step == max(steps):
                break
        epoch += 1
    return rows


def measure(seed: int, num_seeds: int = 4, steps: Sequence[int] = (250, 500, 1000)) -> Rows:
    rows: Rows = []
    for net in NETS:
        for run in range(seed, seed + num_seeds):
            rows += train(net, run, steps)
    return rows


def judge(rows: Rows) -> Judgement:
    steps = max(row["steps"] for row in rows)
    last = [row for row in rows if row["steps"] == steps]
    bound = {net: [row["elbo"] for row in last if row["net"] == net] for net in NETS}
    error = {net: [row["mse"] for row in last if row["net"] == net] for net in NETS}
    means = ", ".join(f"{net} {fmean(bound[net]):.2f} ({fmean(error[net]):.4f})" for net in NETS)
    better, worse, gains = [], [], []
    for rival in POOLED:
        differences = [a - b for a, b in zip(bound["strides"], bound[rival], strict=True)]
        gain, band = fmean(differences), half_interval(differences) or math.inf
        better.append(gain > band)
        worse.append(gain < -band)
        gains.append(f"{gain:+.2f} ± {band:.2f} from {rival}")
    because = (
        f"test ELBO in nats, and the squared error of a pixel, after {steps} steps of nets of "
        f"{last[0]['parameters']:,} weights (means of {len(bound['strides'])} seeds): {means}; seed by seed, "
        f"strides are {' and '.join(gains)}"
    )
    if any(worse):
        return Judgement(Verdict.FAILS, because)
    return Judgement(Verdict.HOLDS if all(better) else Verdict.UNDECIDED, because)


def draw(axes, rows: Rows) -> None:
    steps = sorted({row["steps"] for row in rows})
    for index, net in enumerate(NETS):
        colour = f"C{index}"
        of_net = [row for row in rows if row["net"] == net]
        means = [fmean(row["elbo"] for row in of_net if row["steps"] == step) for step in steps]
        axes.plot(steps, means, "-", color=colour, label=net)
        axes.plot(
            [row["steps"] for row in of_net],
            [row["elbo"] for row in of_net],
            "o",
            color=colour,
            alpha=0.5,
            markersize=4,
        )
    axes.set(xlabel="steps of training", ylabel="test ELBO, nats for an image")
    axes.set_xscale("log")
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.minorticks_off()
    axes.legend()

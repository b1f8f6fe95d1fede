"""Handwritten digits and a short training, for claims about nets that read images."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from anncestry.data import load_data
from anncestry.data.splits.dataset import Examples

BATCH = 64
Change = Callable[[Tensor, torch.Generator], Tensor]


def digits(seed: int, num_train: int) -> tuple[Examples, Examples]:
    """``(train, test)``: so many of the 1,797 images (1, 8, 8) at random, and all others."""
    dataset = load_data("digits", seed=seed)
    parts = (dataset.train, dataset.validation, dataset.test)
    inputs = torch.cat([part.inputs for part in parts])  # pyright: ignore[reportAttributeAccessIssue]
    targets = torch.cat([part.targets for part in parts])  # pyright: ignore[reportAttributeAccessIssue]
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(seed))
    train, test = order[:num_train], order[num_train:]
    return Examples(inputs[train], targets[train]), Examples(inputs[test], targets[test])


def unchanged(images: Tensor, random: torch.Generator) -> Tensor:
    return images


def train(
    model: nn.Module,
    examples: Examples,
    seed: int,
    num_steps: int,
    learning_rate: float,
    change: Change = unchanged,
) -> None:
    """So many steps of SGD with Nesterov momentum 0.9, weight decay 1e-4 and a cosine down to 0.

    Args:
        change: makes the images of a batch anew each time they are shown.
    """
    random = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=learning_rate, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    model.train()
    for _ in range(num_steps):
        rows = torch.randint(len(examples), (BATCH,), generator=random)
        outputs = model(change(examples.inputs[rows], random))
        loss = nn.functional.cross_entropy(outputs, examples.targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def share_right(model: nn.Module, examples: Examples) -> float:
    """The share of the examples that is given its class."""
    model.eval()
    with torch.no_grad():
        given = torch.cat([model(images).argmax(1) for images in examples.inputs.split(256)])
    return (given == examples.targets).double().mean().item()

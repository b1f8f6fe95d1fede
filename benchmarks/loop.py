"""What does our training loop cost over one written by hand?

The hand-written loop is the shortest honest one: shuffle, index, forward, backward, step, read the loss.
It gets the same optimizer kernel and the same float32 setting, so that only the loop is compared; the
loop as most people write it (DataLoader, default Adam) is measured too.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from anncestry.bench.timing import interleave, table
from anncestry.data import Dataset, Examples
from anncestry.engine.precision import fast_float32
from anncestry.signature import Signature
from anncestry.timeline import find
from anncestry.training.fit import fit
from anncestry.training.settings import TrainingSettings

BATCH = 128


class _Plain:
    target_scale = None


def _dataset(signature: Signature, examples: int) -> Dataset:
    inputs, targets = signature.example(examples)
    train, few = Examples(inputs, targets), Examples(inputs[:64], targets[:64])
    return Dataset("random", {}, signature, _Plain(), train, few, few)  # pyright: ignore[reportArgumentType]


def by_hand(model: nn.Module, data: Dataset, steps: int, rate: float) -> None:
    """The loop a careful person writes."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    inputs, targets = data.train.inputs, data.train.targets  # pyright: ignore[reportAttributeAccessIssue]
    model.train()
    done = 0
    with fast_float32(torch.device("cpu")):
        while done < steps:
            order = torch.randperm(len(inputs))
            for first in range(0, len(inputs), BATCH):
                rows = order[first : first + BATCH]
                outputs = model(inputs[rows])
                outputs = outputs[0] if isinstance(outputs, tuple) else outputs
                loss = nn.functional.cross_entropy(outputs, targets[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                loss.item()
                done += 1
                if done == steps:
                    break


def as_usual(model: nn.Module, data: Dataset, steps: int, rate: float) -> None:
    """The loop of most tutorials: a DataLoader and the default Adam, default float32 kernels."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    pairs = TensorDataset(data.train.inputs, data.train.targets)  # pyright: ignore[reportAttributeAccessIssue]
    loader = DataLoader(pairs, BATCH, shuffle=True)
    model.train()
    done = 0
    while done < steps:
        for inputs, targets in loader:
            outputs = model(inputs)
            outputs = outputs[0] if isinstance(outputs, tuple) else outputs
            loss = nn.functional.cross_entropy(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            done += 1
            if done == steps:
                return


def compare(name: str, signature: Signature, steps: int, rounds: int, **sizes) -> str:
    """Hand-written, ours, and the usual way, the same model and number of steps."""
    data = _dataset(signature, 40 * BATCH)
    architecture = find(name)
    config = architecture.configure(signature, **sizes)
    settings = TrainingSettings(max_steps=steps, batch_size=BATCH, evaluations=1, learning_rate=1e-3)
    hand, ours, usual = (architecture.build(config) for _ in range(3))
    results = interleave(
        {
            "written by hand": lambda: by_hand(hand, data, steps, 1e-3),
            "anncestry's loop": lambda: fit(ours, data, settings),
            "as usual (DataLoader, default Adam)": lambda: as_usual(usual, data, steps, 1e-3),
        },
        rounds,
    )
    return table(f"Training loop, {architecture.name}, batch {BATCH}, {steps} steps", results)


def main(quick: bool = False) -> str:
    """Both tables."""
    rounds = 3 if quick else 15
    image = Signature("classification", "vector", (784,), 10)
    series = Signature("classification", "series", (28, 28), 10)
    return "\n".join(
        [
            compare("mlp", image, 400, rounds, hidden_sizes=(300, 100)),
            compare("lstm", series, 40, rounds, hidden_size=128),
        ]
    )


if __name__ == "__main__":
    print(main())

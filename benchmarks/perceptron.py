"""One pass of the perceptron over MNIST, beside scikit-learn's.

    python benchmarks/perceptron.py --data DIR        (the four idx files of MNIST, gzipped or not)

Both read the same float32 pixels in [0, 1], both shuffle, both make exactly one pass from zero weights. The
fits take turns, so that whatever else the machine does hits all of them; the table gives medians. One
thread each. scikit-learn trains ten classifiers, each class against the rest; ours is one multiclass rule.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import Perceptron as SklearnPerceptron
from torch import Tensor

from anncestry.data.readers.idx import read_idx
from anncestry.layers.online import OnlineLinear
from anncestry.timeline import find

BATCH_SIZE = 128  # 400 kB of pixels: what is gathered is still in the cache when it is learnt


def read_mnist(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Pixels (N, 784) in [0, 1] and labels (N,) of ``train`` or ``t10k``."""

    def read(kind: str, num_dimensions: int) -> np.ndarray:
        (path,) = sorted(folder.glob(f"{part}-{kind}-idx{num_dimensions}-ubyte*"))[:1]
        return read_idx(path, num_dimensions)

    images = torch.from_numpy(read("images", 3).astype(np.float32)).flatten(1) / 255
    return images, torch.from_numpy(read("labels", 1).astype(np.int64))


def fit_ours(name: str, images: Tensor, labels: Tensor, seed: int) -> Callable[[Tensor], Tensor]:
    architecture = find(name)
    config = architecture.config_class()(input_shape=(images.shape[1],), output_size=10)
    model = architecture.build(config)
    assert isinstance(model, OnlineLinear)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    for rows in order.split(BATCH_SIZE):
        model.learn(images.index_select(0, rows), labels[rows])
    return lambda x: model(x).argmax(1)


def fit_sklearn(images: Tensor, labels: Tensor, seed: int) -> Callable[[Tensor], Tensor]:
    model = SklearnPerceptron(max_iter=1, tol=None, shuffle=True, random_state=seed)
    model.fit(images.numpy(), labels.numpy())
    return lambda x: torch.from_numpy(model.predict(x.numpy()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the idx files of MNIST")
    parser.add_argument("--repeats", type=int, default=5, help="fits of each, taking turns")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=UserWarning)  # scikit-learn: one pass has not converged

    images, labels = read_mnist(arguments.data, "train")
    test_images, test_labels = read_mnist(arguments.data, "t10k")
    contestants: dict[str, Callable] = {"scikit-learn Perceptron": fit_sklearn}
    for name in ("perceptron", "averaged-perceptron", "voted-perceptron", "adaline"):
        contestants[f"anncestry {name}"] = lambda *data, name=name: fit_ours(name, *data)

    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    accuracy: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(-1, arguments.repeats):  # the first round only warms up
        for name, fit in contestants.items():
            start = time.perf_counter()
            predict = fit(images, labels, repeat + 1)
            elapsed = time.perf_counter() - start
            if repeat >= 0:
                seconds[name].append(elapsed)
                predicted = torch.cat([predict(part) for part in test_images.split(2000)])
                accuracy[name].append((predicted == test_labels).double().mean().item())

    baseline = statistics.median(seconds["scikit-learn Perceptron"])
    print(f"MNIST, one pass over {len(images):,} images, median of {arguments.repeats}, one thread")
    print(f"{'':32}{'seconds':>9}{'ratio':>8}{'test accuracy':>15}")
    for name in contestants:
        median = statistics.median(seconds[name])
        score = statistics.median(accuracy[name])
        print(f"{name:32}{median:9.3f}{baseline / median:7.1f}x{score:15.4f}")


if __name__ == "__main__":
    main()

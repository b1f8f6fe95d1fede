"""One pass of the perceptron over MNIST, against scikit-learn's.

    python -m benchmarks.perceptron DIR        (the four idx files of MNIST, gzipped or not)

Both read the same float32 pixels in [0, 1], both shuffle, both make exactly one pass from zero weights. The
fits take turns, so that whatever else the machine does hits all of them. One thread each. scikit-learn
trains ten classifiers, each class against the rest; ours is one multiclass rule.
"""

import functools
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import Perceptron as SklearnPerceptron
from torch import Tensor

from anncestry.bench.timing import interleave, table
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


def main(folder: Path, quick: bool = False) -> str:
    """The table, and below it the test accuracies of the last fits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    images, labels = read_mnist(folder, "train")
    test_images, test_labels = read_mnist(folder, "t10k")
    fitted: dict[str, Callable[[Tensor], Tensor]] = {}

    def contestant(name: str, fit: Callable) -> Callable[[], None]:
        def run() -> None:
            fitted[name] = fit(images, labels, 0)

        return run

    contestants = {"scikit-learn Perceptron": contestant("scikit-learn Perceptron", fit_sklearn)}
    for name in ("perceptron", "averaged-perceptron", "voted-perceptron", "adaline"):
        fit = functools.partial(fit_ours, name)
        contestants[f"anncestry {name}"] = contestant(f"anncestry {name}", fit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn: one pass has not converged
        results = interleave(contestants, 2 if quick else 9, warm_up=1)
    scores = []
    for name, predict in fitted.items():
        predicted = torch.cat([predict(part) for part in test_images.split(2000)])
        scores.append(f"{name} {(predicted == test_labels).double().mean().item():.4f}")
    torch.set_num_threads(threads)
    title = f"One pass of the perceptron over MNIST ({len(images):,} images), one thread"
    return table(title, results, f"Test accuracy after that pass: {'; '.join(scores)}.")


if __name__ == "__main__":
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/mnist")))

"""Small data sets with known answers."""

from dataclasses import dataclass

import pytest
import torch

from anncestry.data import Dataset, Examples, Stream
from anncestry.signature import Signature


@dataclass(frozen=True)
class PlainProcessor:
    """Gives real targets a unit: twice the standardised value, plus one."""

    kind = "plain"
    target_input = 1

    @property
    def target_scale(self):
        return (2.0,)

    def decode(self, outputs):
        return [{"metres": 2.0 * value + 1.0} for value in outputs[:, 0].tolist()]

    def decode_tokens(self, tokens):
        return "".join("abcdef"[token] for token in tokens.tolist())


def dataset(signature, train, validation, test, classes=()):
    return Dataset(
        name="toy",
        options={},
        signature=signature,
        processor=PlainProcessor(),
        train=train,
        validation=validation,
        test=test,
        classes=classes,
    )


@pytest.fixture
def classes():
    """Two classes by the sign of the first of three features; 60 of 100 are of class 1."""
    inputs = torch.randn(100, 3)
    inputs[:, 0] = torch.cat([-1 - torch.rand(40), 1 + torch.rand(60)])
    split = Examples(inputs, (inputs[:, 0] > 0).long())
    return dataset(
        Signature("classification", "vector", (3,), 3), split, split, split, ("no", "yes", "never")
    )


@pytest.fixture
def series():
    """Windows (4, 2) of a random walk in the second column; the target is its next value."""
    walk = torch.randn(200).cumsum(0)
    walk = (walk - walk.mean()) / walk.std()
    inputs = torch.stack([torch.randn(200), walk], 1).unfold(0, 4, 1).transpose(1, 2)[:-1]
    split = Examples(inputs, walk[4:, None])
    return dataset(Signature("forecasting", "series", (4, 2), 1), split, split, split)


@pytest.fixture
def text():
    """The alphabet's first three letters in a circle."""
    tokens = torch.arange(3).repeat(200)
    part = Stream(tokens, 8)
    return dataset(Signature("language-model", "tokens", (8,), 4, 4), part, part, part)

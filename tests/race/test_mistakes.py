"""What went wrong, from models that are wrong on purpose."""

import base64

import torch
from torch import nn

from anncestry.data import Examples
from anncestry.models.create import create
from anncestry.race.mistakes import mistakes
from anncestry.signature import Signature


class Constant(nn.Module):
    """Answers the same, with a margin that the first feature sets."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        outputs = torch.zeros(len(x), 3)
        outputs[:, self.answer] = 1 + x.flatten(1)[:, 0].abs()
        return outputs


def test_confusions_are_counted(classes):
    found = mistakes(Constant(0), classes)
    assert found == {"wrong": 60, "total": 100, "pairs": [{"true": "yes", "predicted": "no", "count": 60}]}


def test_the_surest_mistakes_are_shown_as_pictures(classes):
    images = torch.zeros(100, 1, 4, 6)
    images[:, 0, 0, 0] = torch.arange(100)
    split = Examples(images, torch.ones(100, dtype=torch.int64))
    signature = Signature("classification", "image", (1, 4, 6), 3)
    data = type(classes)(**{**vars(classes), "signature": signature, "test": split})
    shown = mistakes(Constant(0), data)["images"]
    assert len(shown) == 6
    assert (shown[0]["true"], shown[0]["predicted"], shown[0]["shape"]) == ("yes", "no", [1, 4, 6])
    pixels = base64.b64decode(shown[0]["pixels"])
    assert pixels[0] == 255
    assert set(pixels[1:]) == {0}


def test_large_pictures_are_made_small(classes):
    split = Examples(torch.randn(3, 3, 100, 130), torch.ones(3, dtype=torch.int64))
    signature = Signature("classification", "image", (3, 100, 130), 3)
    data = type(classes)(**{**vars(classes), "signature": signature, "test": split})
    assert mistakes(Constant(0), data)["images"][0]["shape"] == [3, 34, 44]


def test_errors_are_in_the_unit_of_the_data(series):
    class Last(nn.Module):
        def forward(self, x):
            return x[:, -1, 1:]

    found = mistakes(Last(), series)
    assert found["unit"] == "metres"
    true, last = series.test.targets[:, 0], series.test.inputs[:, -1, 1]
    worst = int((true - last).abs().argmax())
    assert found["worst"][0]["example"] == worst + 1
    assert abs(found["worst"][0]["true"] - (2 * true[worst] + 1)) < 1e-5
    assert len(found["series"]["true"]) == len(found["series"]["predicted"]) == 196


def test_a_language_model_generates(text):
    model = create("rnn", signature=text.signature, width=4)
    found = mistakes(model, text, seed=1)
    assert found["prompt"] == ("abc" * 14)[:40]
    assert len(found["sample"]) == 240
    assert found == mistakes(model, text, seed=1)
    assert found != mistakes(model, text, seed=2)
    assert mistakes(Constant(0), text) == {}  # it cannot be run step by step

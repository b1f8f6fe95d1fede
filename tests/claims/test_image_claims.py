"""The digits that claims about nets that read images share, and their short training."""

import torch
from torch import nn

from anncestry.claims.common.digits import digits, share_right, train
from anncestry.claims.experiments.densenet_vs_resnet import SIDE, scattered
from anncestry.claims.experiments.pooling_discards import reached
from anncestry.claims.experiments.two_3x3 import kinks


def test_every_image_is_in_one_part():
    train_part, test_part = digits(3, 500)
    assert (len(train_part), len(test_part)) == (500, 1297)
    both = torch.cat([train_part.inputs, test_part.inputs]).flatten(1)
    assert len(both.unique(dim=0)) == len(digits(4, 0)[1].inputs.flatten(1).unique(dim=0))
    assert not torch.equal(digits(4, 500)[0].inputs, train_part.inputs)


def test_training_learns_and_counts_what_is_right():
    seen, unseen = digits(0, 1000)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    assert share_right(net, unseen) < 0.3
    train(net, seen, 0, 150, 0.05)
    assert share_right(net, unseen) > 0.9


def test_a_scattered_digit_is_whole_and_somewhere_else(monkeypatch):
    monkeypatch.setattr("anncestry.claims.experiments.densenet_vs_resnet.NOISE", 0.0)
    images = torch.rand(40, 1, 8, 8) + 1
    images[0, 0, 0, 0] = 0.5  # what the rest is filled with
    larger = scattered(images, torch.Generator().manual_seed(0))
    assert larger.shape == (40, 1, SIDE, SIDE)
    windows = larger.unfold(2, 8, 1).unfold(3, 8, 1)[:, 0]  # (40, 3, 3, 8, 8)
    matches = (windows == images[:, :, None]).all(-1).all(-1).flatten(1)
    assert matches.any(1).all()
    assert matches.sum(0).count_nonzero() > 5
    assert (larger.flatten(1) == 0.5).sum(1).min() >= SIDE**2 - 64


def test_activations_that_a_window_keeps():
    maps = torch.tensor([[[[1.0, 2, 0, 0], [0, 0, 0, 0], [5, 1, 3, 3], [1, 1, 1, 3]]]])
    one, every = reached(maps, 2, "one")[0, 0], reached(maps, 2, "all")[0, 0]
    assert one.int().tolist() == [[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert every.int().tolist() == [[0, 1, 1, 1], [0, 0, 1, 1], [1, 0, 1, 1], [0, 0, 0, 1]]
    shared = reached(torch.tensor([[[[0.0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 9, 0], [0, 0, 0, 0]]]]), 3, "one")
    assert shared.sum() == 1, "the 9 lies in all four windows of 3x3"


def test_kinks_of_nets_that_are_known():
    convolution = nn.Conv2d(1, 1, 1, bias=False).double()
    nn.init.ones_(convolution.weight)
    torch.manual_seed(0)
    crossed = kinks(nn.Sequential(convolution, nn.ReLU()), 1, 1, 200)
    assert 0.4 < crossed < 0.6, "two normal numbers differ in sign half of the time"
    assert kinks(convolution, 1, 1, 20) == 0

"""Words from characters: the equations in NumPy, and the fast path against `encode`."""

import numpy as np
import pytest
import torch

from anncestry.errors import UserError
from anncestry.layers.character_encoder import CharacterEncoder, HighwayLayer
from anncestry.signature import BEGIN_WORD, END_WORD, FILLER

C = 12


def encoder(**changes) -> CharacterEncoder:
    sizes = {"embed_dim": 3, "widths": (1, 2, 4), "counts": (2, 3, 5), "num_highways": 2, "output_size": 6}
    return CharacterEncoder(**{**sizes, **changes}).double()


def word(*written: int) -> list[int]:
    return [BEGIN_WORD, *written, END_WORD] + [FILLER] * (C - 2 - len(written))


WORDS = torch.tensor([word(5), word(7, 8, 9), word(5), [0] * C, word(*range(20, 30)), word(7, 8, 9)])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(net: CharacterEncoder, characters: np.ndarray) -> np.ndarray:
    """One word, from the equations."""
    table = net.embedding.detach().numpy()
    embedded = np.stack([table[c - 1] if c else np.zeros(table.shape[1]) for c in characters])
    found = []
    for layer in net.convolutions:
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()  # (K, E, W)
        width = weight.shape[2]
        windows = [embedded[t : t + width] for t in range(len(characters) - width + 1)]
        sums = np.stack([np.einsum("kew,we->k", weight, window) for window in windows])
        found.append(np.maximum(sums.max(0) + bias, 0))
    x = np.concatenate(found)
    for layer in net.highways:
        gate, transform = (
            (part.weight.detach().numpy() @ x + part.bias.detach().numpy())
            for part in (layer.gate, layer.transform)
        )
        g = sigmoid(gate)
        x = g * np.maximum(transform, 0) + (1 - g) * x
    return net.projection.weight.detach().numpy() @ x + net.projection.bias.detach().numpy()


def test_it_is_the_equations():
    net = encoder()
    expected = np.stack([by_hand(net, row) for row in WORDS.numpy()])
    np.testing.assert_allclose(net(WORDS).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_each_distinct_word_once_and_no_tail_is_the_same(activation):
    net = encoder(activation=activation)
    results = []
    for forward in (net, net.encode):
        net.zero_grad()
        y = forward(WORDS)
        y.square().sum().backward()
        results.append((y.detach(), [p.grad.clone() for p in net.parameters()]))
    (fast, fast_gradients), (slow, slow_gradients) = results
    torch.testing.assert_close(fast, slow, atol=1e-12, rtol=0)
    for got, expected in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-10, rtol=0)
    assert any(gradient.any() for gradient in slow_gradients)


def test_fast_path_computes_less():
    net, seen = encoder(), []
    net.convolutions[0].register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].shape))
    net(WORDS[:3].view(1, 3, C))
    assert seen == [(2, 3, 5 + net.widest)]  # two distinct words, of five characters with their marks


def test_what_fills_a_word_up_is_convolved():
    net = encoder(widths=(2,), counts=(1,), num_highways=0, output_size=1)
    with torch.no_grad():
        net.embedding.zero_()
        net.embedding[FILLER - 1] = 1.0
        net.convolutions[0].weight.fill_(1.0)
        net.convolutions[0].bias.zero_()
        net.projection.weight.fill_(1.0)
        net.projection.bias.zero_()
    assert net(torch.tensor([word(5), word(*range(20, 30))])).tolist() == [[6.0], [0.0]]


def test_a_place_without_a_word_learns_nothing():
    net = encoder()
    net(torch.zeros(2, C, dtype=torch.long)).sum().backward()
    assert not net.embedding.grad.any()


def test_a_highway_begins_by_passing_on():
    layer = HighwayLayer(4)
    assert layer.gate.bias.tolist() == [-2.0] * 4
    with torch.no_grad():
        layer.gate.bias.fill_(-50.0)
    x = torch.randn(3, 4)
    torch.testing.assert_close(layer(x), x)


def test_the_activation_is_known():
    with pytest.raises(UserError, match=r"activation: got .gelu.; must be one of\. Choices: relu, tanh"):
        encoder(activation="gelu")

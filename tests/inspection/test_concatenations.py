"""Concatenations: the formula by hand, and what autograd really keeps."""

import itertools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from anncestry.inspection.costs import costs
from anncestry.models.create import configure, create
from anncestry.models.densenet import DenseBlock

SMALL = {"input_shape": (3, 12, 8), "output_size": 5, "stem": "cifar", "stem_channels": 4, "growth_rate": 3}
B = 2


class Concatenated(TorchDispatchMode):
    """The memory that ``torch.cat`` has made."""

    def __init__(self):
        super().__init__()
        self.made = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func._overloadpacket is torch.ops.aten.cat:
            self.made[result.untyped_storage()._cdata] = result.untyped_storage()
        return result


def kept_by_autograd(model, x):
    """Bytes of all that is kept, by its memory; and the memory that ``torch.cat`` has made."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    with Concatenated() as seen, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(x)
    return {address: storage.nbytes() for address, storage in kept.items()}, seen.made


def test_a_hand_count():
    """Blocks of 2 and 3 layers: 4 maps of 12 x 8 grow to 10, the transition leaves 5 of 6 x 4."""
    first, second = costs(configure("densenet", {**SMALL, "blocks": (2, 3)}), batch_size=7).concatenations
    assert (first.name, second.name) == ("features.denseblock1", "features.denseblock2")
    assert (first.num_layers, first.in_channels, first.growth_rate) == (2, 4, 3)
    assert (first.height, first.width) == (12, 8)
    assert first.layer_by_layer == 96 * (4 + 7 + 10)
    assert first.one_buffer == 96 * 10
    assert second.layer_by_layer == 24 * (5 + 8 + 11 + 14)
    assert second.one_buffer == 24 * 14


@pytest.mark.parametrize("bottleneck", [True, False])
def test_written_layer_by_layer_autograd_keeps_them(bottleneck, monkeypatch):
    monkeypatch.setattr(DenseBlock, "forward", DenseBlock.plain)
    model = create("densenet", **SMALL, blocks=(2, 4, 1), bottleneck=bottleneck)
    found = costs(model).concatenations
    kept, made = kept_by_autograd(model, torch.randn(B, 3, 12, 8))
    concatenated = sum(kept[address] for address in made)  # all of them are kept
    assert concatenated == 4 * B * sum(block.layer_by_layer for block in found)
    normalised = [
        size for address, size in kept.items() if address not in made and size in {kept[key] for key in made}
    ]
    assert sum(normalised) >= concatenated  # behind normalisation and ReLU as much again


def test_one_buffer_is_what_the_block_by_hand_keeps():
    model = create("densenet", **SMALL, blocks=(2, 4)).train()
    found = costs(model).concatenations
    handed_on = []
    for block in model.modules():
        if isinstance(block, DenseBlock):
            block.register_forward_hook(lambda block, x, y: handed_on.append(y.untyped_storage()))
    kept, made = kept_by_autograd(model, torch.randn(B, 3, 12, 8))
    assert not made
    assert [kept[storage._cdata] for storage in handed_on] == [4 * B * block.one_buffer for block in found]


def test_densenet_121():
    """By the published sizes: blocks of 6, 12, 24, 16 layers at 56, 28, 14 and 7 places a side."""
    found = costs(configure("densenet-121", {})).concatenations
    expected = [
        side**2 * sum(first + 32 * number for number in range(num_layers + 1))
        for side, first, num_layers in ((56, 64, 6), (28, 128, 12), (14, 256, 24), (7, 512, 16))
    ]
    assert [block.layer_by_layer for block in found] == expected
    assert [block.one_buffer for block in found] == [56**2 * 256, 28**2 * 512, 14**2 * 1024, 7**2 * 1024]


def test_quadratic_against_linear():
    def held(depth):
        (block,) = costs(configure("densenet", {**SMALL, "blocks": (depth,)})).concatenations
        return block.layer_by_layer, block.one_buffer

    counts = [held(depth) for depth in (10, 20, 30, 40)]
    for index, order in ((0, 2), (1, 1)):
        differences = [pair[index] for pair in counts]
        for _ in range(order):
            differences = [b - a for a, b in itertools.pairwise(differences)]
        assert len(set(differences)) == 1
        assert differences[0] > 0


def test_other_nets_have_none():
    assert costs(configure("resnet-20", {})).concatenations == ()

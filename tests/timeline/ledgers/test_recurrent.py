"""What the ledgers of the recurrent and temporal nets say and no other test holds."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from anncestry.data.options import DataOptions
from anncestry.data.sources.memory import load_copy_memory
from anncestry.layers.recurrent.cell_variants import LSTM1997Cell, PeepholeLSTMCell
from anncestry.layers.recurrent.cells import ElmanCell, LSTMCell
from anncestry.layers.recurrent.residual import Residual
from anncestry.layers.recurrent.temporal import CausalConvolution, TemporalConvolution
from anncestry.layers.recurrent.wirings import Unrolled
from anncestry.models import create as models


def create(*arguments, **fields) -> Any:
    return models.create(*arguments, **fields)


SIZES = {"input_size": 3, "hidden_size": 4, "output_size": 2}


def cells(model: nn.Module, kind: type) -> list:
    return [module for module in model.modules() if isinstance(module, kind)]


def test_every_layer_but_the_lowest_has_a_shortcut():
    model = create("residual-stack", **SIZES, num_layers=4)
    assert [isinstance(layer, Residual) for layer in model.wiring.layers] == [False, True, True, True]


def test_a_shortcut_around_a_layer_is_never_dropped():
    """A cell that puts out nothing leaves the shortcut alone."""
    cell = LSTMCell(4, 4)
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)
    layer, x = Residual(Unrolled(cell), dropout=0.9).train(), torch.randn(2, 5, 4)
    assert torch.equal(layer(x)[0], x)
    nn.init.normal_(cell.weight_ih)
    assert not torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize("name", ["skip-rnn", "dilated-rnn"])
def test_the_cell_of_skips_and_dilations_can_be_chosen(name):
    assert len(cells(create(name, **SIZES, num_layers=2), LSTMCell)) == 2
    assert len(cells(create(name, **SIZES, num_layers=2, cell="elman"), ElmanCell)) == 2


def test_equal_dilations_have_weights_of_their_own():
    model = create("dilated-rnn", **SIZES, num_layers=3, base=1, cell="elman")
    assert [layer.dilation for layer in model.wiring.layers] == [1, 1, 1]
    assert len({id(cell.weight_hh) for cell in cells(model, ElmanCell)}) == 3


def test_biases_of_1997_start_as_all_weights():
    cell = LSTM1997Cell(3, 400)
    for bias in cell.bias.view(3, 400):
        assert bias.abs().max() <= 0.05
        assert bias.mean().abs() < 0.005


def test_peepholes_start_at_zero():
    peepholes = PeepholeLSTMCell(3, 4).peepholes
    assert peepholes is not None
    assert peepholes.shape == (3, 4)
    assert not peepholes.any()


def test_convolutions_over_time_start_uniform():
    layer = CausalConvolution(40, 50, kernel_size=5, dilation=2)
    weight = layer.gain * layer.direction / layer.direction.norm(dim=(1, 2), keepdim=True)
    bound = 1 / math.sqrt(40 * 5)
    assert weight.abs().max() <= bound * 1.0001
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_dropout_of_a_block_is_of_single_activations():
    wiring = TemporalConvolution(2, 30, num_blocks=1, kernel_size=2, dropout=0.5).train()
    dropped = []
    wiring.blocks[0].dropout.register_forward_hook(
        lambda module, inputs, output: dropped.append((output == 0) & (inputs[0] > 0))
    )
    wiring(torch.randn(1, 60, 2))
    for zeroed in dropped:
        of_channel = zeroed[0].float().mean(1)
        assert of_channel.max() < 0.95
        assert (of_channel > 0).float().mean() > 0.5


def test_symbols_to_copy_are_tokens():
    signature = load_copy_memory("", DataOptions(lag=5), 0).signature
    assert (signature.inputs, signature.vocab_size) == ("tokens", 10)

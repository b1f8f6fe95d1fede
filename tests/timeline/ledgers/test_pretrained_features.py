"""What the ledger of ELMo says and no test of its parts holds."""

import pytest
import torch
from torch import nn

from anncestry.models.bilstm import BiLSTM
from anncestry.models.create import configure, create
from anncestry.signature import NUM_CHARACTERS, Signature
from anncestry.timeline import usual_settings
from anncestry.training.optimizers import make_optimizer
from anncestry.training.settings import TrainingSettings

TAGGING = Signature("tagging", "characters", (5, 8), 3, NUM_CHARACTERS)


def test_adam_learns_by_default():
    settings = TrainingSettings(**usual_settings("elmo"))
    optimizer = make_optimizer(nn.Linear(2, 1), settings)
    assert torch.optim.Adam in type(optimizer).__bases__  # and no other that derives from it
    assert optimizer.param_groups[0]["lr"] == 0.002
    assert usual_settings("elmo-small") == usual_settings("elmo")


def test_where_weights_start():
    """Characters and convolutions uniform, highways and projection normal, as in the authors' code."""
    model = create("elmo", signature=TAGGING, width=64, num_highways=2)
    encoder = model.bilm.encoder
    assert 0.98 < encoder.embedding.abs().max() <= 1
    for convolution in encoder.convolutions:
        assert 0.045 < convolution.weight.abs().max() <= 0.05
        assert not convolution.bias.any()
    for layer in [*(part for highway in encoder.highways for part in (highway.gate, highway.transform)),
                  encoder.projection]:  # fmt: skip
        assert layer.weight.std().item() == pytest.approx(layer.in_features**-0.5, rel=0.05)
    cell = model.bilm.back.layers[1].cell
    bound = 256**-0.5
    assert 0.98 * bound < cell.weight_ih.abs().max() <= bound
    forget = cell.bias.view(4, -1)[1]
    assert (forget - 1).abs().max() <= bound


def test_the_net_of_a_task_reads_the_mixture_alone():
    model = create("elmo", signature=TAGGING, width=4)
    x, _ = TAGGING.example(2)
    read = []
    model.head.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0]))
    assert isinstance(model.head, BiLSTM)
    with torch.no_grad():
        model.eval()(x)
        layers, _ = model.layer_representations(x)
        torch.testing.assert_close(read[0], sum(layers) / 3)
        model.train()(x)
    kept = read[1] != 0
    assert 0.2 < kept.float().mean() < 0.8
    torch.testing.assert_close(read[1][kept], 2 * read[0][kept])  # dropout of 0.5
    assert isinstance(create("elmo", signature=TAGGING, width=4, task_hidden=0).head, nn.Linear)


def test_it_is_small_by_default():
    config = configure("elmo", {}, signature=TAGGING)
    assert config.filter_widths == (1, 2, 3)
    assert (config.num_highways, config.hidden_size, config.proj_size) == (1, 256, 64)

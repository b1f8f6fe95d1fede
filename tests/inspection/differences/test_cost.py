"""The figures that stand side by side: memory of training, path length, receptive field, calls."""

import pytest
import torch
from torch import nn

from anncestry.inspection.costs import costs, without_weights
from anncestry.inspection.differences.cost import cost
from anncestry.inspection.example_inputs import example_config
from anncestry.models.create import build, create
from anncestry.signature import Signature


def cost_of(name: str, **arguments):
    config = example_config(name, **arguments)[1]
    return cost(without_weights(lambda: build(config)), config.signature)


def test_a_shared_block_is_called_for_every_layer():
    albert, bert = cost_of("albert"), cost_of("bert")
    assert (albert.calls["blocks.0"], bert.calls["blocks.0"], bert.calls["blocks.1"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("lstm", 50),  # up once, and 49 steps
        ("dilated-rnn", 4 + 7),  # up four layers; 49 = 6 x 8 + 1
        ("bert", 2), ("albert", 2), ("gpt", 4),  # layers; a shared one each time
        ("bilstm", None), ("elmo", None), ("transformer", None), ("mlp", None),
    ],
)  # fmt: skip
def test_path_length(name, length):
    assert cost_of(name).path_length == length


def test_a_temporal_net_joins_the_ends_if_it_sees_that_far():
    sizes = {"input_size": 2, "hidden_size": 3, "output_size": 2, "num_layers": 3, "kernel_size": 2}
    net = create("tcn", **sizes)  # sees 1 + 2 (2^3 - 1) = 15 steps
    near, far = (cost(net, Signature("classification", "series", (steps, 2), 2)) for steps in (15, 16))
    assert (near.path_length, far.path_length) == (6, None)
    assert near.receptive_field == far.receptive_field == (15,)


def test_memory_of_training():
    found, known = cost_of("mlp"), costs(example_config("mlp")[1])
    assert found.training_bytes == 16 * known.parameters + known.activation_bytes
    own_rule = cost_of("perceptron")
    assert own_rule.training_bytes == 4 * own_rule.parameters


def test_the_last_maps_count():
    assert cost_of("resnet-18").receptive_field == (435, 435)
    assert cost_of("mlp").receptive_field is None


def test_a_model_is_left_as_it_was():
    net = nn.Sequential(nn.Linear(3, 2))
    before = net[0].weight.clone()
    cost(net, Signature("classification", "vector", (3,), 2))
    assert torch.equal(net[0].weight, before)
    assert not net[0]._forward_pre_hooks

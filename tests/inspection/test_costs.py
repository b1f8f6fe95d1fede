"""Costs against formulas worked out by hand, and without a single weight in memory."""

import time

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from anncestry.errors import UserError
from anncestry.inspection.costs import built_without_weights, costs, meta_batch, meta_targets
from anncestry.inspection.example_inputs import example_config
from anncestry.models.create import configure, create
from anncestry.protocols import outputs_of
from anncestry.signature import Signature

B, T, D, H, K = 3, 7, 5, 4, 2
SERIES = Signature("classification", "series", (T, D), K)


def config(name, signature=SERIES, **values):
    return configure(name, values, signature=signature, width=H)


@pytest.mark.parametrize(("name", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_fused_recurrence_is_counted_in_full(name, gates):
    found = costs(config(name), batch_size=B)
    assert found.flops == 2 * B * T * gates * H * (D + H) + 2 * B * H * K
    assert found.training_flops == 3 * found.flops
    assert found.sequential_steps == T + 1  # the first product needs no other, then the readout


def test_layers_and_directions_add_up():
    one, readout = 2 * B * T * 4 * H * (D + H), 2 * B * H * K
    stacked = costs(config("stacked-lstm", num_layers=2), batch_size=B)
    assert stacked.flops == one + 2 * B * T * 4 * H * (H + H) + readout
    assert stacked.sequential_steps == 2 * T + 1
    both = costs(config("bilstm"), batch_size=B)
    assert both.flops == 2 * (one + readout)
    assert both.sequential_steps == T + 1  # the directions do not wait for each other


def test_activation_memory_of_an_mlp():
    """Two hidden layers of 6 and 4 units: the linear layers keep their inputs, the ReLUs their outputs."""
    found = costs(_mlp(8, (6, 4), K), batch_size=B)
    assert found.activation_bytes == 4 * B * (6 + 4)
    assert found.flops == 2 * B * (8 * 6 + 6 * 4 + 4 * K)
    assert found.parameters == 8 * 6 + 6 + 6 * 4 + 4 + 4 * K + K
    assert found.sequential_steps == 3


def _mlp(size, hidden_sizes, output_size):
    return configure(
        "mlp", {"input_shape": (size,), "hidden_sizes": hidden_sizes, "output_size": output_size}
    )


def test_activations_of_the_rnn_grow_with_time():
    memory = [
        costs(config("rnn", Signature("classification", "series", (steps, D), K))).activation_bytes
        for steps in (4, 8, 12)
    ]
    assert memory[2] - memory[1] == memory[1] - memory[0] > 0


def test_a_convolution():
    model = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2, padding=1), nn.Conv2d(8, 8, 3, groups=4))
    found = costs(model, Signature("classification", "image", (3, 9, 9), 8), batch_size=B)
    first, second = found.layers
    assert first.output_shape == (B, 8, 4, 4)
    assert first.flops == 2 * B * 8 * 4 * 4 * 3 * 5 * 5
    assert second.flops == 2 * B * 8 * 2 * 2 * (8 // 4) * 3 * 3
    assert found.flops == first.flops + second.flops


class Attention(nn.Module):
    """Four projections around scaled dot-product attention with N heads."""

    def __init__(self, size, heads):
        super().__init__()
        self.heads = heads
        self.into, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)

    def forward(self, x):
        q, k, v = self.into(x).unflatten(2, (3 * self.heads, -1)).transpose(1, 2).chunk(3, dim=1)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).flatten(2))


def test_attention():
    """4 T^2 D of attention beside the 8 T D^2 of its projections; nothing waits for time."""
    size = 8
    found = costs(Attention(size, heads=2), Signature("regression", "series", (T, size), 1), batch_size=B)
    assert found.flops == B * (4 * T * T * size + 8 * T * size * size)
    assert found.sequential_steps == 4
    assert [layer.name for layer in found.layers] == ["Attention", "into", "out"]
    assert found.layers[0].flops == B * 4 * T * T * size


def test_the_plain_counter_misses_what_is_counted_here():
    """Why the meta device: on this device the counter sees no product of a fused LSTM."""
    model = create("lstm", signature=SERIES, width=H)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(B, T, D))
    assert counter.get_total_flops() < costs(model, batch_size=B).flops


@pytest.mark.parametrize("name", ["mlp", "cnn", "perceptron", "voted-perceptron", "brnn", "gru"])
def test_rows_add_up_and_a_model_costs_what_its_config_does(name):
    signature = Signature("classification", "image", (1, 8, 8), 3)
    sizes = configure(name, {}, signature=signature)
    found = costs(sizes, batch_size=B)
    assert sum(layer.flops for layer in found.layers) == found.flops > 0
    assert sum(layer.parameters for layer in found.layers) == found.parameters
    model = create(name, signature=signature)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert costs(model, batch_size=B) == found
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())


def test_a_rule_of_its_own_counts_weights_and_keeps_nothing():
    found = costs(configure("perceptron", {"input_shape": (9,), "output_size": K}), batch_size=B)
    assert found.parameters == K * (9 + 1)
    assert found.activation_bytes == 0
    assert found.training_flops == 2 * found.flops == 2 * 2 * B * K * 9


def test_ten_billion_parameters_in_no_time():
    costs(_mlp(4, (4,), 2))  # PyTorch loads parts of itself at first use
    begun = time.perf_counter()
    found = costs(_mlp(100_000, (100_000,), 10))
    assert found.parameters == 100_000**2 + 100_000 + 10 * 100_000 + 10
    assert time.perf_counter() - begun < 2


def test_shared_and_uncalled_modules():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.same = nn.Linear(4, 4)
            self.idle = nn.Linear(4, 3)

        def forward(self, x):
            return self.same(self.same(x))

    found = costs(Odd(), Signature("regression", "vector", (4,), 4))
    rows = {layer.name: (layer.parameters, layer.flops) for layer in found.layers}
    assert rows == {"Odd": (15, 0), "same": (20, 2 * 2 * 4 * 4)}
    assert found.sequential_steps == 2


def test_dropout_keeps_its_mask_and_normalisation_may_see_one_example():
    signature = Signature("regression", "vector", (16,), 16)
    plain = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Linear(16, 16))
    with_dropout = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 16))
    kept = [costs(model, signature).activation_bytes for model in (plain, with_dropout)]
    assert kept[1] > kept[0] > 0
    assert plain.training
    assert plain[1].num_batches_tracked == 0


def test_mistakes():
    with pytest.raises(UserError, match="signature: got None; is needed for a model without a config"):
        costs(nn.Linear(2, 2))
    with pytest.raises(UserError, match="batch_size: got 0; must be at least 1"):
        costs(config("rnn"), batch_size=0)
    with pytest.raises(UserError, match="config: got 'str'; is the config of no architecture"):
        costs("lstm")

    class Peeks(nn.Module):
        def forward(self, x):
            return x if x.sum().item() > 0 else -x

    with pytest.raises(UserError, match=r"model: got 'Peeks'; cannot be run without weights"):
        costs(Peeks(), Signature("regression", "vector", (4,), 4))


def test_they_print_as_a_table_of_layers():
    found = costs(create("mlp", input_shape=(4,), hidden_sizes=(8,), output_size=3), batch_size=2)
    lines = [line.split() for line in repr(found).splitlines()]
    assert ["layers.1", "Linear", "2x8", "40", "128"] in lines
    assert lines[-1][:3] == ["sequential", "steps", "2"]
    assert "layers.1" in found._repr_html_()


@pytest.mark.parametrize("name", ["lenet-5", "lstm", "bert", "transformer", "resnet"])
def test_products_are_those_that_pytorch_counts(name):
    _, example = example_config(name)
    shadow = built_without_weights(example)
    x, targets = meta_batch(shadow, example.signature, 2), meta_targets(example.signature, 2)
    with FlopCounterMode(display=False) as counter:
        outputs_of(shadow.train(), x, targets=targets)
    assert costs(example, batch_size=2).flops == counter.get_total_flops() > 0

"""What the ledger of the recurrent encoder-decoders says and no test of a model holds."""

import math

import pytest
import torch
from torch import nn

from anncestry.layers.seq2seq.encoder_decoder import shifted
from anncestry.models.create import create
from anncestry.objectives import objective_for
from anncestry.signature import Signature
from anncestry.timeline import find, find_preset, usual_settings
from anncestry.training.optimizers import Position, clip_gradients, make_optimizer, rate_factor
from anncestry.training.settings import TrainingSettings

TRANSLATION = Signature("translation", "tokens", (6,), 11, 13, target_len=5)
CAPTIONING = Signature("captioning", "image", (2, 16, 16), 11, target_len=5)


def example(name, width=8, **values):
    signature = CAPTIONING if name.startswith("show") else TRANSLATION
    model = create(name, signature=signature, width=width, **values)
    return model, *signature.example(3)


@pytest.mark.parametrize("scale", [0.1, 10.0])  # below the limit of the gradient, and above it
@pytest.mark.parametrize(
    ("preset", "published_rate"),
    [("sutskever-wmt14", 0.7), ("luong-global", 1.0), ("luong-local", 1.0), ("nmt-tutorial", 1.0),
     ("gnmt-4", 1.0)],
)  # fmt: skip
def test_the_mean_over_words_learns_what_the_published_sum_does(preset, published_rate, scale):
    """A step of SGD, with 5 as the limit of the gradient, on three sentences of 25 words each."""
    model, source, _ = example("seq2seq")
    targets = torch.randint(4, 11, (3, 25), generator=torch.Generator().manual_seed(0))
    objective = objective_for(TRANSLATION)
    summed = objective.loss(model(source, targets), targets) * scale
    wanted = dict(
        zip(model.state_dict(), torch.autograd.grad(summed / 3, list(model.parameters())), strict=True)
    )
    norm = torch.stack([part.norm() for part in wanted.values()]).norm()
    assert (norm > 5) == (scale > 1)
    wanted = {
        name: parameter.detach() - published_rate * wanted[name] * min(1.0, 5 / norm.item())
        for name, parameter in model.named_parameters()
    }
    settings = TrainingSettings(**usual_settings(preset))
    optimizer = make_optimizer(model, settings)
    (objective.loss(model(source, targets), targets) * scale / objective.count(targets)).backward()
    clip_gradients(model, settings)
    optimizer.step()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), wanted[name], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("preset", "epochs"), [("sutskever-wmt14", 8), ("gnmt-4", 10)])
def test_the_rate_of_an_epoch_is_the_published_one_of_its_second_half(preset, epochs):
    """Theirs is halved every half epoch after 5."""
    settings = TrainingSettings(**usual_settings(preset))
    assert (settings.optimizer, settings.epochs) == ("sgd", epochs)
    for epoch in range(epochs):
        halvings = max(0, 2 * (epoch - 5) + 2)
        assert rate_factor(settings, Position(9, epoch / epochs, epoch)) == 0.5**halvings


@pytest.mark.parametrize("name", ["rnn-encoder-decoder", "rnnsearch"])
def test_weights_start_small_where_it_is_asked_for(name):
    usual, _, _ = example(name, width=64)
    small, _, _ = example(name, width=64, published_start=True)
    bound = 1 / 8
    assert bound * 0.98 < usual.cell.weight_ih.abs().max() <= bound
    assert small.cell.weight_ih.std().item() == pytest.approx(0.01, rel=0.05)
    for cell in (small.cell, *(m for m in small.encoder.modules() if type(m) is type(small.cell))):
        for gate in cell.weight_hh.detach().split(64):
            torch.testing.assert_close(gate @ gate.t(), torch.eye(64), atol=1e-5, rtol=0)
        assert not cell.bias.any()


@pytest.mark.parametrize(
    "name", ["rnn-encoder-decoder", "rnnsearch", "show-and-tell", "show-attend-and-tell"]
)
def test_adam_learns_by_default(name):
    settings = TrainingSettings(**usual_settings(name))
    optimizer = make_optimizer(nn.Linear(2, 1), settings)
    assert torch.optim.Adam in type(optimizer).__bases__  # and no other that derives from it
    for preset in find(name).presets:
        assert usual_settings(preset.name) == usual_settings(name)


@pytest.mark.parametrize("name", ["seq2seq", "luong-attention", "show-and-tell"])
def test_the_forget_gate_starts_open(name):
    model, _, _ = example(name, width=64)
    biases = [value.detach() for key, value in model.named_parameters() if key.endswith("cell.bias")]
    assert len(biases) == (1 if name == "show-and-tell" else 4)
    for bias in biases:
        means = bias.view(4, 64).mean(1)
        torch.testing.assert_close(means, torch.tensor([0.0, 1.0, 0.0, 0.0]), atol=0.05, rtol=0)
    for preset, wanted in (("sutskever-wmt14", 0.0), ("luong-global", 0.0), ("nmt-tutorial", 1.0)):
        if find(preset).id == name:
            closed = create(name, signature=TRANSLATION, **start_of(preset), hidden_size=64, embed_dim=64)
            bias = closed.decoder.layers[0].cell.bias.detach().view(4, 64)
            reach = find_preset(preset).config["init_range"]
            assert (bias - torch.tensor([[0.0], [wanted], [0.0], [0.0]])).abs().max() <= reach + 1e-6


def start_of(preset):
    """What a preset says about the start, with tensorflow/nmt's forget bias where it says nothing."""
    return {
        key: value
        for key, value in find_preset(preset).config.items()
        if key in ("forget_bias", "init_range")
    }


@pytest.mark.parametrize("name", ["show-and-tell", "show-attend-and-tell"])
def test_the_net_that_sees_is_small_and_learns(name):
    model, source, targets = example(name, channels=3, num_convs=1)
    convolutions = [m for m in model.encoder.modules() if isinstance(m, nn.Conv2d)]
    assert {m.kernel_size for m in convolutions} == {(3, 3)}
    assert any(isinstance(m, nn.MaxPool2d) for m in model.encoder.modules())
    assert convolutions[0].out_channels == 3
    more, _, _ = example(name, channels=3, num_convs=2)
    assert sum(isinstance(m, nn.Conv2d) for m in more.encoder.modules()) == 2 * len(convolutions)
    model(source, targets).square().sum().backward()
    assert convolutions[0].weight.grad.any()


@pytest.mark.parametrize("reverse_source", [True, False])
def test_annotations_are_in_the_order_of_the_source(reverse_source):
    """The first word is the last that a reversed source reads: it changes its own annotation alone."""
    model, source, _ = example("luong-attention", reverse_source=reverse_source)
    other = source.clone()
    other[:, 0] = (source[:, 0] + 1) % 13
    lengths = torch.tensor([6, 4, 2])
    keys = [model.encode(rows, lengths).memory.parts.keys for rows in (source, other)]
    changed = (keys[0] != keys[1]).any(2)
    for row, length in enumerate(lengths.tolist()):
        seen = changed[row, :length].tolist()
        assert seen == ([True] + [False] * (length - 1) if reverse_source else [True] * length)


@pytest.mark.parametrize("squashed", [True, False])
def test_the_attentional_state_is_squashed_by_default(squashed):
    model, source, targets = example(
        "luong-attention", input_feeding=False, **({} if squashed else {"attention_activation": "identity"})
    )
    with torch.no_grad():
        model.of_state.weight.mul_(1000)
        state = model.encode(source)
        _, state = model.step(shifted(targets)[:, 0], state)
    assert (state.attended.abs().max() > 1) != squashed


def test_nothing_is_dropped_before_the_logits():
    model, source, targets = example("gnmt", dropout=0.9)
    read = []
    model.readout.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0]))
    dropped = []
    model.dropout.register_forward_hook(lambda module, inputs, output: dropped.append(output))
    model.train()(source, targets)
    assert all(output.eq(0).any() for output in dropped)
    assert len(dropped) > 5
    assert read[0].ne(0).all()


def test_every_weight_starts_within_the_range():
    model, _, _ = example("gnmt", init_range=0.1, normed=True)
    usual, _, _ = example("gnmt", normed=True)
    for name, parameter in model.named_parameters():
        start = parameter.detach().clone()
        if name.endswith(("cell.bias", "bottom.bias")):
            start.view(4, -1)[1] -= 1
        assert 0 < start.abs().max() <= 0.1 + 1e-6, name
    assert usual.score.length.item() == pytest.approx(1 / math.sqrt(8))
    assert usual.bottom.weight_ih.abs().max() > 0.1
    assert find_preset("gnmt-4").config["init_range"] == 0.1

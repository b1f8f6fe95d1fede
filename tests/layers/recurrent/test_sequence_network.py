"""What data looks like on the way into a wiring, and which outputs a task takes."""

import pytest
import torch

from anncestry.errors import UserError
from anncestry.layers.recurrent.cells import GRUCell, LSTMCell
from anncestry.layers.recurrent.sequence_network import (
    CausalSequenceNetwork,
    OneHot,
    SequenceConfig,
    SequenceNetwork,
)
from anncestry.layers.recurrent.wirings import Unrolled, stack
from anncestry.models.bilstm import BiLSTM, BiLSTMConfig
from anncestry.protocols import SequenceModel, flatten_state
from anncestry.signature import Signature

B, T, D, H, K = 4, 6, 3, 5, 2
LENGTHS = torch.tensor([3, 6, 1, 4])


def config(**fields):
    return SequenceConfig(**{"input_size": D, "hidden_size": H, "output_size": K, **fields})


def network(**fields):
    sizes = config(**fields)
    wiring = stack(lambda size: Unrolled(LSTMCell(size, H)), sizes.step_size, sizes.num_layers, sizes.dropout)
    return CausalSequenceNetwork(sizes, wiring)


@pytest.mark.parametrize("task", ["classification", "regression", "forecasting"])
def test_the_outputs_are_those_of_each_sequences_own_last_step(task):
    model, x = network(task=task), torch.randn(B, T, D)
    y, _ = model.wiring(x)
    outputs, _ = model(x)
    assert torch.equal(outputs, model.readout(y[:, -1]))
    x[2, 1:] = float("nan")
    ragged, _ = model(x, None, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(ragged[row], model.readout(y[row, length - 1]))


def test_a_language_model_answers_at_every_step():
    model = network(task="language-model", inputs="tokens", input_size=7, output_size=7)
    tokens = torch.randint(7, (B, T))
    outputs, state = model(tokens)
    assert outputs.shape == (B, T, 7)
    y, _ = model.wiring(model.embedding(tokens))
    torch.testing.assert_close(outputs[:, 2], model.readout(y[:, 2]))
    assert isinstance(model, SequenceModel)
    step_state = model.initial_state(B)
    for t in range(T):
        out, step_state = model.step(tokens[:, t], step_state)
        torch.testing.assert_close(out, outputs[:, t])
    for one, other in zip(flatten_state(step_state), flatten_state(state), strict=True):
        torch.testing.assert_close(one, other)


def test_an_image_is_read_row_by_row_from_the_top_with_its_channels_side_by_side():
    model = network(inputs="image", input_size=2 * 4, in_channels=2, seq_len=3)
    images = torch.randn(B, 2, 3, 4)
    seen = []
    model.wiring.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    outputs, _ = model(images)
    assert seen[0].shape == (B, 3, 8)
    for row in range(3):
        expected = torch.cat([images[:, 0, row], images[:, 1, row]], dim=1)
        assert torch.equal(seen[0][:, row], expected)
    changed = images.clone()
    changed[:, :, -1] += 1
    assert not torch.allclose(model(changed)[0], outputs)


def test_one_hot_is_a_table_of_units_that_learns_nothing():
    model = network(inputs="tokens", input_size=7)
    tokens = torch.randint(7, (B, T))
    assert isinstance(model.embedding, OneHot)
    expected = torch.nn.functional.one_hot(tokens, 7).float()
    assert torch.equal(model.embedding(tokens), expected)
    assert torch.equal(model.embedding(tokens[:, 0]), expected[:, 0])
    assert not list(model.embedding.parameters())
    assert not model.embedding.state_dict()
    assert model.double().embedding(tokens).dtype == torch.float64


def test_an_embedding_of_units_is_one_hot():
    one_hot, embedded = (
        network(inputs="tokens", input_size=7),
        network(inputs="tokens", input_size=7, embed_dim=7),
    )
    embedded.load_state_dict(one_hot.state_dict() | {"embedding.weight": torch.eye(7)})
    tokens = torch.randint(7, (B, T))
    torch.testing.assert_close(embedded(tokens)[0], one_hot(tokens)[0])
    assert network(inputs="tokens", input_size=7, embed_dim=3).wiring.input_size == 3


def test_dropout_reaches_the_readout_in_training_alone():
    torch.manual_seed(0)
    model, x = network(dropout=0.5), torch.randn(B, T, D)
    model.train()
    assert not torch.equal(model(x)[0], model(x)[0])
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])


def test_a_net_that_reads_both_ways_answers_from_both_ends():
    model = BiLSTM(BiLSTMConfig(input_size=D, hidden_size=H, output_size=K, num_layers=2))
    x = torch.randn(B, T, D)
    x[2, 1:] = float("nan")
    outputs, _ = model(x, None, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        y, _ = model.wiring(x[row : row + 1, :length])
        ends = torch.cat([y[0, -1, :H], y[0, 0, H:]])
        torch.testing.assert_close(outputs[row], model.readout(ends))
    assert not isinstance(model, SequenceModel)


@pytest.mark.parametrize(
    "signature",
    [
        Signature("classification", "series", (9, 3), 4),
        Signature("forecasting", "series", (12, 1), 1),
        Signature("regression", "image", (3, 8, 5), 2),
        Signature("classification", "image", (1, 8, 8), 10),
        Signature("language-model", "tokens", (20,), 30, 30),
        Signature("classification", "tokens", (20,), 2, 30),
    ],
)
def test_a_config_is_made_for_a_signature_and_says_it_again(signature):
    made = SequenceConfig.for_signature(signature, width=H, num_layers=2)
    assert made.signature == signature
    assert (made.hidden_size, made.num_layers) == (H, 2)
    wiring = stack(lambda size: Unrolled(GRUCell(size, H)), made.step_size, made.num_layers)
    inputs, _ = signature.example(2)
    outputs, _ = SequenceNetwork(made, wiring)(inputs)
    steps = signature.shape if signature.task == "language-model" else ()
    assert outputs.shape == (2, *steps, signature.output_size)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"task": "dream"}, r"task: got 'dream'; must be one of the choices. Choices: classification, "),
        (
            {"inputs": "vector"},
            r"inputs: got 'vector'; a recurrent net reads. Choices: image, series",
        ),
        ({"hidden_size": 0}, r"hidden_size: got 0; must be at least 1"),
        ({"num_layers": -2}, r"num_layers: got -2; must be at least 1"),
        ({"embed_dim": -1}, r"embed_dim: got -1; must not be negative: 0 feeds one-hot vectors"),
        ({"inputs": "series", "embed_dim": 3}, r"embed_dim: got 3; must be 0 unless `inputs` is tokens"),
        ({"inputs": "image", "embed_dim": 3}, r"embed_dim: got 3; must be 0 unless `inputs` is tokens"),
        (
            {"inputs": "series", "in_channels": 3},
            r"in_channels: got 3; must be 1 unless `inputs` is image",
        ),
        ({"dropout": 1.0}, r"dropout: got 1.0; is a probability below 1"),
    ],
)
def test_a_wrong_size_is_named(fields, text):
    with pytest.raises(UserError, match=text):
        config(**fields)


def test_taggers_answer_at_every_step_and_never_read_beyond_a_row():
    model, x = network(task="tagging"), torch.randn(B, T, D)
    whole, _ = model(x)
    assert whole.shape == (B, T, K)
    x[2, 1:] = float("nan")
    ragged, _ = model(x, None, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(ragged[row, :length], whole[row, :length])


def test_all_weights_start_within_the_range_but_for_the_forget_gates():
    model = network(inputs="tokens", input_size=9, embed_dim=4, num_layers=2, init_range=0.05)
    cells = [module for module in model.modules() if isinstance(module, LSTMCell)]
    assert len(cells) == 2
    for cell in cells:
        assert (cell.bias[H : 2 * H] - 1).abs().max() <= 0.0501
        cell.bias.data[H : 2 * H] -= 1
    assert all(0.03 < weight.abs().max() <= 0.0501 for weight in model.parameters())


def test_tied_embeddings_are_one_table():
    sizes = {"task": "language-model", "inputs": "tokens", "input_size": 9, "output_size": 9, "embed_dim": H}
    model, apart = network(**sizes, tie_embeddings=True), network(**sizes)
    count = [sum(weight.numel() for weight in net.parameters()) for net in (model, apart)]
    assert count[1] - count[0] == 9 * H
    tokens = torch.randint(9, (B, T))
    outputs, _ = model(tokens)
    y, _ = model.wiring(model.embedding(tokens))
    torch.testing.assert_close(outputs, y @ model.embedding.weight.t() + model.readout.bias)
    assert len(model.state_dict()) == len(dict(model.named_parameters()))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tie_embeddings": True}, "tie_embeddings: got True; needs an embedding, and the same tokens"),
        ({"input_dropout": 1.0}, "input_dropout: got 1.0; is a probability below 1"),
        ({"init_range": -1.0}, "init_range: got -1.0; must not be negative"),
    ],
)
def test_fields_that_cannot_be_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        config(**fields)


def test_a_tied_embedding_has_the_size_of_the_last_layer():
    sizes = {
        "task": "language-model",
        "inputs": "tokens",
        "input_size": 9,
        "output_size": 9,
        "embed_dim": H + 1,
    }
    with pytest.raises(
        UserError, match=f"embed_dim: got {H + 1}; .* it must be what the last layer puts out"
    ):
        network(**sizes, tie_embeddings=True)


def test_the_first_layers_dropout_is_its_own():
    torch.manual_seed(0)
    model, x = network(input_dropout=0.5), torch.randn(B, T, D)
    assert not torch.equal(model(x)[0], model(x)[0])
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])


def test_a_state_of_another_batch_is_refused():
    model = network()
    with pytest.raises(UserError, match="state: got 'of 3 rows'; must be that of this batch's 4 rows"):
        model(torch.randn(B, T, D), model.initial_state(3))

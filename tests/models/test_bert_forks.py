"""What each of BERT's forks changed, held to its paper."""

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from anncestry.errors import UserError
from anncestry.inspection.costs import costs
from anncestry.models.create import create
from anncestry.models.spanbert import around_spans
from anncestry.objectives.masked import REPLACED_WEIGHT, MaskedLanguageModel
from anncestry.protocols import IGNORED, MaskedLMOutput, outputs_of

V, D, P, T = 13, 16, 9, 7


def tiny(name, **changes) -> Any:
    """Sharp logits, in float64."""
    sizes = {"input_size": V, "output_size": V, "hidden_size": D, "num_layers": 2, "num_heads": 4}
    embed_dim = {"albert": {"embed_dim": 6}}.get(name, {})
    torch.manual_seed(0)
    model = create(name, **{**sizes, "num_positions": P, **embed_dim, **changes}).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return model.eval()


def tokens(rows=3, length=T):
    return torch.randint(V, (rows, length), generator=torch.Generator().manual_seed(rows + length))


def hidden(*places, rows=3):
    """Targets that ask for these places of every row."""
    targets = torch.full((rows, T), IGNORED)
    targets[:, list(places)] = tokens(rows)[:, list(places)]
    return targets


# ---- RoBERTa --------------------------------------------------------------------------------------------


def test_positions_begin_at_the_third_row():
    roberta, bert = tiny("roberta"), tiny("bert", num_segments=1, norm_eps=1e-5)
    assert roberta.embeddings.positions.embedding.weight.shape == (P + 2, D)
    state = roberta.state_dict()
    state["embeddings.positions.embedding.weight"] = state["embeddings.positions.embedding.weight"][2:]
    bert.load_state_dict(state)
    with torch.no_grad():
        assert torch.equal(roberta(tokens()), bert(tokens()))
        assert roberta(tokens(1, P)).shape == (1, P, V)
    with pytest.raises(UserError, match=f"length: got {P + 1}; learnt positions end .* which is {P}"):
        roberta(tokens(1, P + 1))


@pytest.mark.parametrize("name", ["roberta", "distilbert", "spanbert", "electra"])
def test_a_second_text_is_not_asked_about(name):
    with pytest.raises(UserError, match=r"num_relations: got 2; must be 0: .* is not asked"):
        tiny(name, num_relations=2)


def test_what_is_below_an_answer():
    """Each by its own formula, from the first token's vector."""
    answers = {"roberta": torch.tanh, "distilbert": torch.relu, "electra": functional.gelu}
    for name, activation in answers.items():
        model = tiny(name, task="classification", output_size=3)
        with torch.no_grad():
            x = model.encode(tokens())[:, 0]
            p = activation(x @ model.pooler.linear.weight.T + model.pooler.linear.bias)
            torch.testing.assert_close(model(tokens()), p @ model.head.weight.T + model.head.bias)
    with pytest.raises(UserError, match="pooling: got 'pooler'; there is no pooler"):
        tiny("distilbert", task="embedding", pooling="pooler")


# ---- ALBERT and StructBERT ------------------------------------------------------------------------------


def test_layers_share_their_weights_and_compute_as_much():
    sizes = {"embed_dim": 6, "activation": "gelu-tanh", "task": "embedding", "output_size": D, "seq_len": T}
    small, large = tiny("albert", num_layers=2, **sizes), tiny("albert", num_layers=5, **sizes)
    assert sum(p.numel() for p in small.parameters()) == sum(p.numel() for p in large.parameters())
    bert = tiny("bert", num_layers=5, **sizes)
    assert costs(large.config).flops == costs(bert.config).flops
    shared = large.state_dict()
    spread = {
        name.replace("blocks.0.", f"blocks.{layer}."): tensor
        for name, tensor in shared.items()
        for layer in range(5)
    }
    bert.load_state_dict(spread)
    with torch.no_grad():
        torch.testing.assert_close(large.encode(tokens()), bert.encode(tokens()), atol=1e-12, rtol=0)


def test_the_shared_gradient_is_the_sum_over_layers():
    sizes = {"embed_dim": 6, "activation": "gelu-tanh", "num_layers": 3}
    albert, bert = tiny("albert", **sizes), tiny("bert", **sizes)
    bert.load_state_dict({
        name.replace("blocks.0.", f"blocks.{layer}."): tensor
        for name, tensor in albert.state_dict().items()
        for layer in range(3)
    })  # fmt: skip
    for model in (albert, bert):
        model(tokens()).square().sum().backward()
    name = "feed_forward.inner.weight"
    parts = [block.get_parameter(name).grad for block in bert.blocks]
    torch.testing.assert_close(albert.blocks[0].get_parameter(name).grad, sum(parts))


@pytest.mark.parametrize(("name", "number"), [("albert", 2), ("structbert", 3)])
def test_relations(name, number):
    model = tiny(name, num_relations=number)
    targets = hidden(2, 4)
    targets[:, 0] = torch.tensor([0, 1, number - 1])
    with torch.no_grad():
        output = model(tokens(), targets=targets)
    assert output.relation.shape == (3, number)
    assert output.logits.shape == (6, V)
    with pytest.raises(UserError, match="num_relations: got 4"):
        tiny(name, num_relations=4)


# ---- SpanBERT -------------------------------------------------------------------------------------------


def test_the_ends_of_spans():
    asked = torch.tensor([[0, 1, 1, 0, 1, 0], [1, 1, 0, 0, 1, 1]], dtype=torch.bool)
    found = around_spans(asked)
    assert found.row.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert found.left.tolist() == [0, 0, 3, 0, 0, 3, 3]
    assert found.right.tolist() == [3, 3, 5, 2, 2, 5, 5]
    assert found.within.tolist() == [0, 1, 0, 0, 1, 0, 1]


def test_words_are_predicted_from_both_ends_of_their_span():
    model = tiny("spanbert", place_dim=5, longest_span=2)
    targets = hidden(2, 3, 4)
    with torch.no_grad():
        output, x = model(tokens(), targets=targets), model.encode(tokens())
        net, wanted = model.boundary, []
        for row in range(3):
            for place in (2, 3, 4):
                p = net.places.weight[min(place - 2, 1)]  # the last row serves all that are farther in
                h = torch.cat([x[row, 1], x[row, 5], p])
                for layer, norm in ((net.inner, net.inner_norm), (net.out, net.out_norm)):
                    h = norm(functional.gelu(h @ layer.weight.T + layer.bias))
                wanted.append(h @ model.embeddings.words.weight.T + net.readout.bias)
        torch.testing.assert_close(output.boundary, torch.stack(wanted), atol=1e-10, rtol=0)
        torch.testing.assert_close(output.logits, model(tokens())[:, 2:5].flatten(0, 1))


def test_the_boundary_does_not_read_the_words_own_places():
    model = tiny("spanbert", place_dim=5)
    x = torch.randn(3, T, D, dtype=torch.float64, requires_grad=True)
    targets = hidden(2, 3, 4)
    logits = model.boundary(x, model.asked(targets), model.embeddings.words.weight)
    (gradient,) = torch.autograd.grad(logits.sum(), x)
    reached = gradient.abs().sum((0, 2)) > 0
    assert reached.tolist() == [False, True, False, False, False, True, False]
    loss = MaskedLanguageModel(V)
    both = loss.loss(MaskedLMOutput(logits, boundary=logits), targets)
    torch.testing.assert_close(both, 2 * loss.loss(MaskedLMOutput(logits), targets))


# ---- ELECTRA --------------------------------------------------------------------------------------------


def test_both_nets_have_one_set_of_tables():
    model = tiny("electra", embed_dim=6, generator_divisor=2)
    tables = [name for name, tensor in model.named_parameters() if V in tensor.shape and tensor.ndim == 2]
    assert tables == ["embeddings.words.weight"]
    assert not [name for name in model.state_dict() if name.startswith("generator.embeddings")]
    assert model.generator.blocks[0].attention.width == D // 2
    with torch.no_grad():
        before = model(tokens()), model.replaced(tokens())
        model.embeddings.words.weight += torch.randn(V, 6).double()
        after = model(tokens()), model.replaced(tokens())
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(before, after, strict=True))


def test_nothing_is_learnt_through_what_is_drawn():
    """The discriminator's loss reaches the tables and its own body, and nothing of the generator."""
    model = tiny("electra", generator_divisor=2)
    output = model(tokens(), targets=hidden(1, 4, 5))
    functional.binary_cross_entropy_with_logits(output.replaced, output.drawn.double()).backward()
    reached = {name.partition(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert reached == {"embeddings", "blocks", "head"}


def test_the_discriminator_reads_what_was_drawn():
    model = tiny("electra", generator_divisor=2)
    targets = hidden(1, 4, 5)
    with torch.no_grad():
        output = model(tokens(), targets=targets)
        drawn = model.draw(output.logits)
        read = tokens()
        read[targets != IGNORED] = drawn
        assert torch.equal(output.replaced, model.replaced(read))
        assert torch.equal(output.drawn, (targets != IGNORED) & (read != targets))
        assert torch.equal(model.draw(output.logits), drawn)  # evaluation repeats itself
        model.train()
        assert any(not torch.equal(model.draw(output.logits), drawn) for _ in range(20))


def test_words_are_drawn_by_their_probability():
    model = tiny("electra", generator_divisor=2).train()
    torch.manual_seed(0)
    logits = torch.tensor([0.5, 0.3, 0.2]).log().expand(20_000, 3)
    shares = torch.bincount(model.draw(logits)) / 20_000
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.02, rtol=0)


def test_the_loss_of_both_nets_and_padding():
    """CE of the masked tokens + 50 BCE over the tokens that are no padding."""
    model = tiny("electra", generator_divisor=2)
    lengths, targets = torch.tensor([7, 6, 6]), hidden(1, 4)
    output, _ = outputs_of(model, tokens(), lengths=lengths, targets=targets, asked_only=True)
    inside = torch.arange(T) < lengths[:, None]
    assert (output.replaced.isinf() == ~inside).all()
    words = functional.cross_entropy(output.logits, targets[targets != IGNORED])
    told = [
        functional.softplus(-output.replaced[row, t] if output.drawn[row, t] else output.replaced[row, t])
        for row in range(3)
        for t in range(int(lengths[row]))
    ]
    wanted = words + REPLACED_WEIGHT * sum(told) / len(told)
    objective = MaskedLanguageModel(V)
    torch.testing.assert_close(objective.loss(output, targets) / objective.count(targets), wanted)
    figures = objective.metrics(objective.tally(output, targets))
    assert math.isclose(figures["loss"], words.item(), rel_tol=1e-6)
    right = ((output.replaced > 0) == output.drawn)[inside]
    assert math.isclose(figures["replaced_accuracy"], right.double().mean().item())


def test_a_task_keeps_the_discriminator_alone():
    model = tiny("electra", task="tagging", output_size=3)
    assert {name.partition(".")[0] for name in model.state_dict()} == {"embeddings", "blocks", "head"}
    with pytest.raises(UserError, match="generator_divisor: got 3; must leave a width"):
        tiny("electra", generator_divisor=3)

"""What is shown are the weights a module makes its output with, and inspection changes nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import anncestry.layers.attention.attention as attention_module
from anncestry.decoding import read_source
from anncestry.errors import UserError
from anncestry.inspection.attention_maps import (
    attention_maps,
    attention_modules,
    effective_keys,
    favourite_key,
    favourite_offset,
)
from anncestry.inspection.conformance import tiny_signature
from anncestry.layers.attention.attention import CrossAttention, SelfAttention, attention_weights
from anncestry.layers.attention.blocks import Block, FeedForward, PostNorm
from anncestry.models.create import create
from anncestry.protocols import reorder_state

S, T = 6, 4
SIZES = {"input_size": 11, "output_size": 9, "hidden_size": 12, "num_layers": 2, "num_heads": 3}


def transformer(**fields):
    torch.manual_seed(0)
    model: Any = create("transformer", **{**SIZES, **fields}).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)  # biases too; heads that prefer some places
    return model


def texts():
    return torch.randint(4, 11, (1, S)), torch.randint(4, 9, (1, T))


def seen_values(module, arguments):
    """(h, S, k): what the weights of a call are multiplied by."""
    if isinstance(module, SelfAttention):
        return module.project(arguments[0])[2][0]
    return arguments[2][0]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"norm": "pre", "attention_bias": True},
        {"decoder_layers": 3, "head_size": 5, "last_norm": True},
        {"dropout": 0.5, "attention_dropout": 0.5},
    ],
)
def test_the_weights_make_the_output_of_their_module(fields):
    model = transformer(**fields)
    source, targets = texts()
    found = attention_maps(model, source, targets)
    calls = {}
    model.eval()
    for name, (_, _, module) in attention_modules(model).items():
        module.register_forward_hook(
            lambda module, arguments, output, name=name: calls.update({name: (module, arguments, output)})
        )
    with torch.no_grad():
        model(source, targets)
    assert [maps.name for maps in found] == list(calls)
    for maps in found:
        module, arguments, output = calls[maps.name]
        values = seen_values(module, arguments)
        again = module.out((maps.weights @ values).transpose(0, 1).flatten(1))
        torch.testing.assert_close(again, output[0])


def softmax_by_hand(queries, keys, causal):
    """(T, S) of one head, one weight after the other."""
    weights = np.zeros((len(queries), len(keys)))
    for t, query in enumerate(queries):
        seen = range(t + 1) if causal else range(len(keys))
        exponentials = [np.exp(query @ keys[s] / np.sqrt(len(query))) for s in seen]
        weights[t, list(seen)] = np.array(exponentials) / sum(exponentials)
    return weights


def test_the_first_layers_follow_the_formula():
    model = transformer().eval()
    source, targets = texts()
    encoder, *_, decoder, _ = attention_maps(model, source, targets, [1])
    assert (encoder.name, decoder.name) == ("encoder.0.attention", "decoder.0.attention")
    begin = torch.cat([torch.tensor([[2]]), targets[:, :-1]], 1)
    with torch.no_grad():
        read = model.embed_tokens(model.source_embedding, model.source_positions, source)
        written = model.embed_tokens(model.embedding, model.positions, begin)
    for maps, x, causal in ((encoder, read, False), (decoder, written, True)):
        module = model.get_submodule(maps.name)
        queries, keys, _ = np.split(x[0].numpy() @ module.qkv.weight.detach().numpy().T, 3, axis=1)
        for head in range(3):
            mine = slice(4 * head, 4 * head + 4)
            expected = softmax_by_hand(queries[:, mine], keys[:, mine], causal)
            np.testing.assert_allclose(maps.weights[head].numpy(), expected, rtol=1e-10, atol=1e-14)


def test_what_is_not_yet_generated_is_not_seen():
    model, (source, targets) = transformer(), texts()
    other = targets.clone()
    other[0, -2:] = (targets[0, -2:] - 4 + 1) % 5 + 4
    for maps, changed in zip(
        attention_maps(model, source, targets), attention_maps(model, source, other), strict=True
    ):
        assert maps.weights.shape == (
            3,
            *((S, S) if maps.stack == "encoder" else (T, S if maps.cross else T)),
        )
        torch.testing.assert_close(maps.weights.sum(-1), torch.ones_like(maps.weights[..., 0]))
        if maps.stack == "decoder":
            torch.testing.assert_close(maps.weights[:, : T - 1], changed.weights[:, : T - 1])
            if not maps.cross:
                assert (maps.weights.triu(1) == 0).all()
                assert not torch.allclose(maps.weights[:, T - 1], changed.weights[:, T - 1])


def test_they_are_the_alignment_that_decoding_shows():
    """Step by step, with a cache, the heads of the last layer but one have the same weights on average."""
    model, (source, targets) = transformer(num_layers=3).eval(), texts()
    _, state = read_source(model, source)  # pyright: ignore[reportArgumentType]
    rows = [model.alignment(state)]
    for token in targets[0, :-1]:
        with torch.no_grad():
            _, state = model.step(token.view(1), reorder_state(state, torch.tensor([0])))
        rows.append(model.alignment(state))
    (maps,) = [maps for maps in attention_maps(model, source, targets, [2]) if maps.cross]
    torch.testing.assert_close(maps.weights.mean(0), torch.cat(rows))


def test_only_what_is_asked_for_is_computed(monkeypatch):
    model, (source, targets) = transformer(), texts()
    all_maps = attention_maps(model, source, targets)
    assert [(maps.stack, maps.layer, maps.cross) for maps in all_maps] == [
        ("encoder", 1, False), ("encoder", 2, False), ("decoder", 1, False), ("decoder", 1, True),
        ("decoder", 2, False), ("decoder", 2, True),
    ]  # fmt: skip
    computed = []

    def counted(queries, keys, visible=None, causal=False):
        computed.append(queries)
        return attention_weights(queries, keys, visible, causal)

    monkeypatch.setattr(attention_module, "attention_weights", counted)
    found = attention_maps(model, source, targets, [2], head=3)
    assert len(computed) == len(found) == 3
    whole = [maps for maps in all_maps if maps.layer == 2]
    for maps, expected in zip(found, whole, strict=True):
        assert (maps.name, maps.heads, expected.heads) == (expected.name, (3,), (1, 2, 3))
        torch.testing.assert_close(maps.weights, expected.weights[2:])


def test_a_layer_of_the_deeper_stack_alone():
    model = transformer(decoder_layers=3)
    found = attention_maps(model, *texts(), [3])
    assert [maps.name for maps in found] == ["decoder.2.attention", "decoder.2.cross_attention"]


def test_the_model_is_left_as_it_was():
    model, (source, targets) = transformer(dropout=0.5), texts()
    model.train()
    model.encoder[0].eval()
    attributes = {name: set(vars(module)) for name, module in model.named_modules()}
    modes = [module.training for module in model.modules()]
    attention_maps(model, source, targets)
    with pytest.raises(IndexError):
        attention_maps(model, source + 100, targets)
    assert [module.training for module in model.modules()] == modes
    assert {name: set(vars(module)) for name, module in model.named_modules()} == attributes
    assert not any(module._forward_pre_hooks for module in model.modules())


class Reader(nn.Module):
    """Blocks that read tokens and write none; causal ones, as a language model's."""

    def __init__(self, causal):
        super().__init__()
        self.causal, self.embedding = causal, nn.Embedding(11, 8)
        self.blocks = nn.ModuleList(
            Block(SelfAttention(8, 2), FeedForward(8, 8), lambda: PostNorm(8)) for _ in range(2)
        )

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, causal=self.causal)
        return x


@pytest.mark.parametrize("causal", [False, True])
def test_a_stack_that_only_reads(causal):
    found = attention_maps(Reader(causal), texts()[0])
    assert [(maps.stack, maps.layer) for maps in found] == [("blocks", 1), ("blocks", 2)]
    for maps in found:
        assert bool((maps.weights.triu(1) == 0).all()) == causal


def test_a_module_by_itself_is_a_layer():
    ((_, layer, module),) = attention_modules(CrossAttention(8, 2)).values()
    assert (layer, module.num_heads) == (1, 2)


@pytest.mark.wrong_shapes
def test_mistakes_are_named():
    model, (source, targets) = transformer(), texts()
    with pytest.raises(UserError, match=r"layer: got 3; there is no such layer. Choices: 1, 2."):
        attention_maps(model, source, targets, [1, 3])
    for head in (0, 4):
        with pytest.raises(UserError, match=rf"head: got {head}; there is no such head. Choices: 1, 2, 3."):
            attention_maps(model, source, targets, head=head)
    for wrong in (source.repeat(2, 1), source[:, :0], source[0]):
        with pytest.raises(UserError, match=r"source: .* must be one text, \(1, S\)"):
            attention_maps(model, wrong, targets)
    with pytest.raises(UserError, match="model: got 'GRU'; has no attention of several heads"):
        attention_maps(create("gru", input_size=3, hidden_size=4, output_size=2), source)


def test_effective_keys():
    weights = torch.zeros(3, 2, 4)
    weights[0, :, 1] = 1
    weights[1] = 0.25
    weights[2, 0, :2], weights[2, 1, 3] = 0.5, 1
    torch.testing.assert_close(effective_keys(weights), torch.tensor([1.0, 4.0, 1.5]))


def test_favourites():
    weights = torch.tensor([[0.5, 0.5, 0, 0], [0.8, 0, 0.2, 0], [0, 0.9, 0.1, 0], [0.3, 0, 0.7, 0]])
    key, share = favourite_key(weights)
    assert (key, round(share, 4)) == (0, 0.4)
    offset, mean = favourite_offset(weights)
    assert (offset, round(mean, 4)) == (-1, 0.8)
    corner = torch.zeros(6, 6)
    corner[0, 5] = corner[:, 2] = 1  # one query alone has an offset of 5
    assert favourite_offset(corner)[1] < 1
    assert favourite_offset(torch.ones(1, 1)) == (0, 1.0)


@pytest.mark.parametrize("name", ["gpt2", "bert", "xlm", "mobilebert", "xlnet"])
def test_encoders_and_language_models_show_every_head(name, monkeypatch):
    """What each attention puts out is its values under the weights shown."""
    task = "language-model" if name == "gpt2" else "masked-lm"
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_size": 8}
    sizes |= {"embed_dim": 4} if name == "mobilebert" else {}
    signature = replace(tiny_signature("tokens", task), shape=(6,))
    torch.manual_seed(0)
    model = create(name, signature=signature, **sizes).eval()
    made = []

    def recorded(queries, keys, values, *more):
        made.append((values, scaled_dot_product(queries, keys, values, *more)))
        return made[-1][1]

    scaled_dot_product = attention_module.scaled_dot_product
    monkeypatch.setattr(attention_module, "scaled_dot_product", recorded)
    found = attention_maps(model, torch.randint(3, signature.vocab_size, (1, 6)))
    assert {maps.name for maps in found} == set(attention_modules(model))
    for maps in found:
        torch.testing.assert_close(maps.weights.sum(-1), torch.ones(maps.weights.shape[:2]))
        assert name != "gpt2" or (maps.weights.triu(1) == 0).all()
    if name != "xlnet":  # whose own pass takes its weights from the same method
        for maps, (values, output) in zip(found, made, strict=True):
            torch.testing.assert_close(maps.weights @ values[0], output[0])

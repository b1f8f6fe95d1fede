"""Two models on the same input: the first place where they part, and what each output depends on."""

import pytest
import torch
from torch import nn

from anncestry.errors import UserError
from anncestry.inspection.differences.behaviour import behaviour, share_weights
from anncestry.inspection.differences.parts import parts_of
from anncestry.inspection.differences.structure import structure
from anncestry.inspection.influence import influence
from anncestry.models.create import create
from anncestry.signature import Signature

WORDS = Signature("classification", "tokens", (6,), 3, 11)
TEXT = Signature("language-model", "tokens", (6,), 11, 11)
SIZES = {"width": 8, "num_heads": 2}


def seen(a: nn.Module, b: nn.Module, signatures, share: bool = True):
    pairs = structure(parts_of(a, fold=False), parts_of(b, fold=False)).pairs
    if share:
        share_weights(a, b, pairs)
    return behaviour((a, b), signatures, ("a", "b"), pairs)


def test_distilbert_parts_from_bert_where_segments_are_added():
    torch.manual_seed(0)
    bert, distilbert = (create(name, signature=WORDS, **SIZES) for name in ("bert", "distilbert"))
    found = seen(bert, distilbert, (WORDS, WORDS))
    assert found.parts_at is not None
    assert found.parts_at.a == "embeddings.norm"
    equal = {activation.a for activation in found.activations if activation.equal}
    assert {"embeddings.words", "embeddings.positions"} <= equal
    assert found.activations[-1].a == ""
    assert not found.missing


def test_equal_weights_give_equal_activations():
    a, b = (create("lstm", signature=WORDS, width=4) for _ in range(2))
    assert seen(a, b, (WORDS, WORDS), share=False).parts_at is not None
    found = seen(a, b, (WORDS, WORDS))
    assert found.parts_at is None
    assert found.activations
    assert found.influence_a == found.influence_b


def test_a_causal_net_shows_a_triangle_and_an_encoder_does_not():
    gpt, bert = create("gpt", signature=TEXT, **SIZES), create("bert", signature=WORDS, **SIZES)
    found = seen(gpt, bert, (TEXT, WORDS))
    causal, both = torch.tensor(found.influence_a), torch.tensor(found.influence_b)
    assert causal.shape == both.shape == (6, 6)
    assert not causal.triu(1).any()
    assert (causal.tril() > 0).sum() == 21
    assert (both > 0).all()


def test_a_decoder_has_a_row_for_each_target_token():
    signature = Signature("translation", "tokens", (5,), 9, 9, target_len=3)
    net = create("transformer", signature=signature, **SIZES)
    inputs, targets = signature.example(1)
    found = influence(net, inputs, targets=targets)
    assert found.shape == (3, 5)
    assert (found > 0).all()


class Sums(nn.Module):
    """Sums of weighted steps: d y_t / d x_s = W for s <= t."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.linear = nn.Embedding(7, 3), nn.Linear(3, 2, bias=False)

    def forward(self, tokens):
        return self.linear(self.table(tokens).cumsum(1))


def test_influence_of_any_module_is_the_norm_of_the_jacobian():
    torch.manual_seed(0)
    net = Sums()
    found = influence(net, torch.randint(7, (1, 4)), num_probes=4000)
    torch.testing.assert_close(found, torch.ones(4, 4).tril() * net.linear.weight.norm(), rtol=0.05, atol=0)


def test_what_cannot_be_run_is_said():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("no such thing")

    vector = Signature("classification", "vector", (3,), 2)
    found = seen(Broken(), nn.Sequential(nn.Linear(3, 2)), (vector, vector))
    assert found.missing == ("a cannot be run: RuntimeError: no such thing",)
    other = Signature("classification", "vector", (4,), 2)
    found = seen(nn.Linear(3, 2), nn.Linear(4, 2), (vector, other))
    assert found.missing == ("activations: the two read inputs of different shapes",)


def test_what_has_no_steps_has_no_influence():
    with pytest.raises(UserError, match="reads no sequence step by step"):
        influence(nn.Linear(2, 2), torch.zeros(1, 2))

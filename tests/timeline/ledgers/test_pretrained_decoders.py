"""What the ledgers of GPT and GPT-2 say and no test of the models holds."""

import pytest
import torch
from torch import nn

from anncestry.models.create import configure, create
from anncestry.protocols import WithAuxiliaryLM
from anncestry.signature import Signature
from anncestry.timeline import find_preset, usual_settings
from anncestry.training.optimizers import Position, make_optimizer, rate_factor
from anncestry.training.settings import TrainingSettings

V = 11
TEXT = Signature("language-model", "tokens", (12,), V, V)
CLASSES = Signature("classification", "tokens", (12,), 3, V)
NO_DROPOUT = {"dropout": 0.0, "embedding_dropout": 0.0, "attention_dropout": 0.0}


@pytest.mark.parametrize("kind", ["gpt", "gpt2"])
def test_it_is_small_by_default(kind):
    config = configure(kind, {}, signature=TEXT)
    assert (config.num_layers, config.num_heads, config.hidden_size) == (4, 4, 128)
    published = configure("gpt-base" if kind == "gpt" else "gpt2-small", {})
    assert (published.num_layers, published.num_heads, published.hidden_size) == (12, 12, 768)


def test_sums_are_dropped_and_not_the_table():
    model = create("gpt", signature=TEXT, width=64, **{**NO_DROPOUT, "embedding_dropout": 0.5}).train()
    with torch.no_grad():
        again = model.embed_tokens(torch.full((1, 12), 5))[0] == 0  # one word at every place
        assert 0.3 < again.float().mean() < 0.7
        assert (again[0] != again[1]).any()
        features = model.read(torch.zeros(1, 12, dtype=torch.long))
        assert torch.equal(model.logits(features), model.logits(features))
    calm = create("gpt", signature=TEXT, width=64, **NO_DROPOUT).train()
    assert calm.embed_tokens(torch.full((1, 12), 5)).ne(0).all()


def test_positions_are_no_words():
    model = create("gpt", signature=CLASSES, width=8, text_weight=0.5, num_positions=30).train()
    outputs, _ = model(CLASSES.example(2)[0])
    assert isinstance(outputs, WithAuxiliaryLM)
    assert outputs.lm_logits.shape[-1] == V
    assert len(model.positions.embedding.weight) == 30


def test_the_first_step_moves_and_decays():
    settings = TrainingSettings(**usual_settings("gpt-base"))
    model = nn.Linear(3, 2)
    before = model.weight.detach().clone()
    optimizer = make_optimizer(model, settings)
    rate = settings.learning_rate * rate_factor(settings, Position(0, 0.0, 0))
    assert rate == pytest.approx(2.5e-4 / 2000)
    for group in optimizer.param_groups:
        group["lr"] = rate * 1e6  # to be seen in float32
    model.weight.grad, model.bias.grad = torch.zeros(2, 3), torch.ones(2)
    bias = model.bias.detach().clone()
    optimizer.step()
    torch.testing.assert_close(model.weight.detach(), before * (1 - rate * 1e6 * 0.01))
    torch.testing.assert_close(model.bias.detach(), bias - rate * 1e6)


def test_the_cosine_is_not_begun_anew_behind_the_warm_up():
    settings = TrainingSettings(**usual_settings("gpt-base"))
    for fraction, wanted in ((0.25, 0.5 + 0.5**1.5), (0.5, 0.5), (1.0, 0.0)):
        assert rate_factor(settings, Position(2000, fraction, 9)) == pytest.approx(wanted, abs=1e-12)
    assert rate_factor(settings, Position(999, 0.5, 9)) == pytest.approx(0.5 * 0.5)


@pytest.mark.parametrize("kind", ["gpt", "gpt2"])
def test_a_task_is_learnt_as_published(kind):
    settings = TrainingSettings(**usual_settings(kind, fine_tuning=True))
    assert (settings.learning_rate, settings.batch_size, settings.epochs) == (6.25e-5, 32, 3)
    assert (settings.clip_norm, settings.weight_decay, settings.decay_on) == (1.0, 0.01, "matrices")
    assert rate_factor(settings, Position(9, 0.001, 0)) == pytest.approx(0.5 * 0.999)
    assert rate_factor(settings, Position(9, 0.5, 1)) == pytest.approx(0.5)


def test_the_recipe_of_gpt2_is_nanogpts():
    settings = TrainingSettings(**usual_settings("gpt2-small"))
    preset = find_preset("gpt2-small")
    assert preset is not None
    assert settings.batch_size * preset.data["window"] == 2**19  # tokens of a step
    assert (settings.learning_rate, settings.beta2, settings.weight_decay) == (6e-4, 0.95, 0.1)
    assert (settings.clip_norm, settings.warmup_steps, settings.max_steps) == (1.0, 2000, 600_000)


@pytest.mark.parametrize("left", [None, *NO_DROPOUT])
def test_gpt2_drops_as_gpt_does(left):
    """Each of the three acts by itself; without them training is as it is in evaluation."""
    for kind in ("gpt", "gpt2"):
        config = configure(kind, {}, signature=TEXT)
        assert {name: getattr(config, name) for name in NO_DROPOUT} == dict.fromkeys(NO_DROPOUT, 0.1)
        model = create(
            kind, signature=TEXT, width=8, **{**NO_DROPOUT, **({left: 0.5} if left else {})}
        ).train()
        x, _ = TEXT.example(2)
        first, second = (model(x)[0] for _ in range(2))
        assert torch.equal(first, second) == (left is None)

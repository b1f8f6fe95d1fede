"""Sampling: which tokens may be drawn, how often each is, and that a text goes on as the model reads it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.decoding import Rule, sample
from anncestry.errors import UserError
from anncestry.signature import Signature
from anncestry.timeline import find

SCORES = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=12)


class Fixed:
    """Gives the same scores whatever it reads."""

    def __init__(self, probabilities) -> None:
        self.scores = torch.tensor([probabilities]).log()

    def __call__(self, x, state=None, lengths=None):
        return self.scores.expand(x.shape[0], x.shape[1], -1), self.initial_state(x.shape[0])

    def initial_state(self, batch_size):
        return (torch.zeros(batch_size, 1),)

    def step(self, x_t, state):
        return self.scores.expand(len(x_t), -1), state


def drawn(probabilities, count, rule, seed=0, **more):
    random = torch.Generator().manual_seed(seed)
    tokens = sample(Fixed(probabilities), torch.tensor([0]), count, rule, random, **more)  # pyright: ignore
    return torch.tensor(list(tokens))


def test_temperature_zero_is_the_best_token():
    assert drawn([0.2, 0.5, 0.3], 5, 0.0).flatten().tolist() == [1] * 5


def test_temperature_one_follows_the_distribution():
    wanted = torch.tensor([0.1, 0.6, 0.3])
    counts = torch.bincount(drawn(wanted.tolist(), 6000, Rule()).flatten(), minlength=3)
    chi_square = ((counts - 6000 * wanted) ** 2 / (6000 * wanted)).sum()
    assert chi_square < 13.8  # 0.1 % of fair samples are further off (2 degrees of freedom)


def test_what_is_cut_off_is_never_drawn_and_the_rest_keeps_its_ratio():
    counts = torch.bincount(drawn([0.1, 0.5, 0.15, 0.25], 6000, Rule(top_k=2)).flatten(), minlength=4)
    assert counts[[0, 2]].sum() == 0
    assert abs(counts[1] / 6000 - 2 / 3) < 0.03


@given(SCORES, st.integers(0, 14), st.floats(0.01, 1.0), st.floats(0.05, 5.0))
@settings(deadline=None)
def test_the_probabilities_are_those_of_the_set_that_is_left(scores, top_k, top_p, temperature):
    tensor = torch.tensor([scores])
    found = Rule(temperature, top_k, top_p).probabilities(tensor)[0]
    assert found.sum().item() == pytest.approx(1)
    assert (found >= 0).all()
    whole = (tensor.double() / temperature).softmax(-1)[0]
    kept = found > 0
    assert int(kept.sum()) >= 1
    assert not top_k or int(kept.sum()) <= top_k
    if kept.any() and (~kept).any():
        assert whole[kept].min() >= whole[~kept].max() - 1e-12
    torch.testing.assert_close(found[kept] * whole[kept].sum(), whole[kept])
    if not top_k:
        assert whole[kept].sum() >= top_p - 1e-9  # enough is left,
        assert whole[kept].sum() - whole[kept].min() < top_p + 1e-9  # and no more than needed


@given(SCORES)
def test_no_cut_is_the_models_own_distribution(scores):
    tensor = torch.tensor([scores])
    torch.testing.assert_close(Rule().probabilities(tensor), tensor.double().softmax(-1))
    assert Rule(temperature=0).probabilities(tensor)[0, tensor.argmax()] == 1


@pytest.mark.parametrize("temperature", [1e-9, 1e9])
def test_extreme_temperatures_stay_finite(temperature):
    assert Rule(temperature).probabilities(torch.tensor([[1e4, -1e4, 0.0]])).isfinite().all()


def test_several_samples_are_drawn_side_by_side():
    tokens = drawn([0.5, 0.5], 40, Rule(), num_samples=3)
    assert tokens.shape == (40, 3)
    assert not torch.equal(tokens[:, 0], tokens[:, 1])


@pytest.mark.parametrize("name", ["lstm", "dilated-rnn", "tcn"])
def test_it_continues_as_the_model_reads(name):
    torch.manual_seed(0)
    signature = Signature("language-model", "tokens", (6,), 11, 11)
    model = find(name).build(find(name).configure(signature, width=16)).eval()
    prompt = torch.tensor([1, 5, 3])
    tokens = [token for (token,) in sample(model, prompt, 4, 0.0)]  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        scores, _ = model(torch.cat([prompt, torch.tensor(tokens)]).unsqueeze(0))
    assert scores[0, 2:6].argmax(-1).tolist() == tokens


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": -1.0}, "--temperature: got -1.0; must be 0"),
        ({"top_k": -1}, "--top-k: got -1; must be 0"),
        ({"top_p": 0.0}, "--top-p: got 0.0; must be above 0 and at most 1"),
        ({"top_p": 1.5}, "--top-p: got 1.5; must be above 0 and at most 1"),
    ],
)
def test_rules_that_cannot_be_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        Rule(**fields)


def test_an_empty_prompt_and_no_sample_are_refused():
    with pytest.raises(UserError, match="prompt: got ''; must hold at least one token"):
        list(sample(Fixed([1.0]), torch.tensor([], dtype=torch.long), 3))  # pyright: ignore
    with pytest.raises(UserError, match="--samples: got 0; must be at least 1"):
        drawn([1.0], 3, 1.0, num_samples=0)

"""Sampling: which tokens may be drawn, how often each is, and that a text goes on as the model reads it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.decoding import Sampling, Search, decode, read_prompt, read_source, sample, stream
from anncestry.decoding.sampling import uniform_numbers
from anncestry.errors import UserError
from anncestry.signature import BEGIN, END, Signature
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
    counts = torch.bincount(drawn(wanted.tolist(), 6000, Sampling()).flatten(), minlength=3)
    chi_square = ((counts - 6000 * wanted) ** 2 / (6000 * wanted)).sum()
    assert chi_square < 13.8  # 0.1 % of fair samples are further off (2 degrees of freedom)


def test_what_is_cut_off_is_never_drawn_and_the_rest_keeps_its_ratio():
    counts = torch.bincount(drawn([0.1, 0.5, 0.15, 0.25], 6000, Sampling(top_k=2)).flatten(), minlength=4)
    assert counts[[0, 2]].sum() == 0
    assert abs(counts[1] / 6000 - 2 / 3) < 0.03


@given(SCORES, st.integers(0, 14), st.floats(0.01, 1.0), st.floats(0.05, 5.0))
@settings(deadline=None)
def test_the_probabilities_are_those_of_the_set_that_is_left(scores, top_k, top_p, temperature):
    tensor = torch.tensor([scores])
    found = Sampling(temperature, top_k, top_p).probabilities(tensor)[0]
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


def plain_nucleus(scores, top_p):
    """What is left of the probabilities, by ranking all of them."""
    ranked, order = scores.double().softmax(-1).sort(dim=-1, descending=True, stable=True)
    ranked = ranked.masked_fill(ranked.cumsum(-1) - ranked >= top_p, 0.0)
    left = torch.zeros_like(ranked).scatter(-1, order, ranked)
    return left / left.sum(-1, keepdim=True)


@pytest.mark.parametrize("top_p", [0.01, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("sharpness", [0.0, 0.5, 4.0, 30.0])
@pytest.mark.parametrize("rounded", [False, True])
def test_a_nucleus_is_found_without_ranking_all_tokens(top_p, sharpness, rounded):
    """Of a few tokens, of many, of most; also where many are equal, of which the first are taken."""
    scores = torch.randn(3, 9000, generator=torch.Generator().manual_seed(1)) * sharpness
    scores = scores.round() if rounded else scores
    wanted = plain_nucleus(scores, top_p)
    found = Sampling(top_p=top_p).probabilities(scores)
    assert torch.equal(found > 0, wanted > 0)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("rule", [Sampling(), Sampling(0.7, top_k=5), Sampling(top_p=0.8)])
def test_numbers_choose_tokens_as_often_as_these_are_probable(rule):
    scores, count = torch.randn(1, 700, generator=torch.Generator().manual_seed(2)) * 2, 20_000
    evenly = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    chosen = rule.choose(scores.expand(count, -1), evenly)
    shares = torch.bincount(chosen, minlength=700) / count
    assert (shares - rule.probabilities(scores)[0]).abs().max() <= 1 / count


def test_the_largest_number_chooses_a_token_that_is_possible():
    scores = torch.tensor([[0.0, 1.0, -torch.inf]])
    for number in (0.0, 1.0 - 2**-53, 1.0):
        chosen = Sampling().choose(scores, torch.tensor([number], dtype=torch.float64))
        assert chosen.item() == (1 if number else 0)


def test_what_is_drawn_of_a_text_does_not_depend_on_those_beside_it():
    random = torch.Generator().manual_seed(3)
    both = uniform_numbers(2, 4, random)
    random.manual_seed(3)
    assert torch.equal(both, torch.cat([uniform_numbers(1, 4, random), uniform_numbers(1, 4, random)]))


@given(SCORES)
def test_no_cut_is_the_models_own_distribution(scores):
    tensor = torch.tensor([scores])
    torch.testing.assert_close(Sampling().probabilities(tensor), tensor.double().softmax(-1))
    assert Sampling(temperature=0).probabilities(tensor)[0, tensor.argmax()] == 1


@pytest.mark.parametrize("temperature", [1e-9, 1e9])
def test_extreme_temperatures_stay_finite(temperature):
    assert Sampling(temperature).probabilities(torch.tensor([[1e4, -1e4, 0.0]])).isfinite().all()


def test_several_samples_are_drawn_side_by_side():
    tokens = drawn([0.5, 0.5], 40, Sampling(), num_samples=3)
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
        ({"temperature": -1.0}, "temperature: got -1.0; must not be negative: 0 takes the best"),
        ({"top_k": -1}, "top_k: got -1; must not be negative: 0 for all"),
        ({"top_p": 0.0}, "top_p: got 0.0; must be above 0 and at most 1"),
        ({"top_p": 1.5}, "top_p: got 1.5; must be above 0 and at most 1"),
    ],
)
def test_rules_that_cannot_be_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        Sampling(**fields)


def test_an_empty_prompt_and_no_sample_are_refused():
    with pytest.raises(UserError, match="prompt: got ''; must hold at least one token"):
        list(sample(Fixed([1.0]), torch.tensor([], dtype=torch.long), 3))  # pyright: ignore
    with pytest.raises(UserError, match="samples: got 0; must be at least 1"):
        drawn([1.0], 3, 1.0, num_samples=0)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_stream_is_the_sample_of_a_language_model(name):
    torch.manual_seed(0)
    signature = Signature("language-model", "tokens", (6,), 11, 11)
    model = find(name).build(find(name).configure(signature, width=16)).eval()
    prompt = torch.tensor([[1, 5, 3]])
    scores, state = read_prompt(model, prompt)  # pyright: ignore[reportArgumentType]
    rule = Sampling(0.9, top_k=5, no_repeat_ngram=2)
    found = stream(
        model.step, scores, state, rule, 9,
        context=prompt, num_samples=3, generator=torch.Generator().manual_seed(4),
    )  # fmt: skip
    random = torch.Generator().manual_seed(4)
    assert list(found) == list(sample(model, prompt[0], 9, rule, random, 3))  # pyright: ignore


def test_a_stream_of_an_encoder_decoder_samples_each_source_as_its_model_believes(toy_decoder):
    model = toy_decoder(7, 3, 1.0)
    source = torch.tensor([[5, 9, 4], [7, 7, 12]])
    scores, state = read_source(model, source)
    random = torch.Generator().manual_seed(0)
    memories = []

    def step(x_t, here):
        memories.append(here.source.parts[0])
        return model.step(x_t, here)

    steps = list(stream(step, scores, state, 1.0, 2, num_samples=4000, generator=random))
    assert memories[0] is state.source.parts[0]  # one for each source, never one for each sample
    first, second = (torch.tensor(step).view(2, 4000) for step in steps)
    for row in range(2):
        chi_square = chi_square_of(first[row], scores[row].softmax(-1))
        assert chi_square < 22.5  # 0.1 % of fair samples are further off (6 degrees of freedom)
        commonest = int(scores[row].argmax())
        _, here = model.step(torch.tensor([BEGIN]), model.encode(source[row : row + 1]))
        after, _ = model.step(torch.tensor([commonest]), here)
        assert chi_square_of(second[row][first[row] == commonest], after[0].softmax(-1)) < 22.5


def chi_square_of(tokens, probabilities):
    counts = torch.bincount(tokens, minlength=len(probabilities))
    expected = len(tokens) * probabilities
    return float(((counts - expected) ** 2 / expected).sum())


def test_the_best_token_each_time_is_greedy_search(toy_decoder):
    model = toy_decoder(9, 2)
    scores, state = read_source(model, torch.tensor([[5, 9, 4], [7, 7, 12], [4, 4, 4]]))
    rules = {"min_length": 3, "no_repeat_ngram": 2, "repetition_penalty": 1.3}
    more = {"end": END, "never": (0, 2)}
    found = decode(model.step, scores, state, Search(max_length=12, **rules), **more)
    steps = list(stream(model.step, scores, state, Sampling(0.0, **rules), 12, **more))
    assert len(steps) == max(one[0].length for one in found)
    for row, (one,) in zip(zip(*steps, strict=True), found, strict=True):
        assert row[: len(one.tokens)] == one.tokens
        assert set(row[len(one.tokens) :]) <= {END}


def test_a_text_repeats_its_end_until_all_have_ended():
    random = torch.Generator().manual_seed(0)
    model = Fixed([0.5, 0.25, 0.25])
    steps = torch.tensor(list(sample(model, torch.tensor([1]), 100, 1.0, random, 5, end=0)))  # pyright: ignore
    assert len(steps) < 100
    assert (steps[-1] == 0).all()
    assert not (steps[-2] == 0).all()
    for column in steps.t():
        assert (column[int((column == 0).int().argmax()) :] == 0).all()
    steps = list(sample(model, torch.tensor([1]), 9, Sampling(min_length=4), random, 50, end=0))  # pyright: ignore
    assert all(token != 0 for step in steps[:3] for token in step)
    assert 0 in steps[3]


def test_rules_that_look_back_hold_while_sampling():
    random = torch.Generator().manual_seed(0)
    model = Fixed([0.3, *[0.07] * 10])
    rows = torch.tensor(
        list(sample(model, torch.tensor([0, 1]), 8, Sampling(no_repeat_ngram=2), random, 20))
    ).t()  # pyright: ignore
    for row in rows.tolist():
        runs = list(zip([0, 1, *row], [1, *row], strict=False))
        assert len(set(runs)) == len(runs)
    first = drawn([0.5, 0.5], 1, Sampling(repetition_penalty=2.0), num_samples=6000).flatten()
    assert abs(float((first == 0).double().mean()) - 0.25 / 0.75) < 0.02  # the prompt is a 0


def test_where_only_what_is_forbidden_is_possible_it_is_generated():
    model = Fixed([1.0, 0.0])
    steps = list(sample(model, torch.tensor([1]), 5, Sampling(min_length=4), num_samples=2, end=0))  # pyright: ignore
    assert steps == [[0, 0]]


def test_gradients_are_as_they_were_between_the_tokens():
    for _ in sample(Fixed([0.5, 0.5]), torch.tensor([0]), 2):  # pyright: ignore
        assert torch.is_grad_enabled()

"""Sampling: the best token at temperature 0, the model's own distribution at 1."""

import pytest
import torch

from anncestry.decoding import sample
from anncestry.signature import Signature
from anncestry.timeline import find


class Fixed:
    """Gives the same scores whatever it reads."""

    def __init__(self, probabilities) -> None:
        self.scores = torch.tensor([probabilities]).log()

    def initial_state(self, batch_size):
        return (torch.zeros(batch_size, 1),)

    def step(self, x_t, state):
        return self.scores, state


def test_temperature_zero_is_the_best_token():
    assert list(sample(Fixed([0.2, 0.5, 0.3]), torch.tensor([0]), 5, temperature=0)) == [1] * 5  # pyright: ignore


def test_temperature_one_follows_the_distribution():
    wanted = torch.tensor([0.1, 0.6, 0.3])
    random = torch.Generator().manual_seed(0)
    drawn = torch.tensor(list(sample(Fixed(wanted.tolist()), torch.tensor([0]), 6000, 1.0, random)))  # pyright: ignore
    counts = torch.bincount(drawn, minlength=3)
    chi_square = ((counts - 6000 * wanted) ** 2 / (6000 * wanted)).sum()
    assert chi_square < 13.8  # 0.1 % of fair samples are further off (2 degrees of freedom)


def test_it_continues_as_the_model_reads():
    signature = Signature("language-model", "tokens", (6,), 11, 11)
    model = find("lstm").build(find("lstm").configure(signature, width=16)).eval()
    prompt = torch.tensor([1, 5, 3])
    tokens = list(sample(model, prompt, 4, temperature=0))
    with torch.no_grad():
        scores, _ = model(torch.cat([prompt, torch.tensor(tokens)]).unsqueeze(0))
    assert scores[0, 2:6].argmax(-1).tolist() == tokens


def test_an_empty_prompt_is_refused():
    with pytest.raises(ValueError, match="prompt: got ''; must hold at least one token"):
        list(sample(Fixed([1.0]), torch.tensor([], dtype=torch.long), 3))  # pyright: ignore

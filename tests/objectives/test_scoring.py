"""Scoring a split: the batch size does not matter, the mode is put back, a text keeps its state."""

import pytest
import torch

from anncestry.data import Examples, Stream
from anncestry.objectives import evaluate, objective_for
from anncestry.signature import Signature
from anncestry.timeline import find


def test_the_batch_size_does_not_matter_and_the_mode_is_kept():
    signature = Signature("classification", "vector", (6,), 3)
    model = find("mlp").build(find("mlp").configure(signature, width=8, dropout=0.5))
    split = Examples(*signature.example(50))
    figures = [evaluate(model, split, objective_for(signature), batch_size) for batch_size in (7, 50, 1000)]
    assert figures[1] == pytest.approx(figures[0])
    assert figures[2] == pytest.approx(figures[0])
    assert model.training


def test_a_text_is_read_with_its_state_carried():
    signature = Signature("language-model", "tokens", (5,), 9, 9)
    model = find("gru").build(find("gru").configure(signature, width=12)).eval()
    tokens = torch.randint(9, (61,))
    objective = objective_for(signature)
    short, whole = (evaluate(model, Stream(tokens, window), objective, 1) for window in (5, 60))
    assert short == pytest.approx(whole, rel=1e-5)

"""Sizes that nobody vouches for are counted before memory is taken."""

import pytest
import torch

from anncestry.errors import UserError
from anncestry.models import building
from anncestry.models.building import (
    available_memory,
    build_checked,
    in_words,
    memory_explained,
    without_memory,
)
from anncestry.models.create import configure, create
from anncestry.timeline import find

LSTM = {"input_size": 4, "hidden_size": 8, "output_size": 3}


def test_a_width_beyond_all_memory_is_refused_before_it_is_taken():
    with pytest.raises(UserError, match=r"its weights need .*B of memory or more; there are .*B"):
        create("mlp", input_shape=(64,), output_size=10, hidden_sizes=(1_000_000_000,))
    with pytest.raises(UserError, match="beyond what can be described"):
        create("mlp", input_shape=(10**12,), output_size=10, hidden_sizes=(10**12,))


def test_layers_without_end_are_refused_at_once(monkeypatch):
    monkeypatch.setattr(building, "MOST_TENSORS", 200)
    with pytest.raises(UserError, match="more than 200 tensors"):
        create("stacked-lstm", **LSTM, num_layers=1_000_000)


def test_more_layers_than_the_weights_have_are_refused():
    weights = create("stacked-lstm", **LSTM, num_layers=2).state_dict()
    config = configure("stacked-lstm", {**LSTM, "num_layers": 1_000_000})
    with pytest.raises(UserError, match=r"by its config .* the weights hold 987 in 8"):
        without_memory(find("stacked-lstm"), config, weights, "file")


def test_counting_takes_no_random_number_and_leaves_no_hook():
    torch.manual_seed(3)
    counted = create("lstm", **LSTM)
    torch.manual_seed(3)
    plain = find("lstm").build(configure("lstm", LSTM))
    for one, other in zip(counted.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not torch.nn.modules.module._global_parameter_registration_hooks


def test_memory_is_measured():
    found = available_memory()
    assert found is None or found > 1_000_000
    assert in_words(2_500_000_000) == "2.5 GB"
    assert in_words(12) == "12 bytes"


def test_out_of_memory_says_what_was_needed():
    for error in (MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")):
        needed = r"needs more memory than there is: at least 5.0 GB"
        with pytest.raises(UserError, match=needed), memory_explained("--width", 7, 5_000_000_000):
            raise error
    with pytest.raises(RuntimeError, match="other"), memory_explained("--width", 7, 1):
        raise RuntimeError("other")


def test_it_builds_what_was_counted():
    model = build_checked(find("lstm"), configure("lstm", LSTM))
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())

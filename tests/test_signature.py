import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.errors import UserError
from anncestry.signature import END, Signature

SIGNATURES = [
    Signature("classification", "vector", (5,), 3),
    Signature("regression", "image", (3, 4, 5), 2),
    Signature("forecasting", "series", (7, 2), 2),
    Signature("classification", "tokens", (6,), 4, 11),
    Signature("language-model", "tokens", (6,), 11, 11),
    Signature("reconstruction", "image", (3, 4, 5), 60),
    Signature("translation", "tokens", (6,), 9, 11, target_len=5),
    Signature("captioning", "image", (3, 4, 5), 9, target_len=5),
    Signature("classification", "characters", (6, 7), 4, 262),
    Signature("bidirectional-lm", "characters", (6, 7), 11, 262),
]


@pytest.mark.parametrize("signature", SIGNATURES)
def test_json_there_and_back(signature):
    assert Signature.from_json(json.loads(json.dumps(signature.to_json()))) == signature


@pytest.mark.parametrize("signature", SIGNATURES)
def test_examples_have_the_shapes_and_kinds_it_says(signature):
    inputs, targets = signature.example(4)
    assert inputs.shape == (4, *signature.shape)
    assert inputs.dtype == (torch.int64 if signature.vocab_size else torch.float32)
    if signature.vocab_size:
        assert int(signature.inputs == "characters") <= inputs.min() <= inputs.max() < signature.vocab_size
    if signature.task == "classification":
        assert targets.shape == (4,)
    elif signature.task == "language-model":
        assert targets.shape == (4, *signature.shape)
    elif signature.task == "bidirectional-lm":
        assert targets.shape == (4, signature.shape[0], 2)
    elif signature.task == "reconstruction":
        assert torch.equal(targets, inputs)
    elif signature.target_len:
        assert targets.shape == (4, signature.target_len)
        assert (targets[:, -1] == END).all()
        assert (targets[:, :-1] > END).all()
    else:
        assert targets.shape == (4, signature.output_size)
    assert targets.dtype == (torch.int64 if signature.is_categorical else torch.float32)
    if signature.is_categorical:
        assert 0 <= targets.min() <= targets.max() < signature.output_size


def test_examples_depend_on_the_seed_alone():
    signature = SIGNATURES[0]
    torch.manual_seed(1)
    one = signature.example(4, seed=3)
    torch.manual_seed(2)
    assert all(map(torch.equal, one, signature.example(4, seed=3)))
    assert not torch.equal(one[0], signature.example(4, seed=4)[0])


@settings(max_examples=20, deadline=None)
@given(shape=st.tuples(*[st.integers(1, 6)] * 3))
def test_num_features_counts_one_input(shape):
    signature = Signature("classification", "image", shape, 2)
    assert signature.num_features == signature.example(1)[0].numel()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (("dream", "vector", (1,), 1), r"task: got 'dream'; must be a known task. Choices: classification"),
        (
            ("tagging", "characters", (5, 6), 3, 7),
            r"vocab_size: got 7; there are so many characters\. Choices: 262",
        ),
        (
            ("regression", "sound", (1,), 1),
            r"inputs: got 'sound'; must be a known kind of input",
        ),
        (
            ("regression", "image", (8, 8), 1),
            r"shape: got \(8, 8\); one image input has the shape \(C, H,",
        ),
        (("regression", "vector", (0,), 1), r"shape: got \(0,\); every size must be at least 1"),
        (("classification", "vector", (1,), 0), r"output_size: got 0; must be at least 1"),
        (
            ("reconstruction", "vector", (3,), 3),
            r"inputs: got 'vector'; what can be reconstructed is an image",
        ),
        (("reconstruction", "image", (1, 2, 2), 3), r"output_size: got 3; .* the size of the input: 4"),
    ],
)
def test_what_is_wrong_is_named(fields, text):
    with pytest.raises(UserError, match=text):
        Signature(*fields)

import pytest
import torch

import anncestry.checkpoints.rename as rename
from anncestry.checkpoints.rename import KeyMap
from anncestry.errors import UserError

NAMES = KeyMap(
    {
        "transformer.h.{layer}.attn.c_attn.{rest*}": "blocks.{layer}.attention.{rest*}",
        "experts.{e}.layer.{layer}": "layers.{layer}.experts.{e}",
        "wte.weight": "embedding.weight",
    }
)
PAIRS = [
    ("transformer.h.11.attn.c_attn.weight", "blocks.11.attention.weight"),
    ("transformer.h.0.attn.c_attn.a.b", "blocks.0.attention.a.b"),
    ("experts.3.layer.10", "layers.10.experts.3"),
    ("wte.weight", "embedding.weight"),
]


@pytest.mark.parametrize(("theirs", "ours"), PAIRS)
def test_one_table_reads_both_ways(theirs, ours):
    assert NAMES.rename(theirs) == ours
    assert NAMES.reverse().rename(ours) == theirs


@pytest.mark.parametrize("name", ["wteXweight", "xwte.weight", "wte.weight.x", "experts.a.layer.1"])
def test_a_name_must_match_as_a_whole_and_a_number_must_be_one(name):
    assert NAMES.rename(name) is None


def test_unmatched_names_are_reported():
    one, two = torch.zeros(1), torch.ones(1)
    renamed = NAMES.apply({"wte.weight": one, "lm_head": two})
    assert renamed.tensors == {"embedding.weight": one}
    assert renamed.unmatched == ["lm_head"]


def test_two_names_must_not_meet():
    names = KeyMap({"a": "c", "b": "c"})
    with pytest.raises(UserError, match="'b'; is a second tensor for c"):
        names.apply({"a": torch.zeros(1), "b": torch.zeros(1)})


def test_a_rule_must_keep_its_fields():
    with pytest.raises(AssertionError, match="other fields"):
        KeyMap({"a.{k}": "b"})


def test_docs():
    import doctest

    assert doctest.testmod(rename).failed == 0

"""Module trees side by side: what is new, gone, resized or the same; the way back is the mirror image."""

import functools
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from anncestry.inspection.costs import without_weights
from anncestry.inspection.differences.declared import declared
from anncestry.inspection.differences.parts import Part, parts_of
from anncestry.inspection.differences.structure import structure
from anncestry.inspection.differences.values import Value, values_apart
from anncestry.inspection.example_inputs import example_config
from anncestry.models.create import build

NAMES = (
    "perceptron", "mlp", "cnn", "lstm", "bilstm", "dilated-rnn", "tcn", "rnnsearch", "transformer", "gpt",
    "gpt2", "bert", "albert", "distilbert", "roberta", "xlnet", "resnet-18", "densenet-121",
)  # fmt: skip


@functools.cache
def tree(name: str, fold: bool = True) -> Part:
    config = example_config(name)[1]
    return parts_of(without_weights(lambda: build(config)), fold=fold)


def between(a: str, b: str, fold: bool = True):
    return structure(tree(a, fold), tree(b, fold))


def leaves(part: Part, path: str = ""):
    """The paths of the parts that hold weights themselves."""
    if part.shapes and path:
        yield path
    for child in part.children:
        yield from leaves(child, f"{path}.{child.name}" if path else child.name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fold", [True, False])
def test_nothing_sets_a_model_apart_from_itself(name, fold):
    found = between(name, name, fold)
    assert found.changes == ()
    assert [(a.path, b.path) for a, b in found.same] == [("", "")]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.booleans())
def test_the_other_way_round_is_the_mirror_image(a, b, fold):
    there, back = between(a, b, fold), between(b, a, fold)
    assert there == back.mirrored()
    assert declared(a, b) == declared(b, a).mirrored()
    assert {change.b.path for change in there.of("new") if change.b} == {
        change.a.path for change in back.of("gone") if change.a
    }


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_every_weight_is_accounted_for(a, b):
    found = between(a, b, fold=False)
    for side, paired, alone in (
        (a, {p for p, _ in found.pairs}, "gone"),
        (b, {p for _, p in found.pairs}, "new"),
    ):
        places = [change.a if alone == "gone" else change.b for change in found.of(alone)]
        roots = [place.path for place in places if place is not None]
        for path in leaves(tree(side, False)):
            inside = any(path == root or path.startswith(f"{root}.") for root in roots)
            assert path in paired or inside, f"{side}: {path} is neither paired nor {alone}"


def gone(found) -> set[str]:
    return {change.a.path for change in found.of("gone")}


def test_distilbert_has_no_segments():
    found = between("bert", "distilbert")
    assert gone(found) == {"embeddings.segments"}
    assert not found.of("new")
    assert "blocks" in {a.path for a, _ in found.same}


def test_albert_has_one_block():
    found = between("bert", "albert")
    (blocks,) = [change for change in found.of("resized") if change.a.type == "Block"]
    assert (blocks.a.path, blocks.a.repeats) == ("blocks.0-1", 2)
    assert (blocks.b.path, blocks.b.repeats) == ("blocks.0", 1)
    assert [change.b.path for change in found.of("new")] == ["embeddings.widen"]
    (words,) = [change for change in found.of("resized") if change.a.path == "embeddings.words"]
    assert words.shapes == (Value("weight", ((10_000, 128),), ((10_000, 64),)),)


def test_bert_has_no_cross_attention():
    found = between("transformer", "bert")
    (decoder,) = [change.a for change in found.of("gone") if change.a.path.startswith("decoder.")]
    assert "CrossAttention" in dict(decoder.inside)
    assert ("encoder.0-1", "blocks.0-1") in found.pairs  # it reads, so it is the encoder that is kept
    assert "CrossAttention" not in tree("bert").types


def test_gpt_is_a_decoder_without_the_encoder():
    found = between("transformer", "gpt")
    assert {"encoder.0-1", "decoder.0-1.cross_attention"} <= gone(found)
    assert ("decoder.0-1", "blocks.0-3") in found.pairs


def test_what_is_put_around_a_part_is_new_and_the_part_is_kept():
    found = between("lstm", "dilated-rnn")
    around, deeper = found.of("new")
    assert (around.b.type, around.around) == ("Dilated", "wiring.layers.0.chain")
    assert (deeper.b.path, deeper.b.repeats) == ("wiring.layers.1-3", 3)
    assert deeper.b.varied == (("dilation", (2, 4, 8)),)
    assert ("wiring.layers.0", "wiring.layers.0.chain") in {(a.path, b.path) for a, b in found.same}


def test_the_first_layers_of_a_densenet_are_those_of_a_resnet():
    found = between("resnet-18", "densenet-121")
    assert {("conv1", "features.conv0"), ("bn1", "features.norm0")} <= {
        (a.path, b.path) for a, b in found.same
    }
    assert {"layer1", "layer2", "layer3", "layer4"} <= gone(found)


@pytest.mark.parametrize("names", [("resnet-18", "densenet-121"), ("densenet-121", "resnet-18")])
def test_what_goes_is_printed_before_what_comes(names):
    kinds = [change.kind for change in between(*names).changes]
    assert {"gone", "new"} <= set(kinds)
    assert ("new", "gone") not in itertools.pairwise(kinds)


class Stack(nn.Module):
    def __init__(self, *widths: int) -> None:
        super().__init__()
        pairs = itertools.pairwise(widths)
        self.blocks = nn.ModuleList(nn.ModuleDict({"inner": nn.Linear(a, b)}) for a, b in pairs)


def test_like_blocks_are_folded_and_unlike_ones_while_they_are_many():
    def names(*widths: int) -> list[str]:
        return [part.name for part in parts_of(Stack(*widths)).children[0].children]

    assert names(*[4] * 13) == ["0-11"]
    assert names(8, 4, 4, 4) == ["0", "1-2"]
    assert names(4, 5, 6, 7, 8) == ["0-3"]
    folded = parts_of(Stack(4, 5, 6, 7, 8)).children[0].children[0]
    assert folded.children[0].shapes[0] == ("weight", ((5, 4), (6, 5), (7, 6), (8, 7)))
    assert folded.parameters == sum(b * a + b for a, b in ((4, 5), (5, 6), (6, 7), (7, 8)))


def test_a_setting_and_a_use_are_differences_too():
    def net(p: float) -> nn.Module:
        return nn.Sequential(nn.Linear(2, 2), nn.Dropout(p))

    (change,) = structure(parts_of(net(0.1)), parts_of(net(0.3))).changes
    assert (change.kind, change.settings) == ("changed", (Value("p", (0.1,), (0.3,)),))
    once, twice = ({"": 1, "0": uses, "1": 1} for uses in (1, 2))
    (change,) = structure(parts_of(net(0.1), once), parts_of(net(0.1), twice)).changes
    assert (change.kind, change.a.calls, change.b.calls) == ("resized", 1, 2)


def test_shared_weights_count_once():
    net = nn.ModuleDict({"a": nn.Linear(3, 3, bias=False), "b": nn.Linear(3, 3, bias=False)})
    net["b"].weight = net["a"].weight
    assert [part.parameters for part in parts_of(net).children] == [9, 0]
    assert parts_of(net).parameters == sum(weight.numel() for weight in net.parameters())


def test_values():
    found = values_apart(
        {"a": 1, "b": {"c": (1, 2), "d": 3}}, {"a": 1, "b": {"c": [1, 2], "d": 4}, "e": None}
    )
    assert found == (Value("b.d", 3, 4),)

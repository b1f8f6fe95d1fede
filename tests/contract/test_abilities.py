"""What PyTorch's own tools ask of every architecture on the timeline (`anncestry.timeline.abilities`)."""

import pytest

from anncestry.inspection import abilities
from anncestry.inspection.conformance import tiny_signature
from anncestry.timeline import TIMELINE, find
from anncestry.timeline.abilities import UNWATCHED

every_architecture = pytest.mark.parametrize("architecture", TIMELINE, ids=lambda a: a.id)


def tiny(architecture, inputs=None):
    """A config and its learning problem; of these inputs where it can read them."""
    pairs = sorted(pair for pair in architecture.fits if inputs in (None, pair[0])) or sorted(
        architecture.fits
    )
    signature = tiny_signature(*pairs[0])
    return architecture.configure(signature, width=8 if architecture.has_width else None), signature


@every_architecture
def test_built_without_memory_and_loaded_it_computes_the_same(architecture):
    for inputs in ("tokens", "image"):
        assert not abilities.deferred(*tiny(architecture, inputs))
    assert not abilities.deferred(*tiny(architecture, "tokens"), assign=True)


@every_architecture
@pytest.mark.parametrize("training", [False, True], ids=["predicting", "training"])
def test_hooks_fire(architecture, training):
    exceptions = UNWATCHED.get(architecture.id, {})
    found = abilities.silent(*tiny(architecture, "tokens"), training)
    assert [name for name in found if not name.endswith(tuple(exceptions))] == []
    for end in exceptions:
        assert any(name.endswith(end) for name in found), f"{end} is called: strike it off the exceptions"


@every_architecture
def test_being_watched_changes_nothing(architecture):
    assert not abilities.watched_alike(*tiny(architecture, "tokens"))


def test_a_replaced_module_takes_part():
    """An adapter in the place of a layer that a fast path would read the weights of."""
    for name, path in (
        ("rnnsearch", "score.query"),
        ("luong-attention", "of_state"),
        ("gpt", "positions.embedding"),
        ("densenet", "features.denseblock1.denselayer1.conv1"),
    ):
        config, signature = tiny(find(name), "tokens")
        for training in (False, True):
            model = abilities.build(config).train(training)
            before = abilities.answers(model, signature)
            calls = adapted(model.get_submodule(path))
            after = abilities.answers(model, signature)
            assert calls, f"{name} passes {path} by"
            if not training:
                assert not abilities.differences(after, before)


def adapted(module):
    """Turn it into one of another class, and return where its calls are noted."""
    calls, kind = [], type(module)

    class Adapter(kind):
        def forward(self, *args):
            calls.append(kind)
            return super().forward(*args)

    module.__class__ = Adapter
    return calls

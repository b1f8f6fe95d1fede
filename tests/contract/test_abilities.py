"""What PyTorch's own tools ask of every architecture on the timeline (`anncestry.timeline.abilities`)."""

from pathlib import Path

import pytest
import torch

from anncestry.inspection import abilities
from anncestry.inspection.conformance import tiny_signature
from anncestry.protocols import OwnRule
from anncestry.report.abilities import abilities_page
from anncestry.timeline import TIMELINE, find
from anncestry.timeline.abilities import COLUMNS, EXCEPTIONS, UNWATCHED, exception

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
            before = abilities.outputs(model, signature)
            calls = adapted(model.get_submodule(path))
            after = abilities.outputs(model, signature)
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


def pair_of(name, task=None):
    """A config and its learning problem, of tokens where it reads any; of this task."""
    architecture = find(name)
    pairs = sorted(architecture.fits, key=lambda pair: (pair[0] != "tokens", pair[1] != task, pair))
    signature = tiny_signature(*pairs[0])
    return architecture.configure(signature, width=8 if architecture.has_width else None), signature


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_net_that_runs_on_a_kernel_compiles():
    assert not abilities.compiled(*pair_of("lstm"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["gru", "gpt"])  # a loop over time; a cache, which is not exported
def test_batch_and_length_are_free_in_what_is_exported(name):
    assert not abilities.exported(*pair_of(name))


@pytest.fixture
def alone():
    """A group of one process."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
def test_replicas_learn_and_two_nets_must_be_given_their_targets(alone):
    for name in ("bert", "spanbert", "electra"):
        problem = pair_of(name, "masked-lm")
        assert not abilities.distributed(*problem)
        if name in EXCEPTIONS["ddp"]:
            with pytest.raises(RuntimeError, match="not used in producing loss"):
                abilities.distributed(*problem, asked=False)


@pytest.mark.parametrize("name", ["tcn", "show-and-tell", "bart", "xlnet", "gpt", "stacked-lstm"])
@pytest.mark.filterwarnings("ignore")
def test_blocks_can_be_sharded(alone, name):
    assert not abilities.sharded(*pair_of(name))


def test_the_page_is_that_of_the_table():
    page = Path(__file__).resolve().parents[2] / "docs" / "abilities.md"
    assert page.read_text(encoding="utf-8") == abilities_page(), "run python -m benchmarks.abilities --write"
    known = {architecture.id for architecture in TIMELINE}
    for column, exceptions in EXCEPTIONS.items():
        assert column in COLUMNS
        assert set(exceptions) <= known
    own = {a.id for a in TIMELINE if isinstance(abilities.build(tiny(a)[0]), OwnRule)}
    assert own == {a.id for a in TIMELINE if (exception(a, "ddp") or "").startswith("it learns by its own")}

"""Packed batches give what padded ones give, in every encoder of the timeline."""

import pytest
import torch

from anncestry.engine.native import library
from anncestry.engine.prediction import Prediction
from anncestry.inspection.conformance import tiny_signature
from anncestry.layers.attention import packing as module
from anncestry.layers.attention.packing import Packing
from anncestry.models.bert import BertConfig
from anncestry.protocols import outputs_of
from anncestry.timeline import TIMELINE

CPU = torch.device("cpu")
NOT_PACKED = {"xlnet"}  # its attention is not of queries, keys and values alone


def configs():
    for architecture in TIMELINE:
        for inputs, task in sorted(architecture.fits):
            if inputs != "tokens" or task == "multi-label":
                continue
            config = architecture.configure(tiny_signature(inputs, task), width=8)
            if isinstance(config, BertConfig):
                yield pytest.param(architecture, config, id=f"{architecture.id}-{task}")


@pytest.fixture
def packings(monkeypatch):
    """Of batches that were packed."""
    if library.native() is None:
        pytest.skip(library.state())
    made = []

    class Counted(Packing):
        @classmethod
        def of(cls, *arguments):
            made.append(Packing.of(*arguments))
            return made[-1]

    monkeypatch.setattr(module, "Packing", Counted)
    return made


def outputs(model, tokens, lengths, precision="32"):
    prediction = Prediction(precision=precision)
    with prediction.scope(CPU):
        return outputs_of(prediction.prepared(model), tokens, lengths=lengths)[0]


def padded_outputs(monkeypatch, *arguments, **named):
    monkeypatch.setenv(library.SWITCH, "0")
    library.forget()
    found = outputs(*arguments, **named)
    monkeypatch.delenv(library.SWITCH)
    library.forget()
    return found


def inside(found, lengths):
    """What belongs to tokens, where there is something for each."""
    if found.dim() < 2 or found.shape[1] != int(lengths.max()):
        return found
    return found[torch.arange(found.shape[1]) < lengths[:, None]]


@pytest.mark.parametrize(("architecture", "config"), [*configs()])
@pytest.mark.parametrize("lengths", [[5, 9, 2, 9], [3], [4, 4]], ids=["ragged", "one", "equal"])
def test_every_encoder_packs_and_nothing_changes(monkeypatch, packings, architecture, config, lengths):
    lengths, model = torch.tensor(lengths), architecture.build(config).eval()
    tokens = torch.randint(config.input_size, (len(lengths), int(lengths.max())))
    tokens = tokens.masked_fill_(torch.arange(tokens.shape[1]) >= lengths[:, None], 0)
    found = outputs(model, tokens, lengths)
    ragged = len(lengths.unique()) > 1 or getattr(config, "compares", False)  # its texts are halves of pairs
    assert bool(packings) == (ragged and architecture.id not in NOT_PACKED)
    wanted = padded_outputs(monkeypatch, model, tokens, lengths)
    assert found.shape == wanted.shape
    torch.testing.assert_close(inside(found, lengths), inside(wanted, lengths), atol=1e-5, rtol=1e-5)


def tiny_bert(**named):
    architecture = next(architecture for architecture in TIMELINE if architecture.id == "bert")
    signature = tiny_signature("tokens", "tagging")
    return architecture.build(architecture.configure(signature, width=16, **named)).eval()


def test_in_bfloat16(monkeypatch, packings):
    model, lengths = tiny_bert(), torch.tensor([7, 3, 8])
    tokens = torch.randint(model.config.input_size, (3, 8))
    found = outputs(model, tokens, lengths, precision="bf16")
    wanted = padded_outputs(monkeypatch, model, tokens, lengths)
    assert packings
    torch.testing.assert_close(inside(found, lengths), inside(wanted, lengths), atol=2e-2, rtol=2e-2)


def test_whoever_watches_a_block_or_learns_sees_padded_batches(packings):
    model, lengths, seen = tiny_bert(), torch.tensor([2, 5]), []
    tokens = torch.randint(model.config.input_size, (2, 5))
    model(tokens, lengths).sum().backward()
    hook = model.blocks[1].attention.register_forward_hook(lambda *call: seen.append(call[2].shape))
    outputs(model, tokens, lengths)
    assert not packings
    assert seen == [(2, 5, 16)]
    hook.remove()
    outputs(model, tokens, lengths)
    assert packings


def test_packing_and_back():
    packing = Packing.of(torch.tensor([2, 0, 3]), 4)
    x = torch.arange(24.0).view(3, 4, 2)
    packed = packing.pack(x)
    assert packing.offsets.tolist() == [0, 2, 2, 5]
    assert packed[0, :, 0].tolist() == [0, 2, 16, 18, 20]
    back = packing.unpack(packed)
    assert torch.equal(back[0, :2], x[0, :2])
    assert torch.equal(back[2, :3], x[2, :3])
    assert back.count_nonzero() == 9
    assert back.shape == x.shape

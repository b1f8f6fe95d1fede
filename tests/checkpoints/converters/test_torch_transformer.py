"""``torch.nn.Transformer`` between embeddings and a readout, in and out."""

import math

import pytest
import torch
from torch import nn

from anncestry.checkpoints.importing import import_weights
from anncestry.checkpoints.store import read_tensors, write_tensors
from anncestry.cli.main import main
from anncestry.errors import UserError
from anncestry.layers.attention.positions import sinusoids
from anncestry.runs.imported import write_import
from anncestry.runs.run import load
from anncestry.signature import BEGIN

V, W, D, F, HEADS, B, S, T = 11, 13, 16, 24, 4, 3, 5, 6


class Theirs(nn.Module):
    """The usual module that translates with PyTorch's Transformer."""

    def __init__(self, bias=True, readout=True, table=True, **options):
        super().__init__()
        self.src_embed, self.tgt_embed = nn.Embedding(V, D), nn.Embedding(W, D)
        if readout:
            self.generator = nn.Linear(D, W)
        if table:
            self.register_buffer("pe", sinusoids(20, D, "interleaved").unsqueeze(1))
        self.transformer = nn.Transformer(D, HEADS, 2, 1, F, 0.1, batch_first=True, bias=bias, **options)
        for name, parameter in self.named_parameters():
            if "norm" in name or name.endswith("bias"):
                nn.init.normal_(parameter, 0.5)

    def forward(self, source, tokens, lengths):
        places = sinusoids(20, D, "interleaved")
        hidden = torch.arange(source.shape[1]) >= lengths[:, None]
        order = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).triu(1)
        x = self.transformer(
            self.src_embed(source) * math.sqrt(D) + places[: source.shape[1]],
            self.tgt_embed(tokens) * math.sqrt(D) + places[: tokens.shape[1]],
            tgt_mask=order, src_key_padding_mask=hidden, memory_key_padding_mask=hidden,
        )  # fmt: skip
        return self.generator(x) if hasattr(self, "generator") else x @ self.tgt_embed.weight.t()


def examples():
    torch.manual_seed(1)
    source, targets = torch.randint(4, V, (B, S)), torch.randint(4, W, (B, T))
    return source, targets, torch.tensor([5, 2, 4])


def their_scores(module):
    source, targets, lengths = examples()
    before = torch.cat([torch.full((B, 1), BEGIN), targets[:, :-1]], 1)
    with torch.no_grad():
        return module(source, before, lengths)


def our_scores(run):
    source, targets, lengths = examples()
    with torch.no_grad():
        return run.model(source, targets, lengths)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, []),
        ({"norm_first": True, "activation": "gelu"}, ["norm=pre", "activation=gelu"]),
        ({"bias": False}, []),
        ({"readout": False, "table": False}, []),
    ],
)
def test_a_module_computes_the_same(tmp_path, capsys, options, told):
    torch.manual_seed(0)
    theirs = Theirs(**options).eval()
    write_tensors(tmp_path / "theirs.safetensors", theirs.state_dict())
    words = [word for value in ["num_heads=4", *told] for word in ("--set", value)]
    assert main(["import", str(tmp_path / "theirs.safetensors"), str(tmp_path / "run"), *words]) == 0
    assert "num_heads" not in capsys.readouterr().err
    run = load(tmp_path / "run")
    assert run.model.config.tie == ("none" if options.get("readout", True) else "output")
    torch.testing.assert_close(our_scores(run), their_scores(theirs), atol=1e-5, rtol=1e-5)

    assert main(["export", str(tmp_path / "run"), "--out", str(tmp_path / "back.safetensors")]) == 0
    tensors, _ = read_tensors(tmp_path / "back.safetensors")
    beside = {
        f"transformer.{n}" if n.startswith(("encoder", "decoder")) else n: t for n, t in tensors.items()
    }
    again = Theirs(**{**options, "bias": True, "readout": True, "table": False}).eval()
    missing = again.load_state_dict(beside, strict=False)
    assert missing.unexpected_keys == []
    assert missing.missing_keys == ([] if options.get("readout", True) else ["generator.bias"])
    if options.get("readout", True):
        torch.testing.assert_close(their_scores(again), their_scores(theirs), atol=1e-5, rtol=1e-5)
    assert main(["import", str(tmp_path / "back.safetensors"), str(tmp_path / "again")]) == 0
    assert capsys.readouterr().err == ""
    assert torch.equal(our_scores(load(tmp_path / "again")), our_scores(run))


@pytest.mark.parametrize("settings", [{"norm": "post"}, {"positions": "learned", "num_positions": 9}])
def test_a_run_of_ours_comes_back(tmp_path, settings):
    from anncestry.checkpoints.converters.torch_transformer import to_torch_transformer
    from anncestry.models.create import create

    model = create(
        "transformer", input_size=V, output_size=W, hidden_size=D, num_layers=2, num_heads=2, **settings
    )
    write_tensors(tmp_path / "out.safetensors", *to_torch_transformer(model.state_dict(), model.config))
    run = write_import(tmp_path / "run", import_weights(tmp_path / "out.safetensors"), tmp_path)
    source, targets, lengths = examples()
    with torch.no_grad():
        wanted = model.eval()(source, targets, lengths)
    torch.testing.assert_close(our_scores(run), wanted, atol=1e-6, rtol=1e-6)


def test_vocabularies_beside_the_file(tmp_path, capsys):
    theirs = Theirs()
    write_tensors(tmp_path / "model.safetensors", theirs.state_dict())
    (tmp_path / "source_vocabulary.txt").write_text("a b c d e f g <unk> <pad> </s> h".replace(" ", "\n"))
    (tmp_path / "target_vocabulary.txt").write_text(
        "A B C D E F G <unk> <pad> </s> H <s> I\n".replace(" ", "\n")
    )
    assert main(["import", str(tmp_path), str(tmp_path / "run"), "--set", "num_heads=4"]) == 0
    run = load(tmp_path / "run")
    assert run.processor.source.encode("a nobody h") == [4, 1, 11]
    assert torch.equal(run.model.embedding.weight[:5], theirs.tgt_embed.weight[[8, 7, 11, 9, 0]])
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "run"), "a b c"]) == 0
    assert set(capsys.readouterr().out.split()) <= {*"ABCDEFGHI", "<unk>"}
    (tmp_path / "target_vocabulary.txt").write_text("</s>\nA\n")
    with pytest.raises(UserError, match=r"embedding.weight has 13 rows; the vocabulary has 2 words"):
        import_weights(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"src_embed.weight": None, "tgt_embed.weight": None}, "needs one table of embeddings for each side"),
        (
            {"strange": torch.ones(3), "odd.weight": torch.ones(2)},
            "odd.weight, strange.*beside the Transformer",
        ),
        (
            {"transformer.encoder.layers.0.gate.weight": torch.ones(2)},
            "encoder.layers.0.gate.weight.*PyTorch's",
        ),
        (
            {"transformer.decoder.layers.0.norm3.weight": None},
            "missing: decoder.0.around_feed_forward.norm.weight",
        ),
    ],
)
def test_what_is_refused(tmp_path, changes, message):
    state = {name: t for name, t in (Theirs().state_dict() | changes).items() if t is not None}
    write_tensors(tmp_path / "model.safetensors", state)
    with pytest.raises(UserError, match=message):
        write_import(tmp_path / "run", import_weights(tmp_path / "model.safetensors"), tmp_path)

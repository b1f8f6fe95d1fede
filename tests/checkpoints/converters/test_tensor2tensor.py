"""tensor2tensor's checkpoints: every weight finds its place, and the formulas agree."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anncestry.checkpoints import foreign_files
from anncestry.checkpoints.converters import tensor2tensor
from anncestry.checkpoints.importing import import_weights
from anncestry.cli.main import main
from anncestry.errors import UserError
from anncestry.formats.tensorflow_bundle import open_bundle
from anncestry.runs.imported import write_import

FIXTURE = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "t2t-transformer-tiny"
real = pytest.mark.skipif(not FIXTURE.is_dir(), reason="needs the checkpoint in ../shared/fixtures")
D, HEADS, LAYERS, V = 16, 2, 2, 8190


def layer_norm(x, scale, bias):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale + bias


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Reference:
    """The formulas in float64, straight from the arrays of the file; one sentence, no padding."""

    def __init__(self, arrays, before=True):
        self.arrays = {
            name: array.astype(np.float64) for name, array in arrays.items() if array.dtype == np.float32
        }
        self.before = before
        shards = "transformer/symbol_modality_8190_16/shared/weights_"
        self.table = np.concatenate([self.arrays[f"{shards}{i}"] for i in range(16)])

    def get(self, name):
        return self.arrays[f"transformer/body/{name}"]

    def norm(self, x, place):
        place += "/layer_prepostprocess/layer_norm/layer_norm_"
        return layer_norm(x, self.get(f"{place}scale"), self.get(f"{place}bias"))

    def attention(self, x, memory, place, causal):
        q, k, v = (
            (y @ self.get(f"{place}/multihead_attention/{part}/kernel")).reshape(len(y), HEADS, D // HEADS)
            for y, part in ((x, "q"), (memory, "k"), (memory, "v"))
        )
        scores = np.einsum("thk,shk->hts", q, k) / np.sqrt(D // HEADS)
        if causal:
            scores[:, ~np.tri(*scores.shape[1:], dtype=bool)] = -np.inf
        seen = np.einsum("hts,shk->thk", softmax(scores), v).reshape(len(x), D)
        return seen @ self.get(f"{place}/multihead_attention/output_transform/kernel")

    def feed_forward(self, x, place):
        hidden = np.maximum(x @ self.get(f"{place}/conv1/kernel") + self.get(f"{place}/conv1/bias"), 0)
        return hidden @ self.get(f"{place}/conv2/kernel") + self.get(f"{place}/conv2/bias")

    def sublayer(self, x, place, function):
        if self.before:
            return x + function(self.norm(x, place))
        return self.norm(x + function(x), place)

    def stack(self, x, side, memory=None):
        for layer in range(LAYERS):
            place = f"{side}/layer_{layer}"
            own = f"{place}/self_attention"
            x = self.sublayer(x, own, lambda y, p=own: self.attention(y, y, p, memory is not None))
            if memory is not None:
                other = f"{place}/encdec_attention"
                x = self.sublayer(x, other, lambda y, p=other: self.attention(y, memory, p, False))
            x = self.sublayer(x, f"{place}/ffn", lambda y, p=f"{place}/ffn": self.feed_forward(y, p))
        return self.norm(x, side) if self.before else x

    def positions(self, count):
        rates = 10_000.0 ** (-np.arange(D // 2) / (D // 2 - 1))
        angles = np.arange(count)[:, None] * rates
        return np.concatenate([np.sin(angles), np.cos(angles)], 1)

    def log_probs(self, source, target):
        """(T, V) of each word of the target, from rows of theirs."""
        space = self.get("target_space_embedding/kernel")[0]
        memory = self.stack(self.table[source] * np.sqrt(D) + space + self.positions(len(source)), "encoder")
        shifted = np.concatenate([np.zeros((1, D)), self.table[target[:-1]] * np.sqrt(D)])
        x = self.stack(shifted + self.positions(len(target)), "decoder", memory)
        return np.log(softmax(x @ self.table.T))


def copied(tmp_path):
    folder = tmp_path / "theirs"
    shutil.copytree(FIXTURE, folder)
    for path in [folder, *folder.iterdir()]:
        path.chmod(0o755)
    return folder


def bundled(monkeypatch, arrays):
    """Let every checkpoint of TensorFlow hold these."""
    found = SimpleNamespace(listed=arrays, read=lambda names: {name: arrays[name] for name in names})
    monkeypatch.setattr(foreign_files, "open_bundle", lambda path: found)


@real
@pytest.mark.parametrize("before", [True, False])
def test_the_formulas(tmp_path, monkeypatch, before):
    arrays = open_bundle(FIXTURE).read()
    random = np.random.default_rng(0)
    for name in arrays:  # those of the file are ones and zeros
        if "layer_norm" in name or name.endswith("bias"):
            arrays[name] = (arrays[name] + random.normal(scale=0.3, size=arrays[name].shape)).astype(
                np.float32
            )
    folder = copied(tmp_path)
    if not before:
        settings = json.loads((folder / "hparams.json").read_text())
        settings |= {"layer_preprocess_sequence": "none", "layer_postprocess_sequence": "dan"}
        (folder / "hparams.json").write_text(json.dumps(settings))
        arrays = {n: a for n, a in arrays.items() if not tensor2tensor._LAST.fullmatch(n)}
    bundled(monkeypatch, arrays)
    run = write_import(tmp_path / "run", import_weights(folder), folder)
    assert run.model.config.norm == ("pre" if before else "post")
    source, target = random.integers(2, V, 7), random.integers(2, V, 5)
    source[-1] = target[-1] = 1
    ours = [torch.tensor(np.where(rows == 1, 3, rows + 2))[None] for rows in (source, target)]
    with torch.no_grad():
        found = run.model(*ours).log_softmax(-1)[0].double().numpy()
    wanted = Reference(arrays, before).log_probs(source, target)
    np.testing.assert_allclose(found[:, [0, 3, *range(4, V + 2)]], wanted, atol=1e-4)
    assert found[:, 1:3].max() < -9e3


@real
def test_from_the_command_line(tmp_path, capsys):
    for number, path in enumerate([FIXTURE, FIXTURE / "model.ckpt-1", FIXTURE / "model.ckpt-1.index"]):
        assert main(["import", str(path), str(tmp_path / str(number))]) == 0
        assert "Transformer, 277,984 parameters" in capsys.readouterr().out
    assert main(["predict", str(tmp_path / "0"), "A text."]) == 0
    assert capsys.readouterr().out.strip()
    folder = copied(tmp_path)
    (folder / "hparams.json").unlink()
    next(folder.glob("vocab*")).unlink()
    assert main(["import", str(folder), str(tmp_path / "bare")]) == 0
    assert "num_heads=8 is assumed" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "bare"), "A text."]) == 2
    assert "imported from weights alone" in capsys.readouterr().err


@real
def test_the_vocabulary_of_the_file(tmp_path):
    run = write_import(tmp_path / "run", import_weights(FIXTURE), FIXTURE)
    vocabulary = run.processor.source
    (given,) = run.processor.read_each("The house, a_b (naïve) 中!")
    assert given.value[-1] == 3
    assert vocabulary.decode(given.value[:-1]) == "The house, a_b (naïve) 中!"
    assert [vocabulary.tokens[token] for token in vocabulary.encode("in the")] == ["in_", "the_"]


@real
def test_what_is_refused(tmp_path, monkeypatch):
    folder = copied(tmp_path)
    settings = json.loads((folder / "hparams.json").read_text())
    for changes, message in (
        ({"pos": "emb"}, "'emb'; is no kind of positions"),
        ({"ffn_layer": "moe"}, "'moe'; is no feed-forward net"),
        ({"self_attention_type": "local"}, "'local'; is no self_attention_type"),
        ({"layer_postprocess_sequence": "dan"}, "before or after each sub-layer, not both"),
        ({"num_heads": 3}, "num_heads"),
    ):
        (folder / "hparams.json").write_text(json.dumps(settings | changes))
        with pytest.raises(UserError, match=message):
            write_import(tmp_path / "run", import_weights(folder), folder)
    (folder / "hparams.json").write_text(json.dumps(settings))
    vocabulary = next(folder.glob("vocab*"))
    vocabulary.write_text("'<pad>'\n'<EOS>'\n'a_'\n")
    with pytest.raises(UserError, match="has 3 subwords; the table has 8190 rows"):
        import_weights(folder)
    vocabulary.write_text("a\nb\n")
    with pytest.raises(UserError, match="must begin with <pad> and <EOS>"):
        import_weights(folder)
    arrays = open_bundle(FIXTURE).read()
    names = ("transformer/body/encoder/layer_0/moe/kernel", "transformer/body/decoder/odd")
    arrays |= {name: np.ones(2, np.float32) for name in names}
    bundled(monkeypatch, arrays)
    with pytest.raises(
        UserError, match="layer_0/moe/kernel, transformer/body/decoder/odd'; tensor2tensor's Tr"
    ):
        import_weights(folder)

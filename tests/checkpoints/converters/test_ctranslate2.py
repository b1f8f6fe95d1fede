"""CTranslate2's Transformers: published scores of a trained one, and what small files become."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from anncestry.checkpoints.importing import import_weights
from anncestry.cli.main import main
from anncestry.decoding import Search
from anncestry.errors import UserError
from anncestry.inference.generation import generate
from anncestry.layers.attention.positions import sinusoids
from anncestry.runs.imported import write_import
from anncestry.tokenizers.vocabulary import SPECIAL

FIXTURES = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "transformer-aren"
real = pytest.mark.skipif(not FIXTURES.is_dir(), reason="needs the models in ../shared/fixtures")
LARGEST = {  # difference from the published log probabilities
    "v1/aren-transliteration": 1e-5,
    "v2/aren-transliteration": 1e-5,
    "v2/aren-transliteration-i16": 1e-2,
    "v2/aren-transliteration-i8": 1e-1,
}


@pytest.fixture(params=list(LARGEST))
def aren(request, tmp_path):
    path = FIXTURES / request.param
    return write_import(tmp_path / "run", import_weights(path), path), LARGEST[request.param]


@real
def test_the_published_log_probabilities(aren):
    run, largest = aren
    for row in json.loads((FIXTURES / "expected.json").read_text())["token_log_prob"]:
        tokens = torch.tensor([[*run.processor.target.encode(" ".join(row["target"])), 3]])
        inputs, lengths = run.processor.batch([run.processor.source.encode(" ".join(row["source"]))])
        with torch.no_grad():
            scores = run.model(inputs, tokens, lengths).log_softmax(-1)
        found = scores.gather(2, tokens.unsqueeze(2)).flatten()
        torch.testing.assert_close(found, torch.tensor(row["scores"]), atol=largest, rtol=0)


@real
def test_the_published_translations(aren):
    run, _ = aren
    for row in json.loads((FIXTURES / "expected.json").read_text())["translate"]:
        inputs, lengths = run.processor.batch([run.processor.source.encode(" ".join(row["source"]))])
        for search in (Search(), Search(beam=4, length_penalty="none"), Search(beam=4)):
            ((best,),) = generate(run.model, inputs, lengths, search)
            assert run.processor.target.decode(best.tokens).split() == row["target"]


@real
def test_from_the_command_line(tmp_path, capsys):
    assert main(["import", str(FIXTURES / "v2/aren-transliteration"), str(tmp_path / "run")]) == 0
    assert "Transformer, 182,731 parameters" in capsys.readouterr().out
    assert main(["predict", str(tmp_path / "run"), "آ ز ا", "--beam", "4"]) == 0
    assert capsys.readouterr().out == "a z z a\n"
    page = tmp_path / "page.html"
    assert main(["predict", str(tmp_path / "run"), "آ ز ا", "--alignments", str(page)]) == 0
    assert "imported" in page.read_text()
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run")]) == 2
    assert "was imported; it has no data of its own" in capsys.readouterr().err
    (tmp_path / "a").write_text("".join(f"آ ز ا {c}\n" for c in "ابتث ثتبا"))
    (tmp_path / "b").write_text("a z z a\n" * 9)
    data = f"parallel:{tmp_path / 'a'},{tmp_path / 'b'}"
    assert main(["evaluate", str(tmp_path / "run"), "--data", data]) == 0
    assert "perplexity" in capsys.readouterr().out
    folder = tmp_path / "other"
    assert (
        main(["import", str(FIXTURES / "v2/aren-transliteration"), str(folder), "--set", "num_heads=5"]) == 2
    )
    assert "must be a multiple of `num_heads`, which is 5" in capsys.readouterr().err
    assert not folder.exists()


D, F, HEADS, LAYERS = 8, 12, 2, 2
WORDS = ["<s>", "</s>", "<unk>", "a", "b"]


def text(value):
    return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"


def write_model(folder, variables, spec="TransformerSpec", aliases=()):
    """A file of binary version 6."""
    numbers = {"float32": 0, "int8": 1, "int16": 2}
    out = struct.pack("<I", 6) + text(spec) + struct.pack("<II", 7, len(variables))
    for name, array in variables.items():
        array = np.asarray(array)
        out += text(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        out += struct.pack("<BI", numbers[array.dtype.name], array.nbytes) + array.tobytes()
    out += struct.pack("<I", len(aliases)) + b"".join(text(a) + text(b) for a, b in aliases)
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(out)
    (folder / "shared_vocabulary.json").write_text(json.dumps(WORDS))
    (folder / "config.json").write_text('{"add_source_eos": true, "decoder_start_token": "</s>"}')
    return folder


def variables(**changes):
    """What a new specification stores of a joint Transformer with the normalisation behind."""
    random = np.random.default_rng(0)

    def linear(name, rows, columns):
        weight = random.normal(size=(rows, columns)).astype(np.float32)
        return {f"{name}/weight": weight, f"{name}/bias": random.normal(size=rows).astype(np.float32)}

    def norm(name):
        return {f"{name}/{part}": random.normal(size=D).astype(np.float32) for part in ("gamma", "beta")}

    found = {"encoder/embeddings_0/weight": linear("", len(WORDS), D)["/weight"]}
    for side in ("encoder", "decoder"):
        found |= {f"{side}/num_heads": np.int16(HEADS), f"{side}/pre_norm": np.int8(0)}
        found |= {f"{side}/activation": np.int8(2), f"{side}/scale_embeddings": np.int8(1)}
        found[f"{side}/position_encodings/encodings"] = sinusoids(9, D, "concatenated").numpy()
        for layer in range(LAYERS):
            place = f"{side}/layer_{layer}"
            found |= linear(f"{place}/self_attention/linear_0", 3 * D, D)
            found |= linear(f"{place}/self_attention/linear_1", D, D) | norm(
                f"{place}/self_attention/layer_norm"
            )
            if side == "decoder":
                found |= linear(f"{place}/attention/linear_0", D, D) | norm(f"{place}/attention/layer_norm")
                found |= linear(f"{place}/attention/linear_1", 2 * D, D)
                found |= linear(f"{place}/attention/linear_2", D, D)
            found |= linear(f"{place}/ffn/linear_0", F, D) | linear(f"{place}/ffn/linear_1", D, F)
            found |= norm(f"{place}/ffn/layer_norm")
    found["decoder/alibi"], found["decoder/alignment_layer"] = np.int8(0), np.int16(-1)
    return {name: array for name, array in (found | changes).items() if array is not None}


SHARED = [("decoder/embeddings/weight", "encoder/embeddings_0/weight")]
SHARED += [("decoder/projection/weight", "encoder/embeddings_0/weight")]


def test_a_new_specification_says_all(tmp_path):
    path = write_model(tmp_path / "theirs", variables(), aliases=SHARED)
    run = write_import(tmp_path / "run", import_weights(path), path)
    config = run.model.config
    assert (config.num_heads, config.norm, config.activation, config.tie) == (2, "post", "silu", "all")
    assert (config.positions, config.first_position, config.inner_size) == ("concatenated", 0, F)
    assert (config.num_layers, config.attention_bias, config.output_bias) == (LAYERS, True, True)
    assert run.processor.target.tokens == (*SPECIAL, "<s>", "a", "b")
    (given,) = run.processor.read_each("a nobody b")
    assert given.value == [5, 1, 6, 3]
    table = torch.from_numpy(variables()["encoder/embeddings_0/weight"])
    assert torch.equal(run.model.embedding.weight, torch.cat([torch.zeros(1, D), table[[2, 1, 1, 0, 3, 4]]]))
    assert run.model.readout.bias.tolist() == [-1e4, 0, -1e4, 0, 0, 0, 0]


def test_learnt_positions(tmp_path):
    random = np.random.default_rng(1)
    tables = {
        f"{side}/position_encodings/encodings": random.normal(size=(9 + (side == "encoder"), D)).astype(
            np.float32
        )
        for side in ("encoder", "decoder")
    }
    found = import_weights(write_model(tmp_path, variables(**tables), aliases=SHARED))
    assert (found.config["positions"], found.config["num_positions"]) == ("learned", 9)
    kept = found.tensors["source_positions.embedding.weight"]
    assert np.array_equal(kept.numpy(), tables["encoder/position_encodings/encodings"][:9])


def test_heads_that_nobody_stored(tmp_path, capsys):
    stored = variables(**{f"{side}/num_heads": None for side in ("encoder", "decoder")})
    path = write_model(tmp_path / "theirs", stored, aliases=SHARED)
    assert main(["import", str(path), str(tmp_path / "a")]) == 0
    assert "num_heads=8 is assumed" in capsys.readouterr().err
    assert main(["import", str(path), str(tmp_path / "b"), "--set", "num_heads=4"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder/layer_0/ffn/linear_2/weight": np.ones((2, 2), np.float32),
          "decoder/strange/gamma": np.ones(2, np.float32)},
         r"linear_2/weight, decoder/strange/gamma.*; CTranslate2's Transformer has no such tensors"),
        ({"decoder/alibi": np.int8(1)}, "decoder/alibi.*does not compute"),
        ({"encoder/rotary": np.int8(1)}, "encoder/rotary.*does not compute"),
        ({"encoder/activation": np.int8(1)}, "activation must be the same"),
        ({"encoder/activation": np.int8(1), "decoder/activation": np.int8(1)}, "is an unknown activation"),
        ({"with_source_bos": np.int8(1)}, "begins with a token of its own"),
        ({"decoder/position_encodings/encodings": None}, "one of the two alone"),
        ({"encoder/embeddings_0/weight": np.ones((9, D), np.float32)}, "has 9 rows.*or one more"),
        ({"decoder/layer_1/attention/linear_1/weight": None}, r"missing: decoder\.1\.cross_attention\.keys"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, changes, message):
    path = write_model(tmp_path / "theirs", variables(**changes), aliases=SHARED)
    with pytest.raises(UserError, match=message):
        write_import(tmp_path / "run", import_weights(path), path)


def test_files_that_are_none(tmp_path, capsys):
    path = write_model(tmp_path / "theirs", variables(), aliases=SHARED)
    whole = (path / "model.bin").read_bytes()
    for data, message in (
        (whole[:-7], "or damaged"),
        (b"\x80\x02}q\x00.", "is not a model of CTranslate2"),
        (b"", "or damaged"),
    ):
        (path / "model.bin").write_bytes(data)
        assert main(["import", str(path), str(tmp_path / "run")]) == 2
        assert message in capsys.readouterr().err
    (path / "model.bin").unlink()
    assert main(["import", str(path), str(tmp_path / "run")]) == 2
    assert "is a folder without model.bin, model.safetensors" in capsys.readouterr().err
    torch.save({"a": torch.ones(2)}, path / "pytorch_model.bin")
    for source in (path, path / "pytorch_model.bin"):
        assert main(["import", str(source), str(tmp_path / "run")]) == 2
        assert "never loaded" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_another_specification_and_architecture(tmp_path):
    path = write_model(tmp_path / "theirs", variables(), "WhisperSpec", aliases=SHARED)
    with pytest.raises(UserError, match="'WhisperSpec'; is of another specification"):
        import_weights(path)
    with pytest.raises(UserError, match=r"holds a Transformer\. Choices: transformer"):
        import_weights(write_model(tmp_path / "theirs", variables(), aliases=SHARED), "lstm")
    (tmp_path / "theirs" / "shared_vocabulary.json").unlink()
    with pytest.raises(UserError, match="needs source_vocabulary"):
        import_weights(tmp_path / "theirs" / "model.bin")

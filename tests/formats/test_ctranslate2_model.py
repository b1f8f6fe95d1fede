"""Models of CTranslate2: real ones, the same weights in four forms; and ones written in every version."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anncestry.errors import UserError
from anncestry.formats.ctranslate2_model import dequantise, read_ctranslate2

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "transformer-aren"
real = pytest.mark.skipif(not FIXTURES.is_dir(), reason="needs the models in ../shared/fixtures")

NUMBERS = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def text(string):
    return struct.pack("<H", len(string.encode()) + 1) + string.encode() + b"\0"


def variable(name, array, version=6, number=None):
    head = text(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    if version < 4:
        head += struct.pack("<BI", array.itemsize, array.size)
    else:
        head += struct.pack("<BI", NUMBERS[array.dtype.name] if number is None else number, array.nbytes)
    return head + array.astype(array.dtype.newbyteorder("<")).tobytes()


def model(variables, version=6, aliases=(), spec="TransformerSpec", revision=7):
    out = struct.pack("<I", version)
    if version >= 2:
        out += text(spec) + struct.pack("<I", revision)
    out += struct.pack("<I", len(variables))
    out += b"".join(variable(name, array, version) for name, array in variables.items())
    if version >= 3:
        out += struct.pack("<I", len(aliases)) + b"".join(text(a) + text(name) for a, name in aliases)
    return out


def saved(folder, data):
    (folder / "model.bin").write_bytes(data)
    return folder


def arrays(version=6):
    random = np.random.default_rng(0)
    found = {
        "encoder/linear/weight": random.integers(-127, 128, size=(3, 4), dtype=np.int8),
        "encoder/linear/weight_scale": random.uniform(50, 90, size=3).astype(np.float32),
        "encoder/linear/bias": random.normal(size=3).astype(np.float32),
        "decoder/ρ/weight": random.integers(-999, 999, size=(2, 5), dtype=np.int16),
        "decoder/ρ/weight_scale": np.array(812.5, np.float32),
        "num_heads": np.array(8, np.int8),
        "activation": np.frombuffer(b"relu", np.int8),
    }
    later = {"ids": np.array([[7, -8]], np.int32), "half": random.normal(size=4).astype(np.float16)}
    return found | (later if version >= 4 else {})


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6])
def test_what_is_written_is_read(tmp_path, version):
    variables = arrays(version)
    found = read_ctranslate2(saved(tmp_path, model(variables, version)))
    assert found[:3] == (version, "TransformerSpec" if version > 1 else "", 7 if version > 1 else 1)
    assert found.variables.keys() == variables.keys()
    for name, array in variables.items():
        assert found.variables[name].dtype == array.dtype
        np.testing.assert_array_equal(found.variables[name], array)
        found.variables[name][...] = 0  # an array of the reader's own
    assert found.vocabularies == {}


def test_aliases_stand_for_the_same_array(tmp_path):
    aliases = [("decoder/tied/weight", "encoder/linear/weight"), ("decoder/bias", "encoder/linear/bias")]
    found = read_ctranslate2(saved(tmp_path, model(arrays(), 6, aliases))).variables
    for alias, name in [*aliases, ("decoder/tied/weight_scale", "encoder/linear/weight_scale")]:
        assert found[alias] is found[name]
    dense = dequantise(found)
    np.testing.assert_array_equal(dense["decoder/tied/weight"], dense["encoder/linear/weight"])
    assert "decoder/tied/weight_scale" not in dense


def test_bfloat16_becomes_float32(tmp_path):
    values = np.array([1.0, -2.5, 3.140625], np.float32)
    stored = (values.view(np.uint32) >> 16).astype(np.uint16)
    data = model({})[:-8] + struct.pack("<I", 1) + variable("w", stored, number=5) + struct.pack("<I", 0)
    found = read_ctranslate2(saved(tmp_path, data)).variables["w"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values)


def test_whole_numbers_become_weights_again():
    variables = arrays()
    dense = dequantise(variables)
    assert dense.keys() == {name for name in variables if not name.endswith("_scale")}
    expected = [
        [int(number) / float(scale) for number in row]
        for row, scale in zip(
            variables["encoder/linear/weight"], variables["encoder/linear/weight_scale"], strict=True
        )
    ]
    np.testing.assert_allclose(dense["encoder/linear/weight"], expected, rtol=1e-6)
    np.testing.assert_allclose(dense["decoder/ρ/weight"], variables["decoder/ρ/weight"] / 812.5, rtol=1e-6)
    assert dense["encoder/linear/weight"].dtype == dense["decoder/ρ/weight"].dtype == np.float32
    for name in ("encoder/linear/bias", "num_heads", "activation", "ids", "half"):
        assert dense[name] is variables[name]
    kernel = np.arange(12, dtype=np.int8).reshape(2, 2, 3)
    dense = dequantise({"conv/weight": kernel, "conv/weight_scale": np.array([2, 4], np.float32)})
    np.testing.assert_array_equal(dense["conv/weight"][1], kernel[1] / 4)
    old = dequantise({"w": np.array([[500]], np.int16)})  # files that give no scale mean 1000
    assert old["w"][0, 0] == 0.5


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"w": np.ones((2, 3), np.int8)}, r"w: got \(2, 3\); is int8 and has no w_scale"),
        ({"w": np.ones((2, 3), np.int8), "w_scale": np.ones(3)}, r"w_scale: got \(3,\); must be one number"),
        ({"w": np.ones((2, 3), np.int8), "w_scale": np.array([1, 0])}, "must be finite and above 0"),
        ({"w": np.ones((2, 3), np.int16), "w_scale": np.array(np.nan)}, "must be finite and above 0"),
        ({"w": np.ones((2, 3), np.int32), "w_scale": np.ones((2, 1))}, "packed in another way"),
    ],
)
def test_what_cannot_be_dequantised_is_said(variables, said):
    with pytest.raises(UserError, match=said):
        dequantise(variables)


def test_what_lies_beside_the_model(tmp_path):
    saved(tmp_path, model(arrays()))
    # tokens may hold line breaks of other kinds
    (tmp_path / "source_vocabulary.txt").write_bytes("<s>\na\u2028b\n\x85\r\n \n".encode())
    (tmp_path / "target_vocabulary.json").write_text(json.dumps(["<s>", "a\nb", "é"]))
    (tmp_path / "shared_vocabulary.txt").write_bytes(b"x")
    (tmp_path / "vocabulary.txt").write_bytes(b"")
    found = read_ctranslate2(tmp_path / "model.bin")
    assert found.vocabularies == {
        "source": ["<s>", "a\u2028b", "\x85\r", " "],
        "target": ["<s>", "a\nb", "é"],
        "shared": ["x"],
        "": [],
    }


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("source_vocabulary.json", b"{}", "must be a list"),
        ("source_vocabulary.json", b"[1]", "not all of them are texts"),
        ("source_vocabulary.txt", b"\xff", "cannot be read as UTF-8"),
    ],
)
def test_damage_beside_the_model_is_said(tmp_path, name, data, said):
    saved(tmp_path, model({}))
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=rf"{name}.*; .*{said}"):
        read_ctranslate2(tmp_path)


def with_variables(*written):
    return model({})[:-8] + struct.pack("<I", len(written)) + b"".join(written) + struct.pack("<I", 0)


W = np.ones((2, 3), np.float32)
HEAD = text("w") + struct.pack("<B2I", 2, 2, 3)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is cut short: 4 bytes should follow, there are 0"),
        (b"PK\x03\x04" + bytes(99), "its first four bytes say version 67324752"),
        (struct.pack("<I", 7) + bytes(99), "its first four bytes say version 7"),
        (struct.pack("<I", 0) + bytes(99), "its first four bytes say version 0"),
        (struct.pack("<IH", 2, 2) + b"ab" + bytes(99), "a text does not end in one zero byte"),
        (struct.pack("<IH", 2, 0) + bytes(99), "a text does not end in one zero byte"),
        (with_variables(variable("w", W), variable("w", W)), "it has two variables w"),
        (with_variables(variable("w", W, number=9)), "w has the unknown dtype 9"),
        (with_variables(variable("w", W, number=1)), r"w has 24 bytes, which is not int8 of shape \(2, 3\)"),
        (with_variables(variable("w", W[(None,) * 8])), "w has 10 dimensions"),
        (with_variables(HEAD + struct.pack("<BI", 0, 24)), "cut short: 24 bytes should follow, there are 4"),
        (with_variables(HEAD + struct.pack("<BI", 0, 2**32 - 1)), "w has 4294967295 bytes, which is not"),
        (with_variables(text("w") + struct.pack("<B2I", 2, *[2**16] * 2)), "cut short"),
        (with_variables(text("w") + struct.pack("<B3IBI", 3, *[2**31] * 2, 0, 0, 0)), "damaged"),
        (model({"w": W}, 3)[:-28] + bytes(3), "cut short"),
        (model({"w": W}, 6, [("v", "u")]), "v stands for u, which is missing"),
        (model({"w": W}, 6, [("w", "w")]), "it has two variables w"),
        (model({"w": W}) + b"\0", "1 bytes follow its end"),
        (model({"w": W}, 2)[:12] + b"\xff" + model({"w": W}, 2)[13:], "damaged"),
    ],
)
def test_another_or_damaged_file_is_said(tmp_path, data, said):
    with pytest.raises(UserError, match=rf"model.bin'; is not a model of CTranslate2 .*{said}"):
        read_ctranslate2(saved(tmp_path, data))


@pytest.mark.parametrize("version", [1, 6])
def test_every_cut_is_found(tmp_path, version):
    data = model(arrays(version), version, [("alias", "num_heads")] if version > 2 else [])
    for end in range(len(data)):
        with pytest.raises(UserError, match="it is cut short"):
            read_ctranslate2(saved(tmp_path, data[:end]))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_changed_byte_does_worse_than_a_message(tmp_path, data):
    whole = model(arrays(), 6, [("alias", "num_heads")])
    at, octet = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    changed = whole[:at] + bytes([octet]) + whole[at + 1 :]
    try:
        found = read_ctranslate2(saved(tmp_path, changed))
    except UserError:
        return
    assert sum(array.nbytes for array in found.variables.values()) <= len(whole)


def test_there_is_no_such_file(tmp_path):
    for path in (tmp_path, tmp_path / "other.bin"):
        with pytest.raises(UserError, match=r".bin'; cannot be read: there is no such file"):
            read_ctranslate2(path)


@real
def test_a_real_model_in_four_forms():
    first, second, byte, word = (
        read_ctranslate2(FIXTURES / folder / f"aren-transliteration{kind}")
        for folder, kind in (("v1", ""), ("v2", ""), ("v2", "-i8"), ("v2", "-i16"))
    )
    assert first[:3] == (1, "", 1)
    assert second[:3] == byte[:3] == word[:3] == (2, "TransformerBase", 2)
    assert len(first.variables) == len(second.variables) == 200
    for found in (first, second, byte, word):
        assert [len(found.vocabularies[side]) for side in ("source", "target")] == [50, 42]
        assert found.vocabularies["source"][:3] == ["<blank>", "<s>", "</s>"]
    shapes = {name: array.shape for name, array in second.variables.items()}
    assert shapes["encoder/embeddings/weight"] == (51, 32)
    assert shapes["decoder/layer_5/attention/linear_1/weight"] == (64, 32)
    weights = [sorted(array.tobytes() for array in found.variables.values()) for found in (first, second)]
    assert weights[0] == weights[1], "the same weights under other names"
    for found, dtype in ((byte, np.int8), (word, np.int16)):
        dense, quantised = dequantise(found.variables), 0
        assert dense.keys() == second.variables.keys()
        for name, array in second.variables.items():
            stored = found.variables[name]
            if stored.dtype == dtype:
                quantised += 1
                scale = np.broadcast_to(found.variables[f"{name}_scale"], array.shape[:1])[:, None]
                steps = abs(dense[name] - array) * scale
                assert steps.max() < 1.001, "a file of this version cuts off and does not round"
            else:
                np.testing.assert_array_equal(dense[name], array)
        assert quantised == 69

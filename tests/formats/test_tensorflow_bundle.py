"""TensorFlow's checkpoints: real ones against published shapes and numbers, and ones written here."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anncestry.errors import UserError
from anncestry.formats.crc32c import crc32c, mask
from anncestry.formats.tensorflow_bundle import Stored, _sortable, open_bundle

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
real = pytest.mark.skipif(not FIXTURES.is_dir(), reason="needs the checkpoints in ../shared/fixtures")

NUMBERS = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "int64": 9, "bool": 10}
NUMBERS |= {"bfloat16": 14, "float16": 19, "uint32": 22, "complex64": 8}


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def shape_of(dims):
    return field(2, b"".join(field(2, field(1, dim)) for dim in dims))


def entry(dtype, dims, shard, offset, raw):
    numbers = field(1, dtype) + shape_of(dims) + field(3, shard) + field(4, offset) + field(5, len(raw))
    return numbers + b"\x35" + struct.pack("<I", mask(crc32c(raw)))


def table(entries):
    """One block of keys in full, an empty meta index, an index of one line."""

    def block(lines):
        body = b"".join(b"\0" + varint(len(k)) + varint(len(v)) + k + v for k, v in lines)
        body += struct.pack("<II", 0, 1) + b"\0"
        return body + struct.pack("<I", mask(crc32c(body)))

    out = block(sorted(entries.items()))
    index, places = [(b"\xff", varint(0) + varint(len(out) - 5))], b""
    for lines in ([], index):
        stored = block(lines)
        places += varint(len(out)) + varint(len(stored) - 5)
        out += stored
    return out + places.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def write(prefix, tensors, num_shards=1, header=b"", more=None):
    """Arrays by name, one shard after the other in turn; ``more``: further lines of the index."""
    shards, lines = [bytearray(b"?" * shard) for shard in range(num_shards)], {}
    for index, (name, array) in enumerate(tensors.items()):
        shard = index % num_shards
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
        place = len(shards[shard])
        key = name if isinstance(name, bytes) else name.encode()
        lines[key] = entry(NUMBERS[array.dtype.name], array.shape, shard, place, raw)
        shards[shard] += raw
    lines[b""] = field(1, num_shards) + header + field(3, field(1, 1))
    prefix.with_name(prefix.name + ".index").write_bytes(table(lines | (more or {})))
    for shard, data in enumerate(shards):
        prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{num_shards:05d}").write_bytes(data)
    return prefix


def arrays(seed=0):
    random = np.random.default_rng(seed)
    return {
        "a/kernel": random.normal(size=(3, 4)).astype(np.float32),
        "a/bias": random.normal(size=4),
        "half": random.normal(size=(2, 1, 5)).astype(np.float16),
        "step": np.array(7, np.int64),
        "ids": random.integers(-9, 9, size=6, dtype=np.int32),
        "octets": random.integers(256, size=(7, 3), dtype=np.uint8),
        "signs": random.integers(-128, 128, size=3, dtype=np.int8),
        "flags": random.integers(2, size=11).astype(bool),
        "none": np.empty((0, 3), np.float32),
    }


@pytest.mark.parametrize("num_shards", [1, 2, 11])
def test_what_is_written_is_read(tmp_path, num_shards):
    tensors = arrays()
    prefix = write(tmp_path / "model.ckpt-3", tensors, num_shards)
    listed, found = open_bundle(prefix).listed, open_bundle(prefix).read()
    assert listed == {name: Stored(array.shape, array.dtype.name) for name, array in tensors.items()}
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
        found[name][...] = 0  # an array of the reader's own


def test_which_are_read(tmp_path):
    prefix = write(tmp_path / "model", arrays(), 3)
    assert list(open_bundle(prefix).read(["step", "half"])) == ["step", "half"]
    assert list(open_bundle(prefix).read("step")) == ["step"]
    assert set(open_bundle(prefix).read(lambda name: name.startswith("a/"))) == {"a/kernel", "a/bias"}
    assert open_bundle(prefix).read([]) == {}
    (tmp_path / "model.data-00002-of-00003").unlink()  # holds neither step nor a/kernel
    assert len(open_bundle(prefix).read(["step", "a/kernel"])) == 2
    with pytest.raises(UserError, match="data-00002-of-00003'; cannot be read: there is no such file"):
        open_bundle(prefix).read()
    with pytest.raises(UserError, match=r"names: got 'a/kernal'; there is no such tensor.*Choices: a/kernel"):
        open_bundle(prefix).read(["a/kernal"])


def test_the_ways_to_name_it(tmp_path):
    write(tmp_path / "model.ckpt-1", arrays(1))
    prefix = write(tmp_path / "model.ckpt-2", arrays(2))
    for path in (prefix, f"{prefix}.index", f"{prefix}.meta", f"{prefix}.data-00000-of-00001"):
        assert open_bundle(path).read()["a/bias"][0] == arrays(2)["a/bias"][0]
    with pytest.raises(UserError, match="is a folder without a file checkpoint"):
        open_bundle(tmp_path).read()
    for line in ("model.ckpt-2", "/elsewhere/model.ckpt-2", r"C:\\runs\\model.ckpt-2", "../model.ckpt-2"):
        text = f'model_checkpoint_path: "{line}"\nall_model_checkpoint_paths: "model.ckpt-1"\n'
        (tmp_path / "checkpoint").write_text(text)
        assert open_bundle(tmp_path).read()["a/bias"][0] == arrays(2)["a/bias"][0]
    (tmp_path / "checkpoint").write_text('all_model_checkpoint_paths: "model.ckpt-1"\n')
    with pytest.raises(UserError, match="must have a line model_checkpoint_path"):
        open_bundle(tmp_path).read()
    with pytest.raises(UserError, match=r"model.ckpt-3.index'; cannot be read: there is no such file"):
        open_bundle(tmp_path / "model.ckpt-3")
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{"9" * 5000}"\n')  # no name of any file
    with pytest.raises(UserError, match="there is no such file"):
        open_bundle(tmp_path).read()


def test_bfloat16_becomes_float32(tmp_path):
    values = np.array([[1.0, -2.5], [3.140625, np.inf]], np.float32)
    raw = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    prefix = write(tmp_path / "model", {}, more={b"w": entry(NUMBERS["bfloat16"], (2, 2), 0, 0, raw)})
    Path(f"{prefix}.data-00000-of-00001").write_bytes(raw)
    assert open_bundle(prefix).listed == {"w": Stored((2, 2), "bfloat16")}
    found = open_bundle(prefix).read()["w"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values)


def test_strings_are_left_out_and_others_refused(tmp_path):
    more = {b"graph": field(1, 7) + shape_of([]) + field(4, 12) + field(5, 9)}
    prefix = write(tmp_path / "model", {"w": np.ones(3, np.float32)}, more=more)
    path = tmp_path / "model.data-00000-of-00001"
    path.write_bytes(path.read_bytes() + b"123456789")
    assert open_bundle(prefix).listed["graph"] == Stored((), "string")
    assert set(open_bundle(prefix).read()) == {"w"}
    with pytest.raises(UserError, match=r"dtype of graph: got 'string'; is not read here. Choices: float32"):
        open_bundle(prefix).read(["graph"])
    prefix = write(tmp_path / "model", {}, more={b"q": entry(13, (1,), 0, 0, b"abcd")})
    with pytest.raises(UserError, match="dtype of q: got 'qint32'; is not read here"):
        open_bundle(prefix).read()
    assert open_bundle(write(tmp_path / "model", {}, more={b"q": entry(99, (), 0, 0, b"")})).listed["q"].dtype


def parted(name, shape, spans):
    """The line of a partitioned float32 variable, and the keys of its parts."""
    parts, keys = b"", []
    for part in spans:
        extents = b"".join(field(1, b"" if n < 0 else field(1, start) + field(2, n)) for start, n in part)
        parts += field(7, extents)
        numbers = b"".join(signed(number) for span in part for number in span)
        keys.append(b"\0" + name + b"\0\1" + bytes([1, len(shape)]) + numbers)
    return field(1, 1) + shape_of(shape) + parts, keys


def signed(number):
    """By the format's description: 7 bits a byte are left for sign and value."""
    length = next(n for n in range(1, 9) if -(2 ** (7 * n - 1)) <= number < 2 ** (7 * n - 1))
    bits = "1" * length + "0" + format(number if number >= 0 else ~number, f"0{7 * length - 1}b")
    code = int(bits, 2).to_bytes(length, "big")
    return code if number >= 0 else bytes(octet ^ 255 for octet in code)


def test_parts_are_joined(tmp_path):
    whole = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    line, keys = parted(b"table", whole.shape, [((0, 200), (0, -1)), ((200, 100), (0, -1))])
    parts = dict(zip(keys, (whole[:200], whole[200:]), strict=True))
    prefix = write(tmp_path / "model", {"b": whole[0]} | parts, 2, more={b"table": line})
    assert open_bundle(prefix).listed == {"b": Stored((4,), "float32"), "table": Stored((300, 4), "float32")}
    found = open_bundle(prefix).read()
    np.testing.assert_array_equal(found["table"], whole)
    assert found.keys() == {"b", "table"}


@pytest.mark.parametrize(
    ("spans", "sizes", "text"),
    [
        ([((0, 2),), ((3, 2),)], [2, 2], r"do not fill its shape \(5,\) once"),
        ([((0, 3),), ((2, 2),)], [3, 2], r"do not fill its shape \(5,\) once"),
        ([((0, 3),), ((0, 3),)], [3, 3], r"do not fill its shape \(5,\) once"),
        ([((0, 3),), ((3, 3),)], [3, 3], "does not fit"),
        ([((0, 3),), ((3, 2),)], [3, 1], "does not fit"),
        ([((0, 3),), ((3, 2),)], [3], r"part \(\(3, 2\),\) of w is missing"),
        ([((0, 5), (0, 1))], [5], "is missing"),
    ],
)
def test_parts_that_do_not_join_are_said(tmp_path, spans, sizes, text):
    line, keys = parted(b"w", (5,), spans)
    parts = {key: np.ones(size, np.float32) for key, size in zip(keys, sizes, strict=False)}
    prefix = write(tmp_path / "model", parts, more={b"w": line})
    with pytest.raises(UserError, match=text):
        open_bundle(prefix).read()


@given(st.integers(-(2**54), 2**54), st.integers(-(2**54), 2**54))
def test_numbers_in_keys_sort_as_numbers(a, b):
    assert _sortable(a) == signed(a)
    assert (_sortable(a) < _sortable(b)) == (a < b)


def test_numbers_in_keys_by_hand():
    codes = {0: "80", -1: "7f", 63: "bf", 64: "c040", 0x424242: "f0424242", -0x800: "3800"}
    assert {number: _sortable(number).hex() for number in codes} == codes


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (field(1, 1) + shape_of([3]) + field(5, 8), r"w has 8 bytes, but float32 of shape \(3,\) is 12"),
        (field(1, 1) + shape_of([2]) + field(5, 8), "w does not match its checksum"),
        (field(1, 1) + shape_of([2]) + field(4, 16) + field(5, 8), "is cut short: w ends at byte 24"),
        (field(1, 1) + shape_of([2]) + field(3, 1) + field(5, 8), "lies in shard 1 of 1"),
        (field(1, 1) + shape_of([2]) + field(4, 12) + field(5, 8), "two tensors overlap"),
        (
            field(1, 1) + shape_of([2**40]) + field(4, 16) + field(5, 2**63),
            "w has 9223372036854775808",
        ),
        (field(1, 1) + shape_of([2**40]) + field(4, 16) + field(5, 2**42), "w ends at byte 4398046511120"),
        (field(1, 1) + shape_of([2**64 - 1]), "has the impossible shape"),
        (field(1, 1) + field(2, field(3, 1)), "has the impossible shape"),
        (field(1, 1) + shape_of([1] * 40), "has the impossible shape"),
        (field(1, 1) + field(2, 5), "field 2 is not a message"),
        (field(1, b"1"), "field 1 is not a number"),
        (field(1, 1) + shape_of([0, 2**40, 2**40]) + field(4, 16), "has the impossible shape"),
        (b"\x0b", "unknown kind 3"),
    ],
)
def test_a_damaged_entry_is_said(tmp_path, line, text):
    other = entry(1, (1,), 0, 12, bytes(4))
    prefix = write(tmp_path / "model", {}, more={b"v": other, b"w": line})
    Path(f"{prefix}.data-00000-of-00001").write_bytes(bytes(16))
    with pytest.raises(UserError, match=text):
        open_bundle(prefix).read()


def test_damaged_files_are_said(tmp_path):
    prefix = write(tmp_path / "model", arrays())
    index, data = Path(f"{prefix}.index"), Path(f"{prefix}.data-00000-of-00001")
    whole, weights = index.read_bytes(), data.read_bytes()
    data.write_bytes(weights[:-1])
    with pytest.raises(UserError, match=r"of-00001'; is cut short: flags ends at byte"):
        open_bundle(prefix).read()
    data.write_bytes(weights[:5] + bytes([weights[5] ^ 4]) + weights[6:])
    with pytest.raises(UserError, match="is damaged: a/kernel does not match its checksum"):
        open_bundle(prefix).read()
    assert len(open_bundle(prefix).read(lambda name: name != "a/kernel")) == len(arrays()) - 1
    index.write_bytes(whole[:40] + bytes([whole[40] ^ 4]) + whole[41:])
    with pytest.raises(
        UserError, match=r"model.index'; is not the index.*byte 0 does not match its checksum"
    ):
        open_bundle(prefix)
    index.write_bytes(whole[:-1])
    with pytest.raises(UserError, match="its last eight bytes are not those of a table"):
        open_bundle(prefix)
    index.write_bytes(b"")
    with pytest.raises(UserError, match="it is too short"):
        open_bundle(prefix)
    index.write_bytes(table({b"w": b""}))
    with pytest.raises(UserError, match="it has no header"):
        open_bundle(prefix)
    with pytest.raises(UserError, match="is of a big-endian machine"):
        open_bundle(write(prefix, arrays(), header=field(2, 1)))
    index.write_bytes(table({b"": field(1, 1) + field(3, field(1, 2) + field(2, 2))}))
    with pytest.raises(UserError, match="has version 2; must be at most 1"):
        open_bundle(prefix)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_byte_can_be_changed_unseen(tmp_path, data):
    prefix = write(tmp_path / "model", arrays())
    file = Path(f"{prefix}{data.draw(st.sampled_from(['.index', '.data-00000-of-00001']))}")
    whole = file.read_bytes()
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
    padding = file.suffix == ".index" and at < len(whole) - 8 and not any(whole[at:-8])
    if padding:
        open_bundle(prefix).read()
    else:
        with pytest.raises(UserError):
            open_bundle(prefix).read()


def layer_norm(x, gain, bias, eps):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + eps) * gain + bias


@real
def test_a_real_gpt_computes_what_it_should():
    """The forward pass in NumPy, under weights as read, against numbers published beside the checkpoint."""
    folder = FIXTURES / "gpt2-tf-toy"
    weights = open_bundle(folder).read()
    assert len(weights) == 40
    w = {name.removeprefix("model/"): array.astype(np.float64) for name, array in weights.items()}
    expected = json.loads((folder / "expected_forward.json").read_text())
    tokens, heads = np.array(expected["input_ids"]), 5
    x = w["wte"][tokens] + w["wpe"][: len(tokens)]  # (T, D)
    for layer in range(3):
        n = f"h{layer}"

        def linear(x, name, n=n):
            return x @ w[f"{n}/{name}/w"][0] + w[f"{n}/{name}/b"]

        normed = layer_norm(x, w[f"{n}/ln_1/g"], w[f"{n}/ln_1/b"], 1e-5)
        q, k, v = (
            part.reshape(len(tokens), heads, -1).transpose(1, 0, 2)
            for part in np.split(linear(normed, "attn/c_attn"), 3, -1)
        )
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        scores = np.where(np.tri(len(tokens), dtype=bool), scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        x = x + linear(mixed.transpose(1, 0, 2).reshape(x.shape), "attn/c_proj")
        a = linear(layer_norm(x, w[f"{n}/ln_2/g"], w[f"{n}/ln_2/b"], 1e-5), "mlp/c_fc")
        a = 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))
        x = x + linear(a, "mlp/c_proj")
    logits = layer_norm(x, w["ln_f/g"], w["ln_f/b"], 1e-5) @ w["wte"].T
    np.testing.assert_allclose(logits, expected["logits"], atol=1e-6)


@real
def test_a_real_bert():
    folder = FIXTURES / "bert-tf-tiny"
    listed = open_bundle(folder / "bert_model.ckpt").listed
    slots = ("/adam_m", "/adam_v")
    weights = open_bundle(folder / "bert_model.ckpt").read(
        lambda name: name.startswith(("bert/", "cls/")) and not name.endswith(slots)
    )
    assert len(weights) == 46
    assert sum(name.endswith(slots) for name in listed) == 92
    assert listed["bert/embeddings/word_embeddings"] == Stored((15, 4), "float32")
    assert weights["bert/encoder/layer_0/attention/self/query/kernel"].shape == (4, 4)
    expected = json.loads((folder / "expected_forward.json").read_text())
    names = {"word": expected["input_ids"], "token_type": expected["token_type_ids"], "position": range(12)}
    x = sum(
        weights[f"bert/embeddings/{name}_embeddings"].astype(np.float64)[np.array(ids)]
        for name, ids in names.items()
    )
    norm = [weights[f"bert/embeddings/LayerNorm/{part}"] for part in ("gamma", "beta")]
    x = layer_norm(x, norm[0], norm[1], 1e-12)
    np.testing.assert_allclose(x, expected["gelu_erf"]["encoder_layers"][0], atol=1e-6)


@real
def test_a_real_transformer_in_two_shards(tmp_path):
    folder = FIXTURES / "t2t-transformer-tiny"
    listed, tensors = open_bundle(folder).listed, open_bundle(folder).read()
    assert len(listed) == len(tensors) == 250
    name = "transformer/body/encoder/layer_0/self_attention/multihead_attention/q/kernel"
    assert listed[name] == Stored((16, 16), "float32")
    assert tensors["global_step"] == 1
    assert all(np.isfinite(array).all() for array in tensors.values())
    sizes = [(folder / f"model.ckpt-1.data-0000{shard}-of-00002").stat().st_size for shard in (0, 1)]
    assert sum(array.nbytes for array in tensors.values()) == sum(sizes)
    for file in folder.glob("model.ckpt-1.[id]*"):
        shutil.copyfile(file, tmp_path / file.name)
    (tmp_path / "model.ckpt-1.data-00001-of-00002").unlink()
    with pytest.raises(UserError, match="data-00001-of-00002'; cannot be read: there is no such file"):
        open_bundle(tmp_path / "model.ckpt-1").read()

"""Files are written whole or not at all, and read with suspicion."""

import errno
import os
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from anncestry.checkpoints import store
from anncestry.checkpoints.store import load_weights, read_tensors, write_bytes, write_tensors
from anncestry.errors import UserError


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    return {
        "weight": torch.randn(3, 4),
        "half": torch.randn(5).bfloat16(),
        "step": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "nothing": torch.zeros(0, 3),
        "exact": torch.tensor([float("nan"), -0.0, float("inf")], dtype=torch.float64),
    }


def identical(a, b):
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and a.numpy(force=True).tobytes() == b.numpy(force=True).tobytes()
    )


def test_tensors_and_metadata_come_back_identical(tmp_path, tensors):
    metadata = {"config": {"sizes": [1, 2]}, "best": None, "name": "Zürich"}
    write_tensors(tmp_path / "a.safetensors", tensors, metadata)
    found, found_metadata = read_tensors(tmp_path / "a.safetensors")
    assert found_metadata == metadata
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        view = (lambda t: t.view(torch.int16)) if name == "half" else (lambda t: t)
        assert identical(view(found[name]), view(tensor))


def test_equal_contents_make_equal_bytes(tmp_path, tensors):
    write_tensors(tmp_path / "a", tensors, {"seed": 0})
    write_tensors(tmp_path / "b", dict(reversed(tensors.items())), {"seed": 0})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_shared_and_strided_memory(tmp_path):
    weight = torch.arange(12.0).reshape(3, 4)
    tied = {
        "a": weight,
        "b": weight,
        "transposed": weight.t(),
        "rows": weight[1:],
        "learnt": nn.Parameter(weight),
    }
    write_tensors(tmp_path / "a", tied)
    found, _ = read_tensors(tmp_path / "a")
    assert all(torch.equal(found[name], tensor) for name, tensor in tied.items())
    found["a"].zero_()
    assert torch.equal(found["b"], weight)


def test_other_programs_read_our_files_and_we_theirs(tmp_path, tensors):
    write_tensors(tmp_path / "ours", tensors)
    assert safetensors.torch.load_file(tmp_path / "ours").keys() == tensors.keys()
    safetensors.torch.save_file({"w": torch.ones(2)}, tmp_path / "theirs", {"format": "pt"})
    found, metadata = read_tensors(tmp_path / "theirs")
    assert metadata == {}
    assert torch.equal(found["w"], torch.ones(2))


def test_every_damage_is_found(tmp_path, tensors):
    path = tmp_path / "a.safetensors"
    write_tensors(path, tensors, {"a": 1})
    whole = path.read_bytes()
    for size in range(0, len(whole), 37):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"cut short|damaged"):
            read_tensors(path)
    data_start = 8 + int.from_bytes(whole[:8], "little")
    for place in range(data_start, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(UserError, match="do not match its checksum"):
            read_tensors(path)
    path.write_bytes(whole.replace(b'\\"a\\": 1', b'\\"a\\": 2'))
    with pytest.raises(UserError, match="do not match its checksum"):
        read_tensors(path)
    path.write_bytes(whole.replace(b'\\"format\\": 1', b'\\"format\\": 9'))
    with pytest.raises(UserError, match="has format 9; this version reads format 1"):
        read_tensors(path)
    path.write_bytes(whole.replace(b'\\"format\\": 1', b'\\"forma_\\": 1'))
    with pytest.raises(UserError, match="its metadata cannot be read"):
        read_tensors(path)


def test_a_huge_header_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes((10**12).to_bytes(8, "little") + b"{" + bytes(100))
    with pytest.raises(UserError, match="is not a safetensors file"):
        read_tensors(path)
    path.write_bytes((10**7).to_bytes(8, "little") + b"{" + bytes(100))
    with pytest.raises(UserError, match="is cut short: its header is longer than the file"):
        read_tensors(path)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


@pytest.mark.parametrize("name", ["model.pt", "model.bin", "model.safetensors", "model"])
@pytest.mark.parametrize("kind", ["zip", "legacy", "plain", "protocol-0"])
def test_a_pickle_is_recognised_and_never_loaded(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    if kind in ("zip", "legacy"):
        torch.save({"w": Bomb()}, path, _use_new_zipfile_serialization=kind == "zip")
    else:
        path.write_bytes(
            pickle.dumps({"w": Bomb(), "x": list(range(500))}, protocol=2 if kind == "plain" else 0)
        )
    known = kind != "protocol-0" or path.suffix in (".pt", ".bin")  # protocol 0 is text without a mark
    text = (
        "can run code and is never loaded. Where you trust it, make safetensors of it"
        if known
        else "is not a safetensors file"
    )
    with pytest.raises(UserError, match=text):
        read_tensors(path)
    assert not (tmp_path / "exploded").exists()


def test_other_kinds_of_file(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.ones(2))
    with pytest.raises(UserError, match="is a zip archive, not a safetensors file"):
        read_tensors(tmp_path / "a.npz")
    (tmp_path / "a.txt").write_text("no tensors here")
    with pytest.raises(UserError, match="is not a safetensors file"):
        read_tensors(tmp_path / "a.txt")
    with pytest.raises(UserError, match="is not a file"):
        read_tensors(tmp_path)
    with pytest.raises(UserError, match="there is no such file"):
        read_tensors(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is not a file"):
        read_tensors(tmp_path / "pipe")


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a"
    write_bytes(path, b"old")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("failure", "error", "text"),
    [
        (OSError(errno.ENOSPC, "No space left"), UserError, "the disk is full"),
        (OSError(errno.EACCES, "Permission denied"), UserError, "is not writable"),
        (OSError(errno.EROFS, "Read-only"), UserError, "is not writable"),
        (OSError(errno.EIO, "Input/output error"), UserError, "cannot be written: Input/output error"),
        (KeyboardInterrupt("stop"), KeyboardInterrupt, "stop"),
    ],
)
def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch, step, failure, error, text):
    path = tmp_path / "model.safetensors"
    write_bytes(path, b"old")

    def fail(*args):
        raise failure

    monkeypatch.setattr(store.os, step, fail)
    with pytest.raises(error, match=text) as caught:
        write_tensors(path, {"a": torch.ones(2)})
    monkeypatch.undo()
    assert error is KeyboardInterrupt or str(path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux' always full device")
def test_a_really_full_disk(tmp_path, monkeypatch):
    real = open
    monkeypatch.setattr("builtins.open", lambda path, mode: real("/dev/full", "wb", buffering=0))
    with pytest.raises(UserError, match="the disk is full"):
        write_bytes(tmp_path / "a", b"data")


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match="its folder does not exist"):
        write_bytes(tmp_path / "none" / "a", b"")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="its folder is a file"):
        write_bytes(tmp_path / "file" / "a", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="it is a folder"):
        write_bytes(tmp_path / "folder", b"")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_weights_that_do_not_fit_are_named_together_and_nothing_is_copied():
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    tensors = {
        "0.weight": torch.zeros(3, 2),
        "0.bias": torch.zeros(4),
        "1.bias": torch.zeros(1),
        "x": torch.ones(1),
    }
    with pytest.raises(UserError) as caught:
        load_weights(module, tensors, "runs/a/model.safetensors")
    assert str(caught.value) == (
        "runs/a/model.safetensors: got '4 tensors'; they do not fit Sequential; missing: 1.weight; "
        "unexpected: x; wrong shape: 0.bias (4,) for (3,)."
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_a_long_list_of_names_is_cut():
    with pytest.raises(UserError, match=r"unexpected: t0, t1, t2, t3, t4, t5, t6, t7 and 92 more\.$"):
        load_weights(nn.Identity(), {f"t{n}": torch.ones(1) for n in range(100)}, "a")


def test_weights_that_fit_are_copied():
    torch.manual_seed(0)
    module, other = nn.Linear(2, 3), nn.Linear(2, 3)
    load_weights(module, other.state_dict(), "other")
    assert torch.equal(module.weight, other.weight)
    with torch.no_grad():
        other.weight.zero_()
    assert module.weight.any()

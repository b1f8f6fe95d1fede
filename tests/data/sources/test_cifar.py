"""CIFAR in every form it is published in; its pickles are read and never loaded."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from anncestry.data import Examples, load_data
from anncestry.data.readers.cifar import read_names, read_python
from anncestry.errors import UserError

NAMES = ["cat", "ship", "frog"]


def batch(count: int, seed: int) -> tuple[np.ndarray, list[int]]:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 3072), dtype=np.uint8), [i % 3 for i in range(count)]


def old_pickle(data: np.ndarray, labels: list[int], fortran: bool = False) -> bytes:
    """What Python 2 wrote: protocol 2, raw strings."""

    def text(value: bytes) -> bytes:
        return (
            b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<i", len(value))
        ) + value

    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
    shape = b"M" + struct.pack("<H", len(data)) + b"M\x00\x0c\x86"
    dtype = b"cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87Rq\x05"
    dtype += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    raw = np.asfortranarray(data).tobytes("F") if fortran else data.tobytes()
    state = b"(K\x01" + shape + dtype + (b"\x88" if fortran else b"\x89") + text(raw) + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}q\x00(" + text(b"data") + array + state + text(b"labels") + numbers + b"u."


def write_python(folder: Path, protocol: int) -> None:
    for number in range(1, 6):
        data, labels = batch(6, number)
        (folder / f"data_batch_{number}").write_bytes(
            pickle.dumps({"data": data, "labels": labels, "filenames": ["x.png"] * 6}, protocol)
        )
    data, labels = batch(4, 9)
    (folder / "test_batch").write_bytes(pickle.dumps({b"labels": labels, b"data": data}, protocol))
    meta = {"num_cases_per_batch": 6, "label_names": NAMES, "num_vis": 3072}
    (folder / "batches.meta").write_bytes(pickle.dumps(meta, protocol))


def write_binary(folder: Path) -> None:
    for name, count, seed in [
        *((f"data_batch_{n}.bin", 6, n) for n in range(1, 6)),
        ("test_batch.bin", 4, 9),
    ]:
        data, labels = batch(count, seed)
        records = np.concatenate([np.array(labels, np.uint8)[:, None], data], 1)
        (folder / name).write_bytes(records.tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_both_forms_are_the_same_data(tmp_path: Path, protocol: int) -> None:
    forms = [tmp_path / "python", tmp_path / "binary"]
    for form in forms:
        form.mkdir()
    write_python(forms[0], protocol)
    write_binary(forms[1])
    first, second = (load_data(f"cifar:{form}") for form in forms)
    assert first.fingerprint() == second.fingerprint()
    assert first.classes == tuple(NAMES)
    assert first.signature.shape == (3, 32, 32)
    assert [len(split) for split in (first.train, first.validation, first.test)] == [27, 3, 4]  # type: ignore
    assert isinstance(first.test, Examples)
    assert first.test.targets.tolist() == [0, 1, 2, 0]
    assert load_data(first.name).fingerprint() == first.fingerprint()


@pytest.mark.parametrize("fortran", [False, True])
def test_what_python_2_wrote(tmp_path: Path, fortran: bool) -> None:
    data, labels = batch(5, 0)
    path = tmp_path / "data_batch_1"
    path.write_bytes(old_pickle(data, labels, fortran))
    assert (
        pickle.loads(path.read_bytes(), encoding="bytes")[b"labels"] == labels
    )  # the test's file is a pickle
    images, found = read_python(path, 10)
    np.testing.assert_array_equal(images.reshape(5, 3072), data)
    assert found.tolist() == labels


def test_cifar_100_has_its_fine_labels(tmp_path: Path) -> None:
    for name, count in (("train", 12), ("test", 3)):
        data, labels = batch(count, count)
        coarse = [0] * count
        fields = {"filenames": ["a"] * count, "fine_labels": labels, "coarse_labels": coarse, "data": data}
        (tmp_path / name).write_bytes(pickle.dumps(fields, 2))
    names = {"fine_label_names": NAMES, "coarse_label_names": ["animal"]}
    (tmp_path / "meta").write_bytes(pickle.dumps(names, 2))
    dataset = load_data(f"cifar:{tmp_path}")
    assert dataset.classes == tuple(NAMES)
    assert read_names(tmp_path / "meta") == tuple(NAMES)


class Bomb:
    """A pickle that would make a file if it were loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_executed(tmp_path: Path) -> None:
    data, labels = batch(6, 0)
    witness = tmp_path / "witness"
    bomb = pickle.dumps({"data": data, "labels": labels, "more": Bomb(witness)}, 2)
    (tmp_path / "data_batch_1").write_bytes(bomb)
    assert len(read_python(tmp_path / "data_batch_1", 10)[0]) == 6
    assert not witness.exists()


@pytest.mark.parametrize(
    ("name", "contents", "rule"),
    [
        ("test_batch", b"", "not a pickle"),
        ("test_batch", b"not a pickle", "not a pickle"),
        ("test_batch", pickle.dumps({"a": 1}), "holds no batch"),
        (
            "test_batch",
            pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}),
            "for each of its 1",
        ),
        ("test_batch", pickle.dumps({"data": b"x" * 100, "labels": [1]}), "3072 bytes for each"),
        ("test_batch.bin", b"x" * 3072, "records of 3073 bytes"),
        ("test_batch.bin", b"", "records of 3073 bytes"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, name: str, contents: bytes, rule: str) -> None:
    write_python(tmp_path, 2) if "." not in name else write_binary(tmp_path)
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(UserError, match=rule):
        load_data(f"cifar:{tmp_path}")


def test_a_folder_without_them_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(UserError, match=r"data_batch_1 .*Perhaps .*cifar-10-batches-py"):
        load_data(f"cifar:{tmp_path}")
    write_python(tmp_path, 2)
    (tmp_path / "data_batch_3").unlink()
    with pytest.raises(UserError, match="must also hold data_batch_3"):
        load_data(f"cifar:{tmp_path}")


@pytest.mark.parametrize("label", [-1, 10, 10**9, 2**70])
def test_labels_that_there_are_not_are_refused(tmp_path: Path, label: int) -> None:
    data, labels = batch(6, 0)
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({"data": data, "labels": [*labels[:3], label, *labels[4:]]}, 2))
    with pytest.raises(UserError, match=f"must have labels of 0 to 9; that of image 4 is {label}"):
        read_python(path, 10)


def test_binary_labels_that_there_are_not_are_refused(tmp_path: Path) -> None:
    write_binary(tmp_path)
    path = tmp_path / "test_batch.bin"
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    with pytest.raises(
        UserError, match=r"test_batch\.bin'; must have labels of 0 to 9; that of image 1 is 255"
    ):
        load_data(f"cifar:{tmp_path}")


def test_names_that_are_too_few_are_reported(tmp_path: Path) -> None:
    write_binary(tmp_path)
    (tmp_path / "batches.meta.txt").write_text("plane\n")
    dataset = load_data(f"cifar:{tmp_path}")
    assert dataset.classes[0] == "0"
    assert "batches.meta.txt names 1 of" in " ".join(dataset.notes)
    (tmp_path / "batches.meta.txt").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(UserError, match="must be UTF-8"):
        load_data(f"cifar:{tmp_path}")

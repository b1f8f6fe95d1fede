"""Generated problems of memory, music frame by frame, images pixel by pixel."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from anncestry.data import DataOptions, Examples, load_data
from anncestry.data.processors import PixelProcessor, processor_from_json
from anncestry.data.sources.memory import adding, copy_memory
from anncestry.errors import UserError
from anncestry.protocols import IGNORED


def test_copying_asks_for_the_first_ten_symbols_at_the_end() -> None:
    inputs, targets = copy_memory(50, 30, torch.Generator().manual_seed(0))
    assert inputs.shape == targets.shape == (50, 50)
    assert torch.equal(targets[:, -10:], inputs[:, :10])
    assert set(inputs[:, :10].unique().tolist()) == set(range(1, 9))
    assert (inputs[:, 10:-11] == 0).all()
    assert (inputs[:, -11:] == 9).all()
    assert (targets[:, :-10] == 0).all()


def test_adding_marks_one_number_in_each_half() -> None:
    inputs, targets = adding(60, 11, torch.Generator().manual_seed(0))
    numbers, marks = inputs.unbind(2)
    assert (marks[:, :5].sum(1) == 1).all()
    assert (marks[:, 5:].sum(1) == 1).all()
    torch.testing.assert_close((numbers * marks).sum(1, keepdim=True), targets)


@pytest.mark.parametrize("name", ["copy-memory", "adding"])
def test_generated_data_depend_on_the_seed_and_the_lag(name: str) -> None:
    options = DataOptions(lag=7)
    assert load_data(name, options).fingerprint() == load_data(name, options).fingerprint()
    assert load_data(name, options, seed=1).fingerprint() != load_data(name, options).fingerprint()
    assert load_data(name, options).signature.shape[0] == (27 if name == "copy-memory" else 7)
    with pytest.raises(UserError, match="lag: got 0; must be at least 1"):
        DataOptions(lag=0)


def write_music(path: Path, **changes) -> str:
    random = np.random.default_rng(0)

    def part(*lengths: int) -> np.ndarray:
        pieces = np.empty((1, len(lengths)), dtype=object)
        for index, length in enumerate(lengths):
            pieces[0, index] = (random.random((length, 88)) < 0.1).astype(np.uint8)
        return pieces

    arrays = {"traindata": part(5, 9, 3), "validdata": part(4), "testdata": part(6, 2), **changes}
    savemat(path, {key: value for key, value in arrays.items() if value is not None})
    return f"music:{path}"


def test_a_frame_is_to_be_predicted_from_those_before_it(tmp_path: Path) -> None:
    dataset = load_data(write_music(tmp_path / "a.mat"))
    assert isinstance(dataset.train, Examples)
    assert dataset.train.lengths is not None
    assert dataset.train.lengths.tolist() == [4, 8, 2]
    inputs, targets = dataset.train.inputs, dataset.train.targets
    assert inputs.shape == targets.shape == (3, 8, 88)
    torch.testing.assert_close(targets[1, :-1], inputs[1, 1:])
    assert (targets[2, 2:] == IGNORED).all()
    assert dataset.signature.task == "next-frame"
    batch = next(dataset.test.batches(2))
    assert batch.inputs.shape == (2, 5, 88)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"testdata": None}, "it lacks testdata"),
        ({"validdata": np.full((1, 4), 0.5)}, "piece 1 of validdata must be 2 or more frames"),
        ({"traindata": {"frames": np.ones((3, 88))}}, "traindata holds a struct, and must hold real"),
        ({"traindata": "words"}, "traindata holds text, and must hold real numbers"),
        ({"traindata": np.ones((3, 88)) * 1j}, "traindata holds complex numbers, and must hold real numbers"),
        ({"traindata": np.zeros((1, 0), object)}, "must hold at least one piece in traindata"),
        (dict.fromkeys(("traindata", "validdata", "testdata")), "must hold some of traindata, validdata"),
    ],
)
def test_bad_music_is_refused(tmp_path: Path, changes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_data(write_music(tmp_path / "a.mat", **changes))
    (tmp_path / "b.mat").write_bytes(b"no matlab file")
    with pytest.raises(UserError, match="must be a whole MATLAB file of level 5: its header is another"):
        load_data(f"music:{tmp_path / 'b.mat'}")


def test_real_music_and_real_pixels(shared: Path) -> None:
    music = load_data(f"music:{shared / 'polymusic' / 'JSB_Chorales.mat'}")
    assert [len(part) for part in (music.train, music.validation, music.test)] == [229, 76, 77]
    plain = load_data(f"idx:{shared / 'mnist'}")
    rows = load_data(f"idx:{shared / 'mnist'}", DataOptions(order="pixels"))
    mixed = load_data(f"idx:{shared / 'mnist'}", DataOptions(order="permuted"))
    assert rows.signature.shape == mixed.signature.shape == (784, 1)
    assert isinstance(plain.test, Examples)
    assert isinstance(rows.test, Examples)
    assert isinstance(mixed.test, Examples)
    torch.testing.assert_close(rows.test.inputs[:5, :, 0], plain.test.inputs[:5].flatten(1))
    assert isinstance(mixed.processor, PixelProcessor)
    order = list(mixed.processor.order)
    assert sorted(order) == list(range(784))
    torch.testing.assert_close(mixed.test.inputs[:5], rows.test.inputs[:5, order])
    assert processor_from_json(mixed.processor.to_json()) == mixed.processor
    _, read = mixed.processor.read(shared / "mnist" / "t10k-images-idx3-ubyte.gz")
    torch.testing.assert_close(read[:3], mixed.test.inputs[:3])

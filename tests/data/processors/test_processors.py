"""Every processor: from its JSON it is the same again, reads the same and decodes the same."""

import gzip
import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anncestry.data import DataOptions, load_data
from anncestry.data.processors import (
    ImageProcessor,
    SeriesProcessor,
    TableProcessor,
    TextProcessor,
    processor_from_json,
)
from anncestry.data.processors.common import Layout, mean_and_scale
from anncestry.data.processors.table import Column
from anncestry.errors import UserError

TABLE = TableProcessor(
    layout=Layout(("age", "colour", "price"), True, 2, (0, 1)),
    columns=(Column(mean=40.0, scale=10.0), Column(values=("blue", "red"))),
    target_mean=100.0,
    target_deviation=20.0,
)
SERIES = SeriesProcessor(Layout(("day", "sales"), True, 1, (1,)), (10.0,), (2.0,), window=3, horizon=1)
IMAGE = ImageProcessor(1, 2, 3, (0.5,), (0.25,), ("cat", "dog"))
TEXT = TextProcessor("\n abcü🦉")


@pytest.mark.parametrize("processor", [TABLE, SERIES, IMAGE, TEXT], ids=lambda p: p.kind)
def test_json_keeps_everything(processor) -> None:
    assert processor_from_json(json.loads(json.dumps(processor.to_json()))) == processor


@pytest.mark.parametrize("name", ["digits", "toy2d:xor", "pydoc", "mackey-glass"])
def test_json_keeps_everything_that_was_learnt(name: str) -> None:
    processor = load_data(name).processor
    assert processor_from_json(json.loads(json.dumps(processor.to_json()))) == processor


def test_a_damaged_description_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"processor: got 'video'; is of no known kind. Choices: captions, .*image, .*pixels"
    ):
        processor_from_json({"kind": "video"})
    with pytest.raises(UserError, match="processor: got 'text'; its description is damaged"):
        processor_from_json({"kind": "text", "words": "abc"})
    with pytest.raises(UserError, match="processor: got 'table'; its description is damaged"):
        processor_from_json({"kind": "table"})


def test_a_literal_row_becomes_a_vector() -> None:
    labels, inputs = TABLE.read("55,red")
    assert labels == ["row 1"]
    assert inputs.dtype == torch.float32
    assert inputs.tolist() == [[1.5, 0.0, 1.0]]


def test_rows_come_from_a_file_or_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "colour,age\r\nblue,40\r\nred,30\r\n"
    (tmp_path / "new.csv").write_text(text, newline="")
    expected = [[0.0, 1.0, 0.0], [-1.0, 0.0, 1.0]]
    labels, inputs = TABLE.read(tmp_path / "new.csv")
    assert (labels, inputs.tolist()) == (["row 2", "row 3"], expected)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert TABLE.read(Path("-"))[1].tolist() == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("old,red", "row 1, column 1: got 'old'; must be a number"),
        ("?,red", "row 1, column 1: got '?'; every cell needs a value; 1 has none"),
        ("55,", "row 1, column 2: got ''; every cell needs a value"),
    ],
)
def test_bad_rows_are_named(row: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        TABLE.read(row)
    assert message in str(error.value)


def test_a_text_that_training_had_not_spoils_no_other_row() -> None:
    _, inputs, notes = TABLE.read_noted(["55,green", "55,red"])
    assert inputs.tolist() == [[1.5, 0.0, 0.0], [1.5, 0.0, 1.0]]
    assert notes == ["column 2: 'green' was not seen in training", ""]


def test_values_are_given_in_their_unit() -> None:
    assert TABLE.decode(torch.tensor([[0.0], [-1.5]])) == [{"price": 100.0}, {"price": 70.0}]
    assert TABLE.target_scale == (20.0,)
    assert SERIES.decode(torch.tensor([[2.0]])) == [{"sales": 14.0}]
    assert SERIES.target_scale == (2.0,)


def test_classes_are_given_with_their_scores() -> None:
    assert IMAGE.decode(torch.tensor([[0.5, -1.0], [0.0, 2.0]])) == [
        {"class": "cat", "scores": {"cat": 0.5, "dog": -1.0}},
        {"class": "dog", "scores": {"cat": 0.0, "dog": 2.0}},
    ]
    assert IMAGE.target_scale is None


@given(value=st.floats(-1e6, 1e6), mean=st.floats(-1e6, 1e6), scale=st.floats(1e-3, 1e6))
@settings(deadline=None)
def test_a_value_that_is_standardised_and_decoded_is_the_same(
    value: float, mean: float, scale: float
) -> None:
    layout = Layout(("x", "x2"), True, 1, (0,))
    processor = TableProcessor(layout, (Column(mean, scale),), target_mean=mean, target_deviation=scale)
    decoded = processor.decode(processor.read(repr(value))[1])
    assert decoded[0]["x2"] == pytest.approx(value, rel=1e-6, abs=1e-6 * (abs(mean) + scale))


def test_the_last_window_of_a_series_is_read(tmp_path: Path) -> None:
    expected = [[[-1.0], [0.0], [1.0]]]
    assert SERIES.read("2, 4,6;8 10 12")[1].tolist() == expected
    (tmp_path / "new.csv").write_text("day,sales\nmon,2\ntue,8\nwed,10\nthu,12\n")
    labels, inputs = SERIES.read(tmp_path / "new.csv")
    assert (labels, inputs.tolist()) == (["after row 5"], expected)
    (tmp_path / "new.csv").write_text("8\n10\n12\n")
    assert SERIES.read(tmp_path / "new.csv")[1].tolist() == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1,2", "input: got '1,2'; a forecast needs the last 3 rows; there are 2."),
        (
            "nowhere.csv",
            "input: got 'nowhere.csv'; must be a table file, or 3 numbers.",
        ),
        ("1,2,nan", "or 3 numbers"),
        ("", "or 3 numbers"),
    ],
)
def test_bad_series_are_refused(source: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        SERIES.read(source)
    assert message in str(error.value)


def test_images_are_read_one_by_one_or_by_the_folder(tmp_path: Path) -> None:
    Image.new("L", (3, 2), 255).save(tmp_path / "b.png")
    Image.new("RGB", (6, 4), "black").save(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("x")
    labels, inputs = IMAGE.read(tmp_path)
    assert labels == [str(tmp_path / "a.jpg"), str(tmp_path / "b.png")]
    assert inputs.shape == (2, 1, 2, 3)
    assert inputs[0].unique().tolist() == [-2.0]
    assert inputs[1].unique().tolist() == [2.0]
    assert IMAGE.read(tmp_path / "b.png")[1].equal(inputs[1:])
    labels, again, notes = IMAGE.read_noted([tmp_path / "b.png", str(tmp_path)])
    assert labels == [str(tmp_path / name) for name in ("b.png", "a.jpg", "b.png")]
    assert again.equal(inputs[[1, 0, 1]])
    assert notes == ["", "", ""]
    Image.new("RGBA", (3, 2)).save(tmp_path / "c.png")
    assert IMAGE.read_noted(tmp_path / "c.png")[2] == ["it has transparent parts, which were laid on white"]


def test_idx_images_are_read(tmp_path: Path) -> None:
    pixels = np.array([[[0, 255, 0], [0, 0, 0]], [[255] * 3] * 2], dtype=np.uint8)
    data = b"\0\0\x08\3" + struct.pack(">3I", *pixels.shape) + pixels.tobytes()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(data))
    labels, inputs = IMAGE.read(tmp_path / "t10k-images-idx3-ubyte.gz")
    assert labels == ["image 1", "image 2"]
    assert inputs[0].tolist() == [[[-2.0, 2.0, -2.0], [-2.0, -2.0, -2.0]]]
    other = ImageProcessor(1, 28, 28, (0.5,), (0.25,), ("a", "b"))
    with pytest.raises(UserError, match="must hold images of 1 x 28 x 28 pixels; they have 1 x 2 x 3"):
        other.read(tmp_path / "t10k-images-idx3-ubyte.gz")


def test_bad_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must hold images; there is none in this folder"):
        IMAGE.read(tmp_path)
    with pytest.raises(UserError, match="there is no such file"):
        IMAGE.read(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes(b"x")
    with pytest.raises(UserError, match=r"x.png'; cannot be read"):
        IMAGE.read(tmp_path / "x.png")


def test_prompts_come_as_text_or_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels, tokens = TEXT.read("a ü🦉")
    assert (labels, tokens.tolist()) == (["a ü🦉"], [[2, 1, 5, 6]])
    (tmp_path / "prompt.txt").write_bytes(b"ab\r\nc")
    labels, tokens = TEXT.read(tmp_path / "prompt.txt")
    assert (labels, TEXT.decode_tokens(tokens[0])) == (["prompt.txt"], "ab\nc")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"cab")))
    assert TEXT.decode_tokens(TEXT.read(Path("-"))[1][0]) == "cab"
    with pytest.raises(UserError, match="must be a text, or a file with one"):
        TEXT.read("")


@pytest.mark.parametrize("character", ["x", "A", "\t", "\U0010ffff", "\udce9"])
def test_an_unknown_character_is_named(character: str) -> None:
    with pytest.raises(UserError) as error:
        TEXT.encode(f"ab{character}ca")
    assert (
        f"the character {character!r} at position 2 is not in the training text. Choices: '\\n', ' ', 'a'"
        in str(error.value)
    )


@given(text=st.text("\n abcü🦉"))
@settings(deadline=None)
def test_a_text_that_is_encoded_and_decoded_is_the_same(text: str) -> None:
    assert TEXT.decode_tokens(TEXT.encode(text)) == text


def test_the_most_probable_next_characters_are_given() -> None:
    logits = torch.tensor([0.0, 0.0, 3.0, 0.0, 0.0, 2.0, 1.0])
    for outputs in (logits[None], torch.stack([torch.zeros(7), logits])[None]):
        ((name, best),) = TEXT.decode(outputs)[0].items()
        assert name == "next"
        assert list(best)[:3] == ["a", "ü", "🦉"]
        assert best["a"] == pytest.approx(logits.softmax(0)[2].item())


def test_training_rows_are_read_as_they_were_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    rows = [f"{i * 1.5},{'red' if i % 3 else 'blue'},{i * 2 + 0.5}" for i in range(40)]
    path.write_text("\n".join(["age,colour,price", *rows]))
    dataset = load_data(f"csv:{path}")
    read = dataset.processor.read(path)[1]
    trained = {tuple(row) for row in dataset.train.inputs.tolist()}  # pyright: ignore
    assert trained < {tuple(row) for row in read.tolist()}
    series = load_data(f"csv:{path}", DataOptions(task="forecasting", window=5))
    assert series.processor.read(path)[1].shape == (1, 5, 2)


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=20))
@settings(deadline=None)
def test_standardised_columns_are_finite(values: list[float]) -> None:
    column = np.array(values)[:, None]
    mean, scale = mean_and_scale(column)
    standardised = (column - mean) / scale
    assert np.isfinite(standardised).all()
    assert np.abs(standardised.mean()) < 1e-6 or len(set(values)) == 1


@pytest.mark.parametrize("constant", [0.0, 0.1, -7e200, 1e-200])
def test_a_constant_column_is_not_divided_by_zero(constant: float) -> None:
    mean, scale = mean_and_scale(np.full((7, 1), constant))
    assert scale.item() == 1
    assert mean.item() == pytest.approx(constant)

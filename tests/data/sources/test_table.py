"""Tables: the task, the inputs and every bad table."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from anncestry.data import DataOptions, Dataset, Examples, load_data, load_whole
from anncestry.data.processors import SeriesProcessor
from anncestry.data.sources.table import read_csv
from anncestry.errors import UserError

COLOURS = ("red", "green", "blue")


def rows(count: int = 40) -> list[list[str]]:
    """x, colour, size, kind: a number, a text, a number of many values, a class."""
    return [[str(i % 7), COLOURS[i % 3], f"{i * 0.5 + 0.25}", "ab"[i % 2]] for i in range(count)]


def load(folder: Path, table: list[list[str]], names: str = "x,colour,size,kind", **options) -> Dataset:
    text = "\n".join([names, *map(",".join, table)]) if names else "\n".join(map(",".join, table))
    (folder / "table.csv").write_text(text)
    return load_data(f"csv:{folder / 'table.csv'}", DataOptions(**options))


def examples(dataset: Dataset) -> Examples:
    assert isinstance(dataset.train, Examples)
    return dataset.train


def test_the_last_column_is_a_class(tmp_path: Path) -> None:
    dataset = load(tmp_path, rows())
    assert dataset.signature.task == "classification"
    assert dataset.signature.shape == (1 + 3 + 1,)  # a number, three colours, a number
    assert dataset.classes == ("a", "b")
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [28, 6, 6]  # type: ignore
    colours = examples(dataset).inputs[:, 1:4]
    assert (colours.sum(1) == 1).all()
    _, inputs = dataset.processor.read("3,green,4.25")
    matches = (examples(dataset).inputs - inputs).abs().amax(1) < 1e-6
    assert matches.sum() <= 1


@pytest.mark.parametrize("target", ["size", "3"])
def test_a_real_target_is_a_regression_in_its_unit(tmp_path: Path, target: str) -> None:
    dataset = load(tmp_path, rows(), target=target)
    assert dataset.signature.task == "regression"
    assert dataset.signature.output_size == 1
    targets = examples(dataset).targets
    assert targets.shape == (28, 1)
    assert abs(targets.mean()) < 1e-5
    assert targets.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    true = {float(row[2]) for row in rows()}
    decoded = [answer["size"] for answer in dataset.processor.decode(targets)]
    assert all(min(abs(value - t) for t in true) < 1e-4 for value in decoded)
    (scale,) = dataset.processor.target_scale or ()
    assert scale == pytest.approx(np.std(decoded), rel=1e-4)


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (["a", "b"] * 20, "classification"),
        (["0", "1"] * 20, "classification"),
        (["1.0", "2.0", "3.0", "4.0"] * 10, "classification"),
        ([str(i) for i in range(40)], "regression"),
        (["0.5", "1.5"] * 20, "regression"),
        ([str(i % 8) for i in range(40)], "classification"),
        ([str(i % 9) for i in range(40)], "regression"),
    ],
)
def test_the_task_is_found_and_can_be_given(tmp_path: Path, target: list[str], task: str) -> None:
    table = [[row[0], row[2], cell] for row, cell in zip(rows(), target, strict=True)]
    assert load(tmp_path, table, "").signature.task == task
    if target[0] != "a":
        assert load(tmp_path, table, "", task="regression").signature.task == "regression"
        if len(set(target)) < 30:
            assert load(tmp_path, table, "", task="classification").signature.task == "classification"


def test_classes_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    table = [[str(i), ("10", "9", "2.0")[i % 3]] for i in range(30)]
    assert load(tmp_path, table, "").classes == ("2.0", "9", "10")


def test_byte_order_mark_crlf_and_semicolons_just_work(tmp_path: Path) -> None:
    plain = load(tmp_path, rows()).fingerprint()
    text = "\r\n".join(["x;colour;size;kind", *map(";".join, rows()), ""])
    (tmp_path / "windows.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_data(f"csv:{tmp_path / 'windows.csv'}").fingerprint() == plain


def test_constant_columns_become_zero(tmp_path: Path) -> None:
    table = [["0.1", *row] for row in rows()]
    inputs = examples(load(tmp_path, table, "")).inputs
    torch.testing.assert_close(inputs[:, 0], torch.zeros(len(inputs)))
    assert inputs.isfinite().all()


def test_columns_that_are_no_inputs_are_left_out_with_a_note(tmp_path: Path) -> None:
    table = [[f"name {index}", "", *row] for index, row in enumerate(rows())]
    dataset = load(tmp_path, table, "name,empty,x,colour,size,kind")
    assert dataset.signature.shape == (5,)
    notes = " | ".join(dataset.notes)
    assert "left out column 'empty': it is empty" in notes
    assert "left out column 'name': 40 different texts, at most 32 become inputs" in notes


def test_a_line_may_end_with_a_delimiter(tmp_path: Path) -> None:
    dataset = load(tmp_path, [[*row, ""] for row in rows()], "x,colour,size,kind,")
    assert dataset.classes == ("a", "b")


def test_every_class_is_trained_on(tmp_path: Path) -> None:
    table = [*rows(), ["1", "red", "2", "rare"], ["2", "red", "2", "rare"]]
    dataset = load(tmp_path, table)
    assert set(examples(dataset).targets.tolist()) == {0, 1, 2}
    assert "1 classes have fewer than 3 rows and are in the training split alone: 'rare'" in dataset.notes


FILLED = "every cell needs a value"
BAD = {
    "one class": (
        [[*row[:3], "a"] for row in rows()],
        {},
        "column 'kind': got 'a'; a classification needs at",
    ),
    "one number": (
        [[*row[:3], "1"] for row in rows()],
        {},
        "column 'kind': got '1'; a classification needs at",
    ),
    "constant": (
        [[*row[:3], "1.5"] for row in rows()],
        {"task": "regression"},
        "column 'kind': got '1.5'; has one value only; there is nothing to learn",
    ),
    "ragged": ([*rows()[:5], ["1", "red"], *rows()], {}, "row 7: got '2 cells'; every row must have 4 cells"),
    "target": (rows(), {"target": "weight"}, "target: got 'weight'; names none of the 4 columns"),
    "target listed": (rows(), {"target": "weight"}, "Choices: x, colour, size, kind."),
    "target position": (rows(), {"target": "5"}, "is no position from 1 to 4"),
    "no number": ([*rows(), ["x", "red", "1", "a"]], {}, "row 42, column 'x': got 'x'; must be a number."),
    "NaN": ([*rows(), ["NaN", "red", "1", "a"]], {}, f"row 42, column 'x': got 'NaN'; {FILLED}; 1 has none"),
    "missing": (
        [["?", *row[1:]] if i % 2 else row for i, row in enumerate(rows())],
        {},
        f"row 3, column 'x': got '?'; {FILLED}; 20 have none (column 'x')",
    ),
    "missing text": ([*rows(), ["1", "", "1", "a"]], {}, f"row 42, column 'colour': got ''; {FILLED}"),
    "missing target": ([*rows(), ["1", "red", "1", "?"]], {}, f"row 42, column 'kind': got '?'; {FILLED}"),
    "infinite": ([*rows(), ["inf", "red", "1", "a"]], {}, "column 'x': got 'inf'; must be a finite number"),
    "text": (rows(), {"task": "regression"}, "row 2, column 'kind': got 'a'; must be a number"),
    "no classes": (
        [[*row[:3], f"n{i}"] for i, row in enumerate(rows())],
        {},
        "column 'kind': got '40 classes in 40 rows'; a class needs 3 rows to be in every split",
    ),
    "few rows": (rows(2), {"task": "regression", "target": "size"}, "rows: got 2; are too few to be split"),
    "window": (rows(), {"window": 3}, "task: got 'classification'; a window and a horizon are for the task"),
    "empty target": (
        [[*row[:3], ""] for row in rows()],
        {"target": "kind"},
        "target: got 'kind'; is an empty column",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_says_what_is_wrong(tmp_path: Path, case: str) -> None:
    table, options, message = BAD[case]
    with pytest.raises(UserError) as error:
        load(tmp_path, table, **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "must hold text; it is empty"),
        (b"a,b\n1,\xff\n", "must be UTF-8 text; the byte 0xff"),
        (b"a,b\n1,\0\n", "there is a NUL byte"),
        (b",,\n,,\n", "must hold rows of values; there are none"),
        (b"?,,\n?,,\n", "columns: got '1, 2, 3'; every cell of the table is empty"),
        (b"kind\na\nb\na\nb\n", "columns: got 'kind'; no input is left beside the target"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "table.csv").write_bytes(data)
    with pytest.raises(UserError, match=message):
        load_data(f"csv:{tmp_path / 'table.csv'}", DataOptions(header=True if data[:4] == b"kind" else None))


def series(folder: Path, columns: dict[str, list[float]], **options) -> Dataset:
    table = [[f"day {i}", *map(repr, values)] for i, values in enumerate(zip(*columns.values(), strict=True))]
    return load(folder, table, ",".join(["day", *columns]), task="forecasting", **options)


def test_a_forecast_sees_the_window_before_its_target(tmp_path: Path) -> None:
    dataset = series(tmp_path, {"a": [float(i) for i in range(100)]}, window=4, horizon=3)
    assert dataset.signature.shape == (4, 1)
    (scale,) = dataset.processor.target_scale or ()
    seen = []
    for split in (dataset.train, dataset.validation, dataset.test):
        assert isinstance(split, Examples)
        times = [round(answer["a"]) for answer in dataset.processor.decode(split.targets)]
        ends = [round(answer["a"]) for answer in dataset.processor.decode(split.inputs[:, -1])]
        starts = [round(answer["a"]) for answer in dataset.processor.decode(split.inputs[:, 0])]
        assert [time - end for time, end in zip(times, ends, strict=True)] == [3] * len(times)
        assert [end - start for start, end in zip(starts, ends, strict=True)] == [3] * len(times)
        seen.append(times)
    assert seen == [list(range(6, 70)), list(range(70, 85)), list(range(85, 100))]
    assert scale == pytest.approx(np.std(np.arange(70)))  # of the training part alone


def test_all_numbers_are_seen_and_the_target_is_forecast(tmp_path: Path) -> None:
    columns = {"a": [math.sin(i) for i in range(80)], "b": [10.0 + i % 5 for i in range(80)], "c": [1.0] * 80}
    dataset = series(tmp_path, columns, target="b", window=6)
    assert dataset.signature.shape == (6, 3)
    assert "left out column 'day': no numbers" in dataset.notes
    decoded = [answer["b"] for answer in dataset.processor.decode(examples(dataset).targets)]
    assert decoded == pytest.approx(columns["b"][6:56], abs=1e-4)
    assert dataset.processor.read(dataset.source)[1].shape == (1, 6, 3)


def test_the_default_window_is_24(tmp_path: Path) -> None:
    assert series(tmp_path, {"a": [float(i * i % 17) for i in range(60)]}).signature.shape == (24, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "rows: got 20; a window of 24 and a horizon of 1 leave no forecast for each of the splits"),
        ({"window": 10, "horizon": 5}, "a window of 10 and a horizon of 5"),
        (
            {"window": 2, "target": "day"},
            "target: got 'day'; must be a column of numbers to be forecast. Choices: a",
        ),
    ],
)
def test_a_bad_series_says_what_is_wrong(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        series(tmp_path, {"a": [float(i) for i in range(20)]}, **options)


def test_columns_are_left_out_on_request(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,a,b,label\n" + "\n".join(f"{i},{i % 5},{i % 3},{'xy'[i % 2]}" for i in range(60)))
    dataset = load_data(f"csv:{path}", DataOptions(drop="id, 3"))
    assert dataset.signature.shape == (1,)
    assert "left out column 'id': as asked" in " ".join(dataset.notes)
    with pytest.raises(UserError, match="drop: got 'ids'; names none of the 4 columns"):
        load_data(f"csv:{path}", DataOptions(drop="ids"))
    with pytest.raises(UserError, match="drop: got '1,2,3'; leaves no column to predict from"):
        load_data(f"csv:{path}", DataOptions(drop="1,2,3"))
    series = load_data(f"csv:{path}", DataOptions(drop="id,b,label", task="forecasting", window=4))
    assert series.signature.shape == (4, 1)  # a series is forecast from itself


def folder_of(home: Path, **rows: range) -> str:
    for name, of_file in rows.items():
        lines = [f"{i % 7}.{i},{i * 1.5},{'ab'[i % 2]}" for i in of_file]
        (home / f"{name}.csv").write_text("\n".join(["x,y,kind", *lines]))
    return f"csv:{home}"


def test_a_folder_of_three_files_has_its_own_split(tmp_path):
    dataset = load_data(folder_of(tmp_path, train=range(30), valid=range(30, 37), test=range(37, 41)))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [30, 7, 4]
    assert "the folder's own files: test.csv, train.csv, valid.csv" in dataset.notes
    assert dataset.train.inputs.mean(0).abs().max() < 1e-5  # means of all training rows
    again = load_data(f"csv:{tmp_path}", processor=dataset.processor)
    assert again.fingerprint() == dataset.fingerprint()
    whole = load_whole(f"csv:{tmp_path}", DataOptions(), dataset.processor)
    assert sorted(map(len, whole.parts)) == [4, 7, 30]


def test_of_two_files_the_other_is_the_test_part(tmp_path):
    dataset = load_data(folder_of(tmp_path, train=range(30), dev=range(30, 37)), DataOptions(target="y"))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [27, 3, 7]
    assert "validation is 3 of the training rows" in dataset.notes[-1]
    assert "the validation file is the test part" in dataset.notes[-1]
    assert dataset.train.targets.mean().abs() < 1e-5


def test_a_test_file_without_answers_is_left_out(tmp_path):
    name = folder_of(tmp_path, train=range(30))
    (tmp_path / "test.csv").write_text("x,y\n1,2\n")
    dataset = load_data(name)
    assert "the test file has no kind: it is left out" in dataset.notes
    assert "22 / 4 / 4 rows" in dataset.notes[-1]
    with pytest.raises(UserError, match="the target is missing, kind"):
        load_whole(f"csv:{tmp_path / 'test.csv'}", DataOptions(), dataset.processor)


def test_a_folder_is_no_series_and_needs_training_rows(tmp_path):
    name = folder_of(tmp_path, train=range(60), test=range(60, 90))
    with pytest.raises(UserError, match="is of one file, whose parts follow each other in time"):
        load_data(name, DataOptions(task="forecasting", target="y", window=3))
    (tmp_path / "train.csv").unlink()
    with pytest.raises(UserError, match="must hold a file with train in its name"):
        load_data(name)


def test_class_names_are_kept_as_they_stand(tmp_path: Path) -> None:
    table = [[str(i % 7), ("1e2", "007", "7", "2.50")[i % 4]] for i in range(60)]
    dataset = load(tmp_path, table, "x,code", task="classification")
    assert dataset.classes == ("2.50", "007", "7", "1e2")
    note = "classes of one number that is written in several ways stay apart: '007', '7'"
    assert note in dataset.notes
    # of other data a name counts as that of the one class with the same number
    other = load_csv(tmp_path, [["1", "100.0"], ["2", "2.5"], ["3", "007"]], "x,code", dataset.processor)
    assert other.targets.tolist() == [3, 0, 1]
    with pytest.raises(UserError, match=r"got '7\.0'; is no class the model was trained on"):
        load_csv(tmp_path, [["1", "7.0"]], "x,code", dataset.processor)


def load_csv(folder: Path, table: list[list[str]], header: str, processor) -> Examples:
    (folder / "other.csv").write_text("\n".join([header, *map(",".join, table), ""]))
    (part,) = read_csv(str(folder / "other.csv"), DataOptions(), processor).parts
    assert isinstance(part, Examples)
    return part


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_the_index_that_pandas_writes_is_no_input(tmp_path: Path, name: str) -> None:
    table = [[str(3 * i), *row] for i, row in enumerate(rows())]
    dataset = load(tmp_path, table, f"{name},x,colour,size,kind")
    assert dataset.signature.shape == (5,)
    assert any(note.startswith("left out column 1: it has no name") for note in dataset.notes)
    again = [["1", *row[1:]] for row in table]  # not a number of its own in every row
    assert load(tmp_path, again, f"{name},x,colour,size,kind").signature.shape == (6,)


def test_columns_that_are_hardly_meant_are_noted(tmp_path: Path) -> None:
    table = [
        [f"C{i}", str(100 + i), str(7 * i), "5", "same", f"{i % 4},{i % 5}", *row]
        for i, row in enumerate(rows())
    ]
    text = "name;nr;customer_id;five;word;comma;x;colour;size;kind\n" + "".join(
        map("{}\n".format, map(";".join, table))
    )
    (tmp_path / "table.csv").write_text(text)
    notes = load_data(f"csv:{tmp_path / 'table.csv'}").notes
    wanted = [
        "column 'nr' counts the rows, as an identifier does; --drop leaves it out",
        "column 'customer_id' has another number in every row, as an identifier does; --drop leaves it out",
        "column 'five' is the same in every row",
        "column 'word' is the same in every row",
    ]
    assert [note for note in notes if note in wanted] == wanted
    assert any("column 'comma': numbers like '0,0' are read as texts" in note for note in notes)


def test_a_series_with_the_newest_row_first_is_turned_round(tmp_path: Path) -> None:
    def of(days, values):
        table = [
            [f"2024-{1 + d // 28:02}-{1 + d % 28:02}", str(v)] for d, v in zip(days, values, strict=True)
        ]
        return load(tmp_path, table, "day,a", task="forecasting", window=4)

    forward = of(range(60), range(60))
    backward = of(range(59, -1, -1), range(59, -1, -1))
    assert backward.fingerprint() == forward.fingerprint()
    note = "the rows began with the newest (column 'day' falls); they are read in reverse"
    assert note in backward.notes
    assert note not in forward.notes
    assert isinstance(backward.processor, SeriesProcessor)
    labels, inputs, notes = backward.processor.read_noted(backward.source)
    assert labels == ["after row 2"]
    assert round(backward.processor.decode(inputs[:, -1])[0]["a"]) == 59
    assert notes == [note]
    mixed = of([i * 7 % 60 for i in range(60)], range(60))
    assert "column 'day' neither rises nor falls; rows are read in the order of the file" in mixed.notes


def test_texts_that_training_had_not_are_noted(tmp_path: Path) -> None:
    dataset = load(tmp_path, rows())
    other = [["1", "violet", "2", "a"], *rows()[:3]]
    (tmp_path / "other.csv").write_text("\n".join(["x,colour,size,kind", *map(",".join, other), ""]))
    whole = read_csv(str(tmp_path / "other.csv"), DataOptions(), dataset.processor)
    note = "1 cells hold texts that training had not, read as none of its: the first is 'violet' in row 2"
    assert any(found.startswith(note) for found in whole.notes)


@pytest.mark.parametrize("name", ["input", "note", "tags"])
def test_a_target_is_never_called_as_a_part_of_a_prediction(tmp_path: Path, name: str) -> None:
    dataset = load(tmp_path, rows(), f"x,colour,{name},kind", target=name)
    assert list(dataset.processor.decode(torch.zeros(1, 1))[0]) == [f"predicted {name}"]  # type: ignore


def test_the_target_in_other_words_is_reported(tmp_path: Path) -> None:
    told = [[x, colour, size, kind, str(i % 2), f"{2 * float(size) - 1}"]
            for i, (x, colour, size, kind) in enumerate(rows())]  # fmt: skip
    names = "x,colour,size,kind,kind_id,twice"
    notes = " ".join(load(tmp_path, told, names, target="kind").notes)
    assert "column 'kind_id' says the same as column 'kind', the target" in notes
    assert notes.count("says the same") == 1
    notes = " ".join(load(tmp_path, told, names, target="size").notes)
    assert "column 'twice' says the same as column 'size', the target" in notes
    assert notes.count("says the same") == 1


def test_copies_of_training_rows_in_the_test_part_are_reported(tmp_path: Path) -> None:
    dataset = load(tmp_path, rows(42) * 5)  # each of 42 rows five times
    assert sum("test rows are also in the training part" in note for note in dataset.notes) == 1
    assert not [note for note in load(tmp_path, rows()).notes if "also in the training" in note]
    known = {tuple(row.tolist()) for row in examples(dataset).inputs}
    count = sum(tuple(row.tolist()) in known for row in dataset.test.inputs)  # type: ignore
    assert f"{count} of the {len(dataset.test)} test rows" in " ".join(dataset.notes)  # type: ignore


def test_classes_that_differ_in_capitals_alone_are_reported(tmp_path: Path) -> None:
    told = [[*row[:3], ("Yes", "yes", "no", "NO")[i % 4]] for i, row in enumerate(rows())]
    note = "classes that differ in capitals or blanks alone stay apart: 'NO', 'no'; 'Yes', 'yes'"
    assert note in load(tmp_path, told).notes


@pytest.mark.parametrize("form", ["${}.50", "{} %", "1,{:03}", "1 {:03} €", "{},5", "1'{:03}.25"])
def test_numbers_that_are_not_plain_are_reported(tmp_path: Path, form: str) -> None:
    told = [[*row[:2], f'"{form.format(i)}"', row[3]] for i, row in enumerate(rows())]
    notes = " ".join(load(tmp_path, told).notes)
    assert f"column 'size': numbers like {form.format(0)!r} are read as texts. Write numbers plainly" in notes
    with pytest.raises(UserError, match=r"is no number, and 40 classes are many\. Write numbers plainly"):
        load(tmp_path, told, target="size")


@pytest.mark.parametrize("form", ["2020.01.{:02}", "12:{:02}", "v{}", "{}-3", "192.168.0.{}", "{} kg"])
def test_other_texts_are_no_numbers(tmp_path: Path, form: str) -> None:
    told = [[*row[:2], form.format(i % 20), row[3]] for i, row in enumerate(rows())]
    assert "plainly" not in " ".join(load(tmp_path, told).notes)


@pytest.mark.parametrize(("cell", "told"), [("-999", True), ("9999", True), ("-998", False), ("-9", False)])
def test_numbers_that_stand_for_no_value_are_reported(tmp_path: Path, cell: str, told: bool) -> None:
    gaps = [[*row[:2], cell if i % 10 == 0 else row[2], row[3]] for i, row in enumerate(rows())]
    note = f"column 'size': 4 cells hold {cell}, far from all others"
    assert any(text.startswith(note) for text in load(tmp_path, gaps).notes) is told

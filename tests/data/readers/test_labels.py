"""Several labels for an example: from one column, from columns of 0 and 1, from lists of JSON; and what is
refused.
"""

import json
from pathlib import Path

import pytest
import torch

from anncestry.data import DataOptions, load_data
from anncestry.data.readers.labels import separator_of
from anncestry.errors import UserError
from anncestry.timeline import find
from anncestry.training.train import train

ROWS = [(0.1, "red|round"), (0.2, "red"), (0.9, ""), (0.7, "round"), (0.3, "round|red"), (0.8, "NA")] * 10


def test_lists_in_brackets_are_lists(tmp_path) -> None:
    cells = ("\"['red', 'a, b']\"", "['red']", "[]", "") * 10
    path = write(tmp_path / "t.csv", ["x,what", *(f"{i},{cell}" for i, cell in enumerate(cells))])
    dataset = load_data(f"csv:{path}", DataOptions(task="multi-label"))
    assert dataset.classes == ("a, b", "red")
    counts = sum(part.targets.sum(0) for part in (dataset.train, dataset.validation, dataset.test))  # pyright: ignore
    assert counts.tolist() == [10, 20]
    write(tmp_path / "t.csv", ["x,what", *(f"{i},{cell}" for i, cell in enumerate(cells[:20])), "9,[open]"])
    with pytest.raises(UserError, match=r"row 22, column 'what': .* must be a list of labels"):
        load_data(f"csv:{path}", DataOptions(task="multi-label"))


def test_a_cell_without_a_separator_is_one_label(tmp_path) -> None:
    path = write(tmp_path / "t.csv", ["x,what", *(f"{i},{('red round', 'blue')[i % 2]}" for i in range(20))])
    dataset = load_data(f"csv:{path}", DataOptions(task="multi-label"))
    assert "each cell of column 'what' is one label: none holds |, ; or ," in dataset.notes


def write(path, lines) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def column(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "t.csv"
    return write(path, ["x,what", *(f"{x},{labels}" for x, labels in ROWS)])


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "t.csv"
    rows = (f"{'red' in labels:d},{x},{'round' in labels}" for x, labels in ROWS)
    return write(path, ["red,x,round", *rows])


def sets(dataset) -> list[tuple[float, tuple[str, ...]]]:
    """Every example: its input and its labels."""
    found = []
    for split in (dataset.train, dataset.validation, dataset.test):
        for x, y in zip(split.inputs, split.targets, strict=True):
            names = tuple(name for name, there in zip(dataset.classes, y.tolist(), strict=True) if there)
            found.append((round(x[0].item(), 3), names))
    return sorted(found)


def test_a_column_of_names_and_columns_of_bits_say_the_same(column, columns):
    named = load_data(f"csv:{column}", DataOptions(task="multi-label"))
    bits = load_data(f"csv:{columns}", DataOptions(target="red,round"))
    for dataset in (named, bits):
        assert (dataset.signature.task, dataset.signature.output_size) == ("multi-label", 2)
        assert dataset.classes == ("red", "round")
        assert dataset.train.targets.dtype == torch.float32
        assert dataset.signature.shape == (1,)
    assert sets(named) == sets(bits)
    assert sum(not names for _, names in sets(named)) == 20  # no label at all: an empty cell, and NA


@pytest.mark.parametrize(
    ("cells", "mark"),
    [(["a|b;c", "a"], "|"), (["a;b", "c,d"], ";"), (["a, b", ""], ","), (["a b", "c"], "")],
)
def test_the_separator_is_found(cells, mark):
    assert separator_of(cells) == mark


def test_a_new_file_is_read_the_same_way(columns, tmp_path):
    dataset = load_data(f"csv:{columns}", DataOptions(target="red,round"))
    processor = type(dataset.processor).from_json(
        {
            key: value
            for key, value in json.loads(json.dumps(dataset.processor.to_json())).items()
            if key != "kind"
        }
    )
    assert processor == dataset.processor
    inputs = [processor.read(given)[1] for given in ("0.5", Path(write(tmp_path / "x.csv", ["x", "0.5"])))]
    assert torch.equal(*inputs)
    rows = processor.decode(torch.tensor([[0.6, 0.4], [0.2, 0.5]]))
    assert [row["labels"] for row in rows] == [["red"], []]
    assert rows[0]["scores"] == pytest.approx({"red": 0.6, "round": 0.4})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "red,x"}, r"row 2, column 'x': got '0\.1'; must be 0 or 1"),
        ({"target": "red,red"}, "names a column twice"),
        ({"target": "red,green"}, "names none of the 3 columns"),
        (
            {"target": "red,round", "task": "regression"},
            "several columns, which are labels; regression has one",
        ),
    ],
)
def test_what_is_refused(columns, options, message):
    with pytest.raises(UserError, match=message):
        load_data(f"csv:{columns}", DataOptions(**options))


def test_a_class_that_looks_like_labels_is_noted(column):
    table = load_data(f"csv:{column}", DataOptions(task="multi-label"))
    assert not any("reads several labels" in note for note in table.notes)
    path = column.replace("t.csv", "full.csv")
    write(
        table.source.with_name("full.csv"), ["x,what", *(f"{x},{y}" for x, y in ROWS if y not in ("", "NA"))]
    )
    with_notes = load_data(f"csv:{path}", DataOptions())
    assert any("--task multi-label reads several labels" in note for note in with_notes.notes)


def texts(folder, *, lists: bool) -> str:
    lines = []
    for n in range(24):
        labels = [name for name, there in (("sad", n % 2), ("long", n % 3 == 0)) if there]
        text = f"{'rain' if n % 2 else 'sun'} {'and so on ' if n % 3 == 0 else ''}{n}"
        fields = {"labels": labels} if lists else {"sad": bool(n % 2), "long": int(n % 3 == 0)}
        lines.append(json.dumps({"text": text, **fields}))
    return write(folder / "d.jsonl", lines)


@pytest.mark.parametrize("lists", [True, False])
def test_texts_have_labels_by_a_list_or_by_fields(tmp_path, lists):
    path = texts(tmp_path, lists=lists)
    options = DataOptions(vocab_size=60, level="wordpiece", target=None if lists else "sad,long")
    dataset = load_data(f"jsonl:{path}", options)
    assert dataset.signature.task == "multi-label"
    assert set(dataset.classes) == {"sad", "long"}
    total = sum(split.targets.sum(0) for split in (dataset.train, dataset.validation, dataset.test))
    assert dict(zip(dataset.classes, total.tolist(), strict=True)) == {"sad": 12, "long": 8}


def test_texts_of_a_table_have_labels(tmp_path):
    rows = [f'"so, {n}",{n % 2},{int(n % 3 == 0)}' for n in range(24)]
    path = write(tmp_path / "t.csv", ["comment,toxic,insult", *rows])
    options = DataOptions(text="comment", target="toxic,insult", vocab_size=60, level="wordpiece")
    dataset = load_data(f"csv:{path}", options)
    assert (dataset.classes, dataset.signature.task) == (("insult", "toxic"), "multi-label")


def test_a_list_asks_for_several_labels(tmp_path):
    options = DataOptions(vocab_size=60, level="wordpiece", task="classification")
    with pytest.raises(
        UserError, match=r"task: got 'classification'; has one target for a text, and .* lists"
    ):
        load_data(f"jsonl:{texts(tmp_path, lists=True)}", options)


def test_a_run_trains_scores_and_predicts(column, tmp_path):
    from anncestry.training.settings import TrainingSettings

    settings = TrainingSettings(epochs=60, batch_size=8, learning_rate=0.03)
    options = DataOptions(task="multi-label")
    run, fit = train("mlp", f"csv:{column}", out=tmp_path / "run", settings=settings, data_options=options)
    scores = run.scores()["test"]
    assert set(scores) >= {"micro_f1", "macro_f1", "subset_accuracy", "mean_average_precision"}
    assert scores["micro_f1"] > 0.8
    assert run.evaluate() == pytest.approx(scores)
    rows = run.predict("0.2\n0.9")
    assert rows[1]["labels"] == []
    assert "red" in rows[0]["labels"]
    assert rows[0]["probabilities"].keys() == {"red", "round"}
    assert fit.kept["by"] == "loss"  # F1 of giving every label is high before anything is learnt


def test_rules_that_give_one_class_are_refused(column):
    signature = load_data(f"csv:{column}", DataOptions(task="multi-label")).signature
    with pytest.raises(UserError, match="does not fit vector inputs with the task multi-label"):
        find("perceptron").configure(signature)


def test_other_texts_are_read_for_scoring(tmp_path):
    from anncestry.data.sources import load_whole

    path = texts(tmp_path, lists=True)
    processor = load_data(f"jsonl:{path}", DataOptions(vocab_size=60, level="wordpiece")).processor
    one = write(tmp_path / "one.jsonl", [json.dumps({"text": "rain", "labels": ["sad"]})])
    (part,) = load_whole(f"jsonl:{one}", DataOptions(), processor).parts
    assert part.targets.tolist() == [[0, 1]]
    cells = write(tmp_path / "cells.csv", ["text,labels", "rain and,sad|long", "sun,"])
    options = DataOptions(text="text", target="labels")
    (part,) = load_whole(f"csv:{cells}", options, processor).parts
    assert part.targets.tolist() == [[1, 1], [0, 0]]
    unknown = write(tmp_path / "new.jsonl", [json.dumps({"text": "rain", "labels": ["odd"]})])
    with pytest.raises(UserError, match="got 'odd'; is no label the model was trained on"):
        load_whole(f"jsonl:{unknown}", DataOptions(), processor)

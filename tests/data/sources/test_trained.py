"""Other data seen with the processor of a trained model: its columns, means, classes and vocabulary."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from anncestry.data import DataOptions, Dataset, Examples, load_data
from anncestry.data.processors import TextProcessor
from anncestry.errors import UserError


def everything(dataset: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    """All inputs and targets, in the order of the targets and the first input."""
    splits = [dataset.train, dataset.validation, dataset.test]
    inputs = torch.cat([split.inputs.flatten(1) for split in splits if isinstance(split, Examples)])
    targets = torch.cat([split.targets for split in splits if isinstance(split, Examples)])
    order = np.lexsort((inputs[:, 0].numpy(), targets.flatten().numpy()))
    return inputs[order], targets[order]


def write_table(path: Path, rows: range, names: str = "x,colour,size,kind") -> str:
    columns = {"x": lambda i: i % 7, "colour": lambda i: ("red", "blue")[i % 2], "size": lambda i: i * 1.5}
    columns["kind"] = lambda i: "abc"[i % 3]
    lines = [",".join(str(columns[name](i)) for name in names.split(",")) for i in rows]
    path.write_text("\n".join([names, *lines]))
    return f"csv:{path}"


@pytest.mark.parametrize("name", ["digits", "toy2d:moons", "mackey-glass", "pydoc"])
def test_its_own_data_are_the_same(name: str) -> None:
    dataset = load_data(name, seed=2)
    again = load_data(name, seed=2, processor=dataset.processor)
    assert again.fingerprint() == dataset.fingerprint()
    assert again.signature == dataset.signature


@pytest.mark.parametrize("target", ["kind", "size"])
def test_a_table_is_scaled_and_labelled_as_in_training(tmp_path: Path, target: str) -> None:
    trained = load_data(write_table(tmp_path / "a.csv", range(60)), DataOptions(target=target))
    # Other rows, other columns, another order, and one of the classes only.
    other = write_table(tmp_path / "b.csv", range(2, 50, 3), "kind,size,colour,x")
    dataset = load_data(other, DataOptions(target="x", window=3), processor=trained.processor)
    assert dataset.signature == trained.signature
    assert dataset.classes == trained.classes
    if target == "kind":
        assert everything(dataset)[1].unique().tolist() == [2]
    else:
        values = sorted(row["size"] for row in trained.processor.decode(everything(dataset)[1]))
        assert values == pytest.approx([i * 1.5 for i in range(2, 50, 3)], abs=1e-4)
    assert everything(dataset)[0].mean(0).abs().max() > 0.01  # not with its own means


def test_a_series_is_scaled_as_in_training(tmp_path: Path) -> None:
    options = DataOptions(task="forecasting", target="size", window=5)
    trained = load_data(write_table(tmp_path / "a.csv", range(60)), options)
    dataset = load_data(write_table(tmp_path / "b.csv", range(20, 60)), processor=trained.processor)
    assert dataset.signature.shape == (5, 2)
    values = sorted(row["size"] for row in trained.processor.decode(everything(dataset)[1]))
    assert values == pytest.approx([i * 1.5 for i in range(25, 60)], abs=1e-4)


def test_images_are_resized_and_labelled_as_in_training(tmp_path: Path) -> None:
    for name, value in (("cat", 10), ("dog", 200), ("emu", 100)):
        for index in range(5):
            for size, folder in ((6, "a"), (9, "b")):
                if folder == "b" and name == "cat":
                    continue
                (tmp_path / folder / name).mkdir(parents=True, exist_ok=True)
                Image.new("L", (size, size), value + index).save(tmp_path / folder / name / f"{index}.png")
    trained = load_data(f"images:{tmp_path / 'a'}")
    dataset = load_data(f"images:{tmp_path / 'b'}", processor=trained.processor)
    assert dataset.signature == trained.signature
    inputs, targets = everything(dataset)
    assert targets.unique().tolist() == [1, 2]
    all_inputs, all_targets = everything(trained)
    torch.testing.assert_close(inputs, all_inputs[all_targets > 0])
    (tmp_path / "b" / "cow").mkdir()
    for index in range(5):
        Image.new("L", (9, 9), index).save(tmp_path / "b" / "cow" / f"{index}.png")
    with pytest.raises(
        UserError, match=r"class: got 'cow'; is no class the model was trained on. Choices: cat, dog"
    ):
        load_data(f"images:{tmp_path / 'b'}", processor=trained.processor)


def test_a_text_is_read_with_the_vocabulary_of_training(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abcd " * 50)
    (tmp_path / "b.txt").write_text("bxd" * 50)
    trained = load_data(f"text:{tmp_path / 'a.txt'}", DataOptions(window=7))
    dataset = load_data(f"text:{tmp_path / 'b.txt'}", DataOptions(window=7), processor=trained.processor)
    assert isinstance(dataset.processor, TextProcessor)
    assert dataset.signature == trained.signature
    assert next(dataset.train.batches(1)).inputs[0].tolist() == [2, 4, 2, 4, 2, 4, 2]
    assert "left out 50 characters that the training text lacks: 'x'" in dataset.notes


def test_data_the_processor_cannot_read_are_refused(tmp_path: Path) -> None:
    trained = load_data(write_table(tmp_path / "a.csv", range(60)))

    def refused(name: str, message: str, of: Dataset = trained) -> None:
        with pytest.raises(UserError) as error:
            load_data(name, processor=of.processor)
        assert message in str(error.value)

    refused(
        "digits",
        "data: got 'digits'; holds other inputs than the model was trained on, which its TableProcessor",
    )
    refused("pydoc", "data: got 'pydoc'; holds other inputs")
    refused("mackey-glass", "data: got 'mackey-glass'; holds other inputs")
    refused(write_table(tmp_path / "b.csv", range(9), "x,colour,kind"), "the header must also name 'size'")
    refused(
        write_table(tmp_path / "b.csv", range(9), "x,colour,size"),
        "columns: got 'x, colour, size'; the target is missing, kind",
    )
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "c.csv").write_text(text.replace("c\n", "z\n"))
    refused(
        f"csv:{tmp_path / 'c.csv'}",
        "column 'kind': got 'z'; is no class the model was trained on. Choices: a, b, c",
    )
    images = load_data("digits")
    refused(
        f"csv:{tmp_path / 'a.csv'}",
        "holds other inputs than the model was trained on, which its ImageProcessor",
        images,
    )
    refused("toy2d:xor", "got 'x, y, class'; the header must also name")

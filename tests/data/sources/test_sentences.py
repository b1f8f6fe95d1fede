"""Short texts with a class: the forms they come in, their vocabulary, and what is refused."""

import gzip
from pathlib import Path

import pytest
import torch

from anncestry.data import DataOptions, Examples, load_data, load_whole
from anncestry.data.processors import SentenceProcessor, processor_from_json
from anncestry.errors import UserError

GOOD, BAD = ["a fine film", "fine and warm", "warm film"], ["a dull film", "dull and cold", "cold film"]


def labelled(form: str, repeats: int = 6) -> str:
    pairs = [
        (text, label)
        for _ in range(repeats)
        for texts, label in ((GOOD, "pos"), (BAD, "neg"))
        for text in texts
    ]
    return "\n".join(form.format(text=text, label=label) for text, label in pairs) + "\n"


def splits(dataset):
    found = [dataset.train, dataset.validation, dataset.test]
    assert all(isinstance(split, Examples) for split in found)
    return found


def test_a_folder_with_a_file_for_each_class(tmp_path: Path) -> None:
    for name, lines in (("Pos", GOOD * 5), ("Neg", BAD * 5)):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    dataset = load_data(f"sentences:{tmp_path}")
    assert dataset.classes == ("Neg", "Pos")
    assert isinstance(dataset.processor, SentenceProcessor)
    assert dataset.processor.level == "char"
    assert sum(len(split) for split in splits(dataset)) == 30
    for split in splits(dataset):
        assert ((split.inputs != 0).sum(1) == split.lengths).all()
        assert (split.inputs[torch.arange(len(split)), split.lengths - 1] != 0).all()


@pytest.mark.parametrize("form", ["{text}\t{label}", "{label} {text}", "{label}:kind {text}"])
def test_the_forms_of_lines(tmp_path: Path, form: str) -> None:
    (tmp_path / "all.txt").write_text(labelled(form))
    dataset = load_data(f"sentences:{tmp_path / 'all.txt'}")
    assert dataset.classes == ("neg", "pos")
    assert isinstance(dataset.processor, SentenceProcessor)
    assert dataset.processor.vocabulary[:2] == ("<pad>", "<unk>")
    assert set(dataset.processor.vocabulary[2:]) == {"a", "fine", "film", "and", "warm", "dull", "cold"}
    tokens, lengths = dataset.processor.encode(["a strange film", "warm"])
    assert lengths.tolist() == [3, 1]
    assert tokens[0, 1] == 1
    assert tokens[1].tolist()[1:] == [0, 0]
    assert processor_from_json(dataset.processor.to_json()) == dataset.processor


def test_official_parts_and_a_header(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("sentence\tlabel\n" + labelled("{text}\t{label}"))
    (tmp_path / "dev.tsv").write_text(labelled("{text}\t{label}", 1))
    (tmp_path / "test.tsv.gz").write_bytes(gzip.compress(labelled("{text}\t{label}", 2).encode()))
    dataset = load_data(f"sentences:{tmp_path}")
    assert [len(split) for split in splits(dataset)] == [36, 6, 12]
    (tmp_path / "dev.tsv").unlink()
    dataset = load_data(f"sentences:{tmp_path}")
    assert sum(len(split) for split in splits(dataset)[:2]) == 36
    assert "validation is 4 of the training lines" in dataset.notes[0]


def test_a_file_train_among_classes_is_a_class(tmp_path: Path) -> None:
    for name in ("train", "bus", "contest"):
        (tmp_path / f"{name}.txt").write_text("".join(f"it leaves at {i}\n\n" for i in range(9)))
    (tmp_path / "README").write_text("how")
    dataset = load_data(f"sentences:{tmp_path}")
    assert dataset.classes == ("bus", "contest", "train")
    assert "a class for each of the 3 files CLASS.txt" in dataset.notes
    assert "files that are not read: README" in dataset.notes
    assert "left out 27 blank lines" in dataset.notes


def test_what_is_not_read_of_a_folder_is_said(tmp_path: Path) -> None:
    for name in ("train_5500.label", "dev.label", "bus.txt", ".hidden"):
        (tmp_path / name).write_text(labelled("{label}:kind {text}"))
    notes = load_data(f"sentences:{tmp_path}").notes
    assert "files that are not read: bus.txt" in notes
    assert "dev.label is the test part" in notes
    assert "dev.label: of a label like coarse:fine the part before the colon is the class" in notes


def test_latin_1_is_read_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_bytes((labelled("{label} {text}") + "pos caf\xe9\n").encode("latin-1"))
    dataset = load_data(f"sentences:{tmp_path / 'all.txt'}")
    assert any("no UTF-8; it was read as Latin-1" in note for note in dataset.notes)


def test_the_vocabulary_can_be_limited(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text(labelled("{label} {text}"))
    dataset = load_data(f"sentences:{tmp_path / 'all.txt'}", DataOptions(vocab_size=4))
    assert dataset.signature.vocab_size == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pos\nneg a film\n", "line 1 must be a text, a tab and a class, or a class and a text"),
        ("pos fine\npos warm\npos good\n", "a classification needs at least two classes"),
        ("", "must hold text; it is empty"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "all.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        load_data(f"sentences:{tmp_path / 'all.txt'}")


def test_an_empty_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must hold a file CLASS\.txt for each class"):
        load_data(f"sentences:{tmp_path}")
    processor = SentenceProcessor("word", ("<pad>", "<unk>", "a"), ("x", "y"))
    with pytest.raises(UserError, match="must hold at least one word"):
        processor.encode(["a", " "])


def test_the_real_names_and_sentences(shared: Path) -> None:
    names = load_data(f"sentences:{shared / 'names'}")
    assert len(names.classes) == 18
    assert sum(len(split) for split in splits(names)) == 20_050
    sizes = {"sst2/sentence": [6920, 872, 1821], "sst5": [8544, 1101, 2210]}
    for folder, expected in sizes.items():
        assert [len(split) for split in splits(load_data(f"sentences:{shared / folder}"))] == expected
    trec = load_data(f"sentences:{shared / 'trec'}")
    assert len(trec.classes) == 6
    assert [len(split) for split in splits(trec)] == [4907, 545, 500]


def test_a_separator_within_a_text_ends_no_line(tmp_path: Path) -> None:
    text = labelled("{text}\t{label}").replace("a fine film", "a fine\u2028film", 1)
    (tmp_path / "all.tsv").write_text(text.replace("dull and cold", "dull\x0c\r\x85cold", 1), newline="")
    assert load_data(f"sentences:{tmp_path / 'all.tsv'}").classes == ("neg", "pos")


TEXTS = [f"{text} {i}" for i in range(5) for text in GOOD + BAD]


def test_the_class_may_stand_before_the_tab(tmp_path: Path) -> None:
    lines = [f"{'pos' if i % 6 < 3 else 'neg'}\t{text}" for i, text in enumerate(TEXTS)]
    (tmp_path / "all.txt").write_text("\n".join(lines))
    dataset = load_data(f"sentences:{tmp_path / 'all.txt'}")
    assert dataset.classes == ("neg", "pos")
    assert "all.txt: the class stands before the tab" in dataset.notes
    for row in ("pos\ta fine film", "a fine film\tpos", "text\tkind\na fine film\tpos"):
        (tmp_path / "one.txt").write_text(row)  # where the known classes tell
        (part,) = load_whole(f"sentences:{tmp_path / 'one.txt'}", DataOptions(), dataset.processor).parts
        assert part.targets.tolist() == [1]  # pyright: ignore
        assert part.lengths.tolist() == [3]  # pyright: ignore


def test_a_first_line_of_names_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text("review\tsentiment\n" + labelled("{text}\t{label}"))
    dataset = load_data(f"sentences:{tmp_path / 'all.txt'}")
    assert dataset.classes == ("neg", "pos")
    assert "all.txt: the first line names the columns (review, sentiment)" in dataset.notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (labelled("{text}\t{label}") + "no tab here\n", "line 37 must have a tab before its class"),
        (labelled("__label__{label} __label__x {text}"), r"line 1 has several labels \(__label__...\)"),
        (labelled("{label},{text}"), "each of its classes would hold a ,. Is it csv"),
        (
            labelled('{{"text": "{text}", "label": "{label}"}}'),
            "each of its classes would hold a {. Is it jsonl",
        ),
    ],
)
def test_files_of_other_forms_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "all.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        load_data(f"sentences:{tmp_path / 'all.txt'}")


def test_tabs_within_a_text_are_reported(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text(labelled("7\t{text}\t{label}"))
    assert "every line has 2 tabs" in " ".join(load_data(f"sentences:{tmp_path / 'all.txt'}").notes)


@pytest.mark.parametrize("options", [{}, {"level": "wordpiece", "vocab_size": 60}])
def test_texts_that_come_several_times_are_reported(tmp_path: Path, options: dict) -> None:
    (tmp_path / "all.txt").write_text(labelled("{text}\t{label}"))
    notes = load_data(f"sentences:{tmp_path / 'all.txt'}", DataOptions(**options)).notes
    assert any("test texts are also in the training part" in note for note in notes)

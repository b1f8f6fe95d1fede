"""Words on the command line: a file that is there is read and named, and can be taken as a text."""

from pathlib import Path

import pytest
from PIL import Image

from anncestry.cli.inputs import input_of
from anncestry.cli.main import main
from anncestry.data.processors import ImageProcessor, PlainProcessor, SentenceProcessor, TableProcessor
from anncestry.data.processors.common import Layout
from anncestry.runs.run import load

WORDS = SentenceProcessor("word", ("<pad>", "<unk>", "a"), ("x", "y"))
ROWS = TableProcessor(Layout(("1", "2"), False, 1, (0,)), ())
IMAGES = ImageProcessor(1, 2, 3, (0.5,), (0.25,), ("cat", "dog"))


def test_a_word_may_name_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    for name in ("a", "films.csv"):
        (tmp_path / name).write_text("x\n")
    monkeypatch.chdir(tmp_path)
    assert input_of("a", WORDS) == tmp_path / "a"
    assert capsys.readouterr().err.startswith("note: a: the file of this name is read (--literal reads")
    assert input_of("a", WORDS, literal=True) == "a"
    assert input_of("a b", WORDS) == "a b"
    assert input_of("films.csv", ROWS) == tmp_path / "films.csv"
    assert capsys.readouterr().err == ""
    input_of("films.csv", WORDS)
    assert "each of its lines is read as a text" in capsys.readouterr().err
    assert input_of("film.txt", WORDS) == "film.txt"
    assert "there is no file of this name, so the word itself is read" in capsys.readouterr().err
    (tmp_path / "pictures").mkdir()
    assert input_of("pictures", WORDS) == "pictures"
    assert "there is a folder of this name; the word itself is read" in capsys.readouterr().err
    for text, told in (("a\tx\na\ty\n", True), ("a\nx\n", False), ("a\tb\n", False)):
        (tmp_path / "a").write_text(text)
        input_of("a", WORDS)
        assert ("each of its lines ends with a class" in capsys.readouterr().err) is told
    Image.new("L", (2, 2)).save(tmp_path / "cat.png")
    assert input_of("cat.png", WORDS) == tmp_path / "cat.png"  # whoever reads it says that it is no text
    assert input_of("-", PlainProcessor("digits", 0)) == Path("-")
    assert input_of("-", WORDS, literal=True) == "-"
    assert input_of("a", IMAGES) == Path("a")
    with pytest.raises(ValueError, match="--literal: got 'a'; is for texts and rows"):
        input_of("a", IMAGES, literal=True)


def test_predictions_have_a_row_for_each_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    lines = [f"{'a fine' if i % 2 else 'the dull'} film\t{i % 2}" for i in range(40)]
    (tmp_path / "all.tsv").write_text("\n".join(lines))
    words = [
        "train",
        "gru",
        "--data",
        f"sentences:{tmp_path / 'all.tsv'}",
        "--max-steps",
        "1",
        "--width",
        "4",
    ]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    (tmp_path / "film").write_text("a film\n\n the\u2028film \n")
    monkeypatch.chdir(tmp_path)
    run = load("run")
    rows = run.predict(Path("film"))
    assert [row["input"] for row in rows] == ["a film", "", " the\u2028film "]
    assert ["class" in row for row in rows] == [True, False, True]
    assert rows[1] == {"input": "", "note": "is blank"}
    assert [row["input"] for row in run.predict("film")] == ["film"]
    assert [row["input"] for row in run.predict(["film", Path("film")])] == [
        "film",
        "a film",
        "",
        rows[2]["input"],
    ]
    assert run.predict([]) == []
    capsys.readouterr()
    assert main(["predict", "run", "film"]) == 0
    assert len(capsys.readouterr().out.split("\n")) == 4
    assert main(["predict", "run", "film", "--literal"]) == 0
    assert capsys.readouterr().out.startswith("film\t")
    assert main(["predict", "run", " "]) == 2


def test_images_are_files_also_in_lists(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (3, 2), 255).save(tmp_path / name)
    assert IMAGES.read(tmp_path / "a.png")[1].equal(IMAGES.read(str(tmp_path / "b.png"))[1])

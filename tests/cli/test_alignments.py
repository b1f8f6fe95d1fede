"""``predict --alignments``: one page with what each word looked at; who cannot look says why."""

import json

import numpy as np
import pytest
from PIL import Image

from anncestry.cli.main import main
from anncestry.runs.run import Run
from anncestry.tokenizers.vocabulary import JOINER

PAIRS = [("ein Hund läuft.", "a dog runs."), ("eine Katze <schläft>.", "a cat <sleeps>.")] * 12


@pytest.fixture(scope="module")
def parallel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for name, side in (("src", 0), ("tgt", 1)):
        (folder / name).write_text("\n".join(f"{pair[side]} {i}" for i, pair in enumerate(PAIRS)) + "\n")
    return f"parallel:{folder / 'src'},{folder / 'tgt'}"


def trained(name, data, folder):
    words = ["train", name, "--data", data, "--max-steps", "2", "--width", "8", "--out", str(folder)]
    assert main(words) == 0
    return folder


@pytest.fixture(scope="module")
def run(parallel, tmp_path_factory):
    return trained("rnnsearch", parallel, tmp_path_factory.mktemp("runs") / "rnnsearch")


def test_a_page_of_words_and_words(run, tmp_path, capsys):
    lines, out = tmp_path / "lines.txt", tmp_path / "pages" / "out.html"
    lines.write_text("ein Hund läuft.\n\neine Katze <schläft>. 3\n")
    capsys.readouterr()
    assert main(["predict", str(run), str(lines), "--beam", "3", "--json"]) == 0
    plain = capsys.readouterr().out
    assert main(["predict", str(run), str(lines), "--beam", "3", "--json", "--alignments", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out == plain
    assert str(out) in printed.err
    page = out.read_text()
    rows = [json.loads(line) for line in plain.splitlines()]
    assert page.count("<svg") == 2
    assert "<h2>eine Katze &lt;schläft&gt;. 3</h2>" in page
    assert ">Katze</text>" in page
    assert ">.</text>" in page
    assert JOINER not in page
    for row in (rows[0], rows[2]):
        assert f"Score {row['score']:.4g}" in page
    source = Run(run).processor.source  # pyright: ignore[reportAttributeAccessIssue]
    columns = len(source.encode("ein Hund läuft.")) + len(source.encode("eine Katze <schläft>. 3"))
    assert page.count("rotate(-45") == columns


def test_a_page_of_images(tmp_path, capsys):
    random, lines = np.random.default_rng(0), ["image,caption"]
    for number in range(20):
        Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,a dog runs {number % 3}")
    (tmp_path / "captions.txt").write_text("\n".join(lines) + "\n")
    folder = tmp_path / "run"
    words = ["train", "show-attend-and-tell", "--data", f"captions:{tmp_path}", "--image-size", "16"]
    assert main([*words, "--max-steps", "2", "--width", "4", "--out", str(folder)]) == 0
    out = tmp_path / "out.html"
    capsys.readouterr()
    words = ["predict", str(folder), str(tmp_path / "3.png"), "--json", "--alignments", str(out)]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["input"] == str(tmp_path / "3.png")
    page = out.read_text()
    assert "<h2>3.png</h2>" in page
    assert page.count("data:image/png") >= 2
    assert page.count("data:image/png") == page.count("</figcaption>")


def test_a_fixed_context_has_no_weights_to_show(parallel, tmp_path, capsys):
    folder = trained("seq2seq", parallel, tmp_path / "seq2seq")
    capsys.readouterr()
    assert main(["predict", str(folder), "ein Hund", "--alignments", str(tmp_path / "x.html")]) == 2
    error = capsys.readouterr().err
    assert "--alignments" in error
    assert "Sequence to sequence reads its source into a state of fixed size and never attends to it" in error
    assert not (tmp_path / "x.html").exists()


def test_other_tasks_write_nothing_to_align(tmp_path, capsys):
    folder = trained("mlp", "digits", tmp_path / "mlp")
    capsys.readouterr()
    assert main(["predict", str(folder), "x.png", "--alignments", str(tmp_path / "x.html")]) == 2
    assert "has no effect on a run whose task is classification" in capsys.readouterr().err

"""``inspect`` of a run that translates: a page of heads; who has none says so."""

import re

import pytest

from anncestry.cli.main import main

PAIRS = [("ein Hund läuft .", "a dog <runs> ."), ("eine Katze schläft .", "a cat sleeps .")] * 10


@pytest.fixture(scope="module")
def parallel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for name, side in (("src", 0), ("tgt", 1)):
        (folder / name).write_text("\n".join(f"{pair[side]} {i}" for i, pair in enumerate(PAIRS)) + "\n")
    return f"parallel:{folder / 'src'},{folder / 'tgt'}"


def trained(name, data, folder, *more):
    words = ["train", name, "--data", data, "--max-steps", "2", "--width", "8", "--out", str(folder)]
    assert main([*words, *more]) == 0
    return str(folder)


@pytest.fixture(scope="module")
def run(parallel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "transformer"
    return trained("transformer", parallel, folder, "--set", "num_heads=2", "decoder_layers=3")


def inspected(run, capsys, out, *words):
    capsys.readouterr()
    assert main(["inspect", run, *words, "--out", str(out)]) == 0
    return capsys.readouterr().out, out.read_text()


def test_all_heads_and_those_of_the_last_layer(run, capsys, tmp_path):
    said, page = inspected(run, capsys, tmp_path / "x.html", "ein Hund läuft .")
    assert said.startswith("“ein Hund läuft .” becomes “")
    assert "Decoder self-attention, layer 3: the heads attend to " in said
    assert page.count('role="img"') == 2 * (2 + 3 + 3) + 2 * (0 + 1 + 1)  # small ones of all; the last layer
    assert re.findall("<h2>([^<]*)</h2>", page) == [
        "All heads at a glance", "Decoder self-attention, layer 3", "Cross-attention, layer 3",
    ]  # fmt: skip
    assert "<script" not in page


def test_one_head_of_one_layer_for_a_given_translation(run, capsys, tmp_path):
    chosen = ["--layer", "1", "--head", "2", "--answer", "a dog <runs> ."]
    said, page = inspected(run, capsys, tmp_path / "x.html", "eine Katze läuft .", *chosen)
    assert "becomes “a dog <runs> .”." in said
    assert "Encoder self-attention, layer 1: head 2 attends to " in said
    assert page.count("<svg") == page.count("Head 2: ") == 3
    assert "All heads at a glance" not in page
    words = [re.findall("<text[^>]*>([^<]*)</text>", svg) for svg in page.split("<svg")[1:]]
    source, target = ["eine", "Katze", "läuft", "."], ["a", "dog", "&lt;", "runs", "&gt;", ".", "&lt;end&gt;"]
    known = ["&lt;begin&gt;", *target[:-1]]
    assert words[0] == source + source
    assert words[1] == known + target
    assert words[2] == source + target


def test_what_is_left_out_is_said(run, capsys, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("\nein Hund läuft .\neine Katze .\n")
    said, page = inspected(run, capsys, tmp_path / "x.html", str(lines), "--max-steps", "3", "--layer", "1")
    assert "The first of 2 texts." in said
    assert "Only its first 3 of 4 tokens were read." in said
    assert "“ein Hund läuft .”" in page


def test_mistakes_are_named(run, capsys, tmp_path):
    for words in (
        [""], ["  "], ["ein", "--layer", "4"], ["ein", "--layer", "encoder.0"], ["ein", "--head", "3"],
        ["ein", "--answer", " "],
    ):  # fmt: skip
        assert main(["inspect", run, *words, "--out", str(tmp_path / "x.html")]) == 2
    said = capsys.readouterr().err
    assert said.count("holds no word; it must be a text, a file with one on each line, or -") == 2
    assert "layer: got 4; there is no such layer. Choices: 1, 2, 3." in said
    assert "--layer: got 'encoder.0'; must be the number of a layer, 1 being the first." in said
    assert "head: got 3; there is no such head. Choices: 1, 2." in said
    assert "--answer: got ' '; holds no word." in said
    assert not (tmp_path / "x.html").exists()


def test_who_has_no_heads_says_so(parallel, capsys, tmp_path):
    fixed = trained("seq2seq", parallel, tmp_path / "seq2seq")
    looking = trained("rnnsearch", parallel, tmp_path / "rnnsearch")
    other = trained("mlp", "toy2d:xor", tmp_path / "mlp")
    capsys.readouterr()
    assert main(["inspect", fixed, "ein Hund"]) == 2
    assert main(["inspect", looking, "ein Hund"]) == 2
    assert main(["inspect", other, "1,2", "--head", "1"]) == 2
    assert main(["inspect", other, "1,2", "--answer", "1"]) == 2
    said = capsys.readouterr().err
    assert "Sequence to sequence'; has no attention: it reads its source into a state of fixed size" in said
    assert f"has one attention without heads; `anncestry predict {looking} INPUT --alignments PAGE`" in said
    assert "Multi-layer perceptron'; has no page" in said


def test_a_language_model_and_an_encoder_have_a_page_of_heads(capsys, tmp_path):
    tiny = ["--max-chars", "9000", "--set", "num_heads=2", "num_layers=2"]
    model = trained("gpt2", "pydoc", tmp_path / "gpt", "--level", "char", *tiny)
    said, page = inspected(model, capsys, tmp_path / "x.html", "The value")
    assert "“The value”" in said
    assert "Self-attention, layer 2: the heads attend to" in said
    assert "No token attends to a later one." in page
    assert page.count('role="img"') == 2 * 2 + 2
    model = trained("bert", "pydoc", tmp_path / "bert", "--vocab-size", "150", *tiny)
    said, page = inspected(model, capsys, tmp_path / "y.html", "the [MASK] of", "--layer", "1", "--head", "2")
    assert "Self-attention, layer 1: head 2 attends to" in said
    assert ">[CLS]<" in page
    assert "later one" not in page
    assert main(["inspect", model, "the [MASK] of", "--answer", "x"]) == 2
    assert "--answer: got 'x'; has no effect on the page of this BERT" in capsys.readouterr().err


def test_what_has_no_page_says_so(capsys, tmp_path):
    model = trained("mlp", "digits", tmp_path / "mlp")
    assert main(["inspect", model, "x.png"]) == 2
    assert (
        "has no page: it has no hidden states, no feature maps and no attention heads"
        in capsys.readouterr().err
    )

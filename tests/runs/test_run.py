"""What a run can do, one method each: predict, generate, stream, embed, evaluate, inspect, export."""

import json
import string
from pathlib import Path

import pytest
import torch

import anncestry
from anncestry.cli.main import main
from anncestry.decoding import Sampling
from anncestry.errors import UserError

PLAIN = {"width": 8, "max_steps": 2}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A language model of characters, hardly trained."""
    folder = tmp_path_factory.mktemp("methods")
    (folder / "text.txt").write_text(f"A file: {string.printable}\nThe value of it all.\n" * 20)
    return anncestry.train("rnn", f"text:{folder / 'text.txt'}", out=folder / "run", **PLAIN)[0]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """An encoder-decoder with attention, hardly trained."""
    folder = tmp_path_factory.mktemp("methods")
    for name, words in (("x.en", "abcde"), ("x.de", "ABCDE")):
        lines = [f"{words[n % 5]} {words[n % 3]}" for n in range(60)]
        (folder / name).write_text("\n".join(lines) + "\n")
    data = f"parallel:{folder / 'x.en'},{folder / 'x.de'}"
    return anncestry.train("rnnsearch", data, out=folder / "run", **PLAIN)[0]


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    folder = tmp_path_factory.mktemp("methods") / "points"
    return anncestry.train("mlp", "toy2d:xor", out=folder, **PLAIN)[0]


# ---- generate and stream --------------------------------------------------------------------------------


def test_a_text_is_continued(text):
    rows = text.generate("The value of", samples=3, top_p=0.9, length=12)
    assert [row["input"] for row in rows] == ["The value of"] * 3
    assert all(row["text"] == f"The value of{row['continuation']}" for row in rows)
    assert {len(row["continuation"]) for row in rows} == {12}
    assert len({row["continuation"] for row in rows}) == 3
    assert rows == text.generate("The value of", samples=3, top_p=0.9, length=12, seed=0)


@pytest.mark.parametrize(
    "options", [{"temperature": 3.0}, {"top_k": 1}, {"top_p": 0.01}, {"seed": 1}, {"length": 13}]
)
def test_every_option_of_sampling_counts(text, options):
    plain = {"length": 30, "temperature": 1.0, "seed": 0}
    assert text.generate("The ", **{**plain, **options}) != text.generate("The ", **plain)


def test_a_beam_gives_the_best_text_and_the_next_ones(text):
    (row,) = text.generate("The ", beam=5, n_best=3, length=9)
    scores = [best["score"] for best in row["n_best"]]
    assert scores == sorted(scores, reverse=True)
    assert row["score"] == scores[0]
    assert row["continuation"] == row["n_best"][0]["continuation"]
    assert len({best["continuation"] for best in row["n_best"]}) == 3
    with torch.no_grad():
        whole = text.processor.encode(row["text"])[None]
        logits = text.model(whole[:, :-1])[0].log_softmax(-1)[:, -9:]
    assert logits.gather(2, whole[:, -9:, None]).sum().item() == pytest.approx(scores[0], abs=1e-3)


def test_settings_of_decoding_are_taken_whole(text):
    (row,) = text.generate("The ", search=anncestry.Search(max_length=40, no_repeat_ngram=1))
    assert (
        len(set(row["continuation"])) == len(row["continuation"]) == 40 > len(text.processor.vocabulary) / 4
    )
    (row,) = text.generate("The ", search=Sampling(top_k=1), length=20)
    assert row["continuation"] == text.generate("The ", temperature=0, length=20)[0]["continuation"]


def test_several_prompts_and_files(text, tmp_path):
    (tmp_path / "prompt.txt").write_text("A file")
    told = []
    rows = text.generate(
        ["The ", tmp_path / "prompt.txt"], length=4, progress=lambda *parts: told.append(parts)
    )
    assert [row["input"] for row in rows] == ["The ", "prompt.txt"]
    assert rows[1]["text"].startswith("A file")
    assert told == [(done, 8) for done in range(1, 9)]


def test_pieces_come_one_by_one(text):
    stream = text.stream("The ", length=10, seed=2)
    assert next(stream) == "The "
    assert "The " + "".join(stream) == text.generate("The ", length=10, seed=2)[0]["text"]


def test_a_source_becomes_a_text(pairs):
    (row,) = pairs.generate("a b")
    assert row == pairs.predict("a b")[0]
    assert row.keys() - {"note"} == {"input", "translation", "score"}
    (wide,) = pairs.generate("a b", beam=4, n_best=2, alpha=0.0)
    assert len(wide["n_best"]) == 2
    assert wide["score"] >= row["score"]
    told = []
    assert len(pairs.generate(["a b", "c"], progress=lambda *parts: told.append(parts))) == 2
    assert told[-1] == (2, 2)


def test_attention_weights_come_with_a_text(pairs):
    (row,) = pairs.generate("a b", alignments=True)
    weights = row["hypothesis"].alignment
    assert weights.shape == (row["hypothesis"].length, 2)
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)))


def test_what_generates_no_text_says_so(points, text, pairs):
    with pytest.raises(UserError, match="task: got 'classification'; generates no text"):
        points.generate("1, 2")
    with pytest.raises(UserError, match="continues no text; its task is translation"):
        pairs.stream("a b")
    with pytest.raises(UserError, match="alignments: got True; has no effect"):
        text.generate("The ", alignments=True)
    with pytest.raises(UserError, match=r"top_p: got '0.9'; has no effect on a run whose task is trans"):
        pairs.generate("a b", top_p=0.9)
    with pytest.raises(UserError, match=r"search: got .*; has no effect on a run whose task is class"):
        points.predict("1, 2", search=anncestry.Search())


# ---- the command line -----------------------------------------------------------------------------------


def test_the_command_line_prints_what_a_run_generates(text, capsys):
    folder, prompt = str(text.folder), "The value"
    capsys.readouterr()
    assert main(["predict", folder, prompt, "--beam", "4", "--length", "8"]) == 0
    (row,) = text.generate(prompt, beam=4, length=8)
    assert capsys.readouterr().out == f"{row['text']}\n"
    assert main(["predict", folder, prompt, "--n-best", "2", "--length", "8"]) == 0
    (row,) = text.generate(prompt, n_best=2, length=8)
    shown = [f"{best['score']:.4f}\t{best['text']}\n\n" for best in row["n_best"]]
    assert capsys.readouterr().out == "".join(shown)
    assert main(["predict", folder, prompt, "--beam", "2", "--length", "8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == text.generate(prompt, beam=2, length=8)[0]
    assert main(["predict", folder, prompt, "--length", "8", "--seed", "4"]) == 0
    assert capsys.readouterr().out == f"{text.generate(prompt, length=8, seed=4)[0]['text']}\n"


def test_two_prompts_are_sampled_alike_however_they_are_printed(text, capsys):
    words = ["predict", str(text.folder), "The ", "The ", "--length", "8"]
    capsys.readouterr()
    assert main(words) == 0
    plain = capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert plain == "".join(f"{row['text']}\n" for row in rows)
    assert rows[0]["text"] != rows[1]["text"]


# ---- predict, embed, evaluate, inspect, export ----------------------------------------------------------


def test_predictions_tell_their_progress(points):
    told = []
    rows = points.predict(["1, 2"] * 5, batch_size=2, progress=lambda *parts: told.append(parts))
    assert len(rows) == 5
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_what_has_no_vectors_says_so(points):
    with pytest.raises(UserError, match="gives no vectors of texts; its task is classification"):
        points.embed(["a text"])


def test_an_evaluation_is_its_metrics_and_knows_more(points, pairs, text):
    told = []
    found = points.evaluate(progress=lambda *parts: told.append(parts))
    assert found == points.scores()["test"]
    assert told[-1][0] == told[-1][1] == len(told)
    assert (found.num_examples, found.unit) == (len(points.dataset().test), "examples")
    assert found.classes == points.class_names()
    assert sum(found.by_class["true"]) == found.num_examples
    assert text.evaluate().unit == "tokens"
    scored = pairs.evaluate()
    assert len(scored.texts) == pairs.dataset().test.num_sources
    assert scored.signatures.keys() <= scored.keys()
    with pytest.raises(UserError, match=r"search: .* is for texts that are generated"):
        points.evaluate(search=anncestry.Search())


def test_a_notebook_shows_a_run_and_its_metrics(points):
    assert repr(points.evaluate()).startswith("Evaluation(")
    assert f"<td>{points.evaluate().num_examples:,}</td>" in points.evaluate()._repr_html_()
    shown = points._repr_html_()
    for part in ("Multi-layer perceptron", "1986", "toy2d:xor", "parameters", "accuracy", str(points.folder)):
        assert part in shown, part
    assert repr(points) == f"Run({str(points.folder)!r}: mlp, trained on toy2d:xor)"


def test_a_page_of_the_inside(text, tmp_path):
    page = text.inspect("The value", units=3)
    assert page.write(tmp_path / "page.html").read_text(encoding="utf-8") == page.html
    assert page.facts
    with pytest.raises(UserError, match="head: got 1; has no effect on the page"):
        text.inspect("The value", head=1)


def test_a_run_goes_to_another_program(text, tmp_path):
    assert text.export("torch", str(tmp_path / "weights.safetensors")) == ()
    assert Path(tmp_path / "weights.safetensors").is_file()
    with pytest.raises(UserError, match="int8: got True; is no option of torch"):
        text.export("torch", tmp_path / "other.safetensors", int8=True)


def test_the_earlier_function_of_elmo_says_what_takes_its_place(points):
    with (
        pytest.warns(DeprecationWarning, match=r"is run.embed\(texts\) now"),
        pytest.raises(UserError, match="gives no vectors"),
    ):
        anncestry.embed(points, ["a text"])

"""From a person's own text to a net that writes on in pieces of words."""

import json

import pytest
import torch

from anncestry.cli.main import main
from anncestry.data import DataOptions, load_data
from anncestry.runs.run import load

TEXT = "Grüße aus Köln, und 5 € für den Zug. So geht die Reise weiter, Tag für Tag.\n" * 40


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2")
    (folder / "text.txt").write_text(TEXT)
    words = ["train", "gpt2", "--data", f"text:{folder / 'text.txt'}", "--level", "byte-bpe"]
    words += ["--vocab-size", "290", "--window", "16", "--max-steps", "30", "--batch-size", "8"]
    words += ["--out", str(folder / "run"), "--width", "16", "--set", "num_layers=1"]
    assert main(words) == 0
    return folder / "run"


def test_it_continues_a_prompt(run, capsys):
    assert main(["predict", str(run), "Grüße ", "--length", "60"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Grüße ")
    assert main(["predict", str(run), "Grüße ", "--length", "60", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    whole = "Grüße " + row["continuation"]  # of an untrained net, whose bytes may be no characters
    assert shown.rstrip("\n").replace("\ufffd", "") == whole.rstrip("\n").replace("\ufffd", "")


def test_a_prompt_that_is_too_long(run, capsys):
    """Its end is read, and that is said."""
    assert main(["predict", str(run), TEXT[:200], "--length", "3", "--json"]) == 0
    assert "only its last 16 of" in capsys.readouterr().err


def test_characters_of_several_tokens_are_shown_whole(run, capsys, monkeypatch):
    """The bytes of a character come one by one."""
    trained = load(run)
    tokens = [[token] for token in trained.processor.encode("東京 é!").tolist()]
    assert len(tokens) > 6
    monkeypatch.setattr("anncestry.inference.text_stream.drawn_tokens", lambda *_: iter(tokens))
    assert main(["predict", str(run), "Zug "]) == 0
    assert capsys.readouterr().out == "Zug 東京 é!\n"


def test_its_own_data_are_read_again(run):
    trained = load(run)
    assert trained.dataset().signature == trained.signature
    assert trained.model.config.num_positions == 16
    assert set(trained.evaluate()) >= {"loss", "perplexity"}


def test_it_goes_to_hugging_face_with_its_tokenizer(run, tmp_path):
    import transformers

    assert main(["export", str(run), "--to", "huggingface", "--out", str(tmp_path / "out")]) == 0
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    ids = tokenizer("Grüße aus Köln")["input_ids"]
    trained = load(run)
    assert ids == trained.processor.encode("Grüße aus Köln").tolist()
    with torch.no_grad():
        found, wanted = trained.model(torch.tensor([ids]))[0], theirs(torch.tensor([ids])).logits
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert main(["import", str(tmp_path / "out"), str(tmp_path / "again")]) == 0
    again = load(tmp_path / "again")
    assert again.processor.encode("Zug €").tolist() == trained.processor.encode("Zug €").tolist()


def test_levels_of_a_text(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    for level in ("byte-bpe", "word-bpe", "wordpiece"):
        options = DataOptions(level=level, vocab_size=290)
        data = load_data(f"text:{tmp_path / 'text.txt'}", options, 0)
        assert data.signature.vocab_size == len(data.processor.vocabulary) <= 290
        assert "pieces for training" in data.notes[0]


def test_first_text_and_then_a_task(tmp_path, capsys):
    """The net of a text gets classes, between start and extract, and learns the texts beside them."""
    (tmp_path / "text.txt").write_text("good day and good night\nbad day and bad night\n" * 30)
    lines = [f"{word} day {number}\t{word}" for number in range(30) for word in ("good", "bad")]
    (tmp_path / "lines.tsv").write_text("\n".join(lines))
    words = ["--level", "word-bpe", "--vocab-size", "60", "--width", "16", "--set", "num_layers=1"]
    words += ["--max-steps", "5", "--batch-size", "4"]
    data = f"text:{tmp_path / 'text.txt'}"
    assert main(["train", "gpt", "--data", data, *words, "--out", str(tmp_path / "text")]) == 0
    words = ["--from", str(tmp_path / "text"), "--set", "text_weight=0.5", "--max-steps", "20"]
    data = f"sentences:{tmp_path / 'lines.tsv'}"
    assert main(["train", "gpt", "--data", data, *words, "--out", str(tmp_path / "task")]) == 0
    before, run = load(tmp_path / "text"), load(tmp_path / "task")
    assert run.model.config.text_weight == 0.5
    assert run.model.config.input_size == before.model.config.input_size + 3  # start, delimiter, extract
    special = run.processor.tokenizer.special
    ids = run.processor.encode(["good day"])[0][0].tolist()
    assert (ids[0], ids[-1]) == (special.begin, special.end)
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "task"), "good day", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["class"] in ("good", "bad")

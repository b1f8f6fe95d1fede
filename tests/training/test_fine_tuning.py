"""From a tiny encoder that filled in words to each task: it learns, and answers what a person asks."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from anncestry.cli import predict as cli
from anncestry.cli.train import Arguments, settled
from anncestry.data import DataOptions
from anncestry.errors import UserError
from anncestry.runs.run import load
from anncestry.timeline import usual_settings
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import reproduce, train

SETTINGS = TrainingSettings(
    max_steps=60, batch_size=16, optimizer="adamw", learning_rate=3e-3, evaluations=2, accelerator="cpu"
)
SMALL: Any = {"level": "wordpiece", "vocab_size": 120}
SIZES = {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "num_positions": 64, "dropout": 0.0}
TOWNS = ("rome", "paris", "oslo", "cairo", "lima", "delhi", "kiev", "bonn")


def fit(tmp_path: Path, data: str, **options):
    given = DataOptions(**{**SMALL, **options})
    run, _ = train("bert", data, out=tmp_path / "run", settings=SETTINGS, data_options=given, model=SIZES)
    return load(run.folder)


def test_a_class(tmp_path: Path) -> None:
    rows = [f"a {word} film in {town}\t{label}" for town in TOWNS for word, label in
            (("fine", "good"), ("warm", "good"), ("dull", "bad"), ("cold", "bad"))]  # fmt: skip
    (tmp_path / "all.tsv").write_text("\n".join(rows))
    run = fit(tmp_path, f"sentences:{tmp_path / 'all.tsv'}")
    assert run.scores()["test"]["accuracy"] == 1
    first, second = run.predict("a fine film in lima")[0], run.predict("a cold film in lima")[0]
    assert first["class"] == "good"
    assert second["class"] == "bad"
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert run.evaluate()["accuracy"] == 1


def test_a_value_of_a_pair(tmp_path: Path) -> None:
    rows = ["one\ttwo\tscore"]
    for i, one in enumerate(TOWNS):
        rows += [f"in {one}\tin {two}\t{4.5 if one == two else 1.25}" for two in (one, TOWNS[i - 1], one)]
    (tmp_path / "all.tsv").write_text("\n".join(rows))
    run = fit(tmp_path, f"csv:{tmp_path / 'all.tsv'}", text="one,two", target="score")
    assert run.signature.separator is not None
    (row,) = run.predict("in oslo\tin oslo")
    assert set(row) == {"input", "score"}
    assert 0 < row["score"] < 6
    assert run.evaluate()["rmse"] == pytest.approx(run.scores()["test"]["rmse"], rel=1e-4)


def test_tags_of_words(tmp_path: Path, capsys) -> None:
    sentences = [f"a\tX\nfilm\tX\nin\tX\n{town}\tTOWN" for town in TOWNS] * 4
    (tmp_path / "all.tsv").write_text("\n\n".join(sentences) + "\n")
    run = fit(tmp_path, f"conllu:{tmp_path / 'all.tsv'}", max_tokens=64)
    assert run.scores()["test"]["accuracy"] == 1
    (row,) = run.predict("film in unseen-place delhi")
    assert len(row["tags"]) == 4
    assert row["tags"][-1] == "TOWN"
    long = " ".join(["film in delhi"] * 60)  # more than the model has positions
    assert len(run.predict(long)[0]["tags"]) == 180
    cli.run(cli.Arguments(run=run.folder, inputs=("film in delhi",)))
    assert capsys.readouterr().out == "film/X in/X delhi/TOWN\n"


def test_an_answer_in_a_text(tmp_path: Path, capsys) -> None:
    articles = []
    for number in range(24):
        town, other = TOWNS[number % 8], TOWNS[(number * 3 + 1) % 8]
        context = f"the film was shown in {town} and then it was in {other}"
        answer = {"text": town, "answer_start": context.index(town)}
        asked = [{"id": str(number), "question": "where was it shown", "answers": [answer]}]
        articles.append({"paragraphs": [{"context": context, "qas": asked}]})
    (tmp_path / "all.json").write_text(json.dumps({"data": articles}))
    run = fit(tmp_path, f"squad:{tmp_path / 'all.json'}", max_tokens=40)
    figures = run.scores()["test"]
    assert figures["exact_match"] == figures["f1"] == 1
    assert run.evaluate() == pytest.approx(figures, rel=1e-4)
    assert run.evaluate(f"squad:{tmp_path / 'all.json'}") == pytest.approx(figures, rel=1e-4)
    (row,) = run.predict("where was it shown\tthe film was shown in oslo and then it was in bonn")
    assert row["answer"] == "oslo"
    assert row["places"] == [22, 26]
    cli.run(cli.Arguments(run=run.folder, inputs=("where was it shown\tthe film was shown in lima",)))
    assert capsys.readouterr().out.startswith("where was it shown\tlima\t")
    assert len(run.predict(tmp_path / "all.json")) == 24
    far = "it was in bonn and then " * 20 + "the film was shown in oslo"  # read in many windows
    (row,) = run.predict(f"where was it shown\t{far}")
    assert row["answer"] in far


def test_the_tokenizer_and_the_length_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "all.tsv").write_text("\n".join(f"a film in {t}\t{i % 2}" for i, t in enumerate(TOWNS * 3)))
    first = fit(tmp_path, f"sentences:{tmp_path / 'all.tsv'}")
    options = DataOptions(tokenizer=str(first.folder))
    settings = TrainingSettings(max_steps=2, accelerator="cpu")
    run, _ = train("bert", f"sentences:{tmp_path / 'all.tsv'}", out=tmp_path / "second", settings=settings,
                   data_options=options, model=SIZES)  # fmt: skip
    assert run.processor.tokenizer == first.processor.tokenizer  # pyright: ignore
    assert run.processor.max_tokens == 64  # pyright: ignore
    assert torch.isfinite(next(run.model.parameters())).all()


def test_the_recipe_of_a_task_wherever_a_run_begins_with_another(tmp_path: Path) -> None:
    """From a language model, and from a run of the same task: fine-tuned both times, as it is for BERT."""
    rows = [f"a {word} film in {town}\t{word}" for town in TOWNS for word in ("fine", "dull")]
    (tmp_path / "all.tsv").write_text("\n".join(rows))
    data = f"sentences:{tmp_path / 'all.tsv'}"
    fit(tmp_path, data)
    _, settings, _ = settled(Arguments(start=tmp_path / "run", data=data))
    fine_tuned = TrainingSettings(**usual_settings("bert", fine_tuning=True))
    assert settings == fine_tuned != TrainingSettings(**usual_settings("bert"))
    run, _ = train("bert", data, out=tmp_path / "on", start=tmp_path / "run", model=SIZES, settings=SETTINGS)
    assert "--learning-rate 0.003" in reproduce(run)
    assert "--clip-norm 0.0" in reproduce(run)  # against the recipe of a task, which has a limit
    assert settled(Arguments(start=tmp_path / "run", data="text:a"))[1] != fine_tuned


def test_a_named_tokenizer_decides_the_kind_of_pieces(tmp_path: Path) -> None:
    """The kind that goes with the architecture is no word of the person's."""
    rows = [f"a fine film in {town}\tgood\na dull film in {town}\tbad" for town in TOWNS]
    (tmp_path / "all.tsv").write_text("\n".join(rows))
    data = f"sentences:{tmp_path / 'all.tsv'}"
    first = fit(tmp_path, data)
    once = TrainingSettings(max_steps=1, batch_size=4, accelerator="cpu")
    usual = DataOptions(level="byte-bpe", tokenizer=str(first.folder))
    run, _ = train(
        "roberta", data, out=tmp_path / "second", settings=once, data_options=usual, model=SIZES,
    )  # fmt: skip
    assert run.processor.tokenizer.kind == "wordpiece"
    told = DataOptions(level="word-bpe", tokenizer=str(first.folder))
    with pytest.raises(UserError, match="level: got 'word-bpe'; is the tokenizer's"):
        train("roberta", data, out=tmp_path / "third", settings=once, data_options=told, model=SIZES)

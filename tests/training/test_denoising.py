"""A net learns to write texts as they were before noise, and goes on from there with texts that answer."""

import json
import random
from pathlib import Path

import pytest
import torch

from anncestry.cli import evaluate as cli_evaluate
from anncestry.cli import predict as cli_predict
from anncestry.cli.train import Arguments, settled
from anncestry.data import DataOptions
from anncestry.data.processors import DenoisingProcessor
from anncestry.runs.run import Run, load
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import resume, train

SENTENCES = ["the cat sat on the mat.", "a dog ran after it.", "rain fell all day.", "birds sing there."]
DRAWN = random.Random(0)
TEXT = "\n\n".join("\n".join(DRAWN.sample(SENTENCES, DRAWN.randint(1, 3))) for _ in range(120))
SIZES = {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "num_positions": 128, "dropout": 0.0}
OPTIONS = DataOptions(task="denoising", vocab_size=300, window=32)


def settings(steps: int, **changes) -> TrainingSettings:
    usual = {"batch_size": 16, "optimizer": "adamw", "learning_rate": 5e-3, "evaluations": 3}
    return TrainingSettings(max_steps=steps, accelerator="cpu", **{**usual, **changes})


def go(tmp_path: Path, folder: str, steps: int, name: str = "bart", **changes) -> Run:
    (tmp_path / "text.txt").write_text(TEXT)
    sizes = SIZES if name in ("bart", "transformer") else {}
    run, _ = train(
        name, f"text:{tmp_path / 'text.txt'}", out=tmp_path / folder, settings=settings(steps, **changes),
        data_options=OPTIONS, model=sizes, width=None if sizes else 16,
    )  # fmt: skip
    return load(run.folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return go(tmp_path_factory.mktemp("denoising"), "run", 120)


def test_it_learns_what_texts_are_like(run: Run) -> None:
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if row["split"] == "validation"]
    assert losses[0] > losses[-1]
    scores = run.scores()["test"]
    assert scores["loss"] < 1.5  # log 300 is 5.7
    assert scores["perplexity"] == pytest.approx(torch.tensor(scores["loss"]).exp().item())
    found = run.evaluate()
    for name in ("loss", "perplexity", "accuracy"):
        assert found[name] == pytest.approx(scores[name])
    assert run.evaluate() == found


def test_a_text_with_a_mask_is_generated_whole(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = run.predict("rain <mask> day.")
    assert row["input"] == "rain <mask> day."
    known = {word for sentence in SENTENCES for word in sentence.replace(".", " .").split()}
    assert set(row["translation"].replace(".", " .").split()) <= known
    assert "<" not in row["translation"]
    assert cli_predict.run(cli_predict.Arguments(run.folder, ("rain [MASK] day.", "a dog"))) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == row["translation"]
    assert second
    assert cli_evaluate.run(cli_evaluate.Arguments(run.folder, json=True)) == 0
    assert {"loss", "perplexity", "bleu", "chrf"} <= set(json.loads(capsys.readouterr().out))


def test_it_goes_on_with_texts_that_answer(run: Run, tmp_path: Path) -> None:
    words = sorted({word for sentence in SENTENCES for word in sentence.strip(".").split()})
    lines = [" ".join(DRAWN.choices(words, k=4)) for _ in range(80)]
    (tmp_path / "s.txt").write_text("\n".join(lines))
    (tmp_path / "t.txt").write_text("\n".join(" ".join(line.split()[:2]) for line in lines))
    data = f"parallel:{tmp_path / 's.txt'},{tmp_path / 't.txt'}"
    assert settled(Arguments(start=run.folder, data=data))[0] == "bart"
    made, _ = train("bart", data, out=tmp_path / "made", settings=settings(8), start=run.folder)
    tuned = load(made.folder)
    assert tuned.config["fresh"] == []
    assert isinstance(tuned.processor, DenoisingProcessor)
    assert tuned.processor == run.processor
    assert tuned.config["model"] == {**run.config["model"], **_of_the_data(tuned)}
    (row,) = tuned.predict("the cat sat on")
    assert row["translation"]
    found = tuned.evaluate()
    for name in ("loss", "perplexity", "accuracy"):
        assert found[name] == pytest.approx(tuned.scores()["test"][name])
    longer, fit = resume(made.folder, max_steps=12)
    assert fit.step == 12
    assert longer.scores()["validation"]["loss"] < 5.7


def _of_the_data(run: Run) -> dict:
    return {name: run.config["model"][name] for name in ("seq_len", "target_len")}


def test_weights_are_those_of_the_run(run: Run, tmp_path: Path) -> None:
    """Of a rate that is next to nothing they stay what they were."""
    (tmp_path / "s.txt").write_text("\n".join(SENTENCES * 10))
    data = f"parallel:{tmp_path / 's.txt'},{tmp_path / 's.txt'}"
    made, _ = train(
        "bart", data, out=tmp_path / "made", settings=settings(1, learning_rate=1e-12), start=run.folder
    )
    for name, value in load(made.folder).model.state_dict().items():
        torch.testing.assert_close(value, run.model.state_dict()[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["transformer", "rnnsearch"])
def test_other_decoders_learn_it_too(tmp_path: Path, name: str) -> None:
    run = go(tmp_path, "run", 6, name)
    assert run.scores()["test"]["loss"] < 7
    assert isinstance(run.predict("the <mask> sat.")[0]["translation"], str)


def test_a_resumed_run_sees_the_same_noise(tmp_path: Path) -> None:
    whole = go(tmp_path, "whole", 14)
    stopped = go(tmp_path, "stopped", 5)  # in the first pass; the rest goes into the second
    resumed, _ = resume(stopped.folder, max_steps=14)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value, rtol=0, atol=0)


def test_the_command_chooses_it() -> None:
    assert settled(Arguments(name="bart", data="text:some.txt"))[2].task == "denoising"
    assert settled(Arguments(name="bart-base", data="pydoc"))[1].label_smoothing == 0

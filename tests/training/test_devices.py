"""Two processes share a batch and lose nothing: the same losses as one, within rounding."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMMON = ("--batch-size", "48", "--evaluations", "4", "--optimizer", "sgd", "--learning-rate", "0.1")


def launch(
    folder: Path, *words: str, prefix: tuple[str, ...] = (sys.executable, "-m", "anncestry")
) -> list[dict]:
    """Train in processes of their own and read the history back."""
    command = [*prefix, "train", *words, *COMMON, "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def check_equal(one: list[dict], two: list[dict]) -> None:
    assert [(row["step"], row["split"]) for row in one] == [(row["step"], row["split"]) for row in two]
    for a, b in zip(one, two, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-5), a


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path):
    words = ("mlp", "--data", "digits", "--width", "16", "--epochs", "1", "--clip-norm", "0.5")
    one = launch(tmp_path / "one", *words)
    two = launch(tmp_path / "two", *words, "--devices", "2")
    check_equal(one, two)


@pytest.mark.slow
def test_a_carried_state_is_shared_out_and_resumed(tmp_path):
    text = tmp_path / "verse.txt"
    text.write_text("".join(f"{n} men went to mow, went to mow a meadow. " for n in range(400)))
    words = ("lstm", "--data", f"text:{text}", "--window", "8", "--width", "8")
    whole = launch(tmp_path / "one", *words, "--max-steps", "12")
    launch(tmp_path / "two", *words, "--max-steps", "6", "--devices", "2")
    resume = [
        sys.executable,
        "-m",
        "anncestry",
        "train",
        "--resume",
        str(tmp_path / "two"),
        "--max-steps",
        "12",
    ]
    done = subprocess.run(resume, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    two = [json.loads(line) for line in (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()]
    assert whole[-1]["step"] == two[-1]["step"] == 12
    assert whole[-1]["loss"] == pytest.approx(two[-1]["loss"], abs=1e-5)


@pytest.mark.slow
def test_torchrun_starts_the_processes(tmp_path):
    words = ("mlp", "--data", "digits", "--width", "16", "--max-steps", "8")
    one = launch(tmp_path / "one", *words)
    torchrun = (
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node=2",
        "-m",
        "anncestry",
    )
    two = launch(tmp_path / "two", *words, prefix=torchrun)
    check_equal(one, two)

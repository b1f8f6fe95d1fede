"""Signals in real processes: saved, said, resumed to the same bits."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anncestry.checkpoints.store import read_tensors
from anncestry.training.snapshot import snapshot_paths

TRAIN = (sys.executable, "-m", "anncestry", "train")


def start(folder: Path, *more: str) -> subprocess.Popen:
    words = ("mlp", "--data", "digits", "--width", "8", "--batch-size", "16", "--max-steps", "4000", *more)
    return subprocess.Popen(
        [*TRAIN, *words, "--out", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for_a_snapshot(folder: Path, process: subprocess.Popen) -> None:
    """Until training is under way and has saved once."""
    for _ in range(1200):
        if snapshot_paths(folder) or process.poll() is not None:
            break
        time.sleep(0.05)
    assert snapshot_paths(folder), process.communicate()[0]


def finish(folder: Path) -> dict:
    done = subprocess.run([*TRAIN, "--resume", str(folder)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return read_tensors(folder / "model.safetensors")[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict:
    """The weights of the run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    output, _ = start(folder).communicate(timeout=120)
    assert (folder / "model.safetensors").exists(), output
    return read_tensors(folder / "model.safetensors")[0]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_stopped_run_says_how_to_go_on_and_ends_with_the_same_bits(tmp_path, whole, number, code):
    folder = tmp_path / "run"
    process = start(folder, "--save-seconds", "0.05")
    wait_for_a_snapshot(folder, process)
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    assert not (folder / "model.safetensors").exists()
    if number != signal.SIGKILL:
        assert f"anncestry train --resume {folder}" in output.replace("\n", "")
    weights = finish(folder)
    assert all((weights[name] == whole[name]).all() for name in whole)
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert steps[-1] == 4000

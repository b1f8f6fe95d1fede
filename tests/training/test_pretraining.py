"""An encoder is pre-trained on a text of one's own, and goes on where it stopped."""

from pathlib import Path
from typing import Any

import pytest
import torch

from anncestry.data import DataOptions
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import resume, train

TEXT = "\n\n".join("the cat sat on the mat\na dog ran after it\nrain fell all day" for _ in range(60))


@pytest.mark.parametrize("masking", ["tokens", "spans"])
def test_a_resumed_pretraining_is_as_if_never_stopped(tmp_path: Path, masking: Any) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    options = DataOptions(
        task="masked-lm", masking=masking, pairs="next", window=24, vocab_size=80,
        cache=str(tmp_path / "cache"),
    )  # fmt: skip

    def go(folder: str, steps: int):
        settings = TrainingSettings(
            max_steps=steps, batch_size=16, optimizer="bert-adam", weight_decay=0.01, decay_on="matrices",
            evaluations=1, learning_rate=1e-3,
        )  # fmt: skip
        return train(
            "bert", f"text:{tmp_path / 'text.txt'}", out=tmp_path / folder, settings=settings,
            data_options=options, width=16, model={"num_layers": 1},
        )  # fmt: skip

    whole, _ = go("whole", 14)
    stopped, fit = go("stopped", 5)  # in the first pass; the rest goes into the second
    assert fit.stopped == "max_steps"
    resumed, _ = resume(stopped.folder, max_steps=14)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value, rtol=0, atol=0)
    scores = whole.scores()["test"]
    assert scores == resumed.scores()["test"]
    assert {"perplexity", "relation_accuracy"} <= set(scores)
    assert resumed.evaluate() == pytest.approx(scores)

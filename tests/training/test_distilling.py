"""A student beside its teacher: the loss against the plain formula, what it begins with, and whole runs."""

import json
import math

import pytest
import torch

from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.objectives.distillation import distillation
from anncestry.protocols import IGNORED
from anncestry.runs.run import load
from anncestry.training.distilling import Teacher
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import reproduce, train

TEXT = "\n\n".join("the cat sat on the mat and the dog sat on the cat" for _ in range(120))
SMALL = TrainingSettings(max_steps=2, batch_size=4, evaluations=1)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """The folder of a teacher, and of the text that it has read."""
    folder = tmp_path_factory.mktemp("distilling")
    (folder / "text.txt").write_text(TEXT)
    data = f"text:{folder / 'text.txt'}"
    sizes = {"num_layers": 4, "hidden_size": 16, "num_heads": 2}
    train("bert", data, out=folder / "teacher", settings=SMALL, model=sizes)
    return folder / "teacher", data


def test_the_loss_is_the_formula():
    random = torch.Generator().manual_seed(0)
    x, y = (torch.randn(3, 4, generator=random) for _ in range(2))
    s, t = (torch.randn(3, 5, generator=random) for _ in range(2))
    targets = torch.tensor([IGNORED, 2, 4])
    soft = hard = cosine = 0.0
    for row in range(3):
        p, q = ([math.exp(v / 2) for v in scores[row].tolist()] for scores in (t, s))
        p, q = ([v / sum(values) for v in values] for values in (p, q))
        soft += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) * 4 / 3
        dot = sum(a * b for a, b in zip(x[row].tolist(), y[row].tolist(), strict=True))
        cosine += (1 - dot / (x[row].norm() * y[row].norm()).item()) / 3
        if targets[row] != IGNORED:
            e = [math.exp(v) for v in s[row].tolist()]
            hard -= math.log(e[targets[row]] / sum(e)) / 2
    found = distillation((x, s), (y, t), targets).item() / 2
    assert found == pytest.approx(5 * soft + 2 * hard + cosine, rel=1e-5)
    alike = distillation((x, t), (x, t), torch.full((3,), IGNORED)).item()
    assert alike == pytest.approx(0, abs=1e-5)


def test_it_begins_with_every_second_layer(taught):
    teacher = Teacher(*taught)
    sizes = teacher.sizes(create("distilbert", input_size=5, output_size=5).config.__class__,
                          teacher.run.signature)  # fmt: skip
    assert (sizes["num_layers"], sizes["hidden_size"]) == (2, 16)
    assert "num_segments" not in sizes
    size = teacher.run.signature.vocab_size
    student = create("distilbert", input_size=size, output_size=size, **sizes)
    assert teacher.load(student) == []
    theirs, ours = teacher.model.state_dict(), student.state_dict()
    name = "feed_forward.inner.weight"
    assert torch.equal(ours[f"blocks.1.{name}"], theirs[f"blocks.2.{name}"])
    assert torch.equal(ours["embeddings.words.weight"], theirs["embeddings.words.weight"])
    assert torch.equal(ours["head.linear.weight"], theirs["head.linear.weight"])
    other = create("distilbert", input_size=size, output_size=size, **{**sizes, "inner_size": 20})
    with pytest.raises(UserError, match=r"teacher: .* has other weights in blocks\.0\.feed_forward"):
        teacher.load(other)


def test_a_run_with_a_teacher_and_its_folder(taught, tmp_path):
    folder, data = taught
    before = {name: tensor.clone() for name, tensor in load(folder).model.state_dict().items()}
    run, fit = train("distilbert", data, out=tmp_path / "student", settings=SMALL, teacher=folder)
    assert fit.step == 2
    assert run.model.config.num_layers == 2  # pyright: ignore
    assert json.loads((tmp_path / "student" / "config.json").read_text())["teacher"] == str(folder)
    assert f"--teacher {folder}" in reproduce(run)
    assert run.processor.to_json() == load(folder).processor.to_json()
    after = load(folder).model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    name = "blocks.1.feed_forward.inner.weight"
    assert not torch.equal(run.model.state_dict()[name], after[name.replace("1", "2")])


def test_what_is_no_teacher(taught, tmp_path):
    folder, data = taught
    with pytest.raises(UserError, match=r"teacher: .*give one of the two"):
        train("distilbert", data, out=tmp_path / "a", settings=SMALL, teacher=folder, start=folder)
    with pytest.raises(UserError, match=r"NAME: got 'Electra'; must be an encoder"):
        train("electra", data, out=tmp_path / "b", settings=SMALL, teacher=folder)

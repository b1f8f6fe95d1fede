"""A run folder that someone changed: each wrong type, size or number is a message, never a traceback."""

import json
import shutil

import pytest
import torch

from anncestry.checkpoints.store import read_tensors, write_tensors
from anncestry.errors import UserError
from anncestry.runs.run import Run
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import resume, train


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A run of an MLP on a table."""
    folder = tmp_path_factory.mktemp("tables")
    rows = "".join(f"{i % 7},{i % 5},{'pq'[i % 2]}\n" for i in range(60))
    (folder / "t.csv").write_text("a,b,y\n" + rows)
    return train(
        "mlp", f"csv:{folder / 't.csv'}", out=folder / "run", settings=TrainingSettings(max_steps=1)
    )[0]


@pytest.fixture
def copy(tables, tmp_path):
    return shutil.copytree(tables.folder, tmp_path / "copy")


def change(folder, file, path, value):
    """Set what stands at a path of keys; a value of ``None`` takes the last key away."""
    whole = json.loads((folder / file).read_text())
    part = whole
    for key in path[:-1]:
        part = part[key]
    if value is None:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    (folder / file).write_text(json.dumps(whole))


def use(folder):
    """All that reads a run."""
    Run(folder).predict("1,2")
    Run(folder).evaluate()
    Run(folder).scores()
    resume(folder, max_steps=1)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["architecture"], 1, "config.json: architecture: got 1; must be a text"),
        (["architecture"], "lstn", "lstm"),
        (["signature", "task"], None, "signature.*task must be there as well"),
        (["signature", "task"], ["classification"], "signature: task: .*must be one of the choices"),
        (["signature", "shape"], 2, "signature: shape: got 2; must be a list"),
        (["training", "evaluations"], "x", "training: evaluations: got 'x'; must be a whole number"),
        (["training", "schdule"], "x", "training: schdule: got 'x'; there is no such field"),
        (["data", "options", "image_size"], "x", "data: options: image_size: got 'x'"),
        (["data", "name"], None, "data: .*'name' is missing"),
        (["data", "seed"], 1.5, "data: seed: got 1.5"),
        (["data"], 3, "data: got 3"),
        (["model"], [], "model: got .*an object of named fields"),
        (["model", "hidden_sizes"], ["x"], r"model: hidden_sizes\[0\]: got 'x'"),
        (["model", "hidden_sizes"], [10**9], "by its config it has .* the weights hold"),
        (["model", "hidden_sizes"], [4] * 100_000, "by its config it has .* the weights hold"),
        (["fresh"], 5, "fresh: got 5; must be a list"),
    ],
)
def test_the_config_is_read_by_its_types(copy, path, value, message):
    change(copy, "config.json", path, value)
    with pytest.raises(UserError, match=message):
        use(copy)


@pytest.mark.parametrize("classes", [[], ["p"], ["p", "q", "r"]])
def test_as_many_classes_as_the_model_has(copy, classes):
    change(copy, "processor.json", ["classes"], classes)
    with pytest.raises(UserError, match=r"names . classes; the model has 2|another task than the model"):
        use(copy)


@pytest.mark.parametrize("file", ["config.json", "processor.json", "scores.json"])
def test_json_that_is_nested_too_deeply_or_no_object(copy, file):
    (copy / file).write_text('{"a": ' + "[" * 100_000)
    with pytest.raises(UserError, match=f"{file}.*nested too deeply"):
        use(copy)
    (copy / file).write_text("[1]")
    with pytest.raises(UserError, match=f"{file}.*must hold an object"):
        use(copy)


def test_scores_are_numbers(copy):
    change(copy, "scores.json", ["test", "loss"], "x")
    with pytest.raises(UserError, match=r"scores\.json: test: loss: got 'x'; must be a number"):
        use(copy)


def multiplied(folder, factor):
    tensors, about = read_tensors(folder / "model.safetensors")
    write_tensors(folder / "model.safetensors", {name: t * factor for name, t in tensors.items()}, about)


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(copy, factor):
    multiplied(copy, factor)
    for ask in (lambda run: run.predict("1,2"), lambda run: run.evaluate()):
        with pytest.raises(UserError, match="holds NaN or infinite numbers"):
            ask(Run(copy))


def test_outputs_that_are_no_numbers_are_refused(copy):
    multiplied(copy, 1e30)
    for ask in (lambda run: run.predict("1,2"), lambda run: run.evaluate()):
        with pytest.raises(UserError, match="computes NaN or infinite numbers"):
            ask(Run(copy))


def test_a_sampler_refuses_logits_that_are_no_numbers():
    from anncestry.decoding.sampling import stream

    def step(tokens, state):
        return torch.full((1, 4), torch.nan), state

    with pytest.raises(UserError, match="a model gives numbers"):
        list(stream(step, torch.zeros(1, 4), None, 1.0, 3))

"""The examples of the public names are what happens, and every model says what its passes take and give."""

import doctest
import importlib
import inspect
import re

import pytest
import torch

import anncestry
from anncestry.timeline import TIMELINE

PARTS = [
    name
    for name in anncestry.__all__
    if name != "embed"
    and (inspect.isclass(getattr(anncestry, name)) or inspect.isfunction(getattr(anncestry, name)))
]
FINDER = doctest.DocTestFinder(exclude_empty=True)


@pytest.mark.parametrize("name", PARTS)
def test_a_public_name_has_an_example_that_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    part = getattr(anncestry, name)
    found = FINDER.find(part, name, globs={"anncestry": anncestry})
    assert any(test.examples for test in found if test.name == name), "has no example"
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for test in found:
        runner.run(test, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("name", PARTS)
def test_a_public_function_says_what_it_takes_gives_and_raises(name):
    part = getattr(anncestry, name)
    said = inspect.getdoc(part) or ""
    if inspect.isfunction(part):
        assert all(part in said for part in ("Args:", "Returns:", "Raises:"))
        for argument in inspect.signature(part).parameters:
            assert f" {argument}: " in said or f"{argument}, " in said, argument
    else:
        assert "Attributes:" in said or "Args:" in said


PASSES = ("forward", "step", "initial_state", "encode")


@pytest.mark.parametrize("entry", TIMELINE, ids=lambda entry: entry.id)
def test_the_passes_of_every_model_say_their_shapes(entry):
    module = importlib.import_module(f"anncestry.models.{entry.module}")
    model = getattr(module, entry.model)
    for word in PASSES:
        one = getattr(model, word, None)
        if one is None:
            continue
        said = inspect.getdoc(one) or ""
        assert said, f"{one.__qualname__} says nothing"
        assert said != inspect.getdoc(torch.nn.Module.forward), f"{one.__qualname__} says nothing"
        shapes = re.findall(r"\(\w+,[ \w,.+*=]*\)|\[Tensor, ", f"{inspect.signature(one)}{said}")
        assert shapes or word == "initial_state", f"{one.__qualname__} says no shapes"

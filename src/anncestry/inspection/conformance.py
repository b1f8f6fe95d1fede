"""Does a model keep the promises of its kind? One call that checks any ``torch.nn.Module``.

    report = anncestry.check_model(model)
    print(report)
    report.raise_if_failed()

The promises are in `anncestry.inspection.checks` (the function it computes) and
`anncestry.inspection.learning`, one function for each.
"""

import math
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import nn

from anncestry.errors import UserError
from anncestry.inspection import checks as of_function
from anncestry.inspection import learning as of_learning
from anncestry.inspection.subject import Broken, NotApplicable, Subject
from anncestry.report.shown import Shown
from anncestry.signature import GENERATION_TASKS, NUM_CHARACTERS, InputKind, Signature, Task

if TYPE_CHECKING:
    from rich.console import Console

CHECKS: dict[str, Callable[[Subject], str]] = {
    "output-shape": of_function.output_shape,
    "precision": of_function.precision,
    "batch-invariance": of_function.batch_invariance,
    "padding-invariance": of_function.padding_invariance,
    "causality": of_function.causality,
    "step-equals-forward": of_function.step_equals_forward,
    "determinism": of_function.determinism,
    "inputs-untouched": of_function.inputs_untouched,
    "gradients": of_learning.gradients,
    "own-rule": of_learning.own_rule,
    "initial-loss": of_learning.initial_loss,
    "overfit": of_learning.overfit,
    "save-load": of_learning.save_load,
}

Outcome = Literal["pass", "fail", "skip"]


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes:
        name: of the check.
        outcome: ``pass``, ``fail`` or ``skip``.
        message: what was measured; against what was expected; why there was nothing to check.
    """

    name: str
    outcome: Outcome
    message: str


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """What all checks found about one model.

    ``str`` is a line for each check, and a notebook shows it.

    Attributes:
        model: the name of its class.
        results: what each check found, in the order of `CHECKS`.
    """

    model: str
    results: tuple[CheckResult, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(result for result in self.results if result.outcome == "fail")

    def raise_if_failed(self) -> None:
        """Raise a `UserError` that names every promise that is not kept."""
        if self.failures:
            complaints = "; ".join(f"{result.name}: {result.message}" for result in self.failures)
            rule = f"fails {len(self.failures)} of {len(self.results)} checks: {complaints}"
            raise UserError("model", self.model, rule)

    def show(self, console: "Console | None" = None) -> None:
        """Print a line for each check, behind how many passed, failed and had nothing to check."""
        from rich.console import Console

        outcomes = [result.outcome for result in self.results]
        counts = (outcomes.count("pass"), outcomes.count("fail"), outcomes.count("skip"))
        width = max((len(result.name) for result in self.results), default=0)
        rows = [f"{result.outcome}  {result.name:<{width}}  {result.message}" for result in self.results]
        text = "\n".join(["{}: {} passed, {} failed, {} skipped".format(self.model, *counts), *rows])
        (console or Console()).print(text, markup=False, highlight=False, soft_wrap=True)


def check_model(
    model: nn.Module, signature: Signature | None = None, *, checks: Iterable[str] | None = None
) -> Report:
    """Hold a model against the promises that every model of the timeline keeps.

    >>> model = anncestry.create("lstm", input_size=10, hidden_size=20, output_size=5)
    >>> report = anncestry.check_model(model, checks=["output-shape", "batch-invariance", "causality"])
    >>> report
    LSTM: 2 passed, 0 failed, 1 skipped
    pass  output-shape      the outputs are (3, 5)
    pass  batch-invariance  each of 4 rows alone is what it is in the batch
    skip  causality         it has one output, at the end
    >>> report.ok
    True

    The model is left as it was: weights, mode, random state. It may be trained or not; where a check is
    about new models, one is made from ``model.config``, or of a class that takes no arguments (of a trained
    model that cannot be made so, leave out ``initial-loss``).

    Args:
        model: any module; ``forward`` gives outputs, or (outputs, state).
        signature: the learning problem; default: that of ``model.config``.
        checks: names of `CHECKS`; default: all.

    Returns:
        ``ok``, ``failures``, and ``results``, a `CheckResult` for each check; ``raise_if_failed()`` makes an
        error of failures.

    Raises:
        UserError: there is no signature, or a check is not known.
    """
    signature = signature or getattr(getattr(model, "config", None), "signature", None)
    if signature is None:
        rule = "is needed for a model without a config: it says what goes in and out"
        raise UserError("signature", None, rule)
    names = list(CHECKS) if checks is None else list(checks)
    for name in names:
        if name not in CHECKS:
            raise UserError("checks", name, "is not a check", CHECKS)
    on_cuda = {parameter.device.index for parameter in model.parameters() if parameter.device.type == "cuda"}
    with _random_kept(), torch.random.fork_rng(devices=sorted(on_cuda)), torch.enable_grad():
        try:
            subject = Subject(model, signature)
        except Exception as error:
            failed = CheckResult("output-shape", "fail", _raised(error))
            others = [name for name in names if name != failed.name]
            skipped = (CheckResult(name, "skip", "the model does not run") for name in others)
            return Report(type(model).__name__, (failed, *skipped))
        return Report(type(model).__name__, tuple(_check(name, subject) for name in names))


@contextmanager
def _random_kept() -> Iterator[None]:
    """The random states of Python and NumPy, which a model may draw from as it is made, put back."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002


def _check(name: str, subject: Subject) -> CheckResult:
    torch.default_generator.manual_seed(0)  # torch.manual_seed would also reach devices we do not restore
    try:
        return CheckResult(name, "pass", CHECKS[name](subject))
    except NotApplicable as reason:
        return CheckResult(name, "skip", str(reason))
    except Broken as complaint:
        return CheckResult(name, "fail", str(complaint))
    except Exception as error:  # a broken model may raise anything; that is a finding, not our failure
        return CheckResult(name, "fail", _raised(error))


def _raised(error: Exception) -> str:
    return f"raised {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def tiny_signature(inputs: InputKind, task: Task) -> Signature:
    """The smallest learning problem of a kind that is still interesting: for checks of whole families."""
    shape = {"vector": (6,), "image": (1, 8, 8), "series": (5, 3), "tokens": (5,), "characters": (5, 6)}[
        inputs
    ]
    if task in GENERATION_TASKS:
        return Signature(task, inputs, shape, 9, 8 if inputs == "tokens" else 0, target_len=4)
    vocab_size = {"tokens": 7, "characters": NUM_CHARACTERS}.get(inputs, 0)
    of_words = {"language-model": vocab_size, "masked-lm": vocab_size}
    output_size = {"classification": 3, "tagging": 3, "bidirectional-lm": 7, **of_words}.get(task, 2)
    if task == "next-frame":
        output_size = shape[-1]
    if task == "reconstruction":
        output_size = math.prod(shape)
    return Signature(task, inputs, shape, output_size, vocab_size)

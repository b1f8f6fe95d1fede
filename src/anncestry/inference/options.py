"""What generation can be asked for, which of it applies to a task, and the settings it makes."""

from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from typing import Any

from anncestry.decoding import Sampling, Search
from anncestry.errors import UserError, require
from anncestry.inference.generation import default_search
from anncestry.inference.predict_options import PredictOptions
from anncestry.signature import GENERATION_TASKS, Signature

SAMPLING = ("samples", "temperature", "top_k", "top_p", "seed")
"""Options of sampling."""
BEAMS = ("beam", "n_best")
"""Options that ask for a search of the most probable text."""
RANKING = {
    "alpha": "is the length penalty of a beam search; give `beam` too",
    "unfinished": "orders the texts of a beam search; give `beam` too",
}
"""Options that say how beams are ranked, and why they need beams. Continuations of a prompt are of one length
and none is finished, so that no ranking could change their order."""
OPTIONS: dict[str, tuple[str, ...]] = {
    "language-model": ("length", *SAMPLING, *BEAMS),
    **dict.fromkeys(GENERATION_TASKS, (*BEAMS, *RANKING)),
}
"""The options of generation that apply to each task that generates texts."""
_SAID = "is among what `search` says; give one of the two"


def check_task(signature: Signature) -> None:
    """Raise a `UserError` where a task generates no texts."""
    hint = "Its predictions come from `predict`."
    if signature.task not in OPTIONS:
        raise UserError("task", signature.task, "generates no text; those that do are", OPTIONS, hint=hint)


def check_options(signature: Signature, options: Mapping[str, Any]) -> None:
    """Raise a `UserError` where an option does not apply.

    Args:
        options: those that were given, by their names; a value of None was not given.
    """
    usable = OPTIONS[signature.task]
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        rule = f"has no effect on a run whose task is {signature.task}"
        if name not in usable:
            raise UserError(name, str(value), rule, [f"`{other}`" for other in usable])
    searched = [name for name in BEAMS if name in given]
    for name in SAMPLING if searched else ():
        rule = f"is of sampling, and `{searched[0]}` asks for a beam search; give one of the two"
        require(name not in given, name, given.get(name), rule)
    if given.get("temperature") == 0:
        for name in ("top_k", "top_p", "samples", "seed"):
            rule = "has no effect at `temperature=0`, which takes the most probable token each time"
            require(name not in given, name, given.get(name), rule)
    check_ranking(given)
    for name in ("length", "samples"):
        require(isinstance(given.get(name, 1), Integral), name, given.get(name), "must be a whole number")
        require(given.get(name, 1) >= 1, name, given.get(name), "must be at least 1")


def check_ranking(options: Mapping[str, Any]) -> None:
    """Raise a `UserError` where greedy search was given an option that says how beams are ranked."""
    if max(options.get("beam") or 1, options.get("n_best") or 1) > 1:
        return
    for name, rule in RANKING.items():
        require(options.get(name) is None, name, options.get(name), rule)


def settings_of_search(
    signature: Signature, options: Mapping[str, Any], search: Search | Sampling | None = None
) -> Search:
    """How the text of a source is searched; by default greedily.

    Args:
        options: of an encoder-decoder.
        search: settings in place of the options.

    Raises:
        UserError: an option does not apply, is out of range, or the settings say it already.
    """
    check_options(signature, options)
    given = {name: value for name, value in options.items() if value is not None}
    if search is None:
        return default_search(signature, **given)
    for name, value in given.items():
        raise UserError(name, value, _SAID)
    require(isinstance(search, Search), "search", search, "must be a Search; sampling is of prompts")
    assert isinstance(search, Search)
    return search


def settings_of_continuation(
    options: Mapping[str, Any], search: Search | Sampling | None = None
) -> tuple[Search | Sampling, int]:
    """How a prompt is continued, and by how many tokens; sampled by default.

    Args:
        options: those of a language model, checked by `check_options`.
        search: settings in place of the options beside ``length``, ``samples`` and ``seed``.

    Raises:
        UserError: an option is out of range, or the settings say it already.
    """
    given = {name: value for name, value in options.items() if value is not None}
    length = given.get("length", PredictOptions.length)
    if search is not None:
        beside = {"length", "samples", "seed"} if isinstance(search, Sampling) else {"length"}
        for name, value in given.items():
            require(name in beside, name, value, _SAID)
        if isinstance(search, Sampling):
            return search, length
        length = given.get("length", search.max_length)
        return replace(search, max_length=length, min_length=min(search.min_length, length)), length
    if any(name in given for name in BEAMS):
        n_best = given.get("n_best", 1)
        beam = given.get("beam", n_best)
        return Search(
            beam=n_best if beam == 1 else beam, n_best=n_best, max_length=length, length_penalty="none"
        ), length
    names = ("temperature", "top_k", "top_p")
    return Sampling(**{name: given.get(name, getattr(PredictOptions, name)) for name in names}), length

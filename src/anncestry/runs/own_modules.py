"""A person's own model: found by ``module:attribute``, and made on the meta device where that can be."""

import importlib
import operator
import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn

from anncestry.errors import UserError, nearest
from anncestry.inspection.costs import without_weights


class OwnModule(NamedTuple):
    """What a person's object stands for.

    Attributes:
        make: gives the model with weights.
        shadow: the model without weights, where it can be made so.
        trained: whether it was made before: its weights are its own.
    """

    make: Callable[[], nn.Module]
    shadow: nn.Module
    trained: bool


def attribute(name: str) -> Any:
    """What ``module:attribute`` names, looked for from the current folder on.

    Raises:
        UserError: the module cannot be imported, or has no such attribute.
    """
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise UserError("model", name, "must be written module:attribute")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # an installed command does not look where it is called
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the person's file raises
        rule = f"cannot be imported ({type(error).__name__}: {error})"
        raise UserError("model", name, rule, hint="It is looked for from this folder on.") from error
    try:
        return operator.attrgetter(path)(module)
    except AttributeError as error:
        known = [attribute for attribute in vars(module) if not attribute.startswith("_")]
        raise UserError("model", name, f"{module_name} has no {path}", nearest(path, known)) from error


def own_module(found: Any, name: str) -> OwnModule:
    """The model that an object is, or that it makes when it is called without arguments.

    Raises:
        UserError: it is neither.
    """
    if isinstance(found, nn.Module):
        return OwnModule(lambda: found, found, trained=True)
    make, shadow = found, found
    if callable(found):
        try:
            shadow = _shadow(make)
        except Exception as error:  # it is the person's code, which may raise anything
            rule = f"cannot be made without arguments ({type(error).__name__}: {error})"
            hint = "Name a torch.nn.Module, or a function without arguments that makes one."
            raise UserError("model", name, rule, hint=hint) from error
    if not callable(found) or not isinstance(shadow, nn.Module):
        rule = f"is a {type(shadow).__name__}; it must be a torch.nn.Module, or a class or function that "
        raise UserError("model", name, f"{rule}makes one")
    return OwnModule(make, shadow, trained=False)


def _shadow(make: Callable[[], Any]) -> Any:
    """On the meta device where that can be: a person's own module may look at its weights."""
    try:
        return without_weights(make)
    except (RuntimeError, NotImplementedError, AttributeError):
        return make()

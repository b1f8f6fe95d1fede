"""Names that a package hands on are imported when they are first used."""

import importlib
import sys

import pytest

from anncestry.lazy import homes_of

INIT = '''
"""A package."""

from typing import TYPE_CHECKING

from anncestry.lazy import hand_on

if TYPE_CHECKING:
    from handing import inner
    from handing.first import (
        ONE,
        two,
    )
    from handing.second import three

__all__ = ["ONE", "inner", "three", "two"]
__getattr__, __dir__ = hand_on(__name__)
'''


@pytest.fixture
def handing(tmp_path, monkeypatch):
    folder = tmp_path / "handing"
    folder.mkdir()
    (folder / "__init__.py").write_text(INIT)
    (folder / "first.py").write_text("ONE = 1\ndef two(): return 2\n")
    (folder / "second.py").write_text("raise RuntimeError('is not wanted')\n")
    (folder / "inner.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("handing")
    for name in [name for name in sys.modules if name.partition(".")[0] == "handing"]:
        del sys.modules[name]


def test_a_module_is_imported_when_one_of_its_names_is_used(handing):
    assert [name for name in sys.modules if name.startswith("handing.")] == []
    assert handing.ONE == 1
    assert handing.two() == 2
    assert [name for name in sys.modules if name.startswith("handing.")] == ["handing.first"]
    with pytest.raises(RuntimeError, match="is not wanted"):
        _ = handing.three


def test_a_module_is_handed_on_as_it_is(handing):
    assert handing.inner.__name__ == "handing.inner"


def test_all_names_are_listed_and_no_others_known(handing):
    assert dir(handing) == ["ONE", "inner", "three", "two"]
    with pytest.raises(AttributeError, match="module 'handing' has no attribute 'four'"):
        _ = handing.four


def test_homes_are_read_from_what_type_checkers_read():
    assert homes_of(INIT) == {
        "ONE": "handing.first",
        "inner": "handing",
        "three": "handing.second",
        "two": "handing.first",
    }

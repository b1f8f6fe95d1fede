"""Fields of foreign JSON: what nobody asked for is noted, and a value of another type refused."""

import pytest

from anncestry.errors import UserError
from anncestry.fields import Fields


def test_fields_know_what_nobody_asked_for():
    fields = Fields({"a": 1, "b": None, "c": [1], "d": "x" * 99}, "some.json", idle=("d",))
    assert fields.size("a") == 1
    assert fields.get("b", 2) is None
    assert fields.notes() == ("some.json says what is not known here and was not heeded: c=[1]",)
    assert "c" in fields
    assert fields.notes() == ()
    with pytest.raises(UserError, match="must be true or false"):
        fields.flag("a", True)

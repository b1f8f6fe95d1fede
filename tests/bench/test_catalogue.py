"""The rows of the table, and how a person names them."""

import importlib

import pytest

from anncestry.bench.catalogue import PARTS, ROWS, SPINNING, select
from anncestry.errors import UserError


def test_names_of_parts_and_rows_are_all_different():
    names = [*PARTS, *(row.id for row in ROWS if row.part != row.id)]
    assert len(set(names)) == len(names)


def test_parts_and_rows_are_selected_in_the_order_of_the_table():
    assert select([]) == ROWS
    assert [row.id for row in select(["start", "Encode", "gpt2_one", "minilm"])] == [
        "minilm", "bert-base", "gpt2-one", "start-up",
    ]  # fmt: skip


def test_a_wrong_name_is_answered_with_the_nearest():
    with pytest.raises(UserError) as raised:
        select(["encoed"])
    assert raised.value.choices == ["encode"]


def test_each_row_is_set_up_by_its_part():
    for part in PARTS:
        if part == "growth":
            continue
        module = importlib.import_module(f"anncestry.bench.parts.{part}")
        assert list(module.CONTESTS) == [row.id for row in ROWS if row.part == part]


def test_a_spun_row_has_two_environments():
    spun = next(row for row in ROWS if row.is_spun)
    assert spun.environments == {"": {}, "spinning": SPINNING}
    assert next(row for row in ROWS if not row.is_spun).environments == {"": {}}

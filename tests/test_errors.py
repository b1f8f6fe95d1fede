import pickle

import pytest

from anncestry.errors import UserError, nearest, require


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hidden_size", 0, "must be at least 1"), "hidden_size: got 0; must be at least 1."),
        (("data", "dgits", "is not known."), "data: got 'dgits'; is not known."),
        (("a", "b", "must be one of", ("c", 2)), "a: got 'b'; must be one of. Choices: c, 2."),
        (("a", None, "is wrong", None, "Do this."), "a: got None; is wrong. Do this."),
        (("a", "b", "is wrong", ["c"], "Do this."), "a: got 'b'; is wrong. Choices: c. Do this."),
    ],
)
def test_the_message_names_field_value_rule_choices_and_hint(arguments, message):
    error = UserError(*arguments)
    assert str(error) == message
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("value", ["x" * 1000, list(range(1000))])
def test_a_long_value_is_cut(value):
    message = str(UserError("text", value, "is too long"))
    assert len(message) < 250
    assert "...; is too long." in message or "...'; is too long." in message


def test_it_survives_the_trip_between_processes():
    error = UserError("a", "b", "is wrong", (choice for choice in "cd"), "Do this.")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is UserError
    assert str(again) == str(error)
    assert (again.field, again.value, again.rule, again.choices) == ("a", "b", "is wrong", ["c", "d"])
    assert again.hint == "Do this."


def test_nearest_gives_the_likeliest_or_everything():
    known = ["lstm", "stacked-lstm", "gru", "bilstm"]
    assert nearest("lsmt", known)[0] == "lstm"
    assert set(nearest("lstmm", known, count=2)) <= {"lstm", "bilstm", "stacked-lstm"}
    assert len(nearest("lstm", known, count=2)) == 2
    assert nearest("transformer", known) == known


def test_require():
    require(True, "a", 1, "is fine")
    with pytest.raises(UserError, match=r"a: got 1; must be 2. Choices: 2."):
        require(False, "a", 1, "must be 2", [2])


def test_another_place_spells_the_arguments_its_own_way():
    error = UserError("batch_size", 0, "must be above `seed`", hint="Try `max_steps=3` or `other`; `a b`.")
    assert str(error) == "batch_size: got 0; must be above `seed`. Try `max_steps=3` or `other`; `a b`."
    flags = {"batch_size": "--batch-size", "seed": "--seed", "max_steps": "--max-steps", "a": "--a"}
    wanted = "--batch-size: got 0; must be above --seed. Try --max-steps 3 or `other`; `a b`."
    assert error.spelt(flags) == wanted
    choices = UserError("a", 1, "is wrong", ["`seed`", "seed"])
    assert str(choices) == "a: got 1; is wrong. Choices: `seed`, seed."
    assert choices.spelt(flags) == "--a: got 1; is wrong. Choices: --seed, seed."

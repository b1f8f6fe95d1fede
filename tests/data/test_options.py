import pytest

from anncestry.data import DataOptions
from anncestry.errors import UserError


@pytest.mark.parametrize("field", ["window", "horizon", "image_size", "max_chars"])
def test_counts_are_positive(field: str) -> None:
    with pytest.raises(UserError, match=f"{field}: got 0; must be at least 1"):
        DataOptions(**{field: 0})


def test_the_task_is_one_of_a_table() -> None:
    with pytest.raises(
        UserError, match=r"task: got 'ranking'; .* Choices: classification, regression, forecasting"
    ):
        DataOptions(task="ranking")  # pyright: ignore

"""What a person reads before training."""

import pytest

from anncestry.data import DataOptions, load_data
from anncestry.data.splits.about import learning_problem


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("table") / "penguins.csv"
    rows = [f"{n % 3},{n},{n % 5 + 1},{'fm'[n % 2]}" for n in range(40)]
    path.write_text("\n".join(["island,mass,stars,sex", *rows]))
    return f"csv:{path}"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {},
            [
                "Task: classification, column 'sex' (the last; --target names another): 2 classes (f, m)",
                "Inputs: 3 columns (island, mass, stars)",
            ],
        ),
        (
            {"target": "mass", "task": "regression"},
            ["Task: regression, column 'mass'", "Inputs: 3 columns (island, stars, sex)"],
        ),
        (
            {"target": "stars", "task": "multi-label"},
            [
                "Task: multi-label, column 'stars': 5 labels (1, 2, 3, 4, 5)",
                "Inputs: 3 columns (island, mass, sex)",
            ],
        ),
    ],
)
def test_target_task_classes_and_inputs_are_reported(table, options, expected):
    assert learning_problem(load_data(table, DataOptions(**options))) == expected


def test_whole_numbers_that_become_classes_are_noted(table):
    notes = load_data(table, DataOptions(target="stars")).notes
    assert any("'stars' holds 5 different whole numbers, which are read as classes" in note for note in notes)
    notes = load_data(table, DataOptions(target="stars", task="classification")).notes
    assert not any("which are read as classes" in note for note in notes)


def test_images_have_a_shape():
    assert learning_problem(load_data("digits")) == [
        "Task: classification: 10 classes (0, 1, 2, 3, 4, 5, 6, 7, ...)",
        "Inputs: image (1, 8, 8)",
    ]

"""A line for each class, and a remark where every prediction is the same."""

from anncestry.report.by_class import class_lines, one_prediction

COUNTS = {"right": [8, 0], "answered": [9, 1], "true": [8, 2]}


def test_each_class_has_a_line():
    head, no, yes = class_lines(("no", "yes"), COUNTS)
    assert head.split() == ["true", "predicted", "right", "precision", "recall", "F1"]
    assert no.split() == ["no", "8", "9", "8", "0.889", "1.000", "0.941"]
    assert yes.split() == ["yes", "2", "1", "0", "0.000", "0.000", "0.000"]
    assert class_lines(("no", "yes"), {}) == []
    many = {name: list(range(40)) for name in COUNTS}
    lines = class_lines([f"c{n}" for n in range(40)], many)
    assert (len(lines), lines[-1], lines[1].split()[0]) == (32, "and 10 more", "c39")


def test_one_prediction_to_everything_is_said():
    remark = one_prediction(("no", "yes"), {"right": [8, 0], "answered": [10, 0], "true": [8, 2]})
    assert remark.startswith("Every example of the test split is predicted to be 'no'")
    assert one_prediction(("no", "yes"), COUNTS) == ""

"""Which file is which part: whole words count, and what is not read is said."""

from pathlib import Path

import pytest

from anncestry.data.readers.parts import official_parts, part_of
from anncestry.errors import UserError


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("eng.testa", "validation"),
        ("eng.testb", "test"),
        ("train.txt", "train"),
        ("wnut17train.conll", "train"),
        ("train_5500.label", "train"),
        ("in_domain_train.tsv", "train"),
        ("ptb.valid.txt", "validation"),
        ("dev-v2.0.json", "validation"),
        ("SICK_trial.txt", "validation"),
        ("TREC_10.label", "test"),
        ("emerging.test.annotated", "test"),
        ("out_of_domain_dev.tsv", "held-out"),
        ("dev_mismatched.tsv", "held-out"),
        ("contest.txt", None),
        ("latest.csv", None),
        ("strain.txt", None),
        ("device.txt", None),
        ("invalid.txt", None),
        ("values.csv", None),
    ],
)
def test_parts_are_known_by_whole_words(name: str, part: str | None) -> None:
    assert part_of(name) == part


def test_files_that_are_not_read_are_noted(tmp_path: Path) -> None:
    for name in ("train.tsv", "dev.tsv.gz", "contest.tsv", "LICENSE", ".DS_Store"):
        (tmp_path / name).write_text("x")
    notes: list[str] = []
    found = official_parts(tmp_path, (".tsv",), notes)
    assert {part: path.name for part, path in found.items()} == {
        "train": "train.tsv",
        "validation": "dev.tsv.gz",
    }
    assert notes == [
        "the folder's own files: dev.tsv.gz, train.tsv",
        "files that are not read: LICENSE, contest.tsv",
    ]
    (tmp_path / "dev_2.tsv").write_text("x")
    with pytest.raises(UserError, match=r"two files for validation, dev\.tsv\.gz and dev_2\.tsv"):
        official_parts(tmp_path, (".tsv",), [])

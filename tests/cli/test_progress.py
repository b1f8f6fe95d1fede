"""Bars are drawn while many files are read."""

import io

from rich.console import Console

from anncestry.cli.progress import TrainingProgress, reading
from anncestry.data.readers.watching import counted


def test_who_reads_moves_the_bar_of_training() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    with TrainingProgress(console) as progress:
        things = counted(range(1000), "images")
        for thing in things:
            if thing == 500:
                progress._bar.refresh()
                break
    assert "500 of 1,000 images" in out.getvalue()
    assert list(counted(range(3), "images")) == [0, 1, 2]  # nobody watches any more


def test_what_is_read_to_be_scored_has_a_bar_of_its_own(monkeypatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(
        "anncestry.cli.progress.Console", lambda **_: Console(file=out, force_terminal=True, width=80)
    )
    with reading():
        assert list(counted(range(400), "images")) == list(range(400))
        assert list(counted([1], "images")) == [1]
    assert "images" not in out.getvalue() or "of 400" in out.getvalue()

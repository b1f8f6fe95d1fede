"""Bars are drawn while many files are read."""

import io

from rich.console import Console
from rich.progress import Progress

from anncestry.cli.progress import STEPS, TrainingProgress, long_work
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


def test_long_work_has_a_bar(monkeypatch, capsys) -> None:
    out, bars = io.StringIO(), []
    monkeypatch.setattr(
        "anncestry.cli.progress.Console", lambda **_: Console(file=out, force_terminal=True, width=80)
    )

    class Shown(Progress):
        def update(self, task_id, **fields):  # draws at once, not when the clock says so
            super().update(task_id, **fields)
            bars.append(fields)
            self.refresh()

    monkeypatch.setattr("anncestry.cli.progress.Progress", Shown)
    with long_work() as bar:
        assert list(counted(range(400), "images")) == list(range(400))
        assert list(counted([1], "images")) == [1]  # nothing to wait for
        scoring = bar("scoring")
        for done in range(7, 707, 7):
            scoring(done, 700)
        print("a row")
    assert "reading images" in out.getvalue()
    assert "350 of 700" in out.getvalue()
    assert len(bars) <= 2 * (STEPS + 1)
    assert capsys.readouterr().out == "a row\n"


def test_a_log_has_no_bar(capsys) -> None:
    with long_work() as bar:
        bar("scoring")(350, 700)
    assert capsys.readouterr() == ("", "")

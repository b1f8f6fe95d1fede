"""Parts of the timeline."""

from anncestry.timeline import TIMELINE
from anncestry.timeline.selection import history, select


def test_oldest_first():
    years = [architecture.year for architecture in select(None)]
    assert years == sorted(years)


def test_both_ends_of_the_years_are_included():
    years = {architecture.year for architecture in select(since=1989, until=1997)}
    assert years == {1989, 1990, 1997}


def test_the_whole_family_has_parents_before_children():
    ids = [entry.id for entry in history(None, all=True)]
    assert sorted(ids) == sorted(entry.id for entry in TIMELINE)
    for entry in TIMELINE:
        assert all(ids.index(parent) < ids.index(entry.id) for parent in entry.parents)

"""Dates in many languages: each text is the date it stands for, in its language, and no other one."""

import datetime
from collections import Counter, defaultdict

import numpy as np
import pytest

from anncestry.data import DataOptions, load_data
from anncestry.data.sources.dates import FIRST, LANGUAGES, formats, write_dates


@pytest.fixture(scope="module")
def dataset():
    return load_data("dates")


def pairs_of(dataset, split):
    source = dataset.processor.source
    return [
        (source.decode(split.sources.row(row)), split.references[row][0], split.groups[row])
        for row in range(len(split))
    ]


def test_sizes(dataset):
    assert len(LANGUAGES) >= 25
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [20_000, 1000, 2000]
    counts = Counter(dataset.train.groups)
    assert set(counts) == set(LANGUAGES)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert dataset.signature.target_len == 11
    assert dataset.held_out is None


def test_a_text_is_its_date_in_its_language(dataset):
    for text, iso, language in pairs_of(dataset, dataset.test)[:400]:
        day = datetime.date.fromisoformat(iso)
        written = {" ".join(way.write(day).split()) for way in formats(language) if way.is_clear(day)}
        assert text in written


def test_no_day_of_one_part_is_in_another(dataset):
    splits = (dataset.train, dataset.validation, dataset.test)
    days = [{references[0] for references in split.references} for split in splits]
    assert not days[0] & days[1]
    assert not days[0] & days[2]
    assert not days[1] & days[2]


def test_no_text_could_be_another_day():
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=number) for number in range(366)]
    meant = defaultdict(set)
    for language in LANGUAGES:
        for way in formats(language):
            assert "1987" in way.write(datetime.date(1987, 1, 1))
            for day in days:
                if way.is_clear(day):
                    meant[way.write(day)].add(day)
    assert len(meant) > 40_000
    assert all(len(found) == 1 for found in meant.values())


def test_the_rule_on_digits_is_needed():
    english = next(way for way in formats("en") if way.pattern == "M/d/y")
    french = next(way for way in formats("fr") if way.pattern == "dd/MM/y")
    assert english.write(datetime.date(2021, 10, 11)) == french.write(datetime.date(2021, 11, 10))
    assert not english.is_clear(datetime.date(2021, 10, 11))
    assert not english.is_clear(datetime.date(2021, 10, 12))
    assert english.is_clear(datetime.date(2021, 10, 13))
    assert english.is_clear(datetime.date(2021, 10, 10))
    swedish = next(way for way in formats("sv") if way.pattern == "y-MM-dd")
    assert swedish.is_clear(datetime.date(2021, 10, 11))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Monday, October 4, 2021"),
        ("fr", "lundi 4 octobre 2021"),
        ("fi", "maanantai 4. lokakuuta 2021"),
        ("ja", "2021年10月4日月曜日"),
        ("hu", "2021. október 4., hétfő"),
    ],
)
def test_full_forms(language, text):
    assert formats(language)[0].write(datetime.date(2021, 10, 4)) == text


def test_languages_held_out():
    dataset = load_data("dates", DataOptions(hold_out="fr, FI"))
    for split in (dataset.train, dataset.validation, dataset.test):
        assert not {"fr", "fi"} & set(split.groups)
    assert set(dataset.held_out.groups) == {"fr", "fi"}
    assert len(dataset.held_out) == 1000
    seen = {references[0] for references in dataset.train.references}
    assert not seen & {references[0] for references in dataset.held_out.references}
    assert dataset.split("held-out") is dataset.held_out
    assert dataset.scored_splits() == ("validation", "test", "held-out")
    assert any("fr, fi held out" in note for note in dataset.notes)


def test_what_is_refused(dataset):
    with pytest.raises(ValueError, match="hold_out: got 'xx'; is no language of these dates"):
        load_data("dates", DataOptions(hold_out="fr,xx"))
    with pytest.raises(ValueError, match="must leave a language to be trained on"):
        load_data("dates", DataOptions(hold_out=",".join(LANGUAGES)))
    with pytest.raises(ValueError, match="nothing is held out of dates"):
        dataset.split("held-out")


def test_the_seed_fixes_everything(dataset):
    assert load_data("dates").fingerprint() == dataset.fingerprint()
    assert load_data("dates", seed=1).fingerprint() != dataset.fingerprint()
    days = np.arange(100)
    made = [write_dates(days, 50, ("en", "ja"), np.random.default_rng(3)) for _ in range(2)]
    assert made[0] == made[1]
    assert all(0 <= (datetime.date.fromisoformat(iso) - FIRST).days < 100 for _, iso in made[0][0])

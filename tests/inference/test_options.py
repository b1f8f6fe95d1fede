"""What generation can be asked for: an option that cannot apply is an error that names it."""

from dataclasses import fields

import pytest

from anncestry.decoding import Sampling, Search
from anncestry.errors import UserError
from anncestry.inference.options import (
    BEAMS,
    RANKING,
    SAMPLING,
    check_options,
    check_ranking,
    check_task,
    settings_of_continuation,
    settings_of_search,
)
from anncestry.inference.predict_options import PredictOptions
from anncestry.signature import Signature

TEXT = Signature("language-model", "tokens", (6,), 5, 5)
TRANSLATION = Signature("translation", "tokens", (6,), 9, 9, target_len=4)


def test_every_option_is_one_of_predict():
    known = {field.name for field in fields(PredictOptions)}
    assert {*SAMPLING, *BEAMS, *RANKING, "length"} == known - {"alignments", "out"}


def test_tasks_without_a_text_are_refused():
    check_task(TEXT)
    with pytest.raises(UserError, match=r"task: got 'classification'; generates no text; .*language-model"):
        check_task(Signature("classification", "vector", (2,), 3))


@pytest.mark.parametrize(
    ("signature", "options", "message"),
    [
        (TEXT, {"alpha": 0.6}, "alpha: got '0.6'; has no effect on a run whose task is language-model"),
        (TEXT, {"beam": 2, "top_k": 3}, "top_k: got 3; is of sampling, and `beam` asks for a beam search"),
        (TEXT, {"n_best": 2, "seed": 0}, "seed: got 0; is of sampling, and `n_best` asks for a beam"),
        (TEXT, {"temperature": 0, "samples": 2}, "samples: got 2; has no effect at `temperature=0`"),
        (TEXT, {"length": 0}, "length: got 0; must be at least 1"),
        (TEXT, {"samples": 0}, "samples: got 0; must be at least 1"),
        (TEXT, {"samples": "3"}, "samples: got '3'; must be a whole number"),
        (TEXT, {"length": 2.5}, "length: got 2.5; must be a whole number"),
        (TRANSLATION, {"top_p": 0.5}, "top_p: got '0.5'; has no effect on a run whose task is translation"),
        (
            TRANSLATION,
            {"alpha": 1.0},
            "alpha: got 1.0; is the length penalty of a beam search; give `beam`",
        ),
        (
            TRANSLATION,
            {"beam": 1, "unfinished": "last"},
            "unfinished: got 'last'; orders the texts of a beam",
        ),
    ],
)
def test_an_option_that_cannot_apply_is_named(signature, options, message):
    with pytest.raises(UserError) as error:
        check_options(signature, options)
    assert message in str(error.value)


def test_options_that_were_not_given_are_passed_over():
    check_options(TEXT, dict.fromkeys((*SAMPLING, *BEAMS, *RANKING, "length")))
    check_ranking({"beam": None, "n_best": 2, "alpha": 1.0})


def test_a_prompt_is_sampled_by_default():
    assert settings_of_continuation({}) == (Sampling(temperature=0.8, top_k=0, top_p=1.0), 200)
    asked = {"temperature": 0.5, "top_k": 3, "top_p": 0.9, "length": 7, "samples": 2}
    assert settings_of_continuation(asked) == (Sampling(temperature=0.5, top_k=3, top_p=0.9), 7)


def test_beams_search_for_texts_of_one_length():
    settings, length = settings_of_continuation({"beam": 4, "length": 9})
    assert (length, settings) == (9, Search(beam=4, max_length=9, length_penalty="none"))
    assert settings_of_continuation({"n_best": 3})[0] == Search(
        beam=3, n_best=3, max_length=200, length_penalty="none"
    )
    assert settings_of_continuation({"beam": 1})[0] == Search(max_length=200, length_penalty="none")


def test_settings_of_their_own_take_the_place_of_options():
    search = Search(beam=2, max_length=5, no_repeat_ngram=2)
    assert settings_of_continuation({}, search) == (search, 5)
    assert settings_of_continuation({"length": 8}, search)[0] == Search(
        beam=2, max_length=8, no_repeat_ngram=2
    )
    sampling = Sampling(top_k=2, repetition_penalty=1.2)
    assert settings_of_continuation({"samples": 2, "seed": 1}, sampling) == (sampling, 200)
    for options, settings in (({"beam": 2}, search), ({"samples": 2}, search), ({"top_k": 2}, sampling)):
        with pytest.raises(UserError, match="is among what `search` says; give one of the two"):
            settings_of_continuation(options, settings)


def test_a_source_is_searched_greedily_by_default():
    greedy = settings_of_search(TRANSLATION, {})
    assert (greedy.beam, greedy.n_best, greedy.max_length) == (1, 1, 28)
    wide = settings_of_search(TRANSLATION, {"n_best": 3, "alpha": 1.0, "unfinished": "last"})
    assert (wide.beam, wide.n_best, wide.alpha, wide.unfinished) == (3, 3, 1.0, "last")
    assert settings_of_search(TRANSLATION, {}, wide) is wide
    with pytest.raises(UserError, match="beam: got 2; is among what `search` says"):
        settings_of_search(TRANSLATION, {"beam": 2}, wide)
    with pytest.raises(UserError, match="must be a Search"):
        settings_of_search(TRANSLATION, {}, Sampling())

"""Entities in tags: every scheme by hand-made cases, and figures that count whole spans."""

import itertools

import pytest
import torch

from anncestry.objectives import objective_for
from anncestry.objectives.spans import spans_of
from anncestry.protocols import IGNORED
from anncestry.signature import Signature


def spans(text: str, tags: tuple[str, ...] | None = None) -> list[tuple[str, int, int]]:
    """``(type, first word, word behind the last)`` of each span in tags with blanks between them; ``|`` ends
    a sentence."""
    sentences = [part.split() for part in text.split("|")]
    given = list(itertools.chain(*sentences))
    tags = tags or tuple(sorted({*given, "O"}))
    found = spans_of(tags)
    assert found is not None
    types = sorted({tag.partition("-")[2] for tag in tags if tag != "O"})
    if not any("-" in tag for tag in tags):  # without a place, or without a type
        types = sorted(set(tags) - {"O"}) if not set(tags) <= set("BIOES") else [""]
    sentence = torch.tensor([n for n, part in enumerate(sentences) for _ in part])
    begins, end, kind = found.find(torch.tensor([tags.index(tag) for tag in given]), sentence)
    return [(types[kind[place]], place, int(end[place])) for place in begins.nonzero().flatten().tolist()]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O B-PER I-PER O B-LOC", [("PER", 1, 3), ("LOC", 4, 5)]),  # IOB2
        ("B-PER B-PER I-PER", [("PER", 0, 1), ("PER", 1, 3)]),
        ("O I-PER I-PER B-PER I-LOC", [("PER", 1, 3), ("PER", 3, 4), ("LOC", 4, 5)]),  # IOB1
        ("I-PER O I-PER", [("PER", 0, 1), ("PER", 2, 3)]),
        ("B-PER I-PER E-PER S-PER S-LOC B-LOC E-LOC", [  # IOBES
            ("PER", 0, 3), ("PER", 3, 4), ("LOC", 4, 5), ("LOC", 5, 7)]),
        ("B-PER L-PER U-LOC", [("PER", 0, 2), ("LOC", 2, 3)]),  # BILOU
        ("B-PER M-PER E-PER W-LOC", [("PER", 0, 3), ("LOC", 3, 4)]),  # BMEWO
        ("B-PER I-LOC", [("PER", 0, 1), ("LOC", 1, 2)]),  # no scheme allows it
        ("E-PER E-PER I-PER", [("PER", 0, 1), ("PER", 1, 2), ("PER", 2, 3)]),
        ("S-PER I-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("B-PER I-PER | I-PER O", [("PER", 0, 2), ("PER", 2, 3)]),  # no span goes over the end of a sentence
        ("PER PER O LOC PER", [("PER", 0, 2), ("LOC", 3, 4), ("PER", 4, 5)]),  # no places
        ("B I O B", [("", 0, 2), ("", 3, 4)]),  # no types
        ("B-a-b I-a-b", [("a-b", 0, 2)]),
        ("O O", []),
    ],
)  # fmt: skip
def test_spans_of_every_scheme(tags, expected):
    known = ("B-PER", "O") if expected == [] else None
    assert spans(tags, known) == expected


def test_parts_of_speech_are_no_spans():
    assert spans_of(("NOUN", "VERB", "X")) is None
    assert spans_of(("O",)) is None


TAGS = ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")


def figures(given: str, true: str) -> dict[str, float]:
    """Of sentences of equal length, with `IGNORED` for a dot."""
    rows = [[line.split() for line in text.split("|")] for text in (given, true)]
    targets = torch.tensor([[IGNORED if t == "." else TAGS.index(t) for t in row] for row in rows[1]])
    answers = torch.tensor([[0 if t == "." else TAGS.index(t) for t in row] for row in rows[0]])
    signature = Signature("tagging", "tokens", (targets.shape[1],), 5, 9, background=4)
    objective = objective_for(signature, tags=TAGS)
    outputs = torch.nn.functional.one_hot(answers, 5).float()
    whole = objective.tally(outputs, targets)
    assert objective.metrics(whole).keys() == set(objective.figures)
    assert sum(objective.tally(outputs[[n]], targets[[n]]) for n in range(len(targets))).tolist() == (
        pytest.approx(whole.tolist())
    )
    return objective.metrics(whole)


def test_a_span_is_right_with_its_type_and_both_ends():
    # seqeval's default: 2 right of 4 given and 3 true
    found = figures("B-PER I-PER O B-LOC | B-LOC O B-PER O", "B-PER I-PER O B-LOC | B-PER I-PER O O")
    assert found["span_precision"] == pytest.approx(2 / 4)
    assert found["span_recall"] == pytest.approx(2 / 3)
    assert found["span_f1"] == pytest.approx(4 / 7)
    assert found["accuracy"] == pytest.approx(5 / 8)
    assert figures("B-PER O O O", "B-PER I-PER O O")["span_f1"] == 0  # the wrong end
    assert figures("B-PER I-PER I-PER O", "B-PER I-PER O O")["span_f1"] == 0
    assert figures("B-LOC I-LOC O O", "B-PER I-PER O O")["span_f1"] == 0


def test_calling_every_word_an_entity_earns_little():
    found = figures("B-PER B-PER B-PER B-PER B-PER", "B-PER O O O O")
    assert found["span_recall"] == 1
    assert found["span_f1"] == pytest.approx(2 / 6)
    assert figures("O O O O O", "B-PER O O O O") == pytest.approx(
        {"span_f1": 0, "span_precision": 0, "span_recall": 0, "accuracy": 0.8}
        | {"loss": figures("O O O O O", "B-PER O O O O")["loss"]}
    )


def test_steps_that_are_no_words_are_jumped_over():
    found = figures("B-PER . I-PER O | . B-LOC . .", "B-PER . I-PER O | . B-LOC . .")
    assert (found["span_f1"], found["accuracy"]) == (1, 1)
    found = figures("B-PER . I-PER . | B-PER . . .", "B-PER . I-PER . | I-PER . . .")
    assert found["span_f1"] == 1  # the same span by another scheme


def test_the_span_figure_selects():
    objective = objective_for(Signature("tagging", "tokens", (4,), 5, 9, background=4), tags=TAGS)
    assert objective.primary == "span_f1"
    assert objective_for(Signature("tagging", "tokens", (4,), 2, 9), tags=("NOUN", "X")).primary == "accuracy"


def test_places_need_no_capitals():
    small = spans_of(("b-per", "i-per", "o"))
    assert small is not None
    begins, end, _ = small.find(torch.tensor([2, 0, 1, 0]), torch.zeros(4).long())
    assert begins.tolist() == [False, True, False, True]
    assert [int(end[place]) for place in (1, 3)] == [3, 4]
    assert spans_of(("n", "v", "o")) is None

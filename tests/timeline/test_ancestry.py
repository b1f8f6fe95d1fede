"""How entries descend from each other, what came from second parents, and what a commit is made of."""

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.errors import UserError
from anncestry.timeline import TIMELINE, find
from anncestry.timeline.ancestry import (
    Kin,
    ancestors,
    authors,
    branch_order,
    changes,
    commit_id,
    descendants,
    in_order,
    kinship,
    main_line,
    way,
)
from anncestry.timeline.ideas import IDEAS

EACH = pytest.mark.parametrize("entry", TIMELINE, ids=lambda entry: entry.id)
FORKS = {
    "bert", "xlm", "xlnet", "spanbert", "roberta", "sentence-bert", "albert", "distilbert", "camembert",
    "flaubert", "structbert", "electra", "bart", "mobilebert",
}  # fmt: skip
SUBSETS = st.sets(st.sampled_from([entry.id for entry in TIMELINE]))


def ids(entries):
    return [entry.id for entry in entries]


@EACH
def test_every_second_parent_gave_an_idea_and_no_one_else_did(entry):
    assert set(IDEAS.get(entry.id, {})) == set(entry.parents[1:])
    assert all(idea and not idea.endswith(".") for idea in IDEAS.get(entry.id, {}).values())


def test_ideas_are_of_entries():
    assert set(IDEAS) <= set(ids(TIMELINE))


def test_the_forks_of_bert():
    assert set(ids(descendants("bert"))) == FORKS


@EACH
def test_descendants_mirror_ancestors(entry):
    assert {other.id for other in TIMELINE if entry in ancestors(other.id)} == set(ids(descendants(entry.id)))


@EACH
def test_lines_go_from_a_root_to_the_entry(entry):
    line = main_line(entry.id)
    assert line[0].parents == ()
    assert line[-1] is entry
    assert all(child.parents[0] == parent.id for parent, child in pairwise(line))
    assert set(ids(line)) <= set(ids(ancestors(entry.id)))


def test_years_never_run_backwards_and_parents_come_first():
    order = in_order()
    assert sorted(ids(order)) == sorted(ids(TIMELINE))
    assert [entry.year for entry in order] == sorted(entry.year for entry in order)
    for entry in order:
        assert all(order.index(find(parent)) < order.index(entry) for parent in entry.parents)


def test_a_way_goes_up_and_down():
    there = way("roberta", "gpt2")
    assert there.common is find("transformer")
    assert (ids(there.up), ids(there.down)) == (["roberta", "bert"], ["gpt", "gpt2"])
    assert way("bert", "bert").up == way("bert", "bert").down == ()


def test_kinship_of_all_is_their_parents():
    family = kinship(TIMELINE)
    for entry in TIMELINE:
        assert family[entry.id] == tuple(Kin(p, number == 0) for number, p in enumerate(entry.parents))
    alone = kinship(TIMELINE, first_parent=True)
    assert all(ids(alone[entry.id]) == list(entry.parents[:1]) for entry in TIMELINE)


@given(SUBSETS)
@settings(max_examples=15, deadline=None)
def test_kinship_of_some_is_descent(chosen):
    family = kinship(list(map(find, chosen)))
    assert set(family) == chosen
    for child, several in family.items():
        elders = set(ids(ancestors(child))) - {child}
        assert {kin.id for kin in several} <= elders & chosen
        assert len({kin.id for kin in several}) == len(several)
        assert sum(kin.main for kin in several) <= 1
        main = [elder.id for elder in main_line(child)[:-1] if elder.id in chosen]
        assert [kin.id for kin in several if kin.main] == main[-1:]
        # Whoever of the chosen it descends from is reached.
        reached, waiting = set(), [kin.id for kin in several]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += [kin.id for kin in family[name]]
        assert reached == elders & chosen


@given(SUBSETS)
@settings(max_examples=15, deadline=None)
def test_branches_have_every_entry_once_and_children_first(chosen):
    entries = [entry for entry in in_order() if entry.id in chosen]
    family = kinship(entries)
    order = ids(branch_order(entries, family))
    assert sorted(order) == sorted(chosen)
    for child, several in family.items():
        assert all(order.index(child) < order.index(kin.id) for kin in several)


@pytest.mark.parametrize(
    ("name", "author", "commit"),
    [
        ("perceptron", "Rosenblatt", "perceptron"),
        ("mlp", "Rumelhart, Hinton & Williams", "mlp"),
        ("densenet", "Huang, Liu, van der Maaten & Weinberger", "1608.06993"),
        ("residual-rnn", "Kim, El-Khamy & Lee", "1701.03360"),
        ("jordan", "Jordan", "jordan"),
        ("residual-stack", "Prakash et al.", "1610.03098"),
        ("bert", "Devlin et al.", "1810.04805"),
        ("peephole-lstm", "Gers & Schmidhuber", "peephole-lstm"),  # the number is that of a later study
    ],
)
def test_who_wrote_what(name, author, commit):
    assert (authors(find(name)), commit_id(find(name))) == (author, commit)


@EACH
def test_authors_are_surnames(entry):
    assert entry.paper.startswith(f"{authors(entry)}, ")


def test_changes_are_parted_at_semicolons_only():
    added, removed, kept = changes(find("vae"))
    assert added == [
        "a distribution for a code, drawn from in training",
        "a KL term",
        "new images from random codes",
    ]
    assert (removed, kept) == (["the certainty of the code"], [])
    assert changes(find("skip-rnn"))[1:] == ([], ["the chain of steps is kept"])
    assert changes(find("residual-stack"))[1:] == ([], [])


@EACH
def test_no_word_of_a_change_is_lost(entry):
    added, removed, kept = changes(entry)
    assert "; ".join(added) == entry.adds
    assert "; ".join(removed + kept) in entry.removes
    assert removed or entry.removes.startswith("nothing")
    assert all(line == line.strip() and line for line in (*added, *removed, *kept))


def test_unknown_names():
    for of in (ancestors, descendants, main_line):
        with pytest.raises(UserError, match=r"model: got 'brt'; is not on the timeline\. Choices: bert"):
            of("brt")


def test_it_needs_no_torch():
    code = "import sys, anncestry.timeline.ancestry, anncestry.drawings.family_tree, anncestry.cli.log\n"
    code += "sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

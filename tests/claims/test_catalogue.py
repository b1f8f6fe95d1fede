"""The catalogue: every claim can be found, listed without torch, and has its file."""

import re
import subprocess
import sys

import pytest

from anncestry.claims import CLAIMS, find, select
from anncestry.errors import UserError

IDS = [claim.id for claim in CLAIMS]


def test_ids_are_unique_command_line_words():
    assert len(set(IDS)) == len(IDS)
    assert all(name == name.lower() and "_" not in name and " " not in name for name in IDS)


@pytest.mark.parametrize("claim", CLAIMS, ids=IDS)
def test_every_claim_is_one_sentence_with_a_paper_and_a_file(claim):
    assert claim.sentence.endswith(".")
    assert re.search(r"\((19|20)\d\d\)|\d{4}\.\d{4,5}", claim.paper), "a year or an arXiv number"
    experiment = claim.experiment()
    assert all(callable(getattr(experiment, part)) for part in ("measure", "judge", "draw"))
    assert experiment.__doc__.startswith(f"{claim.id}: ")


def test_underscores_and_capitals_are_forgiven():
    assert find(" Stacked_LSTM ").id == "stacked-lstm"


def test_unknown_claim_names_the_nearest():
    with pytest.raises(UserError, match=r"claim: got 'tanh-gradient'; .*Choices: .*tanh-gradients") as caught:
        find("tanh-gradient")
    assert "xor" not in caught.value.choices


def test_selection_keeps_the_order_given_and_drops_repeats():
    assert [claim.id for claim in select(["xor", "stacked-lstm", "xor"])] == ["xor", "stacked-lstm"]
    assert select([]) == CLAIMS


def test_listing_imports_neither_torch_nor_matplotlib():
    program = (
        "import sys\n"
        "from anncestry.cli.claims import Arguments, run\n"
        "assert run(Arguments(list=True)) == 0\n"
        "assert not {'torch', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert all(name in finished.stdout for name in IDS)


def test_a_former_name_is_understood_with_a_remark(caplog):
    assert find("trains_at_once_writes_one_by_one").id == "trains-at-once-generates-one-by-one"
    assert "is now called trains-at-once-generates-one-by-one" in caplog.text

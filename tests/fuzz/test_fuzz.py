"""A thousand damaged files: each is read, or refused with a `UserError`; nothing is written elsewhere.

`make fuzz` tries more of them, each under limits of time and memory.
"""

import random
import shutil
import traceback
import warnings

import pytest
from kinds import KINDS
from mutate import damage

from anncestry.errors import UserError

TRIES = 30
SEED = 0


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """The folder of each kind's example, made when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("examples"), {}

    def example(name):
        if name not in made:
            made[name] = folder / name
            made[name].mkdir()
            KINDS[name].make(made[name])
        return made[name]

    return example


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch):
    """Hundreds of small files need not reach the disk."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_are_read_or_refused(name, examples, tmp_path):
    example, kind = examples(name), KINDS[name]
    kind.use(example, tmp_path / "whole")
    faults = []
    for number in range(TRIES):
        folder = tmp_path / "given"
        shutil.copytree(example, folder)
        how = damage(folder, random.Random(f"{SEED} {name} {number}"))
        before = {path: path.stat().st_size for path in folder.rglob("*")}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kind.use(folder, tmp_path / "made")
        except UserError:
            pass
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            faults.append(
                f"{number}: {how}: {type(error).__name__}: {error} ({where.filename}:{where.lineno})"
            )
        assert {path: path.stat().st_size for path in folder.rglob("*")} == before
        assert {path.name for path in tmp_path.iterdir()} <= {"given", "made", "whole"}
        shutil.rmtree(folder)
        shutil.rmtree(tmp_path / "made", ignore_errors=True)
    assert not faults, "\n".join(faults)

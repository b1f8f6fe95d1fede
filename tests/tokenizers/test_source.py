"""Which tokenizer reads texts: a run's, one of a folder's files, or one that is learnt."""

import json
from pathlib import Path

import pytest

from anncestry.errors import UserError
from anncestry.tokenizers.files import write_tokenizer
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.tokenizers.source import for_a_task, num_positions_of, tokenizer_of

TEXTS = ["a fine film", "a dull film", "fine and warm"] * 3


def test_the_tokenizer_of_a_run(tmp_path: Path) -> None:
    learnt = learn_tokenizer(TEXTS, None, 60)
    assert learnt.kind == "wordpiece"
    (tmp_path / "processor.json").write_text(json.dumps({"kind": "packed", "tokenizer": learnt.to_json()}))
    assert tokenizer_of(tmp_path) == learnt
    assert num_positions_of(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps({"model": {"num_positions": 64}}))
    assert num_positions_of(str(tmp_path)) == 64


def test_the_tokenizer_of_a_folder_of_files(tmp_path: Path) -> None:
    learnt = learn_tokenizer(TEXTS, "wordpiece", 60, lowercase=True)
    write_tokenizer(learnt, tmp_path)
    found = tokenizer_of(str(tmp_path))
    assert found.encode("A fine film") == learnt.encode("A fine film")
    assert found.pack([7], [8]) == learnt.pack([7], [8])


@pytest.mark.parametrize(
    ("described", "text"),
    [
        ('{"kind": "sentences"}', "a run without a tokenizer: it reads sentences"),
        ('{"kind": "packed", "tokenizer": {"kind": "wordpiece"}}', "describes no tokenizer"),
        ("{", "is not readable JSON"),
        ("[]", "must hold an object"),
    ],
)
def test_what_is_no_tokenizer(tmp_path: Path, described: str, text: str) -> None:
    (tmp_path / "processor.json").write_text(described)
    with pytest.raises(UserError, match=text):
        tokenizer_of(tmp_path)


def test_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        tokenizer_of(tmp_path / "none")
    with pytest.raises(UserError, match="no tokenizer"):
        tokenizer_of(tmp_path)
    with pytest.raises(UserError, match="no level of pieces"):
        learn_tokenizer(TEXTS, "char")


def test_a_language_models_tokenizer_gets_the_special_tokens_of_a_task() -> None:
    plain = learn_tokenizer(TEXTS, "word-bpe", 60)
    ours = for_a_task(plain)
    assert ours.tokens == (*plain.tokens, "<start>", "<delimiter>", "<extract>")
    start, delimiter, extract = range(len(plain), len(plain) + 3)
    assert ours.pack([1], [2]) == [start, 1, delimiter, 2, extract]
    assert for_a_task(ours) is ours

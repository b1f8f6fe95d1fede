"""A text of one's own, with masked tokens: documents, tokenizers, splits, the cache, and what is refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from anncestry.data import DataOptions, load_data
from anncestry.data.processors import MaskedTokensProcessor, processor_from_json
from anncestry.data.readers.lines import lines_of_text
from anncestry.data.sources.catalogue import usual_options
from anncestry.data.sources.masked_text import masked_text
from anncestry.data.splits.masked_lm import MaskedBlocks
from anncestry.errors import UserError
from anncestry.tokenizers.files import write_tokenizer
from anncestry.tokenizers.learning import learn_tokenizer
from anncestry.tokenizers.tokenizer import Tokenizer

SENTENCES = [
    "the cat sat on the mat",
    "a dog ran after the cat",
    "birds sing in the trees",
    "rain fell all day",
]
TEXT = "\n\n".join("\n".join(SENTENCES[i % 4 :] + SENTENCES[: i % 3]) for i in range(80)) + "\n"


def options(**fields) -> DataOptions:
    return DataOptions(**{"task": "masked-lm", "vocab_size": 120, "window": 32, **fields})


def write(folder: Path, text: str = TEXT) -> str:
    (folder / "file.txt").write_text(text)
    return f"text:{folder / 'file.txt'}"


def tokens_of(split) -> list[int]:
    assert isinstance(split, MaskedBlocks)
    return split.text.tokens.tolist()


def test_the_parts_are_the_documents_again(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path), options(pairs="next"))
    processor = dataset.processor
    assert isinstance(processor, MaskedTokensProcessor)
    assert processor_from_json(processor.to_json()) == processor
    read = [token for part in (dataset.train, dataset.validation, dataset.test) for token in tokens_of(part)]
    assert processor.tokenizer.decode(read).split() == TEXT.split()
    sizes = [len(tokens_of(part)) / len(read) for part in (dataset.train, dataset.validation, dataset.test)]
    assert sizes == pytest.approx([0.9, 0.05, 0.05], abs=0.02)
    for part in (dataset.train, dataset.validation, dataset.test):
        assert isinstance(part, MaskedBlocks)
        firsts = part.text.tokens[part.text.lines[part.text.documents[:-1]]]
        known = {processor.tokenizer.encode(sentence)[0] for sentence in SENTENCES}
        assert set(firsts.tolist()) <= known  # every part begins with a document
    assert "inputs of at most 32 tokens for training, validation, test" in dataset.notes[0]


@pytest.mark.parametrize(("pairs", "relations"), [("none", 0), ("next", 2), ("order", 2), ("three", 3)])
@pytest.mark.parametrize("level", ["wordpiece", "byte-bpe", "word-bpe"])
def test_the_signature_says_what_is_asked(tmp_path: Path, pairs: str, relations: int, level: str) -> None:
    dataset = load_data(write(tmp_path), options(pairs=pairs, level=level, vocab_size=300))
    processor, signature = dataset.processor, dataset.signature
    assert isinstance(processor, MaskedTokensProcessor)
    assert (signature.task, signature.shape, signature.num_relations) == ("masked-lm", (32,), relations)
    assert signature.output_size == signature.vocab_size == len(processor.tokenizer) <= 300
    special = processor.tokenizer.special
    assert signature.separator == (special.separator if relations else None)
    assert special.mask is not None
    batch = next(dataset.train.batches(8))
    assert (batch.inputs[:, 0] == special.begin).all()
    assert (batch.inputs == special.separator).any(1).all()
    separators = processor.tokenizer.special.separator
    assert (separators in tokens_of(dataset.train)) == (pairs == "none")  # between documents of one block


def test_lower_case_and_a_tokenizer_that_is_given(tmp_path: Path) -> None:
    name = write(tmp_path, TEXT.replace("the", "THE"))
    learnt = load_data(name, options(lowercase=True))
    assert isinstance(learnt.processor, MaskedTokensProcessor)
    assert "THE" not in "".join(learnt.processor.tokenizer.tokens)
    write_tokenizer(learnt.processor.tokenizer, tmp_path / "tokenizer")
    again = load_data(name, DataOptions(task="masked-lm", window=32, tokenizer=str(tmp_path / "tokenizer")))
    assert tokens_of(again.train) == tokens_of(learnt.train)
    by_processor = load_data(name, DataOptions(window=32), processor=learnt.processor)
    assert by_processor.fingerprint() == learnt.fingerprint()
    with pytest.raises(UserError, match="level: got 'wordpiece'; is decided by the tokenizer"):
        load_data(
            name, DataOptions(task="masked-lm", tokenizer=str(tmp_path / "tokenizer"), level="wordpiece")
        )
    write_tokenizer(learn_tokenizer([TEXT], "byte-bpe", 300), tmp_path / "gpt")
    with pytest.raises(UserError, match="is of a model that goes on with texts"):
        load_data(name, DataOptions(task="masked-lm", tokenizer=str(tmp_path / "gpt")))


def test_a_folder_has_its_own_split(tmp_path: Path) -> None:
    (tmp_path / "x.train.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "x.valid.txt").write_text("\n".join(SENTENCES[:2]))
    (tmp_path / "x.test.txt").write_text("\n".join(SENTENCES[2:]))
    dataset = load_data(f"text:{tmp_path}", options())
    assert isinstance(dataset.processor, MaskedTokensProcessor)
    assert dataset.processor.tokenizer.decode(tokens_of(dataset.test)) == " ".join(SENTENCES[2:])
    assert "the folder's own split: x.train.txt.gz" in dataset.notes[1]


def test_the_last_tenth_can_be_both(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path), options(split="tail-10"))
    assert tokens_of(dataset.validation) == tokens_of(dataset.test)
    assert "the last 10 % are both validation and test" in dataset.notes


def test_a_second_run_cuts_and_learns_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, told = write(tmp_path), options(cache=str(tmp_path / "cache"))
    first = load_data(name, told)
    assert isinstance(first.train, MaskedBlocks)
    assert isinstance(first.train.text.tokens, np.memmap)
    assert not isinstance(load_data(name, options()).train.text.tokens, np.memmap)  # pyright: ignore
    fingerprint = first.fingerprint()

    def refuse(*_, **__):
        raise AssertionError("nothing is to be cut or learnt again")

    with monkeypatch.context() as patch:
        patch.setattr(Tokenizer, "encode_all", refuse)
        patch.setattr("anncestry.data.sources.running_text.learn_tokenizer", refuse)
        again = load_data(name, told)
    assert again.fingerprint() == fingerprint == load_data(name, options()).fingerprint()
    assert again.processor == first.processor
    changed = load_data(write(tmp_path, TEXT.replace("mat", "rug", 1)), told)
    assert changed.fingerprint() != fingerprint


def test_large_texts_are_kept_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("anncestry.data.sources.running_text.SMALL", 100)
    dataset = load_data(write(tmp_path), options())
    assert isinstance(dataset.train, MaskedBlocks)
    assert isinstance(dataset.train.text.tokens, np.memmap)
    assert list((tmp_path / "home" / "anncestry").glob("*.tokenizer.json"))


def test_pydoc_is_read_so_too() -> None:
    dataset = load_data("pydoc", DataOptions(task="masked-lm", max_chars=30_000, vocab_size=300))
    assert len(dataset.train) > 50


def test_a_task_goes_with_the_model() -> None:
    assert usual_options("bert", "text:x")["task"] == "masked-lm"
    assert "task" not in usual_options("gpt", "text:x")
    assert "task" not in usual_options("lstm", "pydoc")
    assert "task" not in usual_options("bert", "csv:x")
    assert usual_options("autoencoder", "digits")["task"] == "reconstruction"


@pytest.mark.parametrize(
    ("model", "kind"),
    [("roberta", "byte-bpe"), ("xlm", "word-bpe"), ("flaubert", "word-bpe"), ("bert", "wordpiece"),
     ("albert", "wordpiece"), ("camembert", "wordpiece"), ("xlnet", "wordpiece")],
)  # fmt: skip
def test_each_encoder_learns_its_own_kind_of_pieces(model: str, kind: str) -> None:
    """Bytes for RoBERTa, words' characters for XLM; for those of SentencePiece what BERT has."""
    given = DataOptions(**{**usual_options(model, "pydoc"), "max_chars": 20_000, "vocab_size": 400})
    processor = load_data("pydoc", given).processor
    assert isinstance(processor, MaskedTokensProcessor)
    assert processor.tokenizer.kind == kind


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"level": "char"}, "level: got 'char'; is no level at which tokens are masked"),
        ({"split": "char-rnn"}, "split: got 'char-rnn'; is for language models"),
        ({"vocab_size": 10}, "vocab_size: got 10; must have room for"),
        ({"window": 3}, "window: got 3; has no room for words"),
        ({"task": None, "masking": "spans"}, "masking: got 'spans'; is for text that is masked or corrupted"),
        ({"task": None, "pairs": "next"}, "pairs: got 'next'; is for text that is masked or corrupted"),
    ],
)
def test_what_does_not_fit_is_reported(tmp_path: Path, fields: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_data(write(tmp_path), options(**fields))


def test_a_text_of_one_line_has_no_parts() -> None:
    with pytest.raises(UserError, match="has nothing to read for validation; a text is split at the ends"):
        masked_text([lines_of_text("some words " * 50)], "text", options())

"""A text of one's own with noise on it: blocks, tokenizers, which models it goes with, what is refused."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anncestry.data import DataOptions, load_data
from anncestry.data.processors import DenoisingProcessor
from anncestry.data.readers.lines import lines_of_text
from anncestry.data.sources.catalogue import usual_options
from anncestry.data.sources.denoising_text import denoising_text
from anncestry.data.splits.denoising import DenoisingPairs
from anncestry.errors import UserError
from anncestry.signature import END
from anncestry.tokenizers.files import write_tokenizer

SENTENCES = ["The cat sat on the mat.", "A dog ran after the cat!", "Birds sing in the trees.", "Rain fell."]
DOCUMENTS = [SENTENCES[i % 4 :] + SENTENCES[: i % 3] for i in range(80)]
TEXT = "\n\n".join("\n".join(document) for document in DOCUMENTS) + "\n"


def options(**fields) -> DataOptions:
    return DataOptions(**{"task": "denoising", "vocab_size": 290, "window": 64, **fields})


def write(folder: Path, text: str = TEXT) -> str:
    (folder / "file.txt").write_text(text)
    return f"text:{folder / 'file.txt'}"


def texts_of(*splits) -> list[str]:
    return [text for split in splits for (text,) in split.references]


def test_documents_are_the_texts(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path), options())
    assert texts_of(dataset.train, dataset.validation, dataset.test) == list(map(" ".join, DOCUMENTS))
    sizes = [len(part) / 80 for part in (dataset.train, dataset.validation, dataset.test)]
    assert sizes == pytest.approx([0.9, 0.05, 0.05], abs=0.03)
    processor, signature = dataset.processor, dataset.signature
    assert isinstance(processor, DenoisingProcessor)
    assert processor.tokenizer.kind == "byte-bpe"
    assert processor.max_tokens == 63
    assert (signature.task, signature.shape, signature.vocab_size) == ("translation", (64,), 290)
    lengths = dataset.train.targets.lengths  # pyright: ignore[reportAttributeAccessIssue]
    assert signature.target_len == -(-int(lengths.sum()) // len(lengths))
    assert "texts of at most 64 tokens for training, validation, test" in dataset.notes[0]


@settings(deadline=None, max_examples=25)
@given(window=st.integers(4, 40), data=st.data())
def test_no_token_is_lost_and_no_block_too_long(window: int, data) -> None:
    words = st.lists(st.sampled_from(["a", "bb", "cat.", "dog!", "e"]), min_size=1, max_size=12)
    documents = data.draw(st.lists(st.lists(words, min_size=1, max_size=4), min_size=12, max_size=20))
    lines = ["\n".join(map(" ".join, document)) for document in documents]
    text = lines_of_text("\n\n".join(lines))
    dataset = denoising_text([text] * 3, "text", options(window=window))
    split, processor = dataset.train, dataset.processor
    assert isinstance(split, DenoisingPairs)
    assert split.targets.lengths.max() <= window
    assert split.sources.lengths.max() <= window  # pyright: ignore[reportAttributeAccessIssue]
    assert split.sources.lengths.shape == (len(split),)  # pyright: ignore[reportAttributeAccessIssue]
    whole = split.targets.tokens
    ends = split.targets.starts[1:] - 1
    assert (whole[ends] == END).all()
    assert isinstance(processor, DenoisingProcessor)
    wanted = [processor.source.encode(line) for document in documents for line in map(" ".join, document)]
    assert whole[whole != END].tolist() == [token for line in wanted for token in line]


def test_a_source_ends_and_has_no_beginning(tmp_path: Path) -> None:
    split = load_data(write(tmp_path), options()).train
    assert isinstance(split, DenoisingPairs)
    for batch in split.batches(16, torch.Generator().manual_seed(0)):
        rows = torch.arange(len(batch.inputs))
        assert batch.lengths is not None
        assert (batch.inputs[rows, batch.lengths - 1] == END).all()
        assert ((batch.inputs == END).sum(1) == 1).all()
        assert not (batch.inputs == 2).any()


def test_the_same_noise_is_scored_each_time(tmp_path: Path) -> None:
    name = write(tmp_path)
    first, second = (
        load_data(name, options()),
        load_data(name, options(cache=str(tmp_path / "cache")), seed=5),
    )
    assert first.fingerprint() == second.fingerprint()
    batches = [next(dataset.validation.batches(8)).inputs for dataset in (first, second)]
    assert torch.equal(*batches)
    changed = load_data(write(tmp_path, TEXT.replace("mat", "rug", 1)), options())
    assert changed.fingerprint() != first.fingerprint()


def test_a_tokenizer_that_is_given(tmp_path: Path) -> None:
    name = write(tmp_path)
    learnt = load_data(name, options(lowercase=True))
    assert isinstance(learnt.processor, DenoisingProcessor)
    assert texts_of(learnt.train)[0] == " ".join(DOCUMENTS[0]).lower()
    write_tokenizer(learnt.processor.tokenizer, tmp_path / "tokenizer")
    again = load_data(name, DataOptions(task="denoising", window=64, tokenizer=str(tmp_path / "tokenizer")))
    assert again.train.targets.tokens.tolist() == learnt.train.targets.tokens.tolist()  # pyright: ignore
    given_ = load_data(name, DataOptions(), processor=learnt.processor)
    assert given_.fingerprint() == learnt.fingerprint()  # by the processor's own window
    masked = load_data(name, DataOptions(task="masked-lm", vocab_size=280, level="byte-bpe", window=64))
    with pytest.raises(UserError, match="holds other inputs than the model was trained on"):
        denoising_text([lines_of_text(TEXT)], "text", options(), masked.processor)


@pytest.mark.parametrize("level", ["wordpiece", "byte-bpe", "word-bpe"])
def test_every_level_of_pieces(tmp_path: Path, level: str) -> None:
    dataset = load_data(write(tmp_path), options(level=level))
    text = texts_of(dataset.train)[1]
    assert "cat" in text
    assert len(text.split()) >= len(DOCUMENTS[1])


def test_pydoc_and_the_last_tenth() -> None:
    dataset = load_data("pydoc", options(max_chars=20_000, split="tail-10"))
    assert texts_of(dataset.validation) == texts_of(dataset.test)
    assert "the last 10 % are both validation and test" in dataset.notes
    assert isinstance(dataset.train, DenoisingPairs)
    assert dataset.train.references[-1] == dataset.train.references[len(dataset.train) - 1]
    assert dataset.train.references[:2] == (dataset.train.references[0], dataset.train.references[1])


def test_the_task_goes_with_models_that_generate() -> None:
    for name in ("bart", "transformer", "rnnsearch"):
        assert usual_options(name, "text:x")["task"] == "denoising"
        assert usual_options(name, "pydoc")["task"] == "denoising"
        assert "task" not in usual_options(name, "parallel:a,b")
    assert usual_options("roberta", "text:x")["task"] == "masked-lm"
    assert "task" not in usual_options("gpt2", "text:x")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"level": "char"}, "level: got 'char'; is no level at which tokens are masked"),
        ({"split": "char-rnn"}, "split: got 'char-rnn'; is for language models"),
        ({"window": 3}, "window: got 3; must have room for a text with its end: at least 4"),
        (
            {"masking": "spans"},
            "masking: got 'spans'; is for text that is masked or corrupted: `task` masked-lm",
        ),
        ({"pairs": "next"}, "pairs: got 'next'; is for text that is masked or corrupted: `task` masked-lm"),
        ({"vocab_size": 20}, "vocab_size: got 20; must have room for 256 bytes .*, and 5 special tokens"),
        (
            {"task": None, "cache": "x"},
            "is for text that is masked or corrupted: `task` masked-lm or denoising",
        ),
    ],
)
def test_what_does_not_fit_is_reported(tmp_path: Path, fields: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_data(write(tmp_path), options(**fields))


@pytest.mark.parametrize(("text", "part"), [("", "training"), ("some words " * 50, "validation")])
def test_a_text_with_too_little_is_reported(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(UserError, match=f"has nothing to read for {part}"):
        load_data(write(tmp_path, text), options())

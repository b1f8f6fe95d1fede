"""Two aligned files: the parts they come in, what is left out, and what is refused."""

import gzip
from pathlib import Path

import pytest
import torch

from anncestry.data import DataOptions, load_data
from anncestry.data.processors import TranslationProcessor, processor_from_json
from anncestry.signature import END, UNKNOWN

EN = [f"the {noun} sees a {other}." for noun in ("dog", "cat", "man", "girl") for other in "abcdefghij"]
DE = [line.replace("the", "der").replace("sees", "sieht").replace(" a ", " ein ") for line in EN]


def write(folder: Path, name: str, lines: list[str]) -> Path:
    path, text = folder / name, "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.fixture
def files(tmp_path):
    return write(tmp_path, "x.en", EN), write(tmp_path, "x.de.gz", DE)


def load(files, **options):
    return load_data(f"parallel:{files[0]},{files[1]}", DataOptions(**options))


def test_a_seeded_split(files):
    dataset = load(files)
    splits = (dataset.train, dataset.validation, dataset.test)
    assert [len(split) for split in splits] == [36, 2, 2]
    assert "at random with seed 0: 2 lines for validation and 2 lines for test" in " ".join(dataset.notes)
    assert sorted(row[0] for split in splits for row in split.references) == sorted(DE)
    assert dataset.fingerprint() == load(files).fingerprint()
    other = load_data(f"parallel:{files[0]},{files[1]}", seed=1)
    assert dataset.fingerprint() != other.fingerprint()


def test_rows_are_what_the_lines_say(files):
    dataset = load(files, min_count=1)
    processor = dataset.processor
    assert isinstance(processor, TranslationProcessor)
    pairs = dict(zip(EN, DE, strict=True))
    for row, (reference,) in enumerate(dataset.train.references):
        source, target = dataset.train.sources.row(row), dataset.train.targets.row(row)
        assert pairs[processor.source.decode(source)] == processor.target.decode(target) == reference
        assert target[-1] == END
    signature = dataset.signature
    assert (signature.task, signature.inputs, signature.target_len) == ("translation", "tokens", 7)
    assert signature.vocab_size == len(processor.source)
    assert signature.output_size == len(processor.target)
    assert processor_from_json(processor.to_json()) == processor


def test_official_files_beside_it(tmp_path):
    for stem, rows in (
        ("train", EN),
        ("val", EN[:5]),
        ("test_2016_flickr", EN[5:9]),
        ("test_2017_flickr", EN[:1]),
    ):
        write(tmp_path, f"{stem}.en.gz", rows)
        write(tmp_path, f"{stem}.de", [DE[EN.index(row)] for row in rows])
    dataset = load((tmp_path / "train.en.gz", tmp_path / "train.de"))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [40, 5, 4]
    assert [row[0] for row in dataset.test.references] == DE[5:9]
    assert "val.en.gz for validation, test_2016_flickr.en.gz for test" in " ".join(dataset.notes)
    for side in ("en.gz", "de"):
        (tmp_path / f"val.{side}").unlink()
    dataset = load((tmp_path / "train.en.gz", tmp_path / "train.de"))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [38, 2, 4]


def test_a_carriage_return_within_a_line_shifts_no_pair(tmp_path):
    files = write(tmp_path, "x.en", EN), write(tmp_path, "x.de", DE)
    for path, word in ((files[0], b" a "), (files[1], b" ein ")):
        path.write_bytes(path.read_bytes().replace(word, word + b"\r", 1 + (word == b" a ")))
    dataset = load(files)
    sides = [row[0].replace("\r", "") for split in (dataset.train, dataset.validation, dataset.test)
             for row in split.references]  # fmt: skip
    assert sorted(sides) == sorted(DE)


def test_different_numbers_of_lines_are_named(tmp_path):
    files = write(tmp_path, "x.en", EN), write(tmp_path, "x.de", DE[:-3])
    with pytest.raises(ValueError, match=r"x\.en has 40 and x\.de has 37"):
        load(files)


def test_only_a_line_feed_ends_a_line(tmp_path):
    sources = ["a\u2028b", "c\x0bd", "e\x85f", *EN]
    files = write(tmp_path, "x.en", sources), write(tmp_path, "x.de", ["1", "2", "3", *DE])
    assert sum(len(split) for split in (load(files).train, load(files).validation, load(files).test)) == 43


def test_blank_lines_are_left_out_together(tmp_path):
    files = write(tmp_path, "x.en", [*EN, "", "z", "  "]), write(tmp_path, "x.de", [*DE, "z", " ", ""])
    dataset = load(files)
    assert "left out 3 pairs of x.en with a blank line" in " ".join(dataset.notes)
    kept = [row for split in (dataset.train, dataset.validation, dataset.test) for row in split.references]
    assert len(kept) == 40
    assert ("z",) not in kept


def test_long_lines_are_left_out_of_training_and_cut_elsewhere(tmp_path):
    long = " ".join(["word"] * 10_000)
    for stem, extra in (("train", [long]), ("val", [long]), ("test", [])):
        write(tmp_path, f"{stem}.en", [*EN, *extra])
        write(tmp_path, f"{stem}.de", [*DE, *extra])
    dataset = load((tmp_path / "train.en", tmp_path / "train.de"))
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [40, 41, 40]
    assert "1 pairs of more than 256 tokens left out of training" in dataset.notes
    assert "1 pairs of more than 256 tokens were cut for scoring" in dataset.notes
    assert int(dataset.validation.sources.lengths.max()) == 256
    assert dataset.validation.references[-1] == (long,)  # scores compare with the whole


def test_all_lines_too_long(files):
    with pytest.raises(ValueError, match="max_tokens: got 2; all pairs are longer than 2 tokens"):
        load(files, max_tokens=2)


def test_options(files):
    joint = load(files, joint=True, level="bpe", vocab_size=60, lowercase=True, batch_tokens=64)
    processor = joint.processor
    assert processor.source == processor.target
    assert processor.to_json()["target"] is None
    assert len(processor.source) <= 60
    assert processor.source.encode("THE Dog") == processor.source.encode("the dog")
    sizes = [b.inputs.numel() + b.targets.numel() for b in joint.train.batches(99, torch.Generator())]
    assert len(sizes) == joint.train.num_batches(1) > 1
    assert max(sizes) <= 64
    chars = load(files, level="char")
    assert set("abcdefghij") <= set(chars.processor.source.tokens)
    few = load(files, vocab_size=6)
    assert (few.train.sources.tokens == UNKNOWN).any()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("a.txt", "must be two files with a comma between them"),
        ("", "needs something behind a colon: parallel:SRC,TGT"),
        ("nowhere.en,nowhere.de", "there is no such file"),
    ],
)
def test_bad_names(argument, message):
    with pytest.raises(ValueError, match=message):
        load_data(f"parallel:{argument}")


def test_a_comma_in_a_name(tmp_path):
    files = write(tmp_path, "x,y.en", EN), write(tmp_path, "x,y.de", DE)
    assert len(load(files).train) == 36


def test_subwords_are_not_for_every_source(tmp_path):
    path = write(tmp_path, "a.txt", EN * 5)
    with pytest.raises(ValueError, match="level: got 'bpe'; is no level of the data source text"):
        load_data(f"text:{path}", DataOptions(level="bpe"))


def test_other_data_are_read_with_the_vocabularies_of_a_run(files, tmp_path):
    processor = load(files).processor
    other = write(tmp_path, "o.en", [*EN[:6], "a zebra"]), write(tmp_path, "o.de", [*DE[:6], "ein Zebra"])
    dataset = load_data(f"parallel:{other[0]},{other[1]}", processor=processor)
    assert dataset.processor is processor
    assert dataset.signature.vocab_size == len(processor.source)


def test_the_real_captions(shared):
    folder = shared / "multi30k"
    dataset = load_data(
        f"parallel:{folder / 'train.en.gz'},{folder / 'train.de.gz'}", DataOptions(lowercase=True)
    )
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [29_000, 1014, 1000]
    processor = dataset.processor
    assert (len(processor.source), len(processor.target)) == (5934, 7872)
    source = processor.source.decode(dataset.test.sources.row(0))
    assert source == "a man in an orange hat starring at something."


def test_files_beside_it_that_are_not_read_are_reported(tmp_path):
    for language, lines in (("en", EN), ("de", DE)):
        write(tmp_path, f"train.{language}", lines)
        for stem in ("val", "dev"):
            write(tmp_path, f"{stem}.{language}", lines[:3])
    write(tmp_path, "test.en", EN[:3])
    notes = load((tmp_path / "train.en", tmp_path / "train.de")).notes
    assert "not read, for there are others of their part: dev.en and dev.de" in notes
    assert "not read, for there is no such file of the other language: test.en" in notes
    assert "translated into itself" in " ".join(load((tmp_path / "train.en", tmp_path / "train.en")).notes)

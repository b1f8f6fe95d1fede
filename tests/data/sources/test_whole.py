"""Data that are scored: of every source all of it is read, however little there is."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from anncestry.data import DataOptions, Whole, load_data, load_whole
from anncestry.data.sources.catalogue import SOURCES
from anncestry.errors import UserError

TEXT = "the a small old cat dog bird sees hears finds every red blue green house tree"
WORDS = TEXT.split()


def text(number: int, count: int = 4) -> str:
    return " ".join(WORDS[(number * 5 + place * 3) % len(WORDS)] for place in range(count))


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def table(home: Path, rows: range) -> str:
    lines = [f"{i % 7},{i * 1.5},{'ab'[i % 2]}" for i in rows]
    return f"csv:{write(home / 'table.csv', ['x,y,kind', *lines])}"


def values(home: Path, rows: range) -> str:
    lines = [f"{i % 7},{i * 1.5}" for i in rows]
    return f"csv:{write(home / 'values.csv', ['x,y', *lines])}"


def series(home: Path, rows: range) -> str:
    return f"csv:{write(home / 'series.csv', ['x', *(str(i % 5 + i / 10) for i in [*rows, 1, 2, 3, 4])])}"


def text_table(home: Path, rows: range) -> str:
    lines = [f"{text(i)}\t{'ab'[i % 2]}" for i in rows]
    return f"csv:{write(home / 'texts.tsv', ['words	kind', *lines])}"


def jsonl(home: Path, rows: range) -> str:
    lines = [json.dumps({"text": text(i), "label": float(i)}) for i in rows]
    return f"jsonl:{write(home / 'texts.jsonl', lines)}"


def squad(home: Path, rows: range) -> str:
    asked = [
        {"context": text(i, 9), "qas": [{"id": str(i), "question": text(i + 1), "answers": [
            {"text": text(i, 2), "answer_start": 0}]}]}
        for i in rows
    ]  # fmt: skip
    data = [{"title": str(number), "paragraphs": [one]} for number, one in enumerate(asked)]
    return f"squad:{write(home / 'questions.json', [json.dumps({'version': '1.1', 'data': data})])}"


def running_text(home: Path, rows: range) -> str:
    return f"text:{write(home / 'text.txt', [text(i, 12) for i in rows])}"


def sentences(home: Path, rows: range) -> str:
    lines = [f"{text(i)}\t{'ab'[i % 2]}" for i in rows]
    return f"sentences:{write(home / 'sentences.tsv', lines)}"


def conllu(home: Path, rows: range) -> str:
    tagged = ["\n".join(f"{word}\t{'XY'[len(word) % 2]}" for word in text(i).split()) + "\n" for i in rows]
    return f"conllu:{write(home / 'tagged.tsv', tagged)}"


def parallel(home: Path, rows: range) -> str:
    source = write(home / "lines.a", [text(i) for i in rows])
    return f"parallel:{source},{write(home / 'lines.b', [text(i + 1) for i in rows])}"


def image(path: Path, number: int, size: int = 6) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(255, size=(size, size), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def images(home: Path, rows: range) -> str:
    for number in rows:
        image(home / "images" / "ab"[number % 2] / f"{number}.png", number)
    return f"images:{home / 'images'}"


def captions(home: Path, rows: range) -> str:
    write(home / "captioned" / "captions.txt", [f"{i:03}.png,{text(i)}" for i in rows])
    for number in rows:
        image(home / "captioned" / f"{number:03}.png", number)
    return f"captions:{home / 'captioned'}"


def idx(home: Path, rows: range) -> str:
    (home / "idx").mkdir(parents=True)
    for part in ("train", "t10k"):
        labels = bytes(number % 2 for number in rows)
        pixels = np.random.default_rng(len(rows)).integers(255, size=(len(rows), 4, 4), dtype=np.uint8)
        data = struct.pack(">4B3I", 0, 0, 8, 3, len(rows), 4, 4) + pixels.tobytes()
        (home / "idx" / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(data))
        (home / "idx" / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">4BI", 0, 0, 8, 1, len(rows)) + labels
        )
        if len(rows) == 1:
            break  # a training part alone
    return f"idx:{home / 'idx'}"


def cifar(home: Path, rows: range) -> str:
    (home / "cifar").mkdir(parents=True)
    records = b"".join(bytes([0, number % 2]) + bytes([number] * 3072) for number in rows)
    for name in ("test.bin", "train.bin")[: len(rows)]:
        (home / "cifar" / name).write_bytes(records)
    return f"cifar:{home / 'cifar'}"


def music(home: Path, rows: range) -> str:
    pieces = np.empty((1, len(rows)), object)
    for place, number in enumerate(rows):
        pieces[0, place] = np.random.default_rng(number).integers(2, size=(3, 5)).astype(np.uint8)
    home.mkdir(parents=True, exist_ok=True)
    keys = ("testdata", "traindata", "validdata")[: 1 if len(rows) == 1 else 3]
    savemat(home / "music.mat", dict.fromkeys(keys, pieces))
    return f"music:{home / 'music.mat'}"


MASKED = {"task": "masked-lm", "vocab_size": 60, "window": 12}
CASES = {
    "csv": (table, {}, 1),
    "csv, values": (values, {"task": "regression"}, 1),
    "csv, forecasting": (series, {"task": "forecasting", "window": 4}, 1),
    "csv, texts": (text_table, {"text": "words", "vocab_size": 60, "level": "wordpiece"}, 1),
    "jsonl": (jsonl, {"vocab_size": 60, "level": "wordpiece"}, 1),
    "squad": (squad, {"vocab_size": 60, "level": "wordpiece"}, 1),
    "text": (running_text, {"window": 16}, None),
    "text, words": (running_text, {"window": 16, "level": "word"}, None),
    "text, characters": (running_text, {"level": "characters"}, 1),
    "text, masked": (running_text, MASKED, None),
    "text, noised": (running_text, {"task": "denoising", "vocab_size": 300, "window": 20}, None),
    "sentences": (sentences, {}, 1),
    "sentences, characters": (sentences, {"level": "characters"}, 1),
    "sentences, pieces": (sentences, {"level": "wordpiece", "vocab_size": 60}, 1),
    "conllu": (conllu, {}, 1),
    "conllu, characters": (conllu, {"level": "characters"}, 1),
    "conllu, pieces": (conllu, {"level": "wordpiece", "vocab_size": 60}, 1),
    "parallel": (parallel, {}, 1),
    "images": (images, {}, 1),
    "images, drawn": (images, {"task": "reconstruction"}, 1),
    "captions": (captions, {"image_size": 8}, 1),
    "idx": (idx, {}, 1),
    "idx, pixels": (idx, {"order": "pixels"}, 1),
    "cifar": (cifar, {}, 1),
    "music": (music, {}, 1),
}


def test_every_source_that_reads_files_is_tried() -> None:
    tried = {name.split(",")[0] for name in CASES}
    assert {source.name for source in SOURCES if source.reader} == tried | {"hf"}


@pytest.mark.parametrize("name", CASES)
def test_one_row_is_enough_to_be_scored(name: str, tmp_path: Path) -> None:
    make, options, count = CASES[name]
    options = DataOptions(**options)
    trained = load_data(make(tmp_path / "many", range(40)), options)
    one = make(tmp_path / "one", range(1))
    with pytest.raises(UserError):
        load_data(one, options, processor=trained.processor)  # too few to be split
    whole = load_whole(one, options, trained.processor)
    assert len(whole) > 0
    assert count is None or len(whole) == count
    for part in whole.parts:
        batch = next(iter(part.batches(part.scored_batch)))
        assert batch.inputs.shape[1:] == next(iter(trained.test.batches(1))).inputs.shape[1:] or (
            trained.signature.inputs in ("tokens", "characters", "series")
        )


def test_nothing_is_left_out(tmp_path: Path) -> None:
    for name in ("csv", "sentences", "conllu", "parallel", "images", "captions", "squad"):
        make, options, _ = CASES[name]
        options = DataOptions(**options)
        data = make(tmp_path / name, range(40))
        assert len(load_whole(data, options, load_data(data, options).processor)) == 40, name


@pytest.mark.parametrize("name", ["digits", "toy2d:xor", "mackey-glass", "copy-memory", "adding"])
def test_of_what_is_made_here_all_parts_are_read(name: str) -> None:
    dataset = load_data(name, seed=3)
    whole = load_whole(name, DataOptions(), dataset.processor, seed=3)
    assert isinstance(whole, Whole)
    assert [len(part) for part in whole.parts] == [
        len(part) for part in (dataset.train, dataset.validation, dataset.test)
    ]


def test_the_files_of_a_folder_need_no_training_part(tmp_path: Path) -> None:
    for name, there in (("csv, texts", "test.tsv"), ("jsonl", "dev.jsonl"), ("squad", "dev.json")):
        make, options, _ = CASES[name]
        options = DataOptions(**options)
        trained = load_data(make(tmp_path / name / "many", range(40)), options)
        data = make(tmp_path / name / "some", range(3))
        path = Path(data.partition(":")[2])
        path.rename(path.with_name(there))
        assert len(load_whole(f"{data.partition(':')[0]}:{path.parent}", options, trained.processor)) == 3


def test_answers_must_be_known(tmp_path: Path) -> None:
    trained = load_data(table(tmp_path, range(40)))
    (tmp_path / "other.csv").write_text("x,y,kind\n1,2,z\n")
    with pytest.raises(UserError, match="'z'; is no class the model was trained on"):
        load_whole(f"csv:{tmp_path / 'other.csv'}", DataOptions(), trained.processor)
    (tmp_path / "none.csv").write_text("x,y\n1,2\n")
    with pytest.raises(UserError, match="the target is missing, kind"):
        load_whole(f"csv:{tmp_path / 'none.csv'}", DataOptions(), trained.processor)
    with pytest.raises(UserError, match="holds other inputs than the model was trained on"):
        load_whole(images(tmp_path, range(2)), DataOptions(), trained.processor)


@pytest.mark.parametrize("name", CASES)
def test_few_rows_are_split_into_parts_that_hold_something_or_refused(name: str, tmp_path: Path) -> None:
    make, options, _ = CASES[name]
    for count in (1, 2, 3, 5, 6):
        data = make(tmp_path / str(count), range(count))
        try:
            dataset = load_data(data, DataOptions(**options))
        except UserError:
            continue
        assert count > 1
        for split in (dataset.train, dataset.validation, dataset.test):
            assert len(split) > 0
            assert all(len(batch.inputs) > 0 for batch in split.batches(split.scored_batch))

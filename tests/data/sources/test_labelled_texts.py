"""Labelled texts and pairs read in pieces: the forms of files, their parts, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from anncestry.data import DataOptions, Examples, load_data
from anncestry.data.processors import PackedClassesProcessor, PackedTagsProcessor, PackedValuesProcessor
from anncestry.errors import UserError
from anncestry.protocols import IGNORED
from anncestry.tokenizers.files import write_tokenizer
from anncestry.tokenizers.learning import learn_tokenizer

FINE = [f"{a} {b} film" for a in ("a fine", "a warm", "the good") for b in ("old", "new", "long")]
DULL = [f"{a} {b} film" for a in ("a dull", "a cold", "the bad") for b in ("old", "new", "long")]
ROWS = [*((text, "good") for text in FINE), *((text, "bad") for text in DULL)]
SMALL = {"vocab_size": 60, "level": "wordpiece"}


def split_sizes(dataset) -> list[int]:
    found: list[Any] = [dataset.train, dataset.validation, dataset.test]
    assert all(isinstance(split, Examples) for split in found)
    return [len(split) for split in found]


def pairs_file(path: Path, rows: int, form: str = "{}\t{}\t{}\t{}\n", header: bool = True) -> None:
    names = form.format("index", "premise", "hypothesis", "label") if header else ""
    lines = [form.format(i, FINE[i % 9], DULL[i * 2 % 9], ("yes", "no")[i % 2]) for i in range(rows)]
    path.write_text(names + "".join(lines))


def test_sentences_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "all.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in ROWS))
    dataset = load_data(f"sentences:{tmp_path / 'all.tsv'}", DataOptions(**SMALL))
    processor = dataset.processor
    assert isinstance(processor, PackedClassesProcessor)
    assert dataset.classes == ("bad", "good")
    assert dataset.signature.vocab_size == len(processor.tokenizer)
    assert dataset.signature.separator is None
    special = processor.tokenizer.special
    assert (dataset.train.inputs[:, 0] == special.begin).all()  # pyright: ignore
    assert sum(split_sizes(dataset)) == 18
    again = load_data(f"sentences:{tmp_path / 'all.tsv'}", DataOptions(**SMALL), processor=processor)
    assert again.fingerprint() == dataset.fingerprint()


def test_pairs_in_a_folder_of_tables(tmp_path: Path) -> None:
    pairs_file(tmp_path / "train.tsv", 20)
    pairs_file(tmp_path / "dev.tsv", 6)
    (tmp_path / "test.tsv").write_text("index\tpremise\thypothesis\n0\ta\tb\n")
    (tmp_path / "readme.txt").write_text("how it was made")
    options = DataOptions(text="premise,hypothesis", **SMALL)
    dataset = load_data(f"csv:{tmp_path}", options)
    processor: Any = dataset.processor
    assert processor.pairs
    assert dataset.signature.separator == processor.tokenizer.special.separator
    assert split_sizes(dataset) == [18, 2, 6]
    notes = " ".join(dataset.notes)
    assert "test.tsv has no column 'label': it is left out" in notes
    assert "the validation file is the test part" in notes
    assert DataOptions(**dataset.options) == options


def test_a_test_of_other_texts_is_held_out(tmp_path: Path) -> None:
    for name, rows in (("in_domain_train", 20), ("in_domain_dev", 6), ("out_of_domain_dev", 4)):
        pairs_file(tmp_path / f"{name}.tsv", rows, header=False)
    dataset = load_data(f"csv:{tmp_path}", DataOptions(text="2", target="4", **SMALL))
    assert split_sizes(dataset)[2] == 6
    assert dataset.held_out is not None
    assert len(dataset.held_out) == 4


def test_a_value_for_each_pair(tmp_path: Path) -> None:
    lines = [f'{i / 4:.3f},"{FINE[i % 9]}, ""so""",{DULL[i % 9]}\n' for i in range(20)]
    (tmp_path / "all.csv").write_text("score,one,two\n" + "".join(lines))
    dataset = load_data(f"csv:{tmp_path / 'all.csv'}", DataOptions(text="one,two", target="score", **SMALL))
    processor = dataset.processor
    assert isinstance(processor, PackedValuesProcessor)
    assert dataset.signature.task == "regression"
    assert dataset.signature.output_size == 1
    targets = dataset.train.targets  # pyright: ignore
    assert abs(float(targets.mean())) < 1e-5
    values = {row["score"] for split in (dataset.train, dataset.validation, dataset.test)
              for row in processor.decode(split.targets)}  # fmt: skip  # pyright: ignore
    assert sorted(values) == pytest.approx([i / 4 for i in range(20)], abs=1e-5)
    text = processor.tokenizer.decode(dataset.train.inputs[0].tolist())  # pyright: ignore
    assert '"' in text or "[UNK]" in text or "so" in text


def test_marks_in_texts_with_tabs_are_no_quotes(tmp_path: Path) -> None:
    lines = [f'"{FINE[i % 9]}" they said\t{i % 2}\textra\n' if i else "a film\t1\n" for i in range(20)]
    (tmp_path / "all.tsv").write_text("".join(lines))
    dataset = load_data(
        f"csv:{tmp_path / 'all.tsv'}", DataOptions(text="1", target="2", header=False, **SMALL)
    )
    assert sum(split_sizes(dataset)) == 20
    quoted = [f'"{FINE[i % 9]}"\t{i % 2}\n' for i in range(20)]
    (tmp_path / "quoted.tsv").write_text("".join(quoted))
    dataset = load_data(f"csv:{tmp_path / 'quoted.tsv'}", DataOptions(text="1", header=False, **SMALL))
    assert '"' not in dataset.processor.tokenizer.tokens  # pyright: ignore


def test_lines_of_json(tmp_path: Path) -> None:
    def write(name: str, rows: list) -> None:
        lines = (json.dumps({"text": text, "label": label}) for text, label in rows)
        (tmp_path / name).write_text("\n".join(lines) + "\n")

    write("train.jsonl", ROWS)
    write("validation.jsonl", ROWS[::3])
    write("test.jsonl", ROWS[::4])
    dataset = load_data(f"jsonl:{tmp_path}", DataOptions(**SMALL))
    assert split_sizes(dataset) == [18, 6, 5]
    assert dataset.classes == ("bad", "good")
    one = load_data(f"jsonl:{tmp_path / 'train.jsonl'}", DataOptions(**SMALL))
    assert sum(split_sizes(one)) == 18


def test_half_a_surrogate_pair_in_a_line_of_json(tmp_path: Path) -> None:
    rows = [{"text": f"{text} \ud83d", "label": label} for text, label in ROWS]
    (tmp_path / "all.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = load_data(
        f"jsonl:{tmp_path / 'all.jsonl'}", DataOptions(**SMALL | {"level": "byte-bpe", "vocab_size": 270})
    )
    text = dataset.processor.tokenizer.decode(dataset.train.inputs[0].tolist())  # pyright: ignore
    assert "\ufffd" in text


def test_words_with_tags(tmp_path: Path) -> None:
    lines = [f"{word}\t{'X' if word == 'film' else 'Y'}" for word in ("a", "coldest", "film")]
    (tmp_path / "all.tsv").write_text("\n\n".join(["\n".join(lines)] * 20) + "\n")
    dataset = load_data(f"conllu:{tmp_path / 'all.tsv'}", DataOptions(**SMALL))
    assert isinstance(dataset.processor, PackedTagsProcessor)
    assert ((dataset.train.targets != IGNORED).sum(1) == 3).all()  # pyright: ignore
    with pytest.raises(UserError, match="sentence: got 'a coldest film'; has"):
        load_data(
            f"conllu:{tmp_path / 'all.tsv'}",
            DataOptions(level="wordpiece", vocab_size=27, max_tokens=8),
        )
    options = DataOptions(level="wordpiece", vocab_size=27, max_tokens=8, cut=True)
    cut = load_data(f"conllu:{tmp_path / 'all.tsv'}", options)
    assert "were cut" in cut.notes[1]
    assert int((cut.train.targets != IGNORED).sum()) == 14 * 3  # pyright: ignore


def test_the_tokenizer_of_a_folder(tmp_path: Path) -> None:
    learnt = learn_tokenizer(FINE + DULL, "wordpiece", 50)
    write_tokenizer(learnt, tmp_path / "tokenizer")
    (tmp_path / "all.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in ROWS))
    name = f"sentences:{tmp_path / 'all.tsv'}"
    dataset = load_data(name, DataOptions(tokenizer=str(tmp_path / "tokenizer")))
    assert len(dataset.processor.tokenizer) == 50  # pyright: ignore
    with pytest.raises(UserError, match="is the tokenizer's"):
        load_data(name, DataOptions(tokenizer=str(tmp_path / "tokenizer"), vocab_size=9))


def test_texts_that_are_too_long(tmp_path: Path) -> None:
    long = [("a " * 40 + f"fine film {i}", "good") for i in range(3)]
    (tmp_path / "all.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in [*ROWS, *long]))
    name = f"sentences:{tmp_path / 'all.tsv'}"
    with pytest.raises(UserError, match=r"text: got 'a a a .* has \d+ tokens, and the model reads 28.*`cut`"):
        load_data(name, DataOptions(max_tokens=30, **SMALL))
    dataset = load_data(name, DataOptions(max_tokens=30, cut=True, **SMALL))
    assert "3 texts were longer than 30 tokens and were cut" in dataset.notes
    assert dataset.signature.shape == (30,)


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": \n', {}, "line 2 must be a JSON object"),
        ("a.jsonl", '{"text": "a", "label": 1}\n[1]\n', {}, "line 2 must be a JSON object"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"label": 1}\n', {}, "line 2 must hold a text or a number"),
        ("a.jsonl", '{"words": "a", "label": 1}\n', {}, "text: got None; must say which field.*words, label"),
        ("a.jsonl", '{"words": "a", "label": 1}\n', {"text": "word"}, "is no field of line 1.*: words"),
        ("a.csv", "review,stars\na,1\nb,2\n", {"text": "reviews"}, "names none of the 2 columns.*: review"),
        ("a.csv", "review,stars\na,1\nb,2\n", {"text": "review", "target": "star"}, "names none of.*: stars"),
        ("a.csv", "review,stars\na,1\n,2\n", {"text": "review"}, "row 3, column 'review'.*must not be"),
        ("a.csv", "text,text,label\na,b,1\n", {"text": "text"}, "header: got 'text'; every column"),
        ("a.csv", "review,stars\na,1\nb\n", {"text": "review"}, "every row must have 2 cells"),
        ("a.csv", "review,stars\na,1\nb,2\n", {"text": "stars"}, "target: got 'stars'; holds the texts"),
        ("a.csv", "review,stars\na,1\nb,2\n", {"cut": True}, "say with `text` which column"),
    ],
)  # fmt: skip
def test_bad_files_are_refused(tmp_path: Path, name: str, content: str, options, message: str) -> None:
    (tmp_path / name).write_text(content)
    kind = name.partition(".")[2]
    with pytest.raises(UserError, match=message):
        load_data(f"{kind}:{tmp_path / name}", DataOptions(**options))


def test_other_data_must_have_known_classes(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in ROWS))
    trained = load_data(f"sentences:{tmp_path / 'a.tsv'}", DataOptions(**SMALL))
    (tmp_path / "b.tsv").write_text("".join(f"{text}\tfair\n" for text, _ in ROWS))
    with pytest.raises(
        UserError, match=r"class: got 'fair'; is no class the model was trained on.*bad, good"
    ):
        load_data(f"sentences:{tmp_path / 'b.tsv'}", processor=trained.processor)
    pairs_file(tmp_path / "c.tsv", 20)
    with pytest.raises(UserError, match="holds pairs of texts, which the model was not trained on"):
        load_data(f"csv:{tmp_path / 'c.tsv'}", DataOptions(text="2,3"), processor=trained.processor)


def test_folders_without_the_parts(tmp_path: Path) -> None:
    pairs_file(tmp_path / "dev.tsv", 6)
    with pytest.raises(UserError, match="must hold a file with train in its name"):
        load_data(f"csv:{tmp_path}", DataOptions(text="premise"))
    pairs_file(tmp_path / "train_a.tsv", 6)
    pairs_file(tmp_path / "train_b.tsv", 6)
    with pytest.raises(UserError, match=r"two files for train, train_a\.tsv and train_b\.tsv"):
        load_data(f"csv:{tmp_path}", DataOptions(text="premise"))


REAL = {
    "csv:rte": ({"text": "sentence1,sentence2", "cut": True}, "classification", [2241, 249, 277]),
    "csv:sts-b": ({"text": "6,7", "target": "5"}, "regression", [5749, 1500, 1379]),
    "csv:cola": ({"text": "4", "target": "2"}, "classification", [7696, 855, 527]),
    "csv:sick": ({"text": "sentence_A,sentence_B"}, "classification", [4050, 450, 500]),
}


@pytest.mark.parametrize("name", REAL)
def test_the_real_texts(shared: Path, name: str) -> None:
    options, task, sizes = REAL[name]
    kind, _, folder = name.partition(":")
    # two letters of a learnt alphabet are enough to count
    dataset = load_data(
        f"{kind}:{shared / folder}", DataOptions(level="wordpiece", vocab_size=2000, **options)
    )
    assert dataset.signature.task == task
    assert split_sizes(dataset) == sizes


@pytest.mark.parametrize("option", [{"drop": "one"}, {"window": 4}, {"horizon": 2}])
def test_options_of_tables_of_numbers_are_refused(tmp_path: Path, option: dict) -> None:
    pairs_file(tmp_path / "all.tsv", 20)
    with pytest.raises(UserError, match=f"{next(iter(option))}: .* is for tables of numbers"):
        load_data(f"csv:{tmp_path / 'all.tsv'}", DataOptions(text="2", target="4", **SMALL, **option))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a", "text": "b", "label": 1}', "line 1 names 'text' twice"),
        ('[{"text": "a", "label": 1}]', "line 1 must be a JSON object. A list of objects is to be written"),
    ],
)
def test_lines_that_are_no_plain_objects(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "all.jsonl").write_text(line)
    with pytest.raises(UserError, match=message):
        load_data(f"jsonl:{tmp_path / 'all.jsonl'}", DataOptions(**SMALL))

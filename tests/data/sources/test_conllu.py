"""Sentences with tags: the two forms of files, parts, shapes of unknown words, and what is refused."""

from pathlib import Path

import pytest
import torch

from anncestry.data import DataOptions, Examples, load_data
from anncestry.data.processors import TagProcessor, processor_from_json
from anncestry.data.processors.sentences import word_shape
from anncestry.data.sources.conllu import read_tagged
from anncestry.errors import UserError
from anncestry.protocols import IGNORED


def conllu(*rows: str) -> str:
    lines = ["# sent_id = 1", "# text = x"]
    for number, row in enumerate(rows, 1):
        word, upos, xpos = row.split("/")
        lines.append("\t".join([str(number), word, word, upos, xpos, "_", "0", "root", "_", "_"]))
    return "\n".join(lines) + "\n\n"


DOG, CATS = conllu("The/DET/DT", "dog/NOUN/NN", "barks/VERB/VBZ"), conllu("Cats/NOUN/NNS", "sleep/VERB/VBP")


def test_words_and_tags_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu"
    extra = "1-2\tcan't\t_\t_\t_\t_\t_\t_\t_\t_\n1.1\tghost\t_\tX\tX\t_\t_\t_\t_\t_\n"
    path.write_text(DOG.replace("1\tThe", extra + "1\tThe") + CATS.rstrip("\n"))
    assert read_tagged(path) == [
        (["The", "dog", "barks"], ["DET", "NOUN", "VERB"]),
        (["Cats", "sleep"], ["NOUN", "VERB"]),
    ]
    notes: list[str] = []
    assert read_tagged(path, "xpos", notes)[1][1] == ["NNS", "VBP"]
    left_out = (
        "a.conllu: left out 4 comments",
        "a.conllu: left out 2 ranges of words (1-2) and empty words (1.1)",
    )
    assert tuple(notes) == left_out


def test_a_data_set_of_tags(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu"
    path.write_text((DOG + CATS) * 10)
    dataset = load_data(f"conllu:{path}")
    assert dataset.classes == ("DET", "NOUN", "VERB")
    assert dataset.signature.task == "tagging"
    assert dataset.signature.background is None
    assert isinstance(dataset.train, Examples)
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [14, 3, 3]
    row = dataset.train.targets[1]
    assert row.tolist() == [1, 2, IGNORED]
    assert dataset.train.inputs[1, 2] == 0
    assert processor_from_json(dataset.processor.to_json()) == dataset.processor
    xpos = load_data(f"conllu:{path}", DataOptions(tags="xpos"))
    assert xpos.classes == ("DT", "NN", "NNS", "VBP", "VBZ")


def test_two_columns_and_entities(tmp_path: Path) -> None:
    for name, count in (("train.conll", 20), ("dev.conll", 3), ("test.conll", 4)):
        (tmp_path / name).write_text("Ann\tB-person\nruns\tO\n# 1\tO\n\n" * count)
    dataset = load_data(f"conllu:{tmp_path}")
    assert dataset.classes == ("B-person", "O")
    assert dataset.signature.background == 1
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [20, 3, 4]


def test_a_folder_without_a_test_file_tests_on_the_development_file(tmp_path: Path) -> None:
    (tmp_path / "x-train.conllu").write_text((DOG + CATS) * 10)
    (tmp_path / "x-dev.conllu").write_text(DOG * 5)
    dataset = load_data(f"conllu:{tmp_path}")
    assert [len(split) for split in (dataset.train, dataset.validation, dataset.test)] == [18, 2, 5]
    assert "the held-out file is the test part" in dataset.notes[0]


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("Running", "<unk-Cap-ing>"), ("NASA", "<unk-CAPS>"), ("1999", "<unk-digit>"), ("...", "<unk-mark>"),
        ("well-known", "<unk-dash>"), ("quickly", "<unk-ly>"), ("dog", "<unk>"),
    ],
)  # fmt: skip
def test_unknown_words_are_known_by_their_shape(word: str, shape: str) -> None:
    assert word_shape(word) == shape


def test_words_seen_once_teach_what_to_make_of_unknown_ones() -> None:
    processor = TagProcessor.learn([["dogs", "dogs", "jumping"], ["Berlin"]], [["N", "N", "V"], ["P"]])
    assert set(processor.vocabulary) == {"<pad>", "<unk>", "dogs", "<unk-ing>", "<unk-Cap>"}
    tokens, lengths = processor.encode([["singing", "London"], ["dogs"]])
    assert [processor.vocabulary[token] for token in tokens.flatten().tolist()] == [
        "<unk-ing>", "<unk-Cap>", "dogs", "<pad>"
    ]  # fmt: skip
    assert torch.equal(processor.lengths_of(tokens), lengths)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog\ncat\n", r"line 1 must have ten columns \(CoNLL-U\) or more than one .*; it has 1"),
        ("a\tb\tc\n\nb\tc\n", "line 3 must have 3 columns, as the first one has; it has 2"),
        ("dog\tN\n\n" * 20, "tags: got 'N'; is the only tag of the training part"),
        (conllu("dog/_/_") * 20, r"tags: got 'upos'; is empty \(_\) in every line"),
        ("dog\tN\n\ncat\t \n", "line 3 has no word or no tag"),
        ("# nothing\n", "has no sentence"),
        ("dog\tN\n", "too few sentences"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.conll").write_text(text)
    with pytest.raises(UserError, match=message):
        load_data(f"conllu:{tmp_path / 'a.conll'}")


def test_a_tag_that_training_lacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("dog\tN\nran\tV\n\n" * 20)
    (tmp_path / "test.conll").write_text("dog\tQ\n\n" * 2)
    with pytest.raises(UserError, match="tags: got 'Q'; does not occur in the training part"):
        load_data(f"conllu:{tmp_path}")


def test_the_real_treebank(shared: Path) -> None:
    dataset = load_data(f"conllu:{shared / 'ud-english-ewt'}")
    parts = [dataset.train, dataset.validation, dataset.test]
    assert [len(part) for part in parts] == [11_290, 1254, 2001]
    words = [
        int(part.lengths.sum()) for part in parts if isinstance(part, Examples) and part.lengths is not None
    ]
    assert sum(words[:2]) == 204_577
    assert words[2] == 25_147
    assert len(dataset.classes) == 17


CONLL_2003 = """-DOCSTART- -X- -X- O

U.N. NNP I-NP I-ORG
official NN I-NP O
# NN I-NP O

Ekeus NNP I-NP I-PER
heads VBZ I-VP O

"""


def test_conll_2003_is_read_by_its_first_and_last_column(tmp_path: Path) -> None:
    path, notes = tmp_path / "eng.train", []
    path.write_text(CONLL_2003)
    assert read_tagged(path, notes=notes) == [
        (["U.N.", "official", "#"], ["I-ORG", "O", "O"]),
        (["Ekeus", "heads"], ["I-PER", "O"]),
    ]
    assert notes == [
        "eng.train: of 4 columns the first is the word and the last the tag",
        "eng.train: left out 1 lines -DOCSTART-",
    ]
    with pytest.raises(UserError, match="tags: got 'xpos'; is a column of CoNLL-U, which has ten"):
        read_tagged(path, "xpos")


def test_sentences_to_predict_may_have_their_tags_beside_them(tmp_path: Path) -> None:
    processor = TagProcessor(("<pad>", "<unk>"), ("I-ORG", "I-PER", "O"))
    path = tmp_path / "a"
    for text, sentences in (
        (CONLL_2003, ["U.N. official #", "Ekeus heads"]),
        (DOG + CATS, ["The dog barks", "Cats sleep"]),
        ("dog\tO\n\nEkeus\tI-PER\n", ["dog", "Ekeus"]),
        ("a dog\nthe cat\n", ["a dog", "the cat"]),  # texts
    ):
        path.write_text(text)
        assert processor.texts([path]) == sentences
    assert processor.texts("dog\tO") == ["dog\tO"]
    assert processor.texts([["a", "dog"], "the cat", ("it", "ran")]) == ["a dog", "the cat", "it ran"]
    with pytest.raises(UserError, match="word: got 'a dog'; of a sentence must be one word"):
        processor.texts([["a dog", "ran"]])

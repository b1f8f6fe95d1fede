"""ELMo as a person uses it: language models from a text, then a tagger above them, from the command line."""

import json

import pytest
import torch

from anncestry.cli.main import main
from anncestry.errors import UserError
from anncestry.runs.run import load

TEXT = "the cat sat on the mat\nthe dog sat on the cat\na dog and a cat sat\n" * 12
TAGS = "the\tD\ncat\tN\nsat\tV\n\na\tD\ndog\tN\n\n" * 12
TINY = ["--width", "4", "--set", "filter_widths=1,2", "--set", "filter_counts=3,3", "--evaluations", "2"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a text, tags, and a run on each of them."""
    folder = tmp_path_factory.mktemp("elmo")
    (folder / "text.txt").write_text(TEXT)
    (folder / "tags.tsv").write_text(TAGS)
    steps = ["--max-steps", "12", "--batch-size", "8"]
    train = ["train", "elmo", *steps]
    assert main([*train, "--data", f"text:{folder}/text.txt", "--out", f"{folder}/lm", *TINY]) == 0
    begin = ["--from", f"{folder}/lm", "--evaluations", "2", "--learning-rate", "0.05"]
    assert main([*train, "--data", f"conllu:{folder}/tags.tsv", "--out", f"{folder}/tagger", *begin]) == 0
    return folder


def test_the_language_models_learn(runs):
    run = load(runs / "lm")
    assert run.signature.task == "bidirectional-lm"
    figures = run.scores()["test"]
    assert set(figures) == {"loss", "perplexity", "forward", "backward", "accuracy"}
    assert figures["perplexity"] < len(run.processor.vocabulary)
    assert run.evaluate() == pytest.approx(figures, rel=1e-4)
    assert "--level characters" in (runs / "lm" / "README.md").read_text()


def test_a_tagger_takes_them_over_and_leaves_them_alone(runs):
    before, after = load(runs / "lm").model.state_dict(), load(runs / "tagger").model.state_dict()
    kept = [name for name in after if name.startswith("bilm.")]
    assert len(kept) == 27
    for name in kept:
        assert torch.equal(before[name], after[name])
    assert after["mix.s"].any()
    assert not any(name.startswith("readout") for name in after)
    assert load(runs / "tagger").config["fresh"] == ["head", "mix"]


def test_it_tags_words_that_nobody_has_seen(runs, capsys):
    assert main(["predict", str(runs / "tagger"), "the zorg sat", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["input"] == "the zorg sat"
    assert len(row["tags"]) == 3
    assert set(row["tags"]) <= {"D", "N", "V"}
    assert main(["evaluate", str(runs / "tagger"), "--data", f"conllu:{runs}/tags.tsv"]) == 0


def test_texts_of_any_length_are_tagged_as_if_alone(runs, tmp_path):
    run, texts = load(runs / "tagger"), ["the", "a dog and a cat sat on the mat", "zorg zorg"]
    (tmp_path / "lines.txt").write_text("\n".join(texts))
    together = run.predict(tmp_path / "lines.txt")
    assert [row["tags"] for row in together] == [run.predict(text)[0]["tags"] for text in texts]


def test_the_likeliest_words_around_each(runs):
    (row,) = load(runs / "lm").predict("the zorg")
    assert len(row["next"]) == len(row["previous"]) == 4  # with the marks of both ends
    assert set(row["next"]) <= set(load(runs / "lm").processor.vocabulary)


@pytest.mark.parametrize("name", ["lm", "tagger"])
def test_vectors_of_words(runs, name):
    run = load(runs / name)
    found = run.embed(["the cat sat", "a"])
    assert [tuple(vectors.shape) for vectors in found.vectors] == [(3, 3, 8), (1, 3, 8)]
    alone = run.embed(["a"]).vectors[0]
    torch.testing.assert_close(alone, found.vectors[1])
    in_turn = run.embed(["the cat sat", "a"], batch_size=1)
    for one, other in zip(in_turn.vectors, found.vectors, strict=True):
        torch.testing.assert_close(one, other)
    going_on = run.embed(["a", "a"], state=found.state)
    assert (going_on.vectors[0][:, 1:] != going_on.vectors[1][:, 1:]).any()
    torch.testing.assert_close(going_on.vectors[0][:, 0], alone[:, 0])


def test_both_runs_have_the_same_vectors(runs):
    first, second = (load(runs / name).embed(["the cat"]).vectors[0] for name in ("lm", "tagger"))
    torch.testing.assert_close(first, second)


def test_the_language_models_of_a_run_go_out(runs, tmp_path):
    out = tmp_path / "published"
    assert main(["export", str(runs / "tagger"), "--to", "elmo", "--out", str(out)]) == 0
    assert main(["import", str(out), str(tmp_path / "again")]) == 0
    vectors = [load(path).embed(["the cat"]).vectors[0] for path in (runs / "lm", tmp_path / "again")]
    torch.testing.assert_close(*vectors, atol=1e-5, rtol=0)


def test_only_elmo_gives_layers_of_words(tmp_path):
    assert main(["train", "mlp", "--data", "toy2d:xor", "--max-steps", "2", "--out", f"{tmp_path}/mlp"]) == 0
    with pytest.raises(UserError, match="gives no vectors of texts; its task is classification"):
        load(tmp_path / "mlp").embed(["a"])

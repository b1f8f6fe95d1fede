"""What is written for a split, and how it is scored; with a decoder that copies what it is told to."""

import json
from typing import NamedTuple

import pytest
import sacrebleu
import torch
from torch import nn

from anncestry.data import DataOptions, load_data
from anncestry.data.processors import CaptionProcessor, TranslationProcessor
from anncestry.data.processors.image import ImageProcessor
from anncestry.data.splits.seq2seq import Pairs, Sequences
from anncestry.decoding import Search
from anncestry.inference.evaluation import score_texts
from anncestry.inference.generation import default_search, generate, generate_rows
from anncestry.models.create import create
from anncestry.objectives.text_metrics import compare_texts
from anncestry.protocols import Memory
from anncestry.runs.run import Run
from anncestry.signature import BEGIN, END, PAD, Signature
from anncestry.tokenizers.vocabulary import Vocabulary
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import train


def test_no_text_is_longer_than_there_are_positions() -> None:
    signature = Signature("translation", "tokens", (6,), 13, 13, target_len=40)
    model = create("bart", signature=signature, width=16, num_positions=9, output_bias=True).eval()
    with torch.no_grad():
        model.readout.bias[END] = -100.0  # it never ends of itself
    source = torch.randint(END + 1, 13, (3, 6))
    found = generate(model, source, torch.tensor([6, 2, 4]), default_search(signature))
    assert [len(hypotheses[0].tokens) for hypotheses in found] == [9, 9, 9]
    assert not any(hypotheses[0].finished for hypotheses in found)


class Copied(NamedTuple):
    """What is copied (N, S), and how far each hypothesis is (B,)."""

    source: Memory
    place: torch.Tensor


class Copier(nn.Module):
    """Writes its source and the end; the next token has the second best score."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.sharpness = nn.Parameter(torch.tensor(5.0))

    def encode(self, source, lengths=None):
        if source.dim() == 4:
            source = source[:, 0, 0].long()
        ends = torch.full((len(source), 1), END)
        padded = torch.where(source == PAD, END, source)
        return Copied(Memory(torch.cat([padded, ends], 1)), torch.zeros(len(source), dtype=torch.long))

    def step(self, tokens, state):
        source = state.source.parts
        k = len(tokens) // len(source)
        rows = torch.arange(len(tokens)) // k
        wanted = source[rows, state.place.clamp(max=source.shape[1] - 1)]
        scores = self.sharpness * nn.functional.one_hot(wanted, self.vocab_size).float()
        scores = scores + 1.5 * nn.functional.one_hot((wanted + 1) % self.vocab_size, self.vocab_size)
        return scores, Copied(state.source, state.place + 1)

    def alignment(self, state):
        return None

    def forward(self, source, targets, lengths=None):
        state, scores = self.encode(source, lengths), []
        for step in range(targets.shape[1]):
            previous = targets[:, step - 1].clamp(min=0) if step else torch.full((len(targets),), BEGIN)
            found, state = self.step(previous, state)
            scores.append(found)
        return torch.stack(scores, 1)


WORDS = Vocabulary.learn(["a b c d e f g h i j ."])


def copied(lines, references=None, groups=()):
    sources = Sequences.of(WORDS.encode_all(lines))
    targets = Sequences.of([[*row, END] for row in WORDS.encode_all(lines)])
    references = references or tuple((line,) for line in lines)
    return Pairs(sources, targets, torch.arange(len(lines)), references, groups=groups)


@pytest.fixture
def model():
    return Copier(len(WORDS)).eval()


@pytest.fixture
def processor():
    return TranslationProcessor(WORDS, WORDS, 20)


@pytest.mark.parametrize("beam", [1, 3])
def test_the_order_of_the_inputs_is_kept(model, beam, monkeypatch):
    monkeypatch.setattr("anncestry.inference.generation.ROWS", 6)
    lines = ["a b c d", "e", "f g", "h i j a b", "c", "d e f"] * 3
    inputs, lengths = copied(lines).read_sources(torch.arange(18))
    found = generate(model, inputs, lengths, Search(beam=beam, n_best=beam, alpha=0.0))
    assert [WORDS.decode(hypotheses[0].tokens) for hypotheses in found] == lines
    assert all(len(hypotheses) == beam for hypotheses in found)
    alone = generate(model, inputs[3:4], lengths[3:4], Search(beam=beam, n_best=beam, alpha=0.0))
    assert [h.tokens for h in alone[0]] == [h.tokens for h in found[3]]


def test_figures(model, processor):
    lines = ["a b c d e .", "f g h i j .", "a c e g i ."]
    split = copied(lines, (("a b c d e .",), ("f g h i a .",), ("A c e g i .", "no")), ("x", "y", "y"))
    written = score_texts(model, split, processor, Search())
    assert written.texts == lines
    assert written.right == [True, False, False]
    assert written.figures["exact"] == pytest.approx(1 / 3)
    assert written.groups == {"x": 1.0, "y": 0.0}
    assert "bleu_tokenised" not in written.figures
    both = score_texts(model, [split, split], processor, Search())
    assert both.texts == lines * 2
    assert both.figures["exact"] == pytest.approx(1 / 3)
    assert not model.training
    score_texts(model.train(), split, processor, Search())
    assert model.training


def test_scores_are_those_of_sacrebleu():
    texts = ["the cat sat on the mat .", "a dog runs in the park today .", "Nothing alike"]
    references = [
        ("the cat sat on a mat .", "a cat is on the mat ."),
        ("a dog runs in the park .",),
        ("what ?",),
    ]
    written = compare_texts(texts, references)
    columns = [[row[0] for row in references], [references[0][1], None, None]]
    bleu = sacrebleu.corpus_bleu(texts, columns)
    assert written.figures["bleu"] == pytest.approx(bleu.score)
    assert 20 < bleu.score < 90
    assert written.figures["chrf"] == pytest.approx(sacrebleu.corpus_chrf(texts, columns).score)
    signature = f"nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}"
    assert written.signatures["bleu"] == signature
    assert written.signatures["chrf"].startswith("nrefs:var|case:mixed")


def test_lower_case_has_two_bleus():
    texts, references = ["ein hund läuft durch 3.5 parks.-"], [("Ein Hund läuft durch 3.5 Parks. -",)]
    written = compare_texts(texts, references, lowercase=True)
    assert written.signatures["bleu"].startswith("nrefs:1|case:lc|eff:no|tok:13a")
    assert written.signatures["bleu_tokenised"].startswith("nrefs:1|case:lc|eff:no|tok:none")
    cut = "ein hund läuft durch 3.5 parks . -"
    assert written.figures["bleu_tokenised"] == pytest.approx(
        sacrebleu.corpus_bleu([cut], [[cut]], tokenize="none", force=True).score
    )
    assert compare_texts(["Ein"], [("ein",)], lowercase=True).figures["exact"] == 1
    assert compare_texts(["Ein"], [("ein",)]).figures["exact"] == 0


def test_an_unknown_word_is_one_token():
    known = compare_texts(["a b zzz d e f"], [("a b c d e f",)]).figures["bleu"]
    assert compare_texts(["a b <unk> d e f"], [("a b c d e f",)]).figures["bleu"] == pytest.approx(known)


def test_answers(model, processor, tmp_path):
    path = tmp_path / "in.txt"
    path.write_bytes(b"a b\n\n\xff\n" + b"c " * 50 + b"\nd")
    rows = generate_rows(model, processor, path, Search(max_length=30))
    assert [row["translation"] for row in rows] == ["a b", "", "", " ".join("c" * 20), "d"]
    assert [("note" in row) for row in rows] == [False, False, True, True, False]
    assert "only its first 20 of 50 tokens were read" in rows[3]["note"]
    (row,) = generate_rows(model, processor, "a b c", Search(beam=2, n_best=2))
    assert row["n_best"][0]["translation"] == row["translation"] == "a b c"
    assert row["n_best"][0]["score"] >= row["n_best"][1]["score"]
    (row,) = generate_rows(model, processor, "a b c d e", Search(max_length=3))
    assert row["translation"] == "a b c"
    assert row["note"] == "the text was cut at 3 tokens"
    assert generate_rows(model, processor, "", Search()) == [{"input": "", "translation": ""}]


def test_captions(model):
    images = ImageProcessor(1, 1, 3, (0.0,), (1.0,), ())
    processor = CaptionProcessor(images, WORDS)
    tokens = torch.tensor([WORDS.encode("a b c"), WORDS.encode("d e f")]).float()
    references = (("a b c", "x"), ("y", "d e f"))
    targets = Sequences.of([[4, END]] * 2)
    split = Pairs(tokens.view(2, 1, 1, 3), targets, torch.arange(2), references)
    written = score_texts(model, split, processor, Search())
    assert written.texts == ["a b c", "d e f"]
    assert written.figures["exact"] == 1


def test_the_usual_search_leaves_room():
    text = Signature("translation", "tokens", (9,), 11, 12, target_len=5)
    assert default_search(text).limits(2, torch.tensor([1, 10])).tolist() == [31, 40]
    assert default_search(text, beam=4).beam == 4
    image = Signature("captioning", "image", (1, 8, 8), 11, target_len=5)
    assert default_search(image).limits(1, None).tolist() == [30]


# ---- a run folder ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small net on a toy language, briefly."""
    folder = tmp_path_factory.mktemp("runs")
    lines = [" ".join(word * n for word in words) for words in ("ab", "cd", "ef", "gh") for n in range(1, 11)]
    (folder / "x.en").write_text("\n".join(lines) + "\n")
    (folder / "x.de").write_text("\n".join(line.upper() for line in lines) + "\n")
    run, _ = train(
        "seq2seq",
        f"parallel:{folder / 'x.en'},{folder / 'x.de'}",
        out=folder / "run",
        width=8,
        settings=TrainingSettings(max_steps=4, batch_size=8),
        data_options=DataOptions(level="char", lowercase=True, batch_tokens=200),
    )
    return run


def test_scores_of_a_run(trained):
    scores = trained.scores()
    assert list(scores) == ["validation", "test"]
    assert set(scores["validation"]) == {"loss", "perplexity", "accuracy"}
    assert set(scores["test"]) == {*scores["validation"], "exact", "bleu", "chrf", "bleu_tokenised"}
    again = Run(trained.folder)
    found = again.evaluate()
    assert found == pytest.approx(scores["test"])
    kept = json.loads((trained.folder / "scores.json").read_text())["written"]["test"]["signatures"]
    assert kept == found.signatures
    card = (trained.folder / "README.md").read_text()
    assert f"- test, bleu: `{kept['bleu']}`" in card
    assert "--lowercase" in card
    assert "--batch-tokens 200" in card


def test_predictions_of_a_run(trained):
    rows = Run(trained.folder).predict("aa bb", search=default_search(trained.signature, beam=2, n_best=2))
    assert len(rows) == 1
    assert len(rows[0]["n_best"]) == 2
    assert (
        Run(trained.folder).predict("aa bb")[0]["translation"] == trained.predict("aa bb")[0]["translation"]
    )


def test_other_data_are_scored_as_a_whole(trained, tmp_path):
    (tmp_path / "o.en").write_text("a b\n" * 5)
    (tmp_path / "o.de").write_text("A B\n" * 5)
    name = f"parallel:{tmp_path / 'o.en'},{tmp_path / 'o.de'}"
    assert len(trained.evaluate(name).texts) == 5
    assert "perplexity" in trained.evaluate(name)
    with pytest.raises(ValueError, match="holds other inputs than the model was trained on"):
        trained.evaluate("digits")
    with pytest.raises(ValueError, match="nothing is held out of"):
        trained.evaluate(split="held-out")


def test_the_command_line(trained, capsys, tmp_path):
    from anncestry.cli.main import main

    folder = str(trained.folder)
    assert main(["evaluate", folder]) == 0
    shown = capsys.readouterr().out
    assert "tok:13a" in shown
    assert "tok:none" in shown
    assert main(["evaluate", folder, "--json", "--beam", "2"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert "tok:13a" in figures["signatures"]["bleu"]
    (tmp_path / "in.txt").write_bytes(b"aa bb\n\n\xff\ncc")
    assert main(["predict", folder, str(tmp_path / "in.txt"), "--beam", "2"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.split("\n")) == 5
    assert printed.out.split("\n")[1:3] == ["", ""]
    assert "input 3: is no UTF-8" in printed.err
    assert main(["predict", folder, "aa bb", "--n-best", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["predict", folder, "aa bb", "--beam", "2", "--n-best", "3"]) == 2
    assert "--n-best" in capsys.readouterr().err
    assert main(["predict", folder, "aa bb", "--n-best", "3", "--unfinished", "last"]) == 0
    assert main(["evaluate", folder, "--beam", "2", "--unfinished", "last"]) == 0
    for command in (["predict", folder, "aa bb"], ["evaluate", folder]):
        for option in (["--unfinished", "last"], ["--alpha", "1"]):
            assert main([*command, *option]) == 2
            assert f"{option[0]}: got" in capsys.readouterr().err


def test_a_resumed_run_ends_as_the_whole_one(trained, tmp_path):
    from anncestry.training.train import resume

    data, options = trained.config["data"]["name"], DataOptions(**trained.config["data"]["options"])

    def run(name, steps):
        settings = TrainingSettings(max_steps=steps, batch_size=8)
        train("seq2seq", data, out=tmp_path / name, width=8, settings=settings, data_options=options)

    run("whole", 9)
    run("begun", 5)
    resume(tmp_path / "begun", max_steps=9)
    whole, begun = (Run(tmp_path / name).evaluate(split="train") for name in ("whole", "begun"))
    assert begun == pytest.approx(whole, rel=1e-3)


def test_held_out_languages_are_scored_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("anncestry.data.sources.dates.SIZES", (200, 40, 40))
    monkeypatch.setattr("anncestry.data.sources.dates.HELD_OUT_SIZE", 30)
    run, _ = train(
        "seq2seq",
        "dates",
        out=tmp_path / "run",
        width=8,
        settings=TrainingSettings(max_steps=2),
        data_options=DataOptions(hold_out="fr"),
    )
    assert list(run.scores()) == ["validation", "test", "held-out"]
    assert run.evaluate(split="held-out").groups.keys() == {"fr"}
    assert "- held-out, exact matches: fr 0.0%" in (run.folder / "README.md").read_text()
    assert load_data("dates", DataOptions(hold_out="fr")).held_out.num_sources == 30

"""The command line: answers at once, names what is wrong, exits with 2 and without a traceback."""

import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from anncestry.cli import main as command
from anncestry.cli.main import COMMANDS, main, stop_in_order


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in COMMANDS)


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["compare", "--help"], ["predict", "--help"]]
)
def test_help_imports_no_torch(words):
    program = (
        "import sys; from anncestry.cli.main import main\n"
        f"try: main({words})\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_has_a_module_with_help():
    for word in COMMANDS:
        module = __import__(f"anncestry.cli.{word}", fromlist=["Arguments"])
        assert module.__doc__
        assert module.Arguments
        assert module.run


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "command: got 'trian'; is not a command. Choices: train."),
        (["train", "lstmm", "--data", "digits"], "model: got 'lstmm'; is not on the timeline. Choices: lstm"),
        (["train"], "NAME: got None; say which architecture to train"),
        (["train", "mlp"], "--data: got None; say what to train on"),
        (["train", "mlp", "--data", "digist"], "--data: got 'digist'"),
        (
            ["train", "cnn", "--data", "mackey-glass"],
            "does not fit series inputs with the task forecasting. Choices:",
        ),
        (
            ["train", "mlp", "--data", "digits", "--max-time", "soon"],
            "--max-time: got 'soon'; must be a time such as",
        ),
        (
            ["train", "mlp", "--data", "digits", "--set", "depth=3"],
            "--set depth: got '3'; there is no such field",
        ),
        (
            ["train", "mlp", "--data", "digits", "--set", "dropout=much"],
            "--set dropout: got 'much'; must be a number",
        ),
        (
            ["train", "mlp", "--data", "digits", "--set", "dropout=2"],
            "dropout: got 2.0; is a probability below 1",
        ),
        (
            ["train", "mlp", "--data", "digits", "--learning-rate", "-1"],
            "--learning-rate: got -1.0; must be above 0",
        ),
        (
            ["train", "perceptron", "--data", "digits", "--devices", "2"],
            "--devices: got 2; this model learns",
        ),
        (["train", "mlp", "--data", "digits", "--width", "0"], "--width: got 0; must be at least 1"),
        (["train", "mlp", "--data", "digits", "--seed", "9" * 30], "--seed: got '"),
        (["train", "mlp", "--data", "digits", "--seed", "-1"], "--seed: got -1; must be at least 0"),
        (
            ["train", "mlp", "--data", "digits", "--momentum", "0.5"],
            "--momentum: got 0.5; has no effect without --optimizer sgd",
        ),
        (
            ["train", "mlp", "--data", "digits", "--warmup", "0.1", "--warmup-steps", "9"],
            "--warmup: got 0.1; has no effect without --warmup-steps 0",
        ),
        (
            ["train", "perceptron", "--data", "digits", "--clip-norm", "1"],
            "--clip-norm: got 1.0; has no effect: Perceptron learns by its own rule",
        ),
        (["train", "mlp", "--data", "digits", "--accelerator", "cuda"], "--accelerator: got 'cuda'"),
        (["train", "--resume", "nowhere"], "run: got 'nowhere'; is not a folder"),
        (["evaluate", "nowhere"], "run: got 'nowhere'; is not a folder"),
        (["predict", "nowhere", "x"], "run: got 'nowhere'; is not a folder"),
        (["show", "lstmm"], "model: got 'lstmm'"),
    ],
)
def test_mistakes_are_named_and_exit_with_2(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_option_exits_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", "mlp", "--data", "digits", "--lr", "3"])
    assert caught.value.code == 2


def test_an_existing_folder_is_kept(capsys, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["train", "mlp", "--data", "digits", "--out", str(tmp_path)]) == 2
    assert "exists already; a run is never written over another" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["train", "mlp", "--data", "digits", "--out", str(tmp_path / "file" / "run")]) == 2
    assert "cannot be made" in capsys.readouterr().err


def test_a_full_disk_is_named(capsys, tmp_path, monkeypatch):
    import errno
    import os

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert main(["train", "mlp", "--data", "digits", "--max-steps", "2", "--out", str(tmp_path / "run")]) == 2
    assert "the disk is full" in capsys.readouterr().err


REFUSED = (
    (
        ["--alpha", "0.5"],
        "--alpha: got '0.5'; has no effect on a run whose task is language-model. Choices: --length",
    ),
    (
        ["--beam", "4", "--top-p", "0.5"],
        "--top-p: got 0.5; is of sampling, and --beam asks for a beam search",
    ),
    (
        ["--n-best", "4", "--beam", "3"],
        "--n-best: got 4; must be at most --beam, which is 3",
    ),
    (["--alignments", "page.html"], "--alignments: got 'page.html'; has no effect on"),
    (["--temperature", "0", "--top-p", "0.5"], "--top-p: got 0.5; has no effect at --temperature 0"),
    (["--length", "0", "--samples", "2"], "--length: got 0; must be at least 1"),
    (["--seed", "9" * 30], "--seed: got 9999"),
)


def test_train_evaluate_predict_end_to_end(capsys, tmp_path):
    folder = str(tmp_path / "run")
    words = ["train", "rnn", "--data", "pydoc", "--max-chars", "20000", "--max-steps", "5", "--width", "8"]
    assert main([*words, "--out", folder]) == 0
    assert "Run folder:" in capsys.readouterr().out
    assert main(["evaluate", folder, "--json"]) == 0
    assert '"bits"' in capsys.readouterr().out
    assert main(["predict", folder, "The ", "--length", "20"]) == 0
    assert len(capsys.readouterr().out) >= 20
    assert main(["predict", folder, "The ", "--length", "5", "--json"]) == 0
    assert '"continuation"' in capsys.readouterr().out
    for words, message in REFUSED:
        assert main(["predict", folder, "The ", *words]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch-size", "8"], "--batch-size: got 8; is fixed by the run folder"),
        (["--window", "9"], "--window: got 9; is fixed by the run folder"),
        (["--width", "9"], "--width: got 9; is fixed by the run folder"),
        (["--set", "num_layers=3"], "--set: got"),
    ],
)
def test_a_resumed_run_keeps_what_its_folder_decided(words, message, tmp_path, capsys):
    assert main(["train", "--resume", str(tmp_path), *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Choices: --epochs, --max-steps, --max-time" in said


TINY_GPT = [
    "--set",
    "hidden_size=16",
    "num_heads=2",
    "num_layers=1",
    "--data",
    "pydoc",
    "--max-chars",
    "9000",
]
SETTINGS = ["--window", "16", "--level", "char", "--max-steps", "1"]


@pytest.mark.parametrize(
    "words",
    [["gpt2", *TINY_GPT, *SETTINGS], [*TINY_GPT, *SETTINGS, "gpt2"], [*SETTINGS, *TINY_GPT, "--", "gpt2"]],
)
def test_an_architecture_has_its_recipe_wherever_it_stands(words, tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path / "run"), *words]) == 0, capsys.readouterr().err
    training = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert training["optimizer"] == "adamw"
    assert training["schedule"] == "cosine"


def test_a_run_to_start_from_may_have_a_blank_in_its_path(tmp_path, capsys):
    """NAME may be left out, and fine-tuning has its own learning rate."""
    table = tmp_path / "reviews.csv"
    table.write_text(
        "text,stars\n" + "".join(f"film {i} was {'good' if i % 2 else 'bad'},{i % 2}\n" for i in range(40))
    )
    base = str(tmp_path / "my bert")
    tiny = ["--vocab-size", "150", "--width", "16", "--set", "num_layers=1", "num_heads=2"]
    words = [
        "train",
        "bert",
        "--data",
        "pydoc",
        "--max-chars",
        "9000",
        *tiny,
        "--max-steps",
        "1",
        "--out",
        base,
    ]
    assert main(words) == 0, capsys.readouterr().err
    words = ["--data", f"csv:{table}", "--text", "text", "--max-steps", "1", "--out", str(tmp_path / "tuned")]
    assert main(["train", "--from", base, *words]) == 0, capsys.readouterr().err
    assert json.loads((tmp_path / "tuned" / "config.json").read_text())["training"]["learning_rate"] == 5e-5


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{}", "is not the config of a run"),
        ('{"architecture": 1, "model": {}}', "architecture: got 1; must be a text"),
    ],
)
def test_what_is_wrong_with_a_run_to_start_from_is_said(config, message, tmp_path, capsys):
    (tmp_path / "config.json").write_text(config)
    assert main(["train", "--from", str(tmp_path), "--data", "digits"]) == 2
    assert message in capsys.readouterr().err


def test_an_option_given_at_its_default_is_given(tmp_path, capsys):
    """The line says what stood on it: a recipe gives way, also to a value that is the usual one elsewhere."""
    words = ["train", "gpt2", *TINY_GPT, *SETTINGS, "--schedule", "constant", "--out", str(tmp_path / "run")]
    assert main(words) == 0, capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "config.json").read_text())["training"]["schedule"] == "constant"
    assert main(["train", "--resume", str(tmp_path / "run"), "--batch-size", "64"]) == 2
    assert "--batch-size: got 64; is fixed by the run folder" in capsys.readouterr().err


def test_a_folder_may_look_like_markup(tmp_path, capsys):
    assert (
        main(["train", "mlp", "--data", "digits", "--max-steps", "1", "--out", str(tmp_path / "a[/b]c")]) == 0
    )
    assert "[/b]c" in capsys.readouterr().out


def test_other_data_may_be_read_by_other_columns(tmp_path, capsys):
    (tmp_path / "a.csv").write_text(
        "x,y,kind\n" + "".join(f"{i % 5},{i % 3},{'ab'[i % 2]}\n" for i in range(40))
    )
    (tmp_path / "b.csv").write_text("kind,y,x,more\na,1,2,9\nb,0,1,9\n")
    run = str(tmp_path / "run")
    assert (
        main(["train", "mlp", "--data", f"csv:{tmp_path / 'a.csv'}", "--max-steps", "1", "--out", run]) == 0
    )
    words = ["evaluate", run, "--data", f"csv:{tmp_path / 'b.csv'}", "--target", "kind", "--drop", "more"]
    assert main(words) == 0, capsys.readouterr().err
    assert "examples  2" in capsys.readouterr().out
    for option, value, rule in (
        ("--target", "y", "is not what the model predicts. Choices: kind"),
        ("--drop", "x,more", "leaves out an input of the model. Choices: x"),
        ("--window", "3", "is decided by the run; of other data it heeds"),
        ("--level", "char", "is decided by the run"),
        ("--max-chars", "9", "is decided by the run"),
        ("--task", "regression", "is decided by the run"),
    ):
        capsys.readouterr()
        assert main(["evaluate", run, "--data", f"csv:{tmp_path / 'b.csv'}", option, value]) == 2
        assert rule in capsys.readouterr().err
    assert main(["evaluate", run, "--target", "kind"]) == 2
    assert "--target: got 'kind'; says how other data are read; give --data too" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_asked_to_end_tidies_up_first(number, monkeypatch, capsys):
    tidied = []

    def work(arguments):
        try:
            os.kill(os.getpid(), number)
        finally:
            tidied.append(True)

    module = SimpleNamespace(
        Arguments=__import__("anncestry.cli.list", fromlist=["Arguments"]).Arguments, run=work
    )
    monkeypatch.setattr(command.importlib, "import_module", lambda name: module)
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        stop_in_order()
        assert main(["list"]) == 128 + number
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert tidied
    assert capsys.readouterr().err == "anncestry list: stopped.\n"


def test_a_command_under_nohup_lives_on():
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        stop_in_order()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["claims", "--list", "--seed", "3"], "--seed: got '3'; has no effect with --list"),
        (["claims", "--list", "--out", "there"], "--out: got 'there'; has no effect with --list"),
        (["show", "lstm", "--ledger", "--batch-size", "4"], "--batch-size: got 4; has no effect: neither"),
        (["log", "gru", "--svg", "tree.svg", "--json"], "--json: got True; has no effect with --svg"),
        (["log", "gru", "--json", "--oneline"], "--oneline: got True; has no effect with --json"),
    ],
)
def test_options_that_would_change_nothing_are_refused(words, message, capsys):
    assert main(words) == 2
    assert message in capsys.readouterr().err

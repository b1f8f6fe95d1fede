"""Every experiment, in a small size: plain numbers, the same for the same seed, judged and drawn."""

import json

import pytest
import torch
from matplotlib.figure import Figure

from anncestry.claims import CLAIMS, Verdict, find
from anncestry.claims.experiments.lstm_long_lags import SIZES, build

SMALL = {
    "perceptron-convergence": {"dims": (3,), "margins": (0.3, 0.1), "num_seeds": 2, "count": 60},
    "xor": {"hidden_sizes": (4,), "num_seeds": 5, "max_steps": 200, "max_passes": 10},
    "tanh-gradients": {"depths": (2, 4), "num_seeds": 2},
    "vanishing-gradient": {"scales": (0.5, 1.0, 4.0), "num_seeds": 2, "num_steps": 20, "hidden_size": 16},
    "lstm-long-lags": {"lengths": (4,), "num_seeds": 1, "max_steps": 10},
    "forget-gate": {"num_seeds": 1, "num_steps": 5, "test_length": 200},
    "deep-shortcuts": {"num_seeds": 1, "num_steps": 2, "cells": 6},
    "dilated-vs-skip": {"num_seeds": 1, "blanks": 4, "max_steps": 2, "scale": 0.05},
    "sequential-steps": {"lengths": (32, 64, 128), "widths": (8, 16)},
    "tcn-copy-memory": {"num_seeds": 1, "blanks": 4, "max_steps": 2},
    "stacked-lstm": {"layers": (2, 3), "num_seeds": 1, "hidden_size": 5, "seq_len": 8},
    "local-connectivity": {"image_size": 8, "kernel_sizes": (3, 5), "num_units": 2},
    "conv-parameters": {"kernel_sizes": (1, 5), "in_channels": (3,), "out_channels": (6,)},
    "two-3x3": {"depths": (2, 3), "channels": 4, "num_images": 8, "num_lines": 2},
    "one-by-one": {"shapes": ((3, 5, 4, 6), (4, 2, 1, 1))},
    "bottleneck-savings": {
        "widths": (8,),
        "kernel_sizes": (3, 5),
        "num_seeds": 1,
        "channels": (4,),
        "num_train": 20,
        "num_steps": 2,
    },
    "dilation-field": {"max_depth": 3, "num_images": 8},
    "pooling-discards": {"num_seeds": 1, "num_steps": 2, "num_images": 20},
    "densenet-vs-resnet": {"num_seeds": 1, "num_steps": 1, "num_train": 100, "num_widths": 1},
    "vae-without-pooling": {"num_seeds": 2, "steps": (1, 2)},
    "fixed-context-length": {"longest": 3, "beyond": 1, "num_seeds": 1, "num_steps": 2, "count": 5},
    "reversed-source": {"longest": 3, "num_seeds": 1, "num_steps": 2, "count": 5},
    "beam-finds-more": {"num_seeds": 1, "share_of_steps": 0.0, "count": 4},
    "input-need-not-be-a-sequence": {"num_seeds": 1, "share_of_steps": 0.0},
    "shared-encoder-decoder": {"longest": 3, "num_seeds": 1, "num_steps": 2, "count": 5},
    "attention-vs-recurrence": {"lengths": (8, 32), "widths": (8, 16), "repeats": 0},
    "path-length-attention": {"lengths": (8, 32), "width": 8, "num_seeds": 1},
    "shared-over-positions": {"num_seeds": 1, "length": 3, "num_steps": 2, "count": 5},
    "masked-attention-hides": {"num_seeds": 1, "length": 2, "num_steps": 2, "count": 5},
    "trains-at-once-generates-one-by-one": {"lengths": (2, 3, 5)},
    "queries-keys-values-same": {"longest": 3, "num_seeds": 1, "num_steps": (1, 2), "count": 5},
    "post-norm-needs-warmup": {"num_seeds": 1, "num_steps": 2, "count": 5, "num_layers": 1, "hidden_size": 8},
    "elmo-vectors-differ-by-context": {"words": ("class", "value"), "count": 3, "reach": 2},
    "elmo-needs-no-fine-tuning": {
        "num_seeds": 1,
        "num_steps": 2,
        "tagger_steps": 2,
        "width": 8,
        "shown": 2,
        "count": 2,
    },
    "both-sides-change-a-word": {"num_seeds": 1, "length": 4, "width": 8},
    "cls-feeds-the-classifier": {"num_seeds": 1, "length": 4, "num_layers": 2},
    "bert-learns-from-fewer-positions": {
        "num_seeds": 1,
        "num_steps": 2,
        "every": 1,
        "length": 20,
        "width": 8,
        "num_layers": 1,
        "count": 2,
    },
    "albert-shares-parameters": {
        "num_seeds": 1,
        "num_steps": 2,
        "every": 1,
        "width": 8,
        "num_layers": 2,
        "count": 4,
        "repeats": 0,
    },
    "electra-learns-from-all": {
        "num_seeds": 1,
        "num_steps": 2,
        "every": 1,
        "width": 8,
        "num_layers": 1,
        "shown": 4,
        "count": 4,
    },
}
NEED_TIME = {
    "lstm-long-lags",
    "xor",
    "forget-gate",
    "deep-shortcuts",
    "dilated-vs-skip",
    "tcn-copy-memory",
    "bottleneck-savings",
    "densenet-vs-resnet",
    "vae-without-pooling",
    "fixed-context-length",
    "reversed-source",
    "beam-finds-more",
    "input-need-not-be-a-sequence",
    "shared-encoder-decoder",
    "path-length-attention",
    "shared-over-positions",
    "masked-attention-hides",
    "queries-keys-values-same",
    "post-norm-needs-warmup",
    "elmo-needs-no-fine-tuning",
    "bert-learns-from-fewer-positions",
    "albert-shares-parameters",
    "electra-learns-from-all",
}
HOLD_WHEN_SMALL = SMALL.keys() - NEED_TIME


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_claim_is_covered():
    assert SMALL.keys() == {claim.id for claim in CLAIMS}


@pytest.mark.parametrize("name", SMALL)
def test_small_experiment(name):
    experiment = find(name).experiment()
    rows = experiment.measure(3, **SMALL[name])
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows, "rows are plain numbers and words"
    assert experiment.measure(3, **SMALL[name]) == rows, "the same seed gives the same numbers"
    verdict, because = experiment.judge(rows)
    assert isinstance(verdict, Verdict)
    assert any(character.isdigit() for character in because)
    if name in HOLD_WHEN_SMALL:
        assert verdict is Verdict.HOLDS, because
    axes = Figure().subplots()
    experiment.draw(axes, rows)
    assert axes.has_data()
    assert axes.get_xlabel()


def test_another_seed_gives_other_numbers():
    experiment = find("tanh-gradients").experiment()
    first, second = (experiment.measure(seed, depths=(2,), num_seeds=1) for seed in (0, 1))
    assert first[-1]["gradient"] != second[-1]["gradient"]


def test_run_measures_judges_and_keeps_the_callers_random_state():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    evidence = find("local-connectivity").run(0)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.rand(3), expected)
    assert evidence.verdict is Verdict.HOLDS
    assert "75 values through 75 weights + 1 bias" in evidence.because
    assert "3072 values through 3072 weights + 1 bias" in evidence.because
    assert evidence.seconds > 0


def test_the_nets_of_long_lags_have_about_the_same_number_of_parameters():
    lstm, rnn = (sum(p.numel() for p in build(net).parameters()) for net in SIZES)
    assert abs(lstm - rnn) < 0.03 * lstm

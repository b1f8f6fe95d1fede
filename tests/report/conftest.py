"""A race made by hand: small, with everything a report can show, and hostile names."""

import base64
import copy

import numpy as np
import pytest

HOSTILE = "<script>alert('1')</script>"


def entrant(name, kind="model", **fields):
    base = {"id": name, "name": name.upper(), "kind": kind, "year": 1986, "paper": "Somebody, Somewhere"}
    return {**base, "adds": "something", "removes": "", "parents": [], **fields}


def run(name, seed, score, **fields):
    curve = [
        {"step": 10 * i, "epoch": i, "seconds": 0.5 * i, "loss": 1 / i, "accuracy": score * (1 - 0.3 / i)}
        for i in range(1, 5)
    ]
    base = {
        "entrant": name,
        "seed": seed,
        "status": "ok",
        "metrics": {"accuracy": score, "loss": 0.3},
        "validation": {},
        "curve": curve,
        "seconds": 2.0,
        "steps": 40,
        "epochs": 4.0 + seed,
        "stopped": "max_seconds",
        "parameters": 9610,
        "width": 50,
        "flops": 19_000,
        "latency": 35e-6,
        "settings": {"optimizer": "adam", "learning_rate": 0.001, "batch_size": 32},
        "config": {},
        "mistakes": {},
        "note": "",
        "error": "",
    }
    return {**base, **fields}


def standing(name, kind, place, mean, **fields):
    base = {
        "id": name,
        "kind": kind,
        "place": place,
        "mean": mean,
        "low": mean - 0.004,
        "high": mean + 0.004,
        "behind": 0.0,
    }
    base |= {"values": {"0": mean - 0.001, "1": mean + 0.001}, "behind_band": 0.0, "tied": True}
    base |= {"seconds": 2.0, "parameters": 9610.0, "flops": 19000.0, "latency": 35e-6}
    return {**base, "steps": 40, "epochs": 4.5, **fields}


PICTURE = {"shape": [1, 2, 3], "pixels": base64.b64encode(np.arange(6, dtype=np.uint8).tobytes()).decode()}
CONFUSED = {
    "wrong": 5,
    "total": 300,
    "pairs": [{"true": HOSTILE, "predicted": "8", "count": 3}],
    "images": [{"true": HOSTILE, "predicted": "8", **PICTURE}],
}
RACE = {
    "data": {
        "name": "csv:R&D <data>.csv",
        "options": {},
        "task": "classification",
        "inputs": "image",
        "shape": [1, 8, 8],
        "output_size": 2,
        "vocab_size": 0,
        "classes": [HOSTILE, "8"],
        "train": 1200,
        "validation": 300,
        "test": 300,
        "notes": ["split at random"],
        "fingerprints": ["a", "b"],
    },
    "budget": {"seconds": 2.0, "params": None, "flops": None, "epochs": None},
    "seeds": 2,
    "metric": {"name": "accuracy", "higher_is_better": True},
    "machine": {
        "cpu": "A <fast> CPU",
        "cores": 2,
        "threads": 1,
        "accelerator": "",
        "system": "Linux",
        "python": "3.11",
        "torch": "2.13",
        "scikit-learn": "1.9",
        "anncestry": "0.1",
    },
    "command": "anncestry compare --data 'csv:R&D <data>.csv'",
    "entrants": [
        entrant("cnn", parents=["mlp"], removes="full connection"),
        entrant("mlp"),
        entrant("lstm"),
        entrant("logistic", "baseline", year=None),
        entrant("majority", "baseline", year=None),
    ],
    "runs": [
        run("logistic", 0, 0.95, note="stopped after 20 iterations", curve=[], parameters=None),
        run("cnn", 0, 0.985, mistakes=CONFUSED),
        run("mlp", 0, 0.955),
        run("lstm", 0, 0.0, status="failed", metrics={}, error="RuntimeError: <b>out of memory</b>"),
        run("logistic", 1, 0.952, note="stopped after 20 iterations", curve=[], parameters=None),
        run("cnn", 1, 0.987, mistakes=CONFUSED),
        run("mlp", 1, 0.953),
        run("lstm", 1, 0.0, status="failed", metrics={}, error="RuntimeError: <b>out of memory</b>"),
    ],
    "status": "complete",
    "ranking": {
        "confidence": 0.95,
        "leader": "cnn",
        "standings": [
            standing("cnn", "model", 1, 0.986),
            standing("mlp", "model", 2, 0.954, behind=0.032, behind_band=0.005, tied=False),
            standing("logistic", "baseline", None, 0.951, behind=0.035, behind_band=0.01, tied=False)
            | {"parameters": None, "flops": None, "latency": None},
            standing("majority", "baseline", None, 0.1, behind=0.886, behind_band=0.01, tied=False)
            | {"parameters": None, "flops": None, "latency": None},
        ],
        "unfinished": ["lstm"],
    },
}


@pytest.fixture
def race():
    return copy.deepcopy(RACE)

"""Predictions as lines of text, or as one JSON object per line."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

NUMBERS = 4  # of a vector, as they are shown


def print_json(row: Mapping[str, Any]) -> None:
    """A row as a JSON object on a line of its own."""
    print(json.dumps(row, ensure_ascii=False))


def print_row(row: Mapping[str, Any]) -> None:
    """A prediction, beside its input."""
    figures = dict(row)
    label = figures.pop("input")
    if "tags" in figures and len(label.split()) == len(figures["tags"]):
        print(" ".join(f"{word}/{tag}" for word, tag in zip(label.split(), figures["tags"], strict=True)))
        return
    if "masks" in figures:
        print(f"{label}\t{figures['filled']}")
        for number, words in enumerate(figures["masks"], 1):
            print(f"  mask {number}: " + "  ".join(f"{word} {chance:.3f}" for word, chance in words))
        return
    if "answer" in figures:
        print(f"{label}\t{figures['answer'] or '(no answer)'}\t{figures['score']:.4g}")
        return
    if "mse" in figures:  # figures without a unit that says what they are
        print(f"{label}\t" + "\t".join(f"{name} {value:.4g}" for name, value in figures.items()))
        return
    parts = []
    for name, value in figures.items():
        if name == "labels":
            parts.append(", ".join(value) or "(none)")
        elif isinstance(value, dict):
            best = sorted(value.items(), key=lambda pair: -pair[1])[:3]
            parts.append("  ".join(f"{key} {number:.3f}" for key, number in best))
        else:
            parts.append(f"{value:.6g}" if isinstance(value, float) else str(value))
    print(f"{label}\t" + "\t".join(parts))


def print_texts(row: Mapping[str, Any], key: str, end: str = "\n") -> None:
    """The text of a row, or its ``n_best`` texts with their scores; of an image behind its name.

    Args:
        key: where the rows have their text.
    """
    name = f"{row['input']}\t" if key == "caption" else ""
    for best in row.get("n_best", [row]):
        score = f"{best['score']:.4f}\t" if "n_best" in row else ""
        print(f"{name}{score}{best[key]}", end=end)


def print_vector(label: str, vector: Sequence[float]) -> None:
    """The first numbers of a vector, and its length."""
    start = " ".join(f"{number:.4f}" for number in vector[:NUMBERS])
    print(f"{label}\t{len(vector)} numbers, length {math.hypot(*vector):.4g}: {start} ...")

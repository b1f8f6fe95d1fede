"""How often each class was true, predicted and right, as lines of a table."""

from collections.abc import Mapping, Sequence

MOST = 30
"""Classes that are listed; of more, those that are true most often."""


def class_lines(classes: Sequence[str], counts: Mapping[str, Sequence[int]]) -> list[str]:
    """A line for each class: how often it was true, predicted and right, its precision, recall and F1.

    Args:
        counts: ``right``, ``answered`` and ``true`` of each class; empty gives no lines.
    """
    if not counts or len(classes) != len(counts["true"]):
        return []
    order = range(len(classes))
    if len(classes) > MOST:
        order = sorted(order, key=lambda place: -counts["true"][place])[:MOST]
    width = max(5, *(len(classes[place]) for place in order))
    lines = [
        f"{'':<{width}}  {'true':>7} {'predicted':>9} {'right':>7} {'precision':>10} {'recall':>7} {'F1':>7}"
    ]
    for place in order:
        true, predicted, right = (counts[name][place] for name in ("true", "answered", "right"))
        shares = [(right, predicted), (right, true), (2 * right, true + predicted)]
        precision, recall, f1 = (f"{part / whole:.3f}" if whole else "–" for part, whole in shares)
        numbers = f"{true:>7,} {predicted:>9,} {right:>7,}"
        lines.append(f"{classes[place]:<{width}}  {numbers} {precision:>10} {recall:>7} {f1:>7}")
    return [*lines, *([f"and {len(classes) - MOST} more"] if len(classes) > MOST else [])]


def one_prediction(classes: Sequence[str], counts: Mapping[str, Sequence[int]]) -> str:
    """A sentence where every prediction is the same class; else empty."""
    predicted = [name for name, count in zip(classes, counts.get("answered", ()), strict=False) if count]
    if len(predicted) != 1 or sum(map(bool, counts["true"])) < 2:
        return ""
    hint = "the probabilities may order examples all the same, see roc_auc"
    return f"Every example of the test split is predicted to be {predicted[0]!r}: {hint}."

"""What is learnt from a data set, in words: to be read before anybody waits for it."""

from anncestry.data.splits.dataset import Dataset

MOST = 8
"""Names that are listed; of more, the first and how many there are."""


def learning_problem(dataset: Dataset) -> list[str]:
    """Lines such as ``Task: classification, column 'sex' (the last; --target names another): 2 classes (f,
    m)``.
    """
    signature, layout = dataset.signature, getattr(dataset.processor, "layout", None)
    asked, inputs = signature.task, f"{signature.inputs} {signature.shape}"
    if layout is not None:
        names = [layout.names[target] for target in layout.targets]
        column = "columns" if len(names) > 1 else "column"
        asked += f", {column} {', '.join(map(repr, names)) if layout.has_header else ', '.join(names)}"
        if dataset.options.get("target") is None:
            asked += " (the last; --target names another)"
        inputs = f"{len(layout.inputs)} columns ({_listed(layout.input_names)})"
    if dataset.classes:
        noun = {"tagging": "tags", "multi-label": "labels"}.get(signature.task, "classes")
        asked += f": {len(dataset.classes)} {noun} ({_listed(dataset.classes)})"
    return [f"Task: {asked}", f"Inputs: {inputs}"]


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(name if len(name) <= 40 else f"{name[:39]}…" for name in names[:MOST])
    return f"{shown}, ..." if len(names) > MOST else shown

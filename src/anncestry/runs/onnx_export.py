"""A run as an ONNX file, with all that a program without this project needs beside it.

model.onnx           one forward pass, for batches and sequences of any size
preprocessing.json   inputs and outputs by name, type and shape; classes, means and scales, vocabulary
tokenizer.json       where texts are cut by a tokenizer
example.py           reads, runs and answers, with numpy, onnxruntime (and tokenizers) alone
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from anncestry.checkpoints.onnx_graph import OPSET, Graph, onnx_bytes
from anncestry.data import Processor
from anncestry.files import write_bytes
from anncestry.signature import GENERATION_TASKS, Signature
from anncestry.tokenizers.files import write_tokenizer

MOST_NUMBERS = 4096  # of the outputs for the example that are written down

OPENING = """\
# {head}
import json, sys
from pathlib import Path
import numpy as np, onnxruntime
{imports}here = Path(__file__).resolve().parent
about = json.loads((here / "preprocessing.json").read_text(encoding="utf-8"))
"""
TOKENIZED = """\
tokenizer = Tokenizer.from_file(str(here / "tokenizer.json"))
tokenizer.enable_truncation(about["max_length"])
texts = [tuple(t.split("\\t")) if "\\t" in t else t for t in sys.argv[1:] or about["texts"]]
rows = [tokenizer.encode(*(t if isinstance(t, tuple) else (t,))).ids for t in texts]
"""
CUT = """\
index = {{token: place for place, token in enumerate(about["processor"]["vocabulary"])}}
texts = sys.argv[1:] or about["texts"]
rows = [[index.get(token, {unknown}) for token in {cut}] for text in texts]
"""
PADDED = """\
tokens = np.full((len(rows), max(map(len, rows))), about["filler"])
for row, ids in enumerate(rows):
    tokens[row, :len(ids)] = ids
given = {"tokens": tokens, "lengths": np.array([len(ids) for ids in rows])}
"""
TABLE = """\
columns = about["processor"]["columns"]  # of numbers: a mean and a scale; of texts: a number for each value
rows = [row.split(",") for row in sys.argv[1:] or about["texts"]]
vector = lambda cell, c: [float(v == cell) for v in c["values"]] or [(float(cell) - c["mean"]) / c["scale"]]
given = {"vector": np.array([sum(map(vector, row, columns), []) for row in rows], np.float32)}
"""
IMAGE = """\
size = about["inputs"][0]["shape"][1:]  # channels, height, width; a file of numpy's holds bytes of that shape
images = np.stack([np.load(path) for path in sys.argv[1:]] or [np.full(size, 128, np.uint8)])
mean, scale = (np.array(about["processor"][name], np.float32)[:, None, None] for name in ("mean", "scale"))
given = {"image": (images.astype(np.float32) / 255 - mean) / scale}
"""
GIVEN = """\
given = {i["name"]: np.array(about["example"][i["name"]], i["type"]) for i in about["inputs"]}
"""
RUN = """\
session = onnxruntime.InferenceSession(here / "model.onnx")
(answers,) = session.run(None, {i.name: given[i.name] for i in session.get_inputs()})
"""
CLASSES = """\
for row in np.exp(answers - answers.max(1, keepdims=True)):
    print(about["classes"][row.argmax()], f"{row.max() / row.sum():.3f}")
"""
VALUES = """\
print(answers * np.array(about["target_scale"]) + np.array(about["target_mean"]))
"""
SHAPES = """\
print(about["outputs"][0]["name"], answers.shape)
print(answers.argmax(-1) if about["categorical"] else answers)
"""


def write_onnx(
    architecture: str,
    model: nn.Module,
    signature: Signature,
    processor: Processor | None,
    folder: Path,
    int8: bool = False,
) -> tuple[str, ...]:
    """Fill a folder with the files; see the head of this module.

    Args:
        architecture: its id.
        processor: reads the run's inputs; None for weights that came without data.
        int8: as for `anncestry.checkpoints.onnx_graph.onnx_bytes`.

    Returns:
        Notes for a person: how near its outputs are, and what the graph does not do.

    Raises:
        UserError: packages are missing, or onnxruntime computes other outputs than the model.
    """
    graph = Graph(model, signature)
    made, note = onnx_bytes(graph, int8)
    about = _about(architecture, graph, processor, int8)
    write_bytes(folder / "model.onnx", made)
    tokenizer: Any = getattr(processor, "tokenizer", None)
    if tokenizer is not None:
        write_tokenizer(tokenizer, folder, about["max_length"])
    script, texts = _script(architecture, graph, processor, about)
    about["texts"] = texts
    written = json.dumps(about, ensure_ascii=False, indent=1, allow_nan=False)
    write_bytes(folder / "preprocessing.json", written.encode())
    write_bytes(folder / "example.py", script.encode())
    notes = [note]
    if signature.task in GENERATION_TASKS:
        notes.append("the graph computes the logits of given targets; it generates no text")
    elif signature.task == "language-model":
        notes.append("the graph computes the logits of what follows each token; it generates no text")
    return tuple(notes)


def _about(architecture: str, graph: Graph, processor: Any, int8: bool) -> dict[str, Any]:
    """What is written down of the inputs, the outputs and how to read data."""
    signature, config = graph.signature, getattr(graph.model, "config", None)
    given = graph.example(1, min(5, graph.sizes()[1][1]))
    with torch.no_grad():
        answers = graph(*given)
    small = answers.numel() <= MOST_NUMBERS and bool(answers.isfinite().all())
    fields: dict[str, Any] = {} if processor is None else processor.to_json()
    fields.pop("tokenizer", None)  # a file of its own
    longest = getattr(config, "num_positions", None)
    read = getattr(processor, "max_tokens", None) or longest or signature.shape[0]
    scale = None if processor is None else processor.target_scale
    return {
        "format": "anncestry-onnx-1",
        "architecture": architecture,
        "task": signature.task,
        "opset": OPSET,
        "int8": int8,
        **graph.described(),
        "categorical": signature.is_categorical,
        "max_length": min(read, longest or read),
        "filler": getattr(processor, "filler", 0),
        "classes": list(getattr(processor, "classes", None) or getattr(processor, "tags", None) or ()),
        "target_mean": _means(processor, signature),
        "target_scale": [1.0] if scale is None else list(scale),
        "processor": _plain(fields),
        "example": {name: tensor.tolist() for name, tensor in zip(graph.inputs, given, strict=True)},
        "answer": answers.tolist() if small else None,
    }


def _means(processor: Any, signature: Signature) -> list[float]:
    """What is added to an output that is a value, once it is scaled."""
    if signature.task == "forecasting" and hasattr(processor, "target_input"):
        return [processor.mean[processor.target_input]]
    for name in ("target_mean", "mean"):
        mean = getattr(processor, name, None)
        if signature.task == "regression" and isinstance(mean, float | int):
            return [float(mean)]
    return [0.0]


def _plain(value: Any) -> Any:
    """With bytes and arrays as lists, for JSON."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return list(value)
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _script(architecture: str, graph: Graph, processor: Any, about: dict[str, Any]) -> tuple[str, list[str]]:
    """The example, and the inputs that it reads where it is given none."""
    kind, signature, imports, texts = getattr(processor, "kind", ""), graph.signature, "", []
    head = f"{architecture}, {signature.task}: run with inputs behind it, or without any"
    tokenizer: Any = getattr(processor, "tokenizer", None)
    vocabulary: Any = getattr(processor, "vocabulary", ())
    plain = signature.inputs == "tokens" and signature.task not in GENERATION_TASKS
    if tokenizer is not None and plain:
        imports, reading = "from tokenizers import Tokenizer\n", TOKENIZED + PADDED
        texts = [_text_of(tokenizer)]
    elif kind in ("text", "text-words", "sentences", "tags") and plain:
        first = 2 if kind in ("sentences", "tags") else 0
        cut = "text" if kind == "text" or getattr(processor, "level", "") == "char" else "text.split()"
        reading = CUT.format(unknown=1 if first else 0, cut=cut) + PADDED
        texts = [("" if cut == "text" else " ").join(map(str, list(vocabulary)[first : first + 4]))]
    elif kind == "table":
        reading = TABLE
        texts = [",".join(c.values[0] if c.values else repr(c.mean) for c in processor.columns)]
    elif kind == "image" and signature.task not in GENERATION_TASKS:
        reading = IMAGE
    else:
        reading, head = GIVEN, f"{architecture}, {signature.task}: the example of preprocessing.json"
    if signature.task == "classification" and about["classes"]:
        answering = CLASSES
    elif signature.task in ("regression", "forecasting"):
        answering = VALUES
    else:
        answering = SHAPES
    return OPENING.format(head=head, imports=imports) + reading + RUN + answering, texts


def _text_of(tokenizer: Any) -> str:
    """A few words that the tokenizer knows."""
    return tokenizer.decode(list(range(len(tokenizer) // 2, len(tokenizer) // 2 + 4))).strip() or "a"

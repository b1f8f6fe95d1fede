"""What PyTorch's tools can do with each architecture: the exceptions, with their reasons.

An architecture that is not named here can do all of it. ``tests/contract/test_abilities.py`` holds that, and
``python -m benchmarks.abilities`` tries all of it out and writes ``docs/abilities.md``.
"""

SPLIT = (
    "its input weights are multiplied with the word and with what was read apart from each other, so this "
    "cell is never called as a whole; watch the model or its readout"
)

NO_ONNX: dict[str, str] = {}
"""Architectures that have no ONNX graph: none. Those that write score a given answer, and do not search."""

UNWATCHED: dict[str, dict[str, str]] = {
    "rnn-encoder-decoder": {"cell": SPLIT},
    "rnnsearch": {"cell": SPLIT},
    "show-attend-and-tell": {"cell": SPLIT},
    "skip-rnn": {
        ".cell": "its output of d steps ago joins the gates of this cell from outside; watch the layer"
    },
}
"""Modules whose forward hooks stay silent, by the end of their name."""

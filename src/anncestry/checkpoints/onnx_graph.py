"""A model as an ONNX graph for batches and sequences of any size, compared with it before it is kept.

The graph is one forward pass in evaluation mode. A model that generates text gives the logits of given
targets, each from those before it (teacher forcing); the graph does not generate. Recurrent loops are ONNX
``Scan`` nodes.
"""

import contextlib
import dataclasses
import inspect
import io
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anncestry.errors import UserError, require
from anncestry.protocols import Reconstruction, SampledLogits
from anncestry.signature import GENERATION_TASKS, Signature

OPSET = 20
"""The version of ONNX's operators that graphs are written in."""
ROUNDING = 1e-4  # of single precision, over the largest value
EXTRA = "pip install 'anncestry[onnx]'"
_SEQUENCES = {"tokens": "tokens", "characters": "words", "series": "series"}
_NAMES = {**_SEQUENCES, "image": "image", "vector": "vector"}
_AXES = {"tokens": (), "characters": ("characters",), "series": ("features",)}


class Graph(nn.Module):
    """A model whose inputs and outputs are tensors with names.

    Args:
        model: of the timeline.
        signature: its learning problem.

    Attributes:
        inputs: the names of the inputs, in their order.
        axes: for each the names of the axes whose size is free.
        output: the name of what is put out.
    """

    def __init__(self, model: nn.Module, signature: Signature) -> None:
        super().__init__()
        self.model, self.signature = model.eval(), signature
        free = ("batch", "length") if signature.inputs in _SEQUENCES else ("batch",)
        self.axes: dict[str, tuple[str, ...]] = {_NAMES[signature.inputs]: free}
        if signature.task in GENERATION_TASKS:
            self.axes["targets"] = ("batch", "target_length")
        known = "lengths" in inspect.signature(model.forward).parameters
        if signature.inputs in ("tokens", "characters") and known:
            self.axes["lengths"] = ("batch",)
        self.inputs = tuple(self.axes)
        self.output = (
            "vectors" if signature.task == "embedding"
            else "scores" if signature.is_categorical or signature.task == "next-frame"
            else "values"
        )  # fmt: skip

    def forward(self, *inputs: Tensor) -> Tensor:
        given = dict(zip(self.inputs, inputs, strict=True))
        source = given.pop(self.inputs[0])
        found: Any = self.model(source, **given)
        found = found[0] if type(found) is tuple else found
        if isinstance(found, SampledLogits):
            return found.logits()
        if self.signature.task == "reconstruction":
            return Reconstruction.split(found, self.signature.num_features).image
        return found

    def example(self, batch_size: int, length: int, target_length: int = 4) -> tuple[Tensor, ...]:
        """Random inputs; the first row of a batch is of full length, others are shorter."""
        signature = self.signature
        if signature.inputs in _SEQUENCES:
            signature = dataclasses.replace(signature, shape=(length, *signature.shape[1:]))
        if signature.task in GENERATION_TASKS:
            signature = dataclasses.replace(signature, target_len=target_length)
        source, targets = signature.example(batch_size, seed=length)
        given = {self.inputs[0]: source, "targets": targets}
        given["lengths"] = torch.tensor([max(1, length - 2 * row) for row in range(batch_size)])
        return tuple(given[name] for name in self.inputs)

    def sizes(self) -> list[tuple[int, int, int]]:
        """(B, T, T of the targets) of the examples on which a graph is compared with its model."""
        longest = getattr(getattr(self.model, "config", None), "num_positions", 1 << 30)
        if self.signature.inputs not in _SEQUENCES:
            return [(1, 1, 5), (3, 1, 2), (2, 1, 7)]
        return [(1, min(5, longest), 3), (3, min(9, longest), 6), (2, min(3, longest), 1)]

    def described(self) -> dict[str, Any]:
        """Names, types and shapes of inputs and outputs; free axes by their names."""
        given = self.example(2, min(7, self.sizes()[1][1]))
        with torch.no_grad():
            found = self(*given)
        free = self.axes[self.inputs[0]]
        inputs = [
            {
                "name": name,
                "type": _type(tensor),
                "shape": [*self.axes[name], *tensor.shape[len(self.axes[name]) :]],
            }
            for name, tensor in zip(self.inputs, given, strict=True)
        ]
        steps = self.signature.every_step or self.signature.task in GENERATION_TASKS
        axes = self.axes.get("targets", free) if steps else free[:1]
        output = {"name": self.output, "type": _type(found), "shape": [*axes, *found.shape[len(axes) :]]}
        return {"inputs": inputs, "outputs": [output]}


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def onnx_bytes(graph: Graph, int8: bool = False) -> tuple[bytes, str]:
    """The ONNX file of a graph, the same for the same model, and how far it is from the model.

    Args:
        int8: whether weights of matrix products are kept as integers, and inputs made integers as they come
            (onnxruntime's dynamic quantisation).

    Raises:
        UserError: the packages are missing; onnxruntime's outputs differ from the model's.
    """
    _require_packages()
    made = _exported(graph)
    worst = distance(made, graph)
    rule = f"onnxruntime's outputs differ from the model's by {worst:.2g} of the largest value, more than"
    require(worst <= ROUNDING, "to", "onnx", f"{rule} the {ROUNDING:g} of rounding; no file is kept")
    if not int8:
        return made, f"onnxruntime computes the model's outputs, to {worst:.1e} of the largest value"
    made = _quantised(made)
    return made, f"8-bit weights change outputs by {distance(made, graph):.1e} of the largest value"


def distance(made: bytes, graph: Graph) -> float:
    """The largest difference between onnxruntime's outputs and the model's at `Graph.sizes`, over the largest
    value; infinity where one is not a number."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for sizes in graph.sizes():
        given = graph.example(*sizes)
        fed = {name: tensor.numpy() for name, tensor in zip(graph.inputs, given, strict=True)}
        found: Any = session.run([graph.output], fed)[0]
        with torch.no_grad():
            wanted = graph(*given).numpy()
        if found.shape != wanted.shape:
            return float("inf")
        real = np.isfinite(wanted)
        if not np.array_equal(found[~real], wanted[~real], equal_nan=True):
            return float("inf")
        scale = max(1.0, float(np.abs(wanted[real]).max(initial=0.0)))
        difference = float(np.abs(found[real] - wanted[real]).max(initial=0.0)) / scale
        worst = max(worst, difference) if difference == difference else float("inf")
    return worst


def _require_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        rule = f"needs the packages of the extra `onnx`; {error.name} is missing"
        raise UserError("to", "onnx", rule, hint=f"Install them: {EXTRA}") from None


def _exported(graph: Graph) -> bytes:
    given = graph.example(*graph.sizes()[1])
    shapes = tuple(dict(enumerate(graph.axes[name])) for name in graph.inputs)
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            graph, given, dynamo=True, dynamic_shapes=(shapes,), opset_version=OPSET, verbose=False,
            input_names=list(graph.inputs), output_names=[graph.output],
        )  # fmt: skip
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        program.save(path, external_data=False)
        return path.read_bytes()


def _quantised(made: bytes) -> bytes:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _quietly():
        before, after = Path(folder) / "model.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(made)
        quantize_dynamic(before, after, weight_type=QuantType.QInt8, per_channel=True)
        return after.read_bytes()


@contextlib.contextmanager
def _quietly():
    """Without the exporter's own lines on how far it is, and warnings that are for its authors."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

"""An LSTM of the size of Zaremba et al.'s medium model, two layers of 650, predicting batch by batch.

Batch 20, 35 steps. Peers: ONNX Runtime's operator with the same weights, and ``torch.nn.LSTM``.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.bench.contest import Agreement, Contest, Contestant
from anncestry.bench.peers import look_around
from anncestry.engine.prediction import Prediction, in_bfloat16
from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.wirings import Stacked, Unrolled, stack

NEEDS: tuple[str, ...] = ()


@contextmanager
def predicting(tiny: bool = False) -> Iterator[Contest]:
    """The LSTM, in float32 and bfloat16."""
    batch, steps, width = (2, 3, 8) if tiny else (20, 35, 650)
    around = look_around("onnxruntime", "onnx", precisions=("32", "bf16"))
    torch.manual_seed(0)
    x = torch.randn(batch, steps, width)
    peer = nn.LSTM(width, width, 2, batch_first=True).eval()
    ours = as_ours(peer)
    found = [Contestant("torch.nn.LSTM float32", predicted(peer, x))]
    if {"onnxruntime", "onnx"} <= around.there:
        found.append(Contestant("ONNX Runtime float32", onnx_lstm(peer, x)))
    found.append(Contestant("anncestry float32", within_inference(ours, x), ours=True))
    if "bf16" in around.precisions:
        rounded = copy.deepcopy(peer).bfloat16()
        found.append(Contestant("torch.nn.LSTM bfloat16", predicted(rounded, x.bfloat16()), "bfloat16"))
        low = within_inference(in_bfloat16(ours), x)
        found.append(Contestant("anncestry bfloat16", low, "bfloat16", True))
    agreement = Agreement("largest difference", furthest, ".1e")
    note = f"Two layers of {width}, batch {batch}, {steps} steps."
    yield Contest(found, batch * steps, "tokens", agreement, around.unmeasured, note, warm_up=2)


CONTESTS = {"lstm-650": predicting}


def as_ours(peer: nn.LSTM) -> Stacked:
    """Our stack with the weights of PyTorch's."""
    ours = stack(
        lambda size: Unrolled(LSTMCell(size, peer.hidden_size)), peer.input_size, peer.num_layers
    ).eval()
    with torch.no_grad():
        for k, layer in enumerate(ours.layers):
            cell, theirs = layer.cell, dict(peer.named_parameters())  # pyright: ignore[reportAttributeAccessIssue]
            cell.weight_ih.copy_(theirs[f"weight_ih_l{k}"])
            cell.weight_hh.copy_(theirs[f"weight_hh_l{k}"])
            cell.bias.copy_(theirs[f"bias_ih_l{k}"] + theirs[f"bias_hh_l{k}"])
    return ours


def predicted(peer: nn.Module, x: Tensor) -> Callable[[], Tensor]:
    """Forward without gradients."""

    def run() -> Tensor:
        with torch.no_grad():
            return peer(x)[0]

    return run


def within_inference(model: nn.Module, x: Tensor) -> Callable[[], Tensor]:
    """Predictions one after the other, as a run makes them."""
    prediction = Prediction()

    def run() -> Tensor:
        with prediction.scope(x.device):
            return model(x)[0]

    return run


def onnx_lstm(peer: nn.LSTM, x: Float[Tensor, "B T D"]) -> Callable[[], Tensor]:
    """ONNX Runtime's LSTM with the weights of ``peer``.

    It is given its inputs as it likes them best: (T, B, D), as a NumPy array.
    """
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    parameters = {name: value.detach() for name, value in peer.named_parameters()}

    def reordered(name: str) -> Tensor:  # ONNX has the gates in the order i, o, f, g
        i, f, g, o = parameters[name].chunk(4)
        return torch.cat([i, o, f, g]).unsqueeze(0)

    nodes, constants, last = [], [numpy_helper.from_array(torch.tensor([1]).numpy(), "axis")], "x"
    for k in range(peer.num_layers):
        bias = torch.cat([reordered(f"bias_ih_l{k}"), reordered(f"bias_hh_l{k}")], dim=1)
        tensors = {
            f"w{k}": reordered(f"weight_ih_l{k}"),
            f"r{k}": reordered(f"weight_hh_l{k}"),
            f"b{k}": bias,
        }
        constants += [numpy_helper.from_array(value.numpy(), name) for name, value in tensors.items()]
        nodes.append(helper.make_node("LSTM", [last, *tensors], [f"raw{k}"], hidden_size=peer.hidden_size))
        nodes.append(helper.make_node("Squeeze", [f"raw{k}", "axis"], [f"y{k}"]))
        last = f"y{k}"
    described = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [x.shape[1], x.shape[0], size])
        for name, size in (("x", peer.input_size), (last, peer.hidden_size))
    ]
    graph = helper.make_graph(nodes, "lstm", described[:1], described[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    steps_first = x.transpose(0, 1).contiguous().numpy()
    return lambda: torch.as_tensor(session.run(None, {"x": steps_first})[0]).transpose(0, 1)


def furthest(found: Tensor, wanted: Tensor) -> float:
    """The largest difference."""
    return float((found.float() - wanted).abs().max())

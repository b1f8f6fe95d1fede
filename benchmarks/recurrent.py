"""Recurrent layers at the size of Zaremba et al.'s medium model: the LSTM against its peers in prediction,
and cells that have no fused kernel against their own plain loop and against ``torch.nn.LSTM``.

All contestants run on two threads and get the float32 setting that ours runs with (``fast_float32``).
"""

import copy
from collections.abc import Callable

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.engine.precision import fast_float32
from anncestry.engine.prediction import bfloat16_is_faster, in_bfloat16, inference
from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.highway import HighwayStack
from anncestry.layers.recurrent.registry import make_cell
from anncestry.layers.recurrent.wirings import Stacked, Unrolled, stack, unroll_naive
from benchmarks.timing import interleave, table, threads

THREADS = 2
CPU = torch.device("cpu")
CELLS = tuple(
    f"lstm-{name}" for name in ("vanilla", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "np", "fgr")
)
Run = Callable[[], object]


def naive(model: Stacked, x: Tensor) -> tuple[Tensor, None]:
    """Every layer by its cell's ``step``, one after another."""
    for layer in model.layers:
        x, _ = unroll_naive(layer.cell, x, layer.initial_state(x.shape[0]))
    return x, None


def trained(model: nn.Module, forward: Callable, x: Tensor) -> Run:
    """Forward and backward."""

    def run() -> None:
        model.zero_grad()
        forward(x)[0].square().mean().backward()

    return run


def predicted(forward: Callable, x: Tensor) -> Run:
    """Forward without gradients."""

    def run() -> None:
        with torch.no_grad():
            forward(x)

    return run


def onnx_lstm(peer: nn.LSTM, batch: int, steps: int) -> Callable[[Tensor], object] | None:
    """ONNX Runtime's LSTM with the weights of ``peer``, or None where it is not installed.

    It is given its inputs as it likes them best: (T, B, D), as a NumPy array.
    """
    try:
        import onnx
        import onnxruntime
        from onnx import helper, numpy_helper
    except ImportError:
        return None
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
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [steps, batch, size])
        for name, size in (("x", peer.input_size), (last, peer.hidden_size))
    ]
    graph = helper.make_graph(nodes, "lstm", described[:1], described[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return lambda steps_first: session.run(None, {"x": steps_first.numpy()})


def predict_standard(x: Tensor, hidden_size: int, num_layers: int, rounds: int) -> str:
    """Our LSTM in prediction against ``torch.nn.LSTM`` and ONNX Runtime, in float32 and bfloat16."""
    peer = nn.LSTM(x.shape[2], hidden_size, num_layers, batch_first=True)
    ours = stack(lambda size: Unrolled(LSTMCell(size, hidden_size)), x.shape[2], num_layers)
    runtime = onnx_lstm(peer, x.shape[0], x.shape[1])
    notes, contestants = [], {}
    if runtime is None:
        notes.append("ONNX Runtime is not installed (`pip install 'anncestry[bench]'`).")
    else:
        steps_first = x.transpose(0, 1).contiguous()
        wanted = peer(x)[0].detach().transpose(0, 1)
        torch.testing.assert_close(torch.as_tensor(runtime(steps_first)[0]), wanted, rtol=1e-4, atol=1e-5)  # pyright: ignore[reportIndexIssue]
        contestants["ONNX Runtime, float32"] = lambda: runtime(steps_first)
    contestants["torch.nn.LSTM, float32"] = predicted(peer, x)
    contestants["anncestry, float32"] = predicted(ours, x)
    if bfloat16_is_faster():
        rounded, low = copy.deepcopy(peer).bfloat16(), x.bfloat16()
        contestants["torch.nn.LSTM, bfloat16"] = predicted(rounded, low)
        contestants["anncestry, bfloat16"] = predicted(in_bfloat16(ours), x)
    else:
        notes.append("bfloat16 is slower than float32 on this processor, so `in_bfloat16` leaves it alone.")
    with inference(CPU):
        results = interleave(contestants, rounds)
    return table(
        f"LSTM {_size(x, hidden_size, num_layers)}, prediction batch by batch", results, " ".join(notes)
    )


def custom(name: str, x: Tensor, hidden_size: int, num_layers: int, rounds: int) -> str:
    """One cell without a fused kernel, in training and in prediction; the plain loop is the first."""
    peer = nn.LSTM(x.shape[2], hidden_size, num_layers, batch_first=True)
    if name == "highway-lstm":  # a stack of its own: each layer reads the memory of the one below
        ours: Stacked = HighwayStack(x.shape[2], hidden_size, num_layers)
    else:
        ours = stack(lambda size: Unrolled(make_cell(name, size, hidden_size)), x.shape[2], num_layers)
    forwards = {
        "its plain loop": (ours, lambda x: naive(ours, x)),
        "anncestry": (ours, ours),
        "torch.nn.LSTM": (peer, peer),
    }
    title = f"{name} {_size(x, hidden_size, num_layers)}"
    with fast_float32(CPU):
        train = interleave({key: trained(*of, x) for key, of in forwards.items()}, rounds)
    with inference(CPU):
        predict = interleave({key: predicted(of[1], x) for key, of in forwards.items()}, rounds)
    return "\n".join([table(f"{title}, forward and backward", train), table(f"{title}, prediction", predict)])


def _size(x: Tensor, hidden_size: int, num_layers: int) -> str:
    return f"{num_layers} x {hidden_size}, batch {x.shape[0]}, T = {x.shape[1]}"


def main(quick: bool = False) -> str:
    """All tables."""
    rounds = 3 if quick else 15
    medium, small = torch.randn(20, 35, 650), torch.randn(32, 64, 128)
    with threads(THREADS):
        tables = [predict_standard(medium, 650, 2, 2 * rounds)]
        tables += [custom(name, medium, 650, 2, rounds) for name in (*CELLS, "residual-lstm", "highway-lstm")]
        tables += [custom(name, small, 128, 1, rounds) for name in ("lstm-vanilla", "lstm-fgr")]
    return "\n".join(tables)


if __name__ == "__main__":
    print(main())

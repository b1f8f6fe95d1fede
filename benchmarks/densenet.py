"""DenseNet against its peers: DenseNet-121 predicting on 224 x 224, DenseNet-BC 100-12 training on 32 x 32.

The peer is torchvision's definition as its users run it: layer by layer with a concatenation in front of each
layer, float32, maps with the channels first; the same weights (`DenseBlock.plain` computes what torchvision's
layers do, operation for operation). Its tuned form has the channels last, in bfloat16. ONNX Runtime gets the
exported graph of the same net. Outputs are compared before anything is timed.
"""

import copy
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.engine.layout import lay_out
from anncestry.engine.memory import keep_freed_memory
from anncestry.engine.precision import fast_float32
from anncestry.engine.prediction import Prediction, bfloat16_is_faster, in_bfloat16
from anncestry.engine.workers import shared_out
from anncestry.models.create import create
from anncestry.models.densenet import DenseBlock, DenseNet
from benchmarks.timing import interleave, table, threads

THREADS = 2
CPU = torch.device("cpu")
Run = Callable[[], object]


def layer_by_layer(model: DenseNet) -> nn.Module:
    """A copy that computes as torchvision's definition does."""
    peer = copy.deepcopy(model).to(memory_format=torch.contiguous_format)  # pyright: ignore
    for module in peer.modules():
        if isinstance(module, DenseBlock):
            module.forward = module.plain  # pyright: ignore[reportAttributeAccessIssue]
    return peer


def seasoned(name: str, **fields) -> DenseNet:
    """A net whose normalisations have seen something."""
    torch.manual_seed(0)
    model = create(name, **fields)
    assert isinstance(model, DenseNet)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # pyright: ignore[reportArgumentType]
    return model


def onnx_runtime(model: nn.Module, x: Tensor) -> Run | None:
    """ONNX Runtime with the net's exported graph, or None where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(copy.deepcopy(model), (x,), path, dynamo=True, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    name, image = session.get_inputs()[0].name, x.numpy()
    return lambda: session.run(None, {name: image})[0]


def predict(batch: int, rounds: int) -> str:
    """DenseNet-121 with fixed statistics."""
    ours = seasoned("densenet-121").eval()
    peer, x = layer_by_layer(ours), torch.randn(batch, 3, 224, 224)
    last, last_x = (
        copy.deepcopy(part).to(memory_format=torch.channels_last)  # pyright: ignore[reportArgumentType]
        for part in (peer, x)
    )
    contestants: dict[str, Run] = {"layer by layer, float32": lambda: peer(x)}
    contestants["layer by layer, float32, channels last"] = lambda: last(last_x)
    runtime = onnx_runtime(peer, x)
    if runtime is not None:
        contestants["ONNX Runtime, float32"] = runtime
    lay_out(ours)
    contestants["anncestry, float32"] = within_inference(ours, x)
    if bfloat16_is_faster():

        def autocast() -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return last(last_x)

        contestants["layer by layer, bfloat16 autocast, channels last"] = autocast
        contestants["anncestry, bfloat16"] = within_inference(in_bfloat16(ours), x)
    with torch.no_grad():
        wanted = peer(x)
        for name, run in contestants.items():
            error = (torch.as_tensor(run()).float() - wanted).abs().max() / wanted.abs().max()
            assert error < (0.05 if "bfloat16" in name else 1e-4), (name, error)
        results = interleave(contestants, rounds)
    return table(f"DenseNet-121, prediction at 224 x 224, batch {batch}", results)


def within_inference(model: nn.Module, x: Tensor) -> Run:
    """Predictions one after the other, as a run makes them: what is folded once stays folded."""
    prediction = Prediction()

    def run() -> Tensor:
        with prediction.scope(CPU):
            return shared_out(lambda rows: model(x[rows]), x, prediction)

    return run


def train(rounds: int) -> str:
    """One step of DenseNet-BC 100-12: forward, backward and SGD."""
    ours = seasoned("densenet-bc-100-12")
    peer = layer_by_layer(ours)
    last = copy.deepcopy(peer).to(memory_format=torch.channels_last)  # pyright: ignore[reportArgumentType]
    x, y = torch.randn(64, 3, 32, 32), torch.randint(10, (64,))
    contestants = {
        "layer by layer, float32": step(peer, x, y),
        "layer by layer, float32, channels last": step(last, x, y),
        "anncestry, float32": step(lay_out(copy.deepcopy(ours)), x, y, ours=True),
    }
    if bfloat16_is_faster():
        low = step(copy.deepcopy(last), x, y, bfloat16=True)
        contestants["layer by layer, bfloat16 autocast, channels last"] = low
        model = lay_out(copy.deepcopy(ours))
        contestants["anncestry, bfloat16 autocast"] = step(model, x, y, ours=True, bfloat16=True)
    return table("DenseNet-BC 100-12, a training step at 32 x 32, batch 64", interleave(contestants, rounds))


def step(model: nn.Module, x: Tensor, y: Tensor, ours: bool = False, bfloat16: bool = False) -> Run:
    """A training step; ours takes float32 products as `fast_float32` sets them, and the fused optimizer."""
    model.train()
    settings = {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}
    optimizer = torch.optim.SGD(model.parameters(), fused=ours, **settings)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def fast() -> None:
        with fast_float32(CPU):
            run()

    return fast if ours else run


PEAK = ("layer by layer", "recomputed layer by layer", "anncestry", "anncestry, bfloat16 autocast")


def peak_megabytes(contestant: str) -> float:
    """Largest resident memory of a fresh process that takes two training steps, less what it had before."""
    command = [sys.executable, "-m", "benchmarks.densenet", contestant]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _peak_here(contestant: str) -> float:
    torch.set_num_threads(THREADS)
    model = seasoned("densenet-bc-100-12", recompute=contestant.startswith("recomputed"))
    ours = contestant.startswith("anncestry")
    model = lay_out(model) if ours else layer_by_layer(model)
    x, y = torch.randn(64, 3, 32, 32), torch.randint(10, (64,))
    before = _largest_so_far()
    run = step(model, x, y, ours, bfloat16=contestant.endswith("autocast"))
    for _ in range(2):
        run()
    return (_largest_so_far() - before) / 1024


def _largest_so_far() -> int:
    """KB that this process has held at most: Linux's own count, which does not take over the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def memory() -> str:
    """Peak memory of training, each in a process of its own."""
    lines = ["### DenseNet-BC 100-12, peak memory of a training step, batch 64", ""]
    lines += ["| contestant | MB | of the first |", "| --- | --- | --- |"]
    found = {name: peak_megabytes(name) for name in PEAK}
    for name, megabytes in found.items():
        lines.append(f"| {name} | {megabytes:,.0f} | {megabytes / found[PEAK[0]]:.2f} |")
    return "\n".join(lines) + "\n"


def matrix_peak() -> str:
    """What this processor's matrix products reach, best of ten: what the tables can be held against."""
    rates = []
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(1024, 1024).to(dtype) for _ in range(2))
        with fast_float32(CPU):
            seconds = min(timeit.repeat(lambda a=a, b=b: a @ b, number=1, repeat=10))
        rates.append(f"{2 * 1024**3 / seconds / 1e9:.0f} GFLOP/s in {str(dtype).removeprefix('torch.')}")
    return f"Products of 1024 x 1024 matrices run at {' and '.join(rates)} on {THREADS} threads.\n"


def main(quick: bool = False) -> str:
    """All tables."""
    keep_freed_memory()  # for every contestant
    rounds = 3 if quick else 11
    with threads(THREADS):
        tables = [matrix_peak(), predict(1, 2 * rounds), predict(8, rounds), train(max(3, rounds // 2))]
    return "\n".join([*tables, memory()])


if __name__ == "__main__":
    print(_peak_here(sys.argv[1]) if len(sys.argv) > 1 else main())

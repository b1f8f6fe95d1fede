"""DenseNet against its peers: DenseNet-121 predicting on 224 x 224, DenseNet-BC 100-12 training on 32 x 32.

The peer is torchvision's definition as its users run it: layer by layer with a concatenation in front of each
layer, float32, maps with the channels first; the same weights (`DenseBlock.plain` computes what torchvision's
layers do, operation for operation). Its tuned form has the channels last, and runs in bfloat16 too. ONNX
Runtime gets the exported graph of the same net.
"""

import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anncestry.arrays import Tensor
from anncestry.bench.contest import Agreement, Contest, Contestant
from anncestry.bench.peers import look_around
from anncestry.engine.layout import lay_out
from anncestry.engine.precision import fast_float32
from anncestry.engine.prediction import Prediction, in_bfloat16
from anncestry.engine.workers import shared_out
from anncestry.models.create import create
from anncestry.models.densenet import DenseBlock, DenseNet

CPU = torch.device("cpu")
PEER = "torchvision's definition"
SMALL = {"blocks": (2, 2), "growth_rate": 4}  # for tests
Run = Callable[[], object]


@contextmanager
def predicting(batch: int, tiny: bool = False) -> Iterator[Contest]:
    """DenseNet-121 with fixed statistics on so many images."""
    around = look_around("onnxruntime", "onnxscript", precisions=("32", "bf16"))
    ours = (seasoned("densenet-bc-100-12", **SMALL) if tiny else seasoned("densenet-121")).eval()
    peer, x = layer_by_layer(ours), torch.randn(batch, 3, *((32, 32) if tiny else (224, 224)))
    last, last_x = channels_last(peer), x.to(memory_format=torch.channels_last)
    found = [
        Contestant(f"{PEER}, float32", without_gradients(peer, x)),
        Contestant(f"{PEER}, float32, channels last", without_gradients(last, last_x)),
    ]
    if {"onnxruntime", "onnxscript"} <= around.there:
        found.append(Contestant("ONNX Runtime float32", onnx_runtime(peer, x)))
    lay_out(ours)
    found.append(Contestant("anncestry float32", within_inference(ours, x), ours=True))
    if "bf16" in around.precisions:
        low = without_gradients(last, last_x, autocast=True)
        found.append(Contestant(f"{PEER}, bfloat16 autocast, channels last", low, "bfloat16"))
        rounded = within_inference(in_bfloat16(ours), x)
        found.append(Contestant("anncestry bfloat16", rounded, "bfloat16", True))
    agreement = Agreement("largest difference", furthest, ".1e")
    note = "Weights are random; a difference is a share of the largest output."
    yield Contest(found, batch, "images", agreement, around.unmeasured, note, warm_up=2)


@contextmanager
def training(tiny: bool = False) -> Iterator[Contest]:
    """One step of DenseNet-BC 100-12: forward, backward and SGD."""
    around = look_around(precisions=("bf16",))
    ours = seasoned("densenet-bc-100-12", **(SMALL if tiny else {}))
    count = 4 if tiny else 64
    peer, last = layer_by_layer(ours), channels_last(layer_by_layer(ours))
    x, y = torch.randn(count, 3, 32, 32), torch.randint(10, (count,))
    found = [
        Contestant(f"{PEER}, float32", step(peer, x, y)),
        Contestant(f"{PEER}, float32, channels last", step(last, x, y)),
        Contestant("anncestry float32", step(lay_out(copy.deepcopy(ours)), x, y, ours=True), ours=True),
    ]
    if around.precisions:
        low = step(copy.deepcopy(last), x, y, bfloat16=True)
        found.append(Contestant(f"{PEER}, bfloat16 autocast, channels last", low, "bfloat16"))
        model = lay_out(copy.deepcopy(ours))
        run = step(model, x, y, ours=True, bfloat16=True)
        found.append(Contestant("anncestry bfloat16", run, "bfloat16", True))
    yield Contest(found, count, "images", None, around.unmeasured, f"Batch {count} of 32 x 32, SGD.")


CONTESTS = {
    "densenet-121-one": partial(predicting, 1),
    "densenet-121-eight": partial(predicting, 8),
    "densenet-bc-step": training,
}
NEEDS: tuple[str, ...] = ()


def layer_by_layer(model: DenseNet) -> nn.Module:
    """A copy that computes as torchvision's definition does."""
    peer = copy.deepcopy(model).to(memory_format=torch.contiguous_format)  # pyright: ignore
    for module in peer.modules():
        if isinstance(module, DenseBlock):
            module.forward = module.plain  # pyright: ignore[reportAttributeAccessIssue]
    return peer


def channels_last(model: nn.Module) -> nn.Module:
    """A copy in that layout."""
    return copy.deepcopy(model).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def seasoned(name: str, **fields: Any) -> DenseNet:
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


def onnx_runtime(model: nn.Module, x: Tensor) -> Run:
    """ONNX Runtime with the net's exported graph."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(copy.deepcopy(model), (x,), path, dynamo=True, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    name, image = session.get_inputs()[0].name, x.numpy()
    return lambda: session.run(None, {name: image})[0]


def without_gradients(model: nn.Module, x: Tensor, autocast: bool = False) -> Run:
    """A prediction as people write it."""

    def run() -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return model(x)

    return run


def within_inference(model: nn.Module, x: Tensor) -> Run:
    """Predictions one after the other, as a run makes them: what is folded once stays folded."""
    prediction = Prediction()

    def run() -> Tensor:
        with prediction.scope(CPU):
            return shared_out(lambda rows: model(x[rows]), x, prediction)

    return run


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


def furthest(found: Any, wanted: Tensor) -> float:
    """The largest difference, as a share of the largest output."""
    difference = torch.as_tensor(found).float() - wanted
    return float(difference.abs().max() / wanted.abs().max())

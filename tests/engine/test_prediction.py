"""Running a trained model: packed weights that notice changes, bfloat16 that looks like float32 outside."""

import pytest
import torch
from torch import nn

from anncestry.decoding import Search
from anncestry.engine import packed, packed_lstm, prediction, workers
from anncestry.engine.int8 import int8_kind
from anncestry.engine.native.lstm import NativeLSTM
from anncestry.engine.packed_lstm import PackedLSTM, lstm_packing_works
from anncestry.engine.prediction import Prediction, in_bfloat16, inference
from anncestry.engine.weight_cache import caching_weights, is_caching_weights
from anncestry.engine.workers import shared_out, side_by_side
from anncestry.inference.generation import generate
from anncestry.layers.recurrent.cells import LSTMCell
from anncestry.layers.recurrent.wirings import Unrolled, stack, unroll_naive
from anncestry.models.create import create
from anncestry.protocols import flatten_state
from anncestry.signature import Signature

B, T, H = 3, 5, 16
CPU = torch.device("cpu")
needs_packing = pytest.mark.skipif(not lstm_packing_works(), reason="this PyTorch packs no LSTM weights")


@pytest.fixture(params=["native", "PyTorch's"])
def layer(request, monkeypatch):
    """A layer whose weights are large enough, and whose calls of the packed kernel are counted."""
    kind = NativeLSTM if request.param == "native" else PackedLSTM
    if kind is NativeLSTM and not kind.works():
        pytest.skip("no native kernels here")
    monkeypatch.setattr(NativeLSTM, "works", lambda: kind is NativeLSTM)
    monkeypatch.setattr(packed_lstm, "SMALLEST", 1)
    torch.manual_seed(0)
    layer = Unrolled(LSTMCell(H, H))
    layer.packed_calls = 0  # pyright: ignore
    layer.any_shape = kind is NativeLSTM  # pyright: ignore
    call = kind.__call__

    def counted(self, *inputs):
        layer.packed_calls += 1  # pyright: ignore
        return call(self, *inputs)

    monkeypatch.setattr(kind, "__call__", counted)
    return layer


def equals_the_definition(layer, x, state):
    found, wanted = layer(x, state), unroll_naive(layer.cell, x, state)
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-5, atol=1e-6)
    for a, b in zip(flatten_state(found[1]), flatten_state(wanted[1]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@needs_packing
def test_from_the_second_use_on_the_cached_layout_gives_the_same(layer):
    states = [layer.initial_state(B), type(layer.initial_state(B))(torch.randn(B, H), torch.randn(B, H))]
    with inference(CPU):
        for state in states * 2:
            equals_the_definition(layer, torch.randn(B, T, H), state)
    assert layer.packed_calls == 3


@needs_packing
def test_another_shape_gets_another_layout(layer):
    with inference(CPU):
        for steps in (T, T, 9, 9, T):
            equals_the_definition(layer, torch.randn(B, steps, H), layer.initial_state(B))
    assert layer.packed_calls == (4 if layer.any_shape else 2)


@needs_packing
def test_changed_weights_are_noticed(layer):
    other = Unrolled(LSTMCell(H, H)).state_dict()
    x, state = torch.randn(B, T, H), layer.initial_state(B)
    with inference(CPU):
        for _ in range(2):
            equals_the_definition(layer, x, state)
        layer.load_state_dict(other)
        for _ in range(2):
            equals_the_definition(layer, x, state)
    assert layer.packed_calls == 2


def test_nothing_is_cached_with_gradients_or_outside(layer):
    x, state = torch.randn(B, T, H), layer.initial_state(B)
    with caching_weights():
        for _ in range(3):
            layer(x, state)[0].sum().backward()
    with torch.no_grad():
        for _ in range(3):
            layer(x, state)
    assert layer.packed_calls == 0
    assert not is_caching_weights()


def test_lengths_and_other_types_take_the_plain_way(layer):
    with inference(CPU):
        for _ in range(2):
            layer(torch.randn(B, T, H), None, torch.tensor([T, 2, 1]))
        double = Unrolled(LSTMCell(H, H)).double()
        for _ in range(2):
            double(torch.randn(B, T, H, dtype=torch.float64))
    assert layer.packed_calls == 0


def test_weights_made_in_inference_mode_have_no_version(layer):
    with torch.inference_mode():
        layer = Unrolled(LSTMCell(H, H))
        with inference(CPU):
            for _ in range(2):
                equals_the_definition(layer, torch.randn(B, T, H), layer.initial_state(B))


def test_inference_puts_everything_back():
    precision = torch.get_float32_matmul_precision()
    with inference(CPU):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert torch.get_float32_matmul_precision() == precision
    assert not is_caching_weights()


def test_bfloat16_is_a_copy_that_speaks_float32():
    torch.manual_seed(0)
    model = stack(lambda size: Unrolled(LSTMCell(size, H)), H, 2)
    x = torch.randn(B, T, H)
    rounded = in_bfloat16(model, always=True)
    y, state = rounded(x)
    again, _ = rounded(x, state)
    wanted, after = model(x)
    assert y.dtype == torch.float32
    assert {part.dtype for part in flatten_state(state)} == {torch.bfloat16}
    torch.testing.assert_close(y, wanted, rtol=0, atol=0.02)
    torch.testing.assert_close(again, model(x, after)[0], rtol=0, atol=0.02)
    assert not torch.equal(y, wanted)
    assert next(model.parameters()).dtype == torch.float32


def test_bfloat16_takes_tokens_and_models_without_a_state():
    model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 3))
    tokens = torch.tensor([[0, 6, 3]])
    y = in_bfloat16(model, always=True)(tokens)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, model(tokens), rtol=0, atol=0.05)


@pytest.mark.parametrize("faster", [True, False])
def test_the_measurement_decides(monkeypatch, faster):
    monkeypatch.setattr(prediction, "bfloat16_is_faster", lambda: faster)
    model = nn.Linear(2, 2)
    assert (in_bfloat16(model) is not model) == faster


@pytest.mark.parametrize("name", ["resnet", "densenet", "vgg"])
def test_image_nets_in_bfloat16_are_near_themselves_folded_or_not(name):
    torch.manual_seed(0)
    signature = Signature("classification", "image", (3, 16, 16), 4)
    model = create(name, signature=signature, **({"batch_norm": True} if name == "vgg" else {}))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)  # pyright: ignore[reportArgumentType]
    x = torch.randn(3, 3, 16, 16)
    low = in_bfloat16(model.eval(), always=True)
    with torch.no_grad():
        wanted, plain = model(x), low(x)
    with inference(CPU):
        folded = low(x)
    for found in (plain, folded):
        assert found.dtype == torch.float32
        assert (found - wanted).norm() < 0.05 * wanted.norm()


@pytest.mark.parametrize("precision", ["bf16", "int8"])
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_a_transformer_generates_nearly_the_same_in_fewer_bits(precision, norm, monkeypatch):
    if precision == "int8" and int8_kind() is None:
        pytest.skip("this PyTorch or processor has no products of 8-bit integers")
    monkeypatch.setattr(packed, "SMALLEST", 1)
    torch.manual_seed(1)
    model = create(
        "transformer", input_size=40, output_size=40, hidden_size=64, num_layers=2, norm=norm, dropout=0.0
    ).eval()
    source, lengths = torch.randint(4, 40, (24, 9)), torch.randint(3, 10, (24,))
    search, prediction = Search(beam=3, max_length=7, min_length=7), Prediction(precision)
    exact = generate(model, source, lengths, search)
    found = generate(prediction.prepared(model), source, lengths, search, prediction=prediction)
    gaps = [abs(a[0].log_prob - b[0].log_prob) for a, b in zip(exact, found, strict=True)]
    assert 0 < sum(gaps) / len(gaps) < 0.15
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}


def test_batches_side_by_side_are_one_after_the_other():
    model = create("transformer", input_size=40, output_size=40, hidden_size=32, num_layers=1).eval()
    source, lengths = torch.randint(4, 40, (40, 9)), torch.randint(3, 10, (40,))
    search, found = Search(beam=2, max_length=6), []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(generate(model, source, lengths, search))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert [best[0].tokens for best in other] == [best[0].tokens for best in found[0]]


def test_an_error_in_a_worker_is_raised():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError):
            side_by_side(lambda job: 1 // job, [1, 0, 1, 1], Prediction(), torch.device("cpu"))
        found = side_by_side(lambda job: torch.is_grad_enabled(), [1, 2], Prediction(), torch.device("cpu"))
        assert found == [False, False]
    finally:
        torch.set_num_threads(before)


def test_rows_are_shared_out_over_the_cores(monkeypatch):
    monkeypatch.setattr(workers, "LARGE", 1)
    before, seen = torch.get_num_threads(), []
    x = torch.arange(14.0).view(7, 2)
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found = shared_out(lambda rows: seen.append(rows) or x[rows] * 2, x, Prediction())
            assert torch.equal(found, x * 2)
    finally:
        torch.set_num_threads(before)
    assert seen[0] == slice(None)
    assert sorted((rows.start, rows.stop) for rows in seen[1:]) == [(0, 2), (2, 4), (4, 7)]

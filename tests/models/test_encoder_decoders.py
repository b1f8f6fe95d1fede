"""Encoder-decoders against their papers' equations in NumPy, and every fast path against step by step."""

import dataclasses

import numpy as np
import pytest
import torch

from anncestry.errors import UserError
from anncestry.layers.seq2seq.encoder_decoder import back_to_front, shifted
from anncestry.models.create import configure, create
from anncestry.protocols import IGNORED, flatten_state, reorder_state
from anncestry.signature import BEGIN, END, PAD, Signature

TRANSLATION = Signature("translation", "tokens", (6,), 11, 13, target_len=5)
CAPTIONING = Signature("captioning", "image", (2, 9, 8), 11, target_len=5)
LENGTHS = torch.tensor([6, 2, 4])
LUONG = {
    "dot": {"score": "dot"},
    "location": {"score": "location"},
    "concat without feeding": {"score": "concat", "input_feeding": False},
    "general without feeding": {"input_feeding": False},
    "local-m": {"window": "local-m", "reach": 1},
    "local-p": {"window": "local-p", "reach": 2},
    "local-p without feeding": {"window": "local-p", "reach": 2, "input_feeding": False},
    "nmt": {
        "bidirectional": True, "reverse_source": False, "scaled": True, "attention_activation": "identity",
        "output_bias": False,
    },
    "normed": {"score": "additive", "scaled": True, "num_layers": 3},
}  # fmt: skip
MODELS = {
    "rnn-encoder-decoder": ("rnn-encoder-decoder", {"output_rank": 3}),
    "seq2seq": ("seq2seq", {}),
    "seq2seq shared": ("seq2seq", {"share_weights": True, "reverse_source": False}),
    "rnnsearch": ("rnnsearch", {"output_rank": 3, "align_size": 5}),
    **{f"luong {name}": ("luong-attention", values) for name, values in LUONG.items()},
    "gnmt": ("gnmt", {"num_layers": 4}),
    "gnmt v2": ("gnmt", {"num_layers": 4, "new_context": True, "normed": True}),
    "transformer": ("transformer", {"dropout": 0.0}),
    "transformer pre": (
        "transformer",
        {
            "dropout": 0.0,
            "norm": "pre",
            "positions": "learned",
            "tie": "none",
            "attention_bias": True,
            "output_bias": True,
            "head_size": 3,
            "decoder_layers": 3,
            "activation": "gelu",
            "inner_size": 5,
        },
    ),
    "show-and-tell": ("show-and-tell", {"num_layers": 2}),
    "show-attend-and-tell": ("show-attend-and-tell", {"align_size": 5}),
}
EACH = pytest.mark.parametrize("name", MODELS)


def signature_of(name):
    return CAPTIONING if name.startswith("show") else TRANSLATION


def example(name, **overrides):
    """A model in double precision, with inputs, targets and lengths."""
    architecture, values = MODELS[name]
    signature = signature_of(name)
    model = create(architecture, signature=signature, width=8, **{**values, **overrides}).double()
    source, targets = signature.example(3)
    if signature is CAPTIONING:
        return model, source.double(), targets, None
    return model, source, targets, LENGTHS


@EACH
def test_all_steps_at_once_are_one_step_after_the_other(name):
    model, source, targets, lengths = example(name)
    tokens, weights = shifted(targets), torch.linspace(-1, 1, 3 * 5 * 11).double().view(3, 5, 11)
    found = []
    for forced in (model.teacher_force, model.teacher_force_by_step):
        scores = forced(tokens, model.encode(source, lengths))
        parameters = list(model.parameters())
        found.append([scores, *torch.autograd.grad((scores.sin() * weights).sum(), parameters)])
    assert found[0][0].shape == (3, 5, 11)
    for got, expected in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-11, rtol=1e-10)
    with torch.no_grad():
        torch.testing.assert_close(model(source, targets, lengths), found[0][0])


@EACH
def test_hypotheses_side_by_side_change_places(name):
    model, source, targets, lengths = example(name)
    with torch.no_grad():
        state = model.encode(source, lengths)
        _, state = model.step(torch.full((3,), BEGIN), state)
        left = torch.tensor([0, 2])  # the second source has left
        rows = torch.tensor([2, 2, 0, 0])
        many = reorder_state(state, torch.tensor([0, 0, 2, 2]), left)
        scores, _ = model.step(torch.tensor([4, 5, 6, 7]), many)
        for row, (source_row, token) in enumerate(zip([0, 0, 2, 2], [4, 5, 6, 7], strict=True)):
            one = torch.tensor([source_row])
            alone, _ = model.step(torch.tensor([token]), reorder_state(state, one, one))
            torch.testing.assert_close(scores[row], alone[0])
        swapped, _ = model.step(torch.tensor([6, 7, 4, 5]), reorder_state(many, rows, torch.tensor([1, 0])))
        assert swapped.shape == (4, 11)
        torch.testing.assert_close(swapped[0], scores[2])
    assert targets.shape == (3, 5)


@EACH
def test_the_alignment_is_over_the_places_of_the_source(name):
    model, source, _, lengths = example(name)
    with torch.no_grad():
        state = model.encode(source, lengths)
        for token in (BEGIN, 5):  # GNMT writes the first word unseen
            _, state = model.step(torch.full((3,), token), state)
        weights = model.alignment(state)
    if name.startswith(("rnn-encoder", "seq2seq", "show-and")):
        assert weights is None
        return
    assert weights.shape == (3, 6 if lengths is not None else weights.shape[1])
    assert (weights >= 0).all()
    if "local-p" not in name:
        torch.testing.assert_close(weights.sum(1), torch.ones(3).double())
    if lengths is not None:
        assert weights[1, 2:].eq(0).all()
    assert all(part.shape[0] == 3 for part in flatten_state(state))


def test_what_a_decoder_reads():
    targets = torch.tensor([[7, 5, END], [8, END, IGNORED], [END, IGNORED, IGNORED]])
    assert shifted(targets).tolist() == [[BEGIN, 7, 5], [BEGIN, 8, END], [BEGIN, END, PAD]]
    assert back_to_front(torch.tensor([[4, 5, 6], [7, 8, PAD]]), torch.tensor([3, 2])).tolist() == [
        [6, 5, 4], [8, 7, PAD],
    ]  # fmt: skip


# ---- the papers' equations ------------------------------------------------------------------------------


def array(tensor):
    return tensor.detach().numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def gru(cell, x, h):
    """Equations 5 to 8 of Cho et al., the reset before the product."""
    W, U, b = array(cell.weight_ih), array(cell.weight_hh), array(cell.bias)
    H = len(h)
    r = sigmoid(W[:H] @ x + U[:H] @ h + b[:H])
    z = sigmoid(W[H : 2 * H] @ x + U[H : 2 * H] @ h + b[H : 2 * H])
    n = np.tanh(W[2 * H :] @ x + U[2 * H :] @ (r * h) + b[2 * H :])
    return z * h + (1 - z) * n


def lstm(cell, x, h, c):
    sums = array(cell.weight_ih) @ x + array(cell.weight_hh) @ h + array(cell.bias)
    i, f, g, o = np.split(sums, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def layers(stacked, x, states):
    """One step of stacked LSTM layers; ``states`` is a list of (h, c)."""
    after = []
    for layer, (h, c) in zip(stacked.layers, states, strict=True):
        x, c = lstm(layer.cell, x, h, c)
        after.append((x, c))
    return x, after


def linear(layer, x):
    y = array(layer.weight) @ x
    return y if layer.bias is None else y + array(layer.bias)


def maxout_scores(readout, s, e, c):
    t = linear(readout.of_state, s) + linear(readout.of_word, e) + linear(readout.of_context, c)
    features = t.reshape(-1, 2).max(1)
    return linear(readout.scores, features if readout.factor is None else linear(readout.factor, features))


def words(table, tokens):
    return [array(table.weight)[token] for token in tokens]


def cho(model, source, tokens):
    H = model.config.hidden_size
    h = np.zeros(H)
    for e in words(model.source_embedding, source):
        h = gru(model.encoder.cell, e, h)
    c = np.tanh(linear(model.context, h))
    s, scores = np.tanh(linear(model.start_state, c)), []
    for e in words(model.embedding, tokens):
        s = gru(model.cell, np.concatenate([e, c]), s)
        scores.append(maxout_scores(model.readout, s, e, c))
    return scores


def bahdanau(model, source, tokens):
    H, embedded = model.config.hidden_size, words(model.source_embedding, source)
    directions = []
    for half, order in ((model.encoder.ahead, embedded), (model.encoder.back, embedded[::-1])):
        h, outputs = np.zeros(H), []
        for e in order:
            h = gru(half.cell, e, h)
            outputs.append(h)
        directions.append(outputs)
    back = directions[1][::-1]
    annotations = [np.concatenate(pair) for pair in zip(directions[0], back, strict=True)]
    s, scores = np.tanh(linear(model.start_state, back[0])), []
    v, score = array(model.score.v), model.score
    for e in words(model.embedding, tokens):
        energies = [v @ np.tanh(linear(score.query, s) + linear(score.annotation, a)) for a in annotations]
        c = softmax(np.array(energies)) @ np.array(annotations)
        scores.append(maxout_scores(model.readout, s, e, c))
        s = gru(model.cell, np.concatenate([e, c]), s)
    return scores


def sutskever(model, source, tokens):
    H, L = model.config.hidden_size, model.config.num_layers
    states = [(np.zeros(H), np.zeros(H))] * L
    if model.config.reverse_source:
        source = source[::-1]
    for e in words(model.source_embedding, source):
        _, states = layers(model.encoder, e, states)
    scores = []
    for e in words(model.embedding, tokens):
        h, states = layers(model.decoder_layers, e, states)
        scores.append(linear(model.readout, h))
    return scores


def luong(model, source, tokens):
    """Global attention with dot scores and input feeding."""
    H, L = model.config.hidden_size, model.config.num_layers
    states, annotations = [(np.zeros(H), np.zeros(H))] * L, []
    for e in words(model.source_embedding, source[::-1]):
        h, states = layers(model.encoder, e, states)
        annotations.insert(0, h)
    attended, scores = np.zeros(H), []
    W_c = np.concatenate([array(model.of_context.weight), array(model.of_state.weight)], axis=1)
    for e in words(model.embedding, tokens):
        h, states = layers(model.decoder, np.concatenate([e, attended]), states)
        c = softmax(np.array([h @ a for a in annotations])) @ np.array(annotations)
        attended = np.tanh(W_c @ np.concatenate([c, h]))
        scores.append(linear(model.readout, attended))
    return scores


def wu(model, source, tokens):
    """Every layer written out: where it starts, what it reads, and whether it has a shortcut."""
    H, L, new = model.config.hidden_size, model.config.num_layers, model.config.new_context
    x, nothing = words(model.source_embedding, source), (np.zeros(H), np.zeros(H))

    def read(cell, x):
        (h, c), outputs = nothing, []
        for x_t in x:
            h, c = lstm(cell, x_t, h, c)
            outputs.append(h)
        return outputs, (h, c)

    ahead, _ = read(model.both_ways.ahead.cell, x)
    back, last = read(model.both_ways.back.cell, x[::-1])
    states = [last]
    x = [np.concatenate(pair) for pair in zip(ahead, back[::-1], strict=True)]
    for depth in range(1, L):
        layer = model.encoder.layers[depth - 1]
        y, last = read(layer.cell if depth == 1 else layer.wiring.cell, x)
        x = y if depth == 1 else [above + below for above, below in zip(y, x, strict=True)]
        states.append(last)
    annotations, v = x, array(model.score.v)
    if model.config.normed:
        v = array(model.score.length) * v / np.sqrt(v @ v)
    context, scores = np.zeros(H), []
    for e in words(model.embedding, tokens):
        before = context
        h, c = lstm(model.bottom, np.concatenate([e, before]), *states[0])
        hidden = [linear(model.score.query, h) + linear(model.score.annotation, a) for a in annotations]
        context = softmax(np.array([v @ np.tanh(z) for z in hidden])) @ np.array(annotations)
        after = [(h, c)]
        for depth in range(1, L):
            read_too = np.concatenate([h, context if new else before])
            y, c = lstm(model.above[depth - 1].cell, read_too, *states[depth])
            after.append((y, c))
            h = y if depth == 1 else y + h
        states = after
        scores.append(linear(model.readout, h))
    return scores


def layer_norm(norm, x):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + norm.eps)
    return array(norm.weight) * scaled + array(norm.bias)


def vaswani(model, source, tokens):
    """Post-norm, sinusoids, no biases in the attention: head by head and query by query."""
    config = model.config
    d, h = config.hidden_size, config.num_heads
    k = config.head_size or d // h

    def embed(table, tokens):
        x = np.sqrt(d) * np.array(words(table, tokens))
        for p in range(len(tokens)):
            for i in range(d // 2):
                x[p, 2 * i] += np.float32(np.sin(p / 10000 ** (2 * i / d)))
                x[p, 2 * i + 1] += np.float32(np.cos(p / 10000 ** (2 * i / d)))
        return x

    def attention(W_q, W_k, W_v, out, x, y, causal=False):
        rows = []
        for t, query in enumerate(x):
            seen = y[: t + 1] if causal else y
            heads = []
            for j in range(0, h * k, k):
                q = W_q[j : j + k] @ query
                scores = np.array([q @ (W_k[j : j + k] @ key) for key in seen]) / np.sqrt(k)
                heads.append(softmax(scores) @ np.array([W_v[j : j + k] @ value for value in seen]))
            rows.append(linear(out, np.concatenate(heads)))
        return np.array(rows)

    def own(block, x, causal=False):
        W_q, W_k, W_v = np.split(array(block.attention.qkv.weight), 3)
        seen = attention(W_q, W_k, W_v, block.attention.out, x, x, causal)
        return layer_norm(block.around_attention.norm, x + seen)

    def last(block, x):
        net = block.feed_forward
        y = np.array([linear(net.out, np.maximum(0, linear(net.inner, row))) for row in x])
        return layer_norm(block.around_feed_forward.norm, x + y)

    memory = embed(model.source_embedding, source)
    for block in model.encoder:
        memory = last(block, own(block, memory))
    x = embed(model.embedding, tokens)
    for block in model.decoder:
        x = own(block, x, causal=True)
        W_k, W_v = np.split(array(block.cross_attention.keys_values.weight), 2)
        W_q = array(block.cross_attention.query.weight)
        seen = attention(W_q, W_k, W_v, block.cross_attention.out, x, memory)
        x = last(block, layer_norm(block.around_cross_attention.norm, x + seen))
    return list(x @ array(model.embedding.weight).T)


def vinyals(model, image, tokens):
    H, L = model.config.hidden_size, model.config.num_layers
    x = array(model.encoder(image.unsqueeze(0)))[0]
    _, states = layers(model.decoder, x, [(np.zeros(H), np.zeros(H))] * L)
    scores = []
    for e in words(model.embedding, tokens):
        h, states = layers(model.decoder, e, states)
        scores.append(linear(model.readout, h))
    return scores


def xu(model, image, tokens):
    maps = array(model.encoder(image.unsqueeze(0)))[0]
    places = [maps[:, y, x] for y in range(maps.shape[1]) for x in range(maps.shape[2])]
    mean = np.mean(places, axis=0)
    h, c = np.tanh(linear(model.start_h, mean)), np.tanh(linear(model.start_c, mean))
    v, score, readout, scores = array(model.score.v), model.score, model.readout, []
    for e in words(model.embedding, tokens):
        energies = [v @ np.tanh(linear(score.query, h) + linear(score.annotation, a)) for a in places]
        z = sigmoid(linear(model.gate, h)) * (softmax(np.array(energies)) @ np.array(places))
        h, c = lstm(model.cell, np.concatenate([e, z]), h, c)
        deep = e + linear(readout.of_state, h) + linear(readout.of_context, z)
        scores.append(linear(readout.scores, deep))
    return scores


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("rnn-encoder-decoder", cho),
        ("rnnsearch", bahdanau),
        ("seq2seq", sutskever),
        ("seq2seq shared", sutskever),
        ("luong dot", luong),
        ("gnmt", wu),
        ("gnmt v2", wu),
        ("transformer", vaswani),
        ("show-and-tell", vinyals),
        ("show-attend-and-tell", xu),
    ],
)
def test_the_logits_are_those_of_the_equations(name, reference):
    model, source, targets, lengths = example(name)
    found = array(model(source, targets, lengths))
    for row in range(3):
        read = source[row] if lengths is None else source[row, : lengths[row]].tolist()
        tokens = [BEGIN, *targets[row, :-1].tolist()]
        np.testing.assert_allclose(found[row], np.array(reference(model, read, tokens)), atol=1e-11)


def test_a_net_that_reads_both_ways_starts_alternate_layers():
    model, source, _, _ = example("luong nmt")
    state = model.encode(source)
    (layer,) = model.encoder.layers
    embedded = model.source_embedding(source)
    _, ahead = layer.ahead(embedded)
    _, back = layer.back(embedded.flip(1))
    for got, expected in zip(state.layers, (ahead, back), strict=True):
        torch.testing.assert_close(got, expected)


# ---- training -------------------------------------------------------------------------------------------


def test_scheduled_sampling_reads_the_best_word_in_training_alone():
    model, source, targets, lengths = example("rnnsearch", scheduled_sampling=1.0)
    state, token, own = model.encode(source, lengths), torch.full((3,), BEGIN), []
    for _ in range(5):
        scores, state = model.step(token, state)
        own.append(scores)
        token = scores.argmax(-1)
    torch.testing.assert_close(model.train()(source, targets, lengths), torch.stack(own, dim=1))
    taught = model.teacher_force(shifted(targets), model.encode(source, lengths))
    torch.testing.assert_close(model.eval()(source, targets, lengths), taught)
    assert not torch.allclose(taught, torch.stack(own, dim=1))


def test_scheduled_sampling_draws_for_each_row_and_step():
    model, source, targets, lengths = example("seq2seq", scheduled_sampling=0.5)
    torch.manual_seed(0)
    some = model.train()(source, targets, lengths)
    other = model(source, targets, lengths)
    torch.testing.assert_close(some[:, 0], other[:, 0])
    assert not torch.allclose(some, other)
    assert some.requires_grad


def test_dropout_is_for_training():
    for name in ("rnnsearch", "luong dot", "gnmt", "seq2seq", "show-attend-and-tell"):
        model, source, targets, lengths = example(name, dropout=0.5)
        first, second = (model.train()(source, targets, lengths) for _ in range(2))
        assert not torch.equal(first, second)
        first, second = (model.eval()(source, targets, lengths) for _ in range(2))
        assert torch.equal(first, second)


def test_shared_weights_are_there_once():
    shared, apart = example("seq2seq shared")[0], example("seq2seq")[0]
    cells = sum(parameter.numel() for parameter in apart.decoder.parameters())
    counts = [sum(value.numel() for value in model.state_dict().values()) for model in (shared, apart)]
    assert counts[1] - counts[0] == cells
    assert not any(name.startswith("decoder") for name in shared.state_dict())


def test_reversing_the_source_is_reading_it_backwards():
    model, source, targets, lengths = example("seq2seq")
    config = dataclasses.replace(model.config, reverse_source=False)
    forward = type(model)(config).double()
    forward.load_state_dict(model.state_dict())
    turned = back_to_front(source, lengths)
    torch.testing.assert_close(forward(turned, targets, lengths), model(source, targets, lengths))


# ---- sizes ----------------------------------------------------------------------------------------------


def weights_and_biases(name):
    with torch.device("meta"):
        model = create(name)
    sizes = dict(model.named_parameters())
    biases = sum(value.numel() for key, value in sizes.items() if "bias" in key)
    return sum(value.numel() for value in sizes.values()) - biases, biases


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("cho-phrases", 18_250_000),
        ("sutskever-wmt14", 384_000_000),
        ("rnnsearch-50", 80_401_000),
        ("rnnsearch-groundhog", 84_311_000),
        ("nmt-tutorial", 27_443_713),
    ],
)
def test_published_sizes_are_those_without_biases(name, weights):
    found, biases = weights_and_biases(name)
    assert found == weights
    assert biases < weights / 300


def test_the_published_start():
    config = configure("rnnsearch", {"published_start": True}, signature=TRANSLATION, width=64)
    model = create("rnnsearch", signature=TRANSLATION, width=64, published_start=True)
    assert model.config == config
    for gate in model.cell.weight_hh.detach().split(64):
        torch.testing.assert_close(gate @ gate.t(), torch.eye(64), atol=1e-5, rtol=0)
    assert model.cell.weight_ih.std().item() == pytest.approx(0.01, rel=0.05)
    assert model.score.annotation.weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert not model.score.v.any()
    assert not model.cell.bias.any()


@pytest.mark.parametrize(
    ("name", "values", "match"),
    [
        ("seq2seq", {"scheduled_sampling": 1.5}, "scheduled_sampling: got 1.5; is a probability"),
        ("seq2seq", {"num_layers": 0}, "num_layers: got 0; must be at least 1"),
        ("rnnsearch", {"dropout": 1.0}, "dropout: got 1.0; is a probability below 1"),
        ("rnnsearch", {"output_size": 4}, "output_size: got 4; holds more than the 4 tokens"),
        ("rnnsearch", {"input_size": 4}, "input_size: got 4; holds more than the 4 tokens"),
        (
            "rnnsearch",
            {"align_size": -1},
            "align_size: got -1; must not be negative: 0 derives it from other fields",
        ),
        ("gnmt", {"num_layers": 1}, "num_layers: got 1; must be at least 2: one layer reads both ways"),
        ("luong-attention", {"score": "cosine"}, "score: got 'cosine'; must be one of"),
        ("luong-attention", {"window": "near"}, "window: got 'near'; must be one of"),
        ("luong-attention", {"bidirectional": True, "num_layers": 3}, "num_layers: got 3; must be even"),
        ("luong-attention", {"attention_activation": "relu"}, "attention_activation: got 'relu'"),
        ("luong-attention", {"bidirectional": True, "score": "dot"}, "hidden_size: got 8; a dot product"),
    ],
)
def test_mistakes_are_named(name, values, match):
    with pytest.raises(UserError, match=match):
        create(name, signature=TRANSLATION, width=8, **values)


def test_sources_that_cannot_be():
    model, source, targets, _ = example("rnnsearch")
    with pytest.raises(UserError, match=r"lengths: got .*at least 1 step"):
        model(source, targets, torch.tensor([6, 0, 2]))
    model, source, targets, _ = example("luong location", max_source_len=5)
    with pytest.raises(UserError, match="source length: got 6"):
        model(source, targets)

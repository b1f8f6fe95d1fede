"""ELMo against NumPy written from the equations, and what a task makes of it."""

import numpy as np
import pytest
import torch

from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.models.elmo import ELMo, ELMoConfig, between_marks, mark
from anncestry.protocols import SampledLogits
from anncestry.signature import BEGIN_TEXT, BEGIN_WORD, END_TEXT, END_WORD, FILLER, Signature

B, T, C, V, N, M = 3, 5, 8, 11, 4, 9
SIZES = {
    "hidden_size": M, "proj_size": N, "char_embed_dim": 3, "filter_widths": (1, 3), "filter_counts": (4, 5),
    "num_highways": 1, "num_chars": C, "cell_clip": 0.5, "proj_clip": 0.4,
}  # fmt: skip
LENGTHS = torch.tensor([5, 3, 1])


def elmo(task="embedding", output_size=0, **changes) -> ELMo:
    """With weights so large that the limits of the LSTMs are reached."""
    torch.manual_seed(3)
    config = ELMoConfig(**{**SIZES, "task": task, "output_size": output_size, **changes})
    model = ELMo(config).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".cell." in name and name.startswith("bilm"):
                parameter.mul_(3)
            if name.endswith("convolutions.1.weight"):
                parameter.mul_(20)
    return model.eval()


def words(rows=B, steps=T, seed=0) -> torch.Tensor:
    """Random words of one to five bytes."""
    random = torch.Generator().manual_seed(seed)
    made = torch.full((rows, steps, C), FILLER)
    for text in made:
        for word in text:
            size = int(torch.randint(1, 6, (), generator=random))
            written = torch.randint(98, 110, (size,), generator=random).tolist()
            word[: size + 2] = torch.tensor([BEGIN_WORD, *written, END_WORD])
    return made


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Twin:
    """One text at a time, step by step, from the equations of the paper and of TensorFlow's LSTMCell."""

    def __init__(self, model: ELMo) -> None:
        self.w = {name: value.detach().numpy() for name, value in model.state_dict().items()}
        self.config = model.config

    def vector(self, characters):
        w, encoder = self.w, "bilm.encoder"
        table = np.vstack([np.zeros(self.config.char_embed_dim), w[f"{encoder}.embedding"]])
        embedded, found = table[characters], []
        for i, width in enumerate(self.config.filter_widths):
            kernel = w[f"{encoder}.convolutions.{i}.weight"]
            sums = [np.tensordot(kernel, embedded[t : t + width].T, 2) for t in range(C - width + 1)]
            found.append(np.maximum(np.max(sums, axis=0) + w[f"{encoder}.convolutions.{i}.bias"], 0))
        x = np.concatenate(found)
        for i in range(self.config.num_highways):
            name = f"{encoder}.highways.{i}"
            g = sigmoid(w[f"{name}.gate.weight"] @ x + w[f"{name}.gate.bias"])
            new = np.maximum(w[f"{name}.transform.weight"] @ x + w[f"{name}.transform.bias"], 0)
            x = g * new + (1 - g) * x
        return w[f"{encoder}.projection.weight"] @ x + w[f"{encoder}.projection.bias"]

    def directed(self, vectors, way):
        """The outputs of each layer, in the order of the text."""
        x, outputs = vectors if way == "ahead" else vectors[::-1], []
        for depth in range(self.config.num_layers):
            cell = f"bilm.{way}.layers.{depth}.cell"
            h, c, ys = np.zeros(N), np.zeros(M), []
            for x_t in x:
                sums = self.w[f"{cell}.weight_ih"] @ x_t + self.w[f"{cell}.weight_hh"] @ h
                i, f, g, o = np.split(sums + self.w[f"{cell}.bias"], 4)
                c = np.clip(sigmoid(f) * c + sigmoid(i) * np.tanh(g), -0.5, 0.5)
                h = np.clip(self.w[f"{cell}.weight_p"] @ (sigmoid(o) * np.tanh(c)), -0.4, 0.4)
                ys.append(h + x_t if depth else h)
            x = np.array(ys)
            outputs.append(x if way == "ahead" else x[::-1])
        return outputs

    def layers(self, characters):
        """(L + 1, T, 2 N) of a text without marks."""
        marked = [mark(BEGIN_TEXT, C), *characters.tolist(), mark(END_TEXT, C)]
        vectors = np.array([self.vector(word) for word in marked])
        pairs = zip(self.directed(vectors, "ahead"), self.directed(vectors, "back"), strict=True)
        layers = [np.hstack([vectors, vectors]), *(np.hstack(pair) for pair in pairs)]
        return np.array(layers)[:, 1:-1]


def test_it_is_the_equations():
    model, x = elmo(), words()
    twin = Twin(model)
    got, _ = model.layer_representations(x, None, LENGTHS)
    clipped = False
    for row, length in enumerate(LENGTHS.tolist()):
        expected = twin.layers(x[row, :length].numpy())
        for layer, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(layer[row, :length].numpy(), other, atol=1e-12)
            assert not layer[row, length:].any()
        clipped |= bool((np.abs(expected[1]) == 0.4).any())
    assert clipped, "the test must reach the limits"


def test_the_vectors_of_a_task_are_the_mixture():
    model, x = elmo("tagging", 2, task_hidden=0), words()
    with torch.no_grad():
        model.mix.s.copy_(torch.tensor([0.5, -0.3, 1.0]))
        model.mix.gamma.fill_(0.7)
    shifted = np.exp(model.mix.s.detach().numpy() + 1 / 3)
    shares = shifted / shifted.sum()
    mixed = 0.7 * np.einsum("l,ltd->td", shares, Twin(model).layers(x[0].numpy()))
    expected = mixed @ model.head.weight.detach().numpy().T + model.head.bias.detach().numpy()
    np.testing.assert_allclose(model(x[:1])[0][0].detach().numpy(), expected, atol=1e-12)


def test_marks_stand_around_each_text():
    x = words()
    marked = between_marks(x, LENGTHS)
    assert marked.shape == (B, T + 2, C)
    for row, length in enumerate(LENGTHS.tolist()):
        assert marked[row, 0].tolist() == [BEGIN_WORD, BEGIN_TEXT, END_WORD, *[FILLER] * (C - 3)]
        assert marked[row, length + 1].tolist() == [BEGIN_WORD, END_TEXT, END_WORD, *[FILLER] * (C - 3)]
        assert torch.equal(marked[row, 1 : length + 1], x[row, :length])
    assert torch.equal(between_marks(x[:1]), between_marks(x[:1], torch.tensor([T])))


def test_the_state_makes_a_text_depend_on_what_came_before():
    model, first, second = elmo(), words(seed=1), words(seed=2)
    _, state = model.layer_representations(first)
    alone, _ = model.layer_representations(second)
    after, _ = model.layer_representations(second, state)
    assert torch.equal(alone[0], after[0])
    assert (alone[-1] != after[-1]).any()
    again, _ = model.layer_representations(second)
    assert torch.equal(alone[-1], again[-1])  # nothing is kept on the model


def test_no_scores_see_the_word_they_are_asked_for():
    model, x = elmo("bidirectional-lm", V), words()
    before = model(x)[0]
    assert before.shape == (B, T, 2, V)
    for t in range(T):
        changed = x.clone()
        changed[:, t] = words(seed=9)[:, t]
        after = model(changed)[0]
        same = (before - after).abs().amax((0, 3)) < 1e-12  # (T, 2)
        assert same[:, 0].tolist() == [k < t for k in range(T)]  # of the next word
        assert same[:, 1].tolist() == [k > t for k in range(T)]  # of the one before


def test_one_softmax_serves_both_directions():
    model, x = elmo("bidirectional-lm", V), words()
    layers, _ = model.bilm(x)
    ahead, back = layers[-1].split(N, dim=2)
    expected = torch.stack([model.readout(ahead), model.readout(back)], dim=2)
    torch.testing.assert_close(model(x)[0], expected)


def test_of_many_words_the_scores_are_left_to_who_compares_them():
    model = elmo("bidirectional-lm", V, sampled_words=5)
    outputs, _ = model(words())
    assert isinstance(outputs, SampledLogits)
    assert outputs.num_sampled == 5
    full = elmo("bidirectional-lm", V)
    torch.testing.assert_close(outputs.logits(), full(words())[0])
    many = Signature("bidirectional-lm", "characters", (T, C), 40_000, 262)
    few = Signature("bidirectional-lm", "characters", (T, C), 30_000, 262)
    assert ELMoConfig.for_signature(many).sampled_words == 8192
    assert ELMoConfig.for_signature(few).sampled_words == 0


def test_a_task_leaves_the_language_models_as_they_are():
    model = elmo("tagging", 2, dropout=0.5)
    model.train()
    assert not model.bilm.training
    assert model.dropout.training
    model(words())[0].sum().backward()
    assert all(parameter.grad is None for parameter in model.bilm.parameters())
    assert model.mix.s.grad is not None
    assert model.mix.gamma.grad is not None
    tuned = elmo("tagging", 2, freeze=False).train()
    assert tuned.bilm.training
    tuned(words())[0].sum().backward()
    assert all(parameter.grad is not None for parameter in tuned.bilm.parameters())


def test_both_tasks_name_the_language_models_alike():
    learner, tagger = elmo("bidirectional-lm", V).state_dict(), elmo("tagging", 2).state_dict()
    shapes = [{n: v.shape for n, v in s.items() if n.startswith("bilm.")} for s in (learner, tagger)]
    assert shapes[0] == shapes[1] != {}


@pytest.mark.parametrize("mixed", [(0,), (2,), (1, 2)])
def test_some_layers_may_be_mixed_alone(mixed):
    model, x = elmo("classification", 3, mixed=mixed, task_hidden=0), words()
    layers, _ = model.layer_representations(x, None, LENGTHS)
    mean = sum(layers[layer] for layer in mixed) / len(mixed)
    expected = model.head(mean.sum(1) / LENGTHS.unsqueeze(1))
    torch.testing.assert_close(model(x, None, LENGTHS)[0], expected)


def test_embeddings_are_all_layers_side_by_side():
    model, x = elmo(), words()
    layers, _ = model.layer_representations(x)
    assert torch.equal(model(x)[0], torch.cat(layers, dim=2))
    assert model.config.signature.output_size == 3 * 2 * N


def test_the_published_softmax_has_its_count():
    with torch.device("meta"):
        sizes = {"task": "bidirectional-lm", "output_size": 793_471}
        learner, embedder = create("elmo-original", **sizes), create("elmo-original")
    counts = [sum(p.numel() for p in model.parameters()) for model in (learner, embedder)]
    assert counts[0] - counts[1] == 407_050_623


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "regression", "output_size": 1}, "task: got 'regression'; must be one of"),
        ({"output_size": 3}, "output_size: got 3; must be 0, where `task` is embedding"),
        ({"task": "tagging"}, "output_size: got 0; must be at least 1 unless `task` is embedding"),
        ({"filter_counts": (4,)}, r"filter_counts: got \(4,\); one for each width"),
        ({"filter_widths": (1, 0)}, r"filter_widths: got \(1, 0\); must be at least 1"),
        ({"num_chars": 2}, "num_chars: got 2; must have room for"),
        ({"mixed": (3,)}, r"mixed: got \(3,\); must be at most `num_layers`, which is 2"),
        ({"dropout": 1.0}, "dropout: got 1.0; is a probability below 1"),
        ({"proj_size": 0}, "proj_size: got 0; must be at least 1"),
        ({"cell_clip": -1.0}, "cell_clip: got -1.0; must not be negative"),
    ],
)
def test_mistakes(changes, message):
    with pytest.raises(UserError, match=message):
        elmo(**changes)

"""Perceptron, averaged and voted: the block paths against loops that are too simple to be wrong."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from anncestry.errors import UserError
from anncestry.models.averaged_perceptron import AveragedPerceptron, AveragedPerceptronConfig
from anncestry.models.perceptron import Perceptron, PerceptronConfig
from anncestry.models.voted_perceptron import VotedPerceptron, VotedPerceptronConfig
from anncestry.protocols import OwnRule
from anncestry.signature import Signature

FAMILY = [
    (Perceptron, PerceptronConfig),
    (AveragedPerceptron, AveragedPerceptronConfig),
    (VotedPerceptron, VotedPerceptronConfig),
]
family = pytest.mark.parametrize(("model_class", "config_class"), FAMILY, ids=lambda c: c.__name__)


def build(model_class, config_class, size, classes, **fields):
    return model_class(config_class(input_shape=(size,), output_size=classes, **fields)).double()


def noisy_problem(examples, size, classes, seed=0, noise=0.1):
    """Classes by a random linear rule, some labels wrong, so that mistakes never end."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(examples, size, dtype=torch.float64, generator=random)
    rule = torch.randn(size, classes, dtype=torch.float64, generator=random)
    targets = (x @ rule).argmax(1)
    wrong = torch.rand(examples, generator=random) < noise
    targets[wrong] = torch.randint(classes, (examples,), generator=random)[wrong]
    return x, targets


def textbook(x, targets, passes=1):
    """Rosenblatt's binary rule, one example at a time. Returns w (bias last) and the number of mistakes."""
    x = np.hstack([x.numpy(), np.ones((len(x), 1))])
    signs = 2 * targets.numpy() - 1
    w, mistakes = np.zeros(x.shape[1]), 0
    for _ in range(passes):
        for row, sign in zip(x, signs, strict=True):
            if sign * (w @ row) <= 0:
                w += sign * row
                mistakes += 1
    return w, mistakes


@pytest.mark.parametrize("whole_numbers", [False, True], ids=["real", "with ties"])
def test_two_classes_are_rosenblatts_rule(whole_numbers):
    x, targets = noisy_problem(500, 6, 2)
    x = x.round() if whole_numbers else x  # whole numbers tie: scores of exactly zero are mistakes
    model = build(Perceptron, PerceptronConfig, 6, 2)
    for _ in range(3):
        model.learn(x, targets)
    w, mistakes = textbook(x, targets, passes=3)
    assert int(model.mistakes) == mistakes
    assert mistakes > 100
    np.testing.assert_allclose(model.weight[1].numpy(), w, atol=1e-9)
    np.testing.assert_allclose(model.weight[0].numpy(), -w, atol=1e-9)


@family
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_blocks_equal_the_naive_loop(model_class, config_class, classes):
    x, targets = noisy_problem(333, 12, classes)
    x = torch.cat([x, x.round()])  # ties too
    targets = targets.repeat(2)
    fast, naive = (build(model_class, config_class, 12, classes) for _ in range(2))
    torch.testing.assert_close(fast.learn(x, targets), naive.learn_naive(x, targets))
    assert int(fast.mistakes) == int(naive.mistakes) > 50
    assert int(fast.clean) == int(naive.clean)
    torch.testing.assert_close(fast.state_dict(), naive.state_dict())
    torch.testing.assert_close(fast(x), naive(x))


@family
def test_the_cut_into_calls_changes_nothing(model_class, config_class):
    x, targets = noisy_problem(400, 5, 4)
    whole, parts = (build(model_class, config_class, 5, 4) for _ in range(2))
    outputs = whole.learn(x, targets)
    cut = [parts.learn(*part) for part in zip(x.split(47), targets.split(47), strict=True)]
    torch.testing.assert_close(torch.cat(cut), outputs)
    torch.testing.assert_close(parts.state_dict(), whole.state_dict())


def test_outputs_are_those_before_the_own_update():
    model = build(Perceptron, PerceptronConfig, 2, 2)
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    outputs = model.learn(x, torch.tensor([1, 0, 1]))
    # zero weights are a mistake: w_1 = [1, 0, 1]; the same input, now wrong: w_1 = 0; zero again: a mistake
    assert outputs.tolist() == [[0, 0], [-2, 2], [0, 0]]
    assert model.weight.tolist() == [[0, -2, -1], [0, 2, 1]]
    assert int(model.mistakes) == 3


@pytest.mark.parametrize("seed", range(5))
def test_separable_data_end_within_novikoffs_bound(seed):
    random = torch.Generator().manual_seed(seed)
    direction = torch.nn.functional.normalize(torch.randn(10, dtype=torch.float64, generator=random), dim=0)
    x = torch.nn.functional.normalize(torch.randn(2000, 10, dtype=torch.float64, generator=random))
    x = x[(x @ direction).abs() > 0.1][:200]
    targets = (x @ direction > 0).long()
    model = build(Perceptron, PerceptronConfig, 10, 2)
    for _ in range(200):
        model.learn(x, targets)
        if model.converged(len(x)):
            break
    assert model.converged(len(x))
    # With the bias folded in R^2 = 2, and the unit vector (direction, 0) has the margin of the data.
    margin = (x @ direction).abs().min()
    assert 0 < int(model.mistakes) <= 2 / float(margin) ** 2
    before = model.weight.clone()
    model.learn(x, targets)
    assert torch.equal(model.weight, before)
    assert (model(x).argmax(1) == targets).all()


@family
def test_xor_is_never_learnt(model_class, config_class):
    x = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
    targets = torch.tensor([0, 1, 1, 0])
    model = build(model_class, config_class, 2, 2)
    for _ in range(100):
        model.learn(x, targets)
        assert not model.converged(4)
        assert (model(x).argmax(1) == targets).sum() < 4


def test_clean_counts_since_the_last_mistake():
    model = build(Perceptron, PerceptronConfig, 1, 2)
    x = torch.ones(150, 1, dtype=torch.float64)
    model.learn(x, torch.ones(150, dtype=torch.int64))
    assert (int(model.mistakes), int(model.clean)) == (1, 149)
    assert model.converged(149)
    assert not model.converged(150)
    model.learn(x[:100], torch.ones(100, dtype=torch.int64))
    assert int(model.clean) == 249
    model.learn(x[:3], torch.tensor([1, 0, 1]))
    assert int(model.clean) == 0


def test_criterion_is_the_perceptron_loss():
    model = build(Perceptron, PerceptronConfig, 1, 3)
    outputs = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]])
    assert float(model.criterion(outputs, torch.tensor([0, 1]))) == 0
    assert float(model.criterion(outputs, torch.tensor([1, 2]))) == 2 + 4


@family
def test_the_protocol_and_the_gradient(model_class, config_class):
    model = build(model_class, config_class, 4, 3)
    assert isinstance(model, OwnRule)
    assert [p.requires_grad for p in model.parameters()] == [False]


def test_averaged_is_the_mean_of_all_weights():
    x, targets = noisy_problem(200, 4, 3)
    averaged = build(AveragedPerceptron, AveragedPerceptronConfig, 4, 3)
    averaged.learn(x, targets)
    plain = build(Perceptron, PerceptronConfig, 4, 3)
    total = plain.weight.clone()  # the weights before the first example
    for row in range(len(x)):
        plain.learn_naive(x[row : row + 1], targets[row : row + 1])
        total += plain.weight
    mean = total / (len(x) + 1)
    torch.testing.assert_close(averaged.average(), mean)
    torch.testing.assert_close(averaged.weight, plain.weight)
    torch.testing.assert_close(averaged(x), x @ mean[:, :-1].t() + mean[:, -1])
    assert not torch.allclose(mean, plain.weight / 2, rtol=0.2)


def test_averaged_and_voted_beat_the_last_weights_under_label_noise():
    gains = {AveragedPerceptron: [], VotedPerceptron: []}
    for seed in range(6):
        x, targets = noisy_problem(1200, 20, 2, seed=seed, noise=0.2)
        clean_x, clean_targets = x[:600], noisy_problem(1200, 20, 2, seed=seed, noise=0.0)[1][:600]
        scores = {}
        for model_class, config_class in FAMILY:
            model = build(model_class, config_class, 20, 2)
            for _ in range(3):
                model.learn(x[600:], targets[600:])
            scores[model_class] = (model(clean_x).argmax(1) == clean_targets).double().mean().item()
        for model_class, found in gains.items():
            found.append(scores[model_class] - scores[Perceptron])
    for found in gains.values():
        assert sum(found) / len(found) > 0.03
        assert sum(gain > 0 for gain in found) >= 5


def vote(x, targets, new, forget=0):
    """Figure 1 of the paper, multiclass: keep every vector and its count, let them vote."""
    plain = build(Perceptron, PerceptronConfig, x.shape[1], 3)
    vectors, counts = [], []
    for row in range(len(x)):
        mistakes = int(plain.mistakes)
        plain.learn_naive(x[row : row + 1], targets[row : row + 1])
        if int(plain.mistakes) > mistakes:
            vectors.append(plain.weight.clone())
            counts.append(1)
        else:
            counts[-1] += 1
    votes = torch.zeros(len(new), 3, dtype=torch.float64)
    for weight, count in list(zip(vectors, counts, strict=True))[forget:]:
        winner = (new @ weight[:, :-1].t() + weight[:, -1]).argmax(1)
        votes[torch.arange(len(new)), winner] += count
    return votes / votes.sum(1, keepdim=True), len(vectors)


def test_voted_counts_every_vector(monkeypatch):
    x, targets = noisy_problem(300, 4, 3)
    new = torch.randn(50, 4, dtype=torch.float64)
    model = build(VotedPerceptron, VotedPerceptronConfig, 4, 3)
    assert not model(new).any()
    model.learn(x, targets)
    expected, count = vote(x, targets, new)
    torch.testing.assert_close(model(new), expected)
    assert int(model.num_vectors) == count
    monkeypatch.setattr("anncestry.models.voted_perceptron._CHUNK", 7 * 50 * 3)  # seven vectors at a time
    torch.testing.assert_close(model(new), expected)


def test_voted_forgets_the_oldest_votes_and_nothing_else():
    x, targets = noisy_problem(1500, 4, 3, noise=0.5)
    new = torch.randn(50, 4, dtype=torch.float64)
    model = build(VotedPerceptron, VotedPerceptronConfig, 4, 3, max_vectors=256)
    plain = build(Perceptron, PerceptronConfig, 4, 3)
    model.learn(x, targets)
    plain.learn(x, targets)
    expected, count = vote(x, targets, new, forget=(int(plain.mistakes) - 256 + 63) // 64 * 64)
    assert count == int(plain.mistakes) > 600
    torch.testing.assert_close(model(new), expected)
    torch.testing.assert_close(model.weight, plain.weight)
    with pytest.raises(UserError, match=r"max_vectors: got 255; must be at least 256\."):
        VotedPerceptronConfig(input_shape=(4,), output_size=3, max_vectors=255)


@family
def test_a_checkpoint_resumes_exactly(model_class, config_class):
    x, targets = noisy_problem(500, 6, 3)
    whole, first = (build(model_class, config_class, 6, 3) for _ in range(2))
    whole.learn(x[:300], targets[:300])
    first.learn(x[:300], targets[:300])
    resumed = build(model_class, config_class, 6, 3)
    resumed.load_state_dict(first.state_dict())
    for model in (whole, resumed):
        model.learn(x[300:], targets[300:])
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert torch.equal(whole(x), resumed(x))


@family
def test_any_shape_is_flattened(model_class, config_class):
    signature = Signature("classification", "image", (2, 3, 4), 5)
    model = model_class(config_class.for_signature(signature))
    assert model.config.signature == signature
    inputs, targets = signature.example(100)
    model.learn(inputs, targets)
    assert model(inputs).shape == (100, 5)
    assert model.weight.shape == (5, 25)


def test_large_inputs_keep_fewer_voters():
    small = Signature("classification", "vector", (10,), 2)
    large = Signature("classification", "image", (3, 64, 64), 2)
    assert VotedPerceptronConfig.for_signature(small).max_vectors == 10_000
    assert VotedPerceptronConfig.for_signature(large).max_vectors == (64 << 20) // (4 * 3 * 64 * 64)


def test_user_errors():
    signature = Signature("classification", "vector", (4,), 2)
    with pytest.raises(UserError, match=r"width: got 8; this model has no hidden units, its size is that"):
        PerceptronConfig.for_signature(signature, width=8)
    with pytest.raises(UserError, match=r"task: got 'regression'; a perceptron decides between classes; the"):
        PerceptronConfig(task="regression", input_shape=(4,), output_size=1)
    with pytest.raises(
        UserError, match=r"inputs: got 'tokens'; a linear unit reads\. Choices: vector, image"
    ):
        PerceptronConfig(inputs="tokens", input_shape=(4,), output_size=2)  # pyright: ignore


def test_digits():
    x, targets = load_digits(return_X_y=True)
    x, targets = torch.from_numpy(x).float() / 16, torch.from_numpy(targets)
    model = AveragedPerceptron(AveragedPerceptronConfig(input_shape=(64,), output_size=10))
    for _ in range(3):
        model.learn(x[:1200], targets[:1200])
    assert (model(x[1200:]).argmax(1) == targets[1200:]).float().mean() > 0.88

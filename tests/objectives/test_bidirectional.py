"""The objective of two language models, and its sampled softmax."""

import math

import pytest
import torch

from anncestry.objectives import bidirectional, objective_for
from anncestry.objectives.bidirectional import BidirectionalLanguageModel, log_uniform_sample, sampled_loss
from anncestry.protocols import IGNORED, SampledLogits
from anncestry.signature import Signature

B, T, N, V = 2, 4, 3, 30
OBJECTIVE = BidirectionalLanguageModel(V)


def sampled(num_sampled=5, words=V) -> SampledLogits:
    random = torch.Generator().manual_seed(1)

    def normal(*size):
        return torch.randn(*size, generator=random, dtype=torch.float64)

    return SampledLogits(normal(B, T, 2, N), normal(words, N), normal(words), num_sampled)


def targets(words=V) -> torch.Tensor:
    made = torch.randint(words, (B, T, 2), generator=torch.Generator().manual_seed(2))
    made[:, -1, 0] = made[:, 0, 1] = IGNORED  # no word behind the last, none before the first
    return made


def nats(logits, wanted, way):
    total, count = 0.0, 0
    for row in range(B):
        for t in range(T):
            word = int(wanted[row, t, way])
            if word != IGNORED:
                total -= logits[row, t, way].log_softmax(0)[word].item()
                count += 1
    return total, count


def test_the_loss_is_half_of_both_directions():
    logits, wanted = sampled().logits(), targets()
    (ahead, n), (back, m) = nats(logits, wanted, 0), nats(logits, wanted, 1)
    assert n == m == B * (T - 1)
    assert OBJECTIVE.count(wanted) == n + m
    mean = OBJECTIVE.loss(logits, wanted).item() / OBJECTIVE.count(wanted)
    assert mean == pytest.approx(0.5 * (ahead / n + back / m))


def test_figures_are_the_perplexity_of_each_direction_and_their_mean(monkeypatch):
    logits, wanted = sampled().logits(), targets()
    whole = OBJECTIVE.metrics(OBJECTIVE.tally(logits, wanted))
    (ahead, n), (back, m) = nats(logits, wanted, 0), nats(logits, wanted, 1)
    assert whole["forward"] == pytest.approx(math.exp(ahead / n))
    assert whole["backward"] == pytest.approx(math.exp(back / m))
    assert whole["perplexity"] == pytest.approx((whole["forward"] + whole["backward"]) / 2)
    assert whole["loss"] == pytest.approx(0.5 * (ahead / n + back / m))
    asked = wanted != IGNORED
    assert whole["accuracy"] == (logits.argmax(3) == wanted)[asked].double().mean().item()
    monkeypatch.setattr(bidirectional, "PIECE", 2 * V)  # two words at once
    sums = sum(OBJECTIVE.tally(sampled()._replace(features=part), some)
               for part, some in zip(sampled().features.split(1), wanted.split(1), strict=True))  # fmt: skip
    assert OBJECTIVE.metrics(sums) == pytest.approx(whole)


def test_a_sample_of_all_words_is_no_sample():
    wanted = targets()
    full = OBJECTIVE.loss(sampled().logits(), wanted)
    torch.testing.assert_close(OBJECTIVE.loss(sampled(V), wanted), full)
    torch.testing.assert_close(OBJECTIVE.loss(sampled(0), wanted), full)
    assert OBJECTIVE.loss(sampled(5), wanted) != full


def test_the_samples_of_both_directions_are_added():
    outputs, wanted = sampled(5), targets()
    torch.manual_seed(4)
    got = OBJECTIVE.loss(outputs, wanted)
    torch.manual_seed(4)
    parts = []
    for way in range(2):
        asked = wanted[..., way] != IGNORED
        parts.append(sampled_loss(outputs, outputs.features[:, :, way][asked], wanted[..., way][asked]))
    torch.testing.assert_close(got, sum(parts))


def test_a_drawn_word_does_not_count_against_itself():
    """With every other word drawn too, and none expected more than once, it is the softmax over all."""
    outputs = sampled(V - 1)
    features, words = outputs.features[0, :, 0], torch.tensor([0, 3, 0, 7])
    torch.manual_seed(0)
    drawn, tries = log_uniform_sample(V, V - 1, torch.device("cpu"))
    torch.manual_seed(0)
    got = sampled_loss(outputs, features, words)
    rank = torch.arange(V, dtype=torch.float64)
    chance = ((rank + 2) / (rank + 1)).log() / math.log(V + 1)
    shifted = features @ outputs.weight.t() + outputs.bias - (1 - (1 - chance) ** tries).log()
    expected = 0.0
    for row, word in enumerate(words.tolist()):
        others = [w for w in drawn.tolist() if w != word]
        expected -= shifted[row, [word, *others]].log_softmax(0)[0].item()
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_words_are_drawn_as_often_as_zipf_has_them():
    device, words = torch.device("cpu"), 50
    torch.manual_seed(0)
    counts = torch.zeros(words)
    for _ in range(4000):
        drawn, tries = log_uniform_sample(words, 1, device)
        assert (len(drawn), tries) == (1, 1)
        counts[drawn] += 1
    rank = torch.arange(words, dtype=torch.float64)
    chance = ((rank + 2) / (rank + 1)).log() / math.log(words + 1)
    assert chance.sum() == pytest.approx(1)
    assert (counts / 4000 - chance).abs().max() < 0.03
    drawn, tries = log_uniform_sample(words, 40, device)
    assert len(set(drawn.tolist())) == 40
    assert tries >= 40


def test_words_are_expected_as_often_as_they_are_drawn():
    """The chance to be in a sample, from the number of draws it took, is about right on the mean."""
    torch.manual_seed(0)
    found, expected = torch.zeros(20), torch.zeros(20)
    for _ in range(500):
        drawn, tries = log_uniform_sample(20, 5, torch.device("cpu"))
        found[drawn] += 1
        expected += bidirectional._log_expected(torch.arange(20), tries, 20).exp()
    assert (found / 500 - expected / 500).abs().max() < 0.08


def test_sampling_learns_what_the_softmax_learns():
    """The mean gradient over many samples points where that of the softmax does."""
    words, wanted = 200, targets(200)
    objective = BidirectionalLanguageModel(words)
    full = sampled(0, words)
    full = full._replace(features=full.features.requires_grad_())
    objective.loss(full, wanted).backward()
    features = full.features.detach().clone().requires_grad_()
    torch.manual_seed(0)
    for _ in range(200):
        objective.loss(full._replace(features=features, num_sampled=60), wanted).backward()
    asked = wanted != IGNORED
    similar = torch.cosine_similarity(full.features.grad[asked], features.grad[asked], dim=1)
    assert similar.min() > 0.95


def test_the_task_has_this_objective():
    signature = Signature("bidirectional-lm", "characters", (T, 8), V, 262)
    objective = objective_for(signature)
    assert isinstance(objective, BidirectionalLanguageModel)
    assert objective.initial_loss() == pytest.approx(math.log(V))

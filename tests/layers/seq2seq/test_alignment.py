"""Every score against its formula in NumPy, what the weights promise, and the loop's products."""

import numpy as np
import pytest
import torch

from anncestry.errors import UserError
from anncestry.layers.seq2seq.alignment import (
    SCORES,
    Additive,
    Monotonic,
    Predictive,
    alignment_weights,
    make_score,
    side_by_side,
)
from anncestry.layers.seq2seq.lookup import AdditiveLookup, Lookup, additive_scores

N, K, S, H, D = 3, 2, 6, 5, 5
EACH = pytest.mark.parametrize("name", SCORES)


def case(seed=0):
    random = torch.Generator().manual_seed(seed)
    sizes = ((N, K, H), (N, S, D))
    return [torch.randn(size, generator=random, dtype=torch.float64) for size in sizes]


def array(tensor):
    return tensor.detach().numpy()


def by_formula(score, name, h, a):
    """e for one state h (H,) and one annotation a (D,), as the paper writes it."""
    if name == "dot":
        return h @ a
    if name == "general":
        return h @ (array(score.annotation.weight) @ a)
    hidden = array(score.query.weight) @ h
    hidden = hidden + (array(score.annotation.weight) @ a if name == "additive" else a)
    return array(score.v) @ np.tanh(hidden)


@pytest.mark.parametrize("name", ["dot", "general", "concat", "additive"])
def test_a_score_is_its_formula(name):
    query, annotations = case()
    score = make_score(name, H, D).double()
    found = array(score(query, score.keys(annotations)))
    for n in range(N):
        for k in range(K):
            for s in range(S):
                wanted = by_formula(score, name, array(query[n, k]), array(annotations[n, s]))
                assert found[n, k, s] == pytest.approx(wanted, abs=1e-12)


def test_location_goes_by_the_place_alone():
    query, annotations = case()
    score = make_score("location", H, D, max_source_len=9).double()
    found = score(query, score.keys(annotations))
    wanted = array(query) @ array(score.places.weight).T
    np.testing.assert_allclose(array(found), wanted[:, :, :S], atol=1e-12)
    with pytest.raises(UserError, match=r"source length: got 6; with scores by location .* 4"):
        make_score("location", H, D, max_source_len=4).double().keys(annotations)


def test_scaled_products_and_the_normed_additive_score():
    query, annotations = case()
    score = make_score("general", H, D, scaled=True).double()
    plain = score(query, score.keys(annotations))
    with torch.no_grad():
        score.scale.fill_(3.0)
    torch.testing.assert_close(score(query, score.keys(annotations)), 3 * plain)

    score = make_score("additive", H, D, scaled=True).double()
    with torch.no_grad():
        score.length.fill_(0.7)
    v = array(score.v) / np.linalg.norm(array(score.v)) * 0.7
    keys = array(annotations) @ array(score.annotation.weight).T + array(score.annotation.bias)
    hidden = np.tanh((array(query) @ array(score.query.weight).T)[:, :, None] + keys[:, None])
    np.testing.assert_allclose(array(score(query, score.keys(annotations))), hidden @ v, atol=1e-12)


@EACH
def test_over_is_forward_with_its_gradients(name):
    query, annotations = (part.requires_grad_() for part in case())
    score = make_score(name, H, D, scaled=name in ("general", "additive")).double()
    wanted = [query, *([] if name == "location" else [annotations]), *score.parameters()]

    def found(run):
        keys = score.keys(annotations)
        weights = torch.linspace(-1, 2, N * K * S, dtype=torch.float64).view(N, K, S)
        scores = run(keys)
        return [scores, *torch.autograd.grad((scores * weights).sum(), wanted)]

    def one_by_one(keys):
        over = score.over(keys)
        return torch.cat([over(query[:, k : k + 1]) for k in range(K)], dim=1)

    for got, expected in zip(found(one_by_one), found(lambda keys: score(query, keys)), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-12, rtol=1e-12)


def test_weights_sum_to_one_over_the_visible_places():
    query, annotations = case()
    scores = make_score("dot", H, D)(query, annotations)
    visible = torch.tensor([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0]]).bool()
    weights = alignment_weights(scores, visible.unsqueeze(1))
    torch.testing.assert_close(weights.sum(-1), torch.ones(N, K, dtype=torch.float64))
    assert (weights[~visible.unsqueeze(1).expand_as(weights)] == 0).all()
    alone = alignment_weights(scores[:1, :, :3], visible[:1, None, :3])
    torch.testing.assert_close(weights[:1, :, :3], alone)


def test_rows_lie_with_their_source():
    rows = torch.arange(float(N * K)).unsqueeze(1)
    assert side_by_side(rows, N)[:, :, 0].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_the_monotonic_window_moves_with_the_step():
    window, scores = Monotonic(reach=1), torch.zeros(1, 3, S, dtype=torch.float64)
    visible = torch.tensor([[True] * 4 + [False] * 2])
    weights = window(scores, scores, torch.tensor([[0, 2, 5]]), visible)
    third = 1 / 3
    wanted = [[0.5, 0.5, 0, 0, 0, 0], [0, third, third, third, 0, 0], [0, 0, 0.5, 0.5, 0, 0]]
    torch.testing.assert_close(weights[0], torch.tensor(wanted, dtype=torch.float64))


def test_the_predicted_window_is_the_formula_and_is_not_normalised_again():
    query, _ = case()
    window, reach = Predictive(H, 2).double(), 2
    scores = torch.randn(N, K, S, dtype=torch.float64)
    lengths = [6, 4, 1]
    visible = torch.arange(S) < torch.tensor(lengths).unsqueeze(1)
    found = array(window(scores, query, torch.zeros(N, K), visible))
    for n in range(N):
        for k in range(K):
            hidden = np.tanh(array(window.hidden.weight) @ array(query[n, k]))
            p = (lengths[n] - 1) / (1 + np.exp(-(array(window.place.weight) @ hidden)[0]))
            inside = [s for s in range(lengths[n]) if abs(s - np.floor(p)) <= reach]
            exponentials = np.exp(array(scores[n, k]))
            wanted = np.zeros(S)
            for s in inside:
                gaussian = np.exp(-((s - p) ** 2) / (2 * (reach / 2) ** 2))
                wanted[s] = exponentials[s] / exponentials[inside].sum() * gaussian
            np.testing.assert_allclose(found[n, k], wanted, atol=1e-12)
    assert (found.sum(-1) < 1).any()


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"name": "cosine"}, "score: got 'cosine'; must be one of. Choices: dot"),
        ({"name": "dot", "annotation_size": 4}, "hidden_size: got 5; a dot product needs"),
        ({"name": "concat", "scaled": True}, "scaled: got True; a score by concat has no scale"),
        ({"name": "location", "max_source_len": 0}, "max_source_len: got 0"),
    ],
)
def test_scores_that_cannot_be(values, match):
    with pytest.raises(UserError, match=match):
        make_score(**{"query_size": H, "annotation_size": D, **values})
    with pytest.raises(UserError, match="reach: got 0"):
        Monotonic(0)


# ---- products in the loop -------------------------------------------------------------------------------


def steps_of(look, plain, *leaves):
    """Values and gradients of three dependent steps, by ``look`` and by ``plain``."""
    results = []
    for product in (look, plain):
        x, total = leaves[0], 0.0
        values = []
        for step in range(3):
            y = product(x)
            values.append(y)
            total = total + (y * (step + 1)).sin().sum()
            x = x + y.mean(-1, keepdim=True)  # the next step waits for this one
        results.append([*values, *torch.autograd.grad(total, leaves)])
    return zip(*results, strict=True)


def test_a_lookup_is_the_product_with_its_gradients():
    weights, values, added = (
        torch.randn(size, dtype=torch.float64, requires_grad=True)
        for size in ((N, K, S), (N, S, D), (N, K, D))
    )
    look = Lookup(values)
    plain = lambda w: torch.baddbmm(added, w, values)  # noqa: E731
    for got, expected in steps_of(lambda w: look(w, added), plain, weights, values, added):
        torch.testing.assert_close(got, expected, atol=1e-12, rtol=1e-12)


def test_an_additive_lookup_is_its_formula_with_its_gradients():
    score = Additive(H, D, H)
    query, keys = (
        torch.randn(size, dtype=torch.float64, requires_grad=True) for size in ((N, K, H), (N, S, H))
    )
    v = score.v.detach().double().requires_grad_()
    look = AdditiveLookup(keys, v)
    for got, expected in steps_of(look, lambda q: additive_scores(q, keys, v), query, keys, v):
        torch.testing.assert_close(got, expected, atol=1e-12, rtol=1e-12)


def test_a_pass_that_asks_for_less_leaves_nothing_behind():
    weights, values = (torch.randn(size, requires_grad=True) for size in ((N, K, S), (N, S, D)))
    look = Lookup(values)
    total = look(weights).sum() + look(2 * weights).sum()
    (first,) = torch.autograd.grad(total, [weights], retain_graph=True)
    (of_values,) = torch.autograd.grad(total, [values], retain_graph=True)
    torch.testing.assert_close(first, 3 * values.sum(-1).unsqueeze(1).expand_as(weights))
    torch.testing.assert_close(of_values, 3 * weights.sum(1).unsqueeze(2).expand_as(values))
    with torch.no_grad():
        assert Lookup(values).token is None

"""The mixture of layers against the formula as it is published and as the authors compute it."""

import numpy as np
import torch

from anncestry.layers.scalar_mix import EPS, ScalarMix

B, T, D, L = 3, 4, 5, 3
LENGTHS = torch.tensor([4, 2, 1])
VISIBLE = torch.arange(T) < LENGTHS.unsqueeze(1)


def mixed(**options) -> ScalarMix:
    mix = ScalarMix(L, **options).double()
    with torch.no_grad():
        mix.s.copy_(torch.tensor([0.3, -1.0, 0.8]))
        mix.gamma.fill_(1.7)
    return mix


def layers() -> list[torch.Tensor]:
    return [torch.randn(B, T, D, dtype=torch.float64) for _ in range(L)]


def published(mix: ScalarMix, parts: list[np.ndarray]) -> np.ndarray:
    """softmax(s + 1/L), as the code has it."""
    shifted = np.exp(mix.s.detach().numpy() + 1 / L)
    weights = shifted / shifted.sum()
    return mix.gamma.item() * sum(w * part for w, part in zip(weights, parts, strict=True))


def test_it_is_the_published_formula():
    mix, parts = mixed(), layers()
    expected = published(mix, [part.numpy() for part in parts])
    np.testing.assert_allclose(mix(parts).detach().numpy(), expected, atol=1e-12)


def test_it_starts_with_the_mean():
    parts = layers()
    torch.testing.assert_close(ScalarMix(L).double()(parts), sum(parts) / L)


def test_one_mean_and_one_variance_over_all_words_of_a_batch():
    mix, parts = mixed(norm=True), layers()
    seen = VISIBLE.numpy()
    normal = []
    for part in (p.numpy() for p in parts):
        mask = seen[..., None].astype(float)
        count = mask.sum() * D
        mean = (part * mask).sum() / count
        variance = (((part - mean) * mask) ** 2).sum() / count
        normal.append((part - mean) / np.sqrt(variance + EPS))
    expected = published(mix, normal) * seen[..., None]
    np.testing.assert_allclose(mix(parts, VISIBLE).detach().numpy(), expected, atol=1e-12)
    for part in parts:
        part[~VISIBLE] = 1e6
    np.testing.assert_allclose(mix(parts, VISIBLE).detach().numpy(), expected, atol=1e-12)


def test_the_penalty_is_in_the_gradient_alone():
    plain, penalised, parts = mixed(), mixed(l2=0.25), layers()
    torch.testing.assert_close(plain(parts), penalised(parts), atol=0, rtol=0)
    for mix in (plain, penalised):
        mix(parts).square().sum().backward()
    torch.testing.assert_close(penalised.s.grad - plain.s.grad, 2 * 0.25 * plain.s.detach())
    torch.testing.assert_close(penalised.gamma.grad, plain.gamma.grad)

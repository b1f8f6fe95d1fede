"""Texts, masked tokens and a short training, for claims about encoders that are pre-trained.

There are two kinds of text. The characters of Python's documentation are real. The sentences of a made-up
language are drawn from a hidden chain of tags, and each word can stand for two of them: labels that depend
on the context cost nothing there, and it is known how often they can be predicted at best.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.data.corruption.masking import Masking
from anncestry.protocols import IGNORED

NUM_TAGS, WORDS_OF_A_TAG, STAYS = 12, 10, 0.9
NUM_WORDS = NUM_TAGS * WORDS_OF_A_TAG // 2
WARM_UP = 50  # steps
RIDGE = 0.1


@dataclass(frozen=True)
class Language:
    """Tags follow each other in one fixed order nine times out of ten, and a word is any of its tag's.

    Attributes:
        transitions: (K, K) how likely each tag (column) is behind each (row).
        emissions: (K, V) how likely each word is of each tag.
    """

    transitions: Float[Tensor, "K K"]
    emissions: Float[Tensor, "K V"]

    @classmethod
    def of(cls, seed: int) -> "Language":
        random = torch.Generator().manual_seed(seed)
        order = torch.randperm(NUM_TAGS, generator=random)
        transitions = torch.full((NUM_TAGS, NUM_TAGS), (1 - STAYS) / NUM_TAGS, dtype=torch.float64)
        transitions[order, order.roll(1)] += STAYS
        twice = [torch.randperm(NUM_WORDS, generator=random) for _ in range(2)]
        words = torch.cat(twice).view(NUM_TAGS, WORDS_OF_A_TAG)
        ones = torch.ones(words.shape, dtype=torch.float64)
        emissions = torch.zeros(NUM_TAGS, NUM_WORDS, dtype=torch.float64).scatter_add_(1, words, ones)
        return cls(transitions, emissions / WORDS_OF_A_TAG)

    def sentences(
        self, count: int, length: int, random: torch.Generator
    ) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N T"]]:
        """``(words, tags)``."""
        tags = [torch.randint(NUM_TAGS, (count,), generator=random)]
        while len(tags) < length:
            tags.append(self.transitions[tags[-1]].multinomial(1, generator=random).squeeze(1))
        tagged = torch.stack(tags, dim=1)
        words = self.emissions[tagged.flatten()].multinomial(1, generator=random)
        return words.view(count, length), tagged

    def best_guess(self, words: Int[Tensor, "N T"], alone: bool = False) -> Int[Tensor, "N T"]:
        """The likeliest tag of each word from the whole sentence (forward and backward sums), or from the
        word ``alone``: no tagger can be right more often."""
        seen = self.emissions.T[words]  # (N, T, K)
        if alone:
            return seen.argmax(2)
        ahead, back = [seen[:, 0]], [torch.ones_like(seen[:, 0])]
        for t in range(1, words.shape[1]):
            ahead.append(_scaled(ahead[-1] @ self.transitions) * seen[:, t])
        for t in reversed(range(1, words.shape[1])):
            back.append(_scaled((back[-1] * seen[:, t]) @ self.transitions.T))
        return (torch.stack(ahead, 1) * torch.stack(back[::-1], 1)).argmax(2)


def _scaled(chances: Tensor) -> Tensor:
    return chances / chances.sum(1, keepdim=True)


@cache
def documentation() -> tuple[Int[Tensor, "N"], int]:
    """``(characters, V)`` of Python's documentation; the rarest, of less than 1 in 10,000, are one."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics))
    codes = torch.frombuffer(bytearray(text.encode("utf-32-le")), dtype=torch.int32).long()
    counts = codes.unique(return_counts=True)
    usual = counts[0][counts[1] * 10_000 > len(codes)]
    indices = torch.searchsorted(usual, codes).clamp(max=len(usual) - 1)
    return torch.where(usual[indices] == codes, indices, len(usual)), len(usual) + 1


def windows(
    text: Int[Tensor, "N"], count: int, length: int, random: torch.Generator
) -> Int[Tensor, "count length"]:
    """Pieces of a text that begin anywhere."""
    starts = torch.randint(len(text) - length + 1, (count, 1), generator=random)
    return text[starts + torch.arange(length)]


def bert_masking(num_words: int) -> Masking:
    """BERT's: 15 % of all tokens, 80 % of them replaced by the mask, which is one more token."""
    special = torch.zeros(num_words + 1, dtype=torch.bool)
    special[num_words] = True
    return Masking("tokens", num_words, special, ~special, ~special)


def masked(tokens: Int[Tensor, "B T"], masking: Masking, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """``(inputs, targets)``: targets are `IGNORED` where nothing is masked."""
    return masking.apply(tokens, torch.full((len(tokens),), tokens.shape[1]), random)


def cross_entropy(
    logits: Float[Tensor, "M V"] | Float[Tensor, "B *T V"], targets: Int[Tensor, "B *T"]
) -> Tensor:
    """Mean over the M targets that are not `IGNORED`, in nats; the logits may be of those alone."""
    if logits.dim() == 2:
        return nn.functional.cross_entropy(logits, targets[targets != IGNORED])
    return nn.functional.cross_entropy(logits.flatten(0, -2), targets.flatten(), ignore_index=IGNORED)


def training(
    model: nn.Module, losses: Iterator[Tensor], num_steps: int, learning_rate: float
) -> Iterator[int]:
    """So many steps of Adam, gradients clipped at norm 1, the rate warmed up over the first 50 and constant
    from then on, so that a curve says the same of its middle as of its end. Yields the steps done, from 0.

    Args:
        losses: of one batch after the other. A new one is drawn when the step before it is done.
    """
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learnt, lr=learning_rate)
    for step in range(num_steps):
        yield step
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / WARM_UP)
        optimizer.zero_grad()
        next(losses).backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
    yield num_steps


def error_at(layer: nn.Module, loss: Callable[[], Tensor]) -> Float[Tensor, "B T"]:
    """The norms of the derivatives of a loss by the vectors that a layer puts out last."""
    kept: list[Any] = []
    hook = layer.register_forward_hook(lambda module, args, output: kept.append(output))
    value = loss()
    hook.remove()
    (gradient,) = torch.autograd.grad(value, kept[-1:])
    return gradient.norm(dim=-1)


def probe(
    features: Float[Tensor, "N D"], tags: Int[Tensor, "N"], unseen: Float[Tensor, "M D"]
) -> Int[Tensor, "M"]:
    """What a linear map predicts that was fitted by least squares with a penalty: nothing of it is random."""
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    x, y = ((part.double() - mean) / deviation for part in (features, unseen))
    x, y = (torch.cat([part, torch.ones_like(part[:, :1])], dim=1) for part in (x, y))
    wanted = nn.functional.one_hot(tags, NUM_TAGS).to(x.dtype)
    penalty = RIDGE * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    return (y @ torch.linalg.solve(x.T @ x + penalty, x.T @ wanted)).argmax(1)

"""What a small net learns from a large one that reads the same texts (Hinton et al., 1503.02531).

    L = 5 KL(softmax(t / T) || softmax(s / T)) T^2 + 2 CE(masked tokens) + 1 - cos(x_t, x_s),    T = 2

Sanh et al., 1910.01108, sections 2 and 3; the weights and T are those of their program's example. The first
and the third are means over all tokens that are no padding, the second over the masked tokens.
"""

from torch import nn

from anncestry.arrays import Float, Int, Tensor
from anncestry.protocols import IGNORED

TEMPERATURE = 2.0
SOFT, HARD, ALIGNED = 5.0, 2.0, 1.0


def soft_targets(
    student: Float[Tensor, "M V"], teacher: Float[Tensor, "M V"], temperature: float = TEMPERATURE
) -> Float[Tensor, ""]:
    """KL of the softened distributions, times T^2, so that its gradients do not shrink with T; a mean."""
    log_s, log_t = ((logits.float() / temperature).log_softmax(-1) for logits in (student, teacher))
    divergence = nn.functional.kl_div(log_s, log_t, reduction="batchmean", log_target=True)
    return divergence * temperature**2


def aligned(student: Float[Tensor, "M D"], teacher: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    """1 minus the cosine between the vectors of each token; a mean."""
    return (1 - nn.functional.cosine_similarity(student.float(), teacher.float(), dim=-1)).mean()


def distillation(
    student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor], targets: Int[Tensor, "M"]
) -> Float[Tensor, ""]:
    """The loss of the tokens that are no padding, times the number of masked tokens among them.

    Args:
        student, teacher: (M, D) vectors and (M, V) logits of each token.
        targets: the masked tokens; `IGNORED` elsewhere.
    """
    hidden = targets != IGNORED
    count = hidden.sum().clamp(min=1)
    hard = nn.functional.cross_entropy(student[1][hidden].float(), targets[hidden], reduction="sum")
    soft = soft_targets(student[1], teacher[1])
    return SOFT * soft * count + HARD * hard + ALIGNED * aligned(student[0], teacher[0]) * count

"""Alignment: how well each position of a source fits a query, and the attention weights that follow.

Shapes: N sources of S positions, each with k queries (hypotheses side by side, or all steps of one target):
queries (N, k, H), annotations (N, S, D), keys (N, S, A), scores and weights (N, k, S).

What a score needs of a source alone, its ``keys``, is computed once for all queries. A source is never
copied for its queries.
"""

import math
from collections.abc import Callable

import torch
from torch import nn

from anncestry.arrays import Bool, Float, Tensor
from anncestry.errors import require
from anncestry.layers.recurrent.recurrence import recur
from anncestry.layers.seq2seq.lookup import AdditiveLookup, Lookup, additive_scores
from anncestry.layers.watching import any_watched, untouched


class Score(nn.Module):
    """How well each position fits each query."""

    def keys(self, annotations: Float[Tensor, "N S D"]) -> Float[Tensor, "N S A"]:
        """What there is to compute of a source once."""
        return annotations

    def forward(self, query: Float[Tensor, "N k H"], keys: Float[Tensor, "N S A"]) -> Float[Tensor, "N k S"]:
        raise NotImplementedError

    def over(self, keys: Float[Tensor, "N S A"]) -> Callable[[Tensor], Tensor]:
        """``forward`` for one source and the queries of the many steps of a loop."""
        return (lambda query: self(query, keys)) if any_watched(self) else self.prepared(keys)

    def prepared(self, keys: Float[Tensor, "N S A"]) -> Callable[[Tensor], Tensor]:
        """The same, where no one watches."""
        return lambda query: self(query, keys)


class Dot(Score):
    """e = h . a, of equal sizes. Luong et al., 1508.04025, equation 8.

    Args:
        scaled: whether a factor is learnt, which starts at 1 (tensorflow/nmt's ``scaled_luong``).
    """

    def __init__(self, scaled: bool = False) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(())) if scaled else None

    def forward(self, query, keys):
        scores = torch.bmm(query, keys.transpose(1, 2))
        return scores if self.scale is None else self.scale * scores

    def prepared(self, keys):
        product = Lookup(keys.transpose(1, 2))
        return lambda query: product(query) if self.scale is None else self.scale * product(query)


class General(Dot):
    """e = h . W a. Luong et al., 1508.04025, equation 8.

    Args:
        query_size: H.
        annotation_size: D.
        scaled: as for `Dot`.
    """

    def __init__(self, query_size: int, annotation_size: int, scaled: bool = False) -> None:
        super().__init__(scaled)
        self.annotation = nn.Linear(annotation_size, query_size, bias=False)

    def keys(self, annotations):
        return self.annotation(annotations)


class Concat(Score):
    """e = v . tanh(W h + a): Luong's "concat" as in the authors' code, where a position has no matrix.

    Args:
        query_size: H.
        annotation_size: D.
    """

    def __init__(self, query_size: int, annotation_size: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(annotation_size)
        self.query = nn.Linear(query_size, annotation_size, bias=False)
        self.v = nn.Parameter(torch.empty(annotation_size).uniform_(-bound, bound))

    def forward(self, query, keys):
        return additive_scores(self.query(query), keys, self.direction())

    def prepared(self, keys):
        if not untouched(self.query, nn.Linear):
            return super().prepared(keys)
        attend = AdditiveLookup(keys, self.direction())
        return lambda query: attend(recur(query.flatten(0, 1), self.query.weight).view(*query.shape[:2], -1))

    def direction(self) -> Float[Tensor, "A"]:
        """v."""
        return self.v


class Additive(Concat):
    """e = v . tanh(W h + U a), a net with one hidden layer. Bahdanau et al., 1409.0473, appendix A.1.2.

    Args:
        query_size: H.
        annotation_size: D.
        align_size: A, hidden units.
        normed: whether v is a direction and a length, and the hidden units have a bias (tensorflow/nmt's
            ``normed_bahdanau``, after Salimans & Kingma, 1602.07868).
    """

    def __init__(self, query_size: int, annotation_size: int, align_size: int, normed: bool = False) -> None:
        super().__init__(query_size, align_size)
        self.annotation = nn.Linear(annotation_size, align_size, bias=normed)
        self.length = nn.Parameter(torch.tensor(1 / math.sqrt(align_size))) if normed else None

    def keys(self, annotations):
        return self.annotation(annotations)

    def direction(self):
        return self.v if self.length is None else self.length * self.v / self.v.norm()


class Location(Score):
    """e = W h, by the position's number alone. Luong et al., 1508.04025, equation 9.

    Args:
        query_size: H.
        max_source_len: positions that have a score; no source is longer.
    """

    def __init__(self, query_size: int, max_source_len: int) -> None:
        super().__init__()
        require(max_source_len >= 1, "max_source_len", max_source_len, "must be at least 1")
        self.places = nn.Linear(query_size, max_source_len, bias=False)

    def keys(self, annotations):
        num_positions, largest = annotations.shape[1], self.places.out_features
        rule = f"with scores by location it is at most max_source_len, {largest}"
        require(num_positions <= largest, "source length", num_positions, rule)
        return annotations[..., :0]

    def forward(self, query, keys):
        if not untouched(self.places, nn.Linear):
            return self.places(query)[..., : keys.shape[1]]
        return nn.functional.linear(query, self.places.weight[: keys.shape[1]])


SCORES = ("dot", "general", "concat", "location", "additive")


def make_score(
    name: str, query_size: int, annotation_size: int, scaled: bool = False, max_source_len: int = 50
) -> Score:
    """A new score of that name; ``scaled`` is for products, and norms the additive one's v.

    Raises:
        UserError: there is no such score, or it has no scale.
    """
    require(name in SCORES, "score", name, "must be one of", SCORES)
    can_scale = name in ("dot", "general", "additive")
    require(can_scale or not scaled, "scaled", scaled, f"a score by {name} has no scale")
    if name == "dot":
        rule = f"a dot product needs as many units as a position has features, {annotation_size}"
        require(query_size == annotation_size, "hidden_size", query_size, rule)
        return Dot(scaled)
    if name == "general":
        return General(query_size, annotation_size, scaled)
    if name == "additive":
        return Additive(query_size, annotation_size, query_size, normed=scaled)
    if name == "concat":
        return Concat(query_size, annotation_size)
    return Location(query_size, max_source_len)


def side_by_side(queries: Float[Tensor, "R H"], num_sources: int) -> Float[Tensor, "N k H"]:
    """The queries of each source: row r belongs to source r // k."""
    return queries.view(num_sources, -1, queries.shape[-1])


def alignment_weights(
    scores: Float[Tensor, "N k S"], visible: Bool[Tensor, "N #k S"]
) -> Float[Tensor, "N k S"]:
    """Softmax over the positions that can be seen, of which each query has at least one; 0 elsewhere."""
    return scores.masked_fill(~visible, -math.inf).softmax(-1)


# ---- local attention: Luong et al., section 3.2 ---------------------------------------------------------


class Monotonic(nn.Module):
    """local-m: the t-th word attends around the t-th position, and past the end around the last one.

    Args:
        reach: D, positions to either side that are seen.
    """

    def __init__(self, reach: int) -> None:
        super().__init__()
        require(reach >= 1, "reach", reach, "must be at least 1")
        self.reach = reach

    def centre(
        self, query: Float[Tensor, "N k H"], step: Float[Tensor, "N k"], last: Float[Tensor, "N 1"]
    ) -> Float[Tensor, "N k"]:
        """The position that each query attends to, from 0; ``step`` is that of its word, ``last`` the
        source's last position."""
        return torch.minimum(step, last)

    def forward(self, scores, query, step, visible: Bool[Tensor, "N S"]) -> Float[Tensor, "N k S"]:
        """The weights of the window."""
        last = visible.sum(1, keepdim=True).to(scores) - 1
        centre = self.centre(query, step.to(scores), last).unsqueeze(2)  # (N, k, 1)
        position = torch.arange(scores.shape[2], device=scores.device).to(scores)
        inside = (position - centre.floor()).abs() <= self.reach
        return self.shaped(alignment_weights(scores, inside & visible.unsqueeze(1)), position - centre)

    def shaped(self, weights: Float[Tensor, "N k S"], distance: Float[Tensor, "N k S"]) -> Tensor:
        return weights

    def extra_repr(self) -> str:
        return f"reach={self.reach}"


class Predictive(Monotonic):
    r"""local-p: the centre is predicted, and a Gaussian favours the positions near it.

    .. math:: p = (S - 1)\, \sigma(v^T \tanh(W h)), \qquad
        \alpha_s = \mathrm{softmax}(e)_s \exp(-(s - p)^2 / 2 (D / 2)^2)

    The softmax is over the window around floor(p). As in the authors' code the Gaussian comes after it, at
    the real p, and the weights are not normalised again: they sum to less than 1.
    """

    def __init__(self, query_size: int, reach: int) -> None:
        super().__init__(reach)
        self.hidden = nn.Linear(query_size, query_size, bias=False)
        self.place = nn.Linear(query_size, 1, bias=False)

    def centre(self, query, step, last):
        return last * self.place(self.hidden(query).tanh()).squeeze(2).sigmoid()

    def shaped(self, weights, distance):
        return weights * (-2 * (distance / self.reach).square()).exp()

"""What is learnt beside the masked tokens."""

import torch

from anncestry.objectives.masked import MaskedLanguageModel
from anncestry.protocols import IGNORED, MaskedLMOutput


def test_a_row_of_which_nothing_is_asked_changes_nothing() -> None:
    """It is what a process gets for which no row of a batch is left."""
    objective = MaskedLanguageModel(9, num_relations=2)
    targets = torch.tensor([[1, IGNORED, 4], [0, 3, IGNORED]])
    words, relation = torch.randn(2, 9), torch.randn(2, 2)
    output = MaskedLMOutput(words, relation)
    padded = MaskedLMOutput(words, torch.cat([relation, torch.randn(1, 2)]))
    more = torch.cat([targets, torch.full((1, 3), IGNORED)])
    torch.testing.assert_close(objective.loss(padded, more), objective.loss(output, targets))
    torch.testing.assert_close(objective.tally(padded, more), objective.tally(output, targets))
    alone = objective.loss(MaskedLMOutput(words[:0], relation[:1]), more[2:])
    assert alone.item() == 0

"""Vectors of words, from all layers of a run of ELMo."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from anncestry.data.processors.characters import CharacterProcessor
from anncestry.errors import require
from anncestry.protocols import State, map_state


class Embedded(NamedTuple):
    """Vectors of words.

    Attributes:
        vectors: (T, L + 1, D) for each text: of every word the vector of its own, then those of the layers.
        state: behind each text.
    """

    vectors: list[Tensor]
    state: State


def embed(run: Any, texts: Sequence[str], state: State = None, batch_size: int = 32) -> Embedded:
    """The vectors of every word of texts, from all layers of a run of ELMo.

    Args:
        run: as `anncestry.load` gives it; trained on text or on a task, or imported.
        texts: words between blanks, without marks of their ends.
        state: behind the texts of an earlier call, of as many; each then goes on where its own one ended, as
            the authors' code always does. All texts are then read in one batch.

    Raises:
        UserError: the run has no layers of words to give, or a text has no word.
    """
    rule = f"gives no layers of words; it is a run of {run.architecture.id}"
    require(run.architecture.id == "elmo", "run", str(run.folder), rule, ["a run of elmo"])
    sentences = [text.split() for text in texts]
    size, found, states = len(texts) if state is not None else batch_size, [], []
    with run.prediction.scope(next(run.model.parameters()).device):
        for first in range(0, len(texts), max(size, 1)):
            inputs, lengths = CharacterProcessor(run.processor.num_chars).encode(
                sentences[first : first + size]
            )
            layers, after = run.model.embed(inputs, state, lengths)
            stacked = torch.stack(layers, dim=2)  # (B, T, L + 1, 2 N)
            found += [rows[:length] for rows, length in zip(stacked, lengths.tolist(), strict=True)]
            states.append(after)
    return Embedded(found, map_state(lambda *parts: torch.cat(parts), *states))

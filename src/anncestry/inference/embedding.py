"""Vectors of texts: one for each text from an encoder, or those of every word and layer from ELMo."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from anncestry.arrays import Float, Tensor
from anncestry.data.processors.characters import CharacterProcessor
from anncestry.data.processors.given import Text
from anncestry.engine.prediction import Prediction
from anncestry.engine.progress import Counter, Progress
from anncestry.inference.batched import encode
from anncestry.protocols import State, map_state


class Embedded(NamedTuple):
    """Vectors of words.

    Attributes:
        vectors: (T, L + 1, D) for each text: of every word the vector of its own, then those of the layers.
        state: behind each text.
    """

    vectors: list[Float[Tensor, "T L D"]]
    state: State


def embed_texts(
    model: nn.Module,
    processor: Any,
    texts: Sequence[Text],
    prediction: Prediction,
    progress: Progress | None = None,
) -> Float[Tensor, "N D"]:
    """A vector for each text, or for each pair of texts.

    Args:
        model: an encoder whose outputs are (B, D), in evaluation mode, prepared by ``prediction``.
        processor: of texts that have vectors.
        progress: called with how many texts are done, and how many there are.
    """
    inputs, lengths = processor.encode(texts, blank=True)
    return encode(model, inputs, lengths, prediction, progress)


def embed_words(
    model: Any,
    num_chars: int,
    texts: Sequence[str],
    prediction: Prediction,
    state: State = None,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> Embedded:
    """The vectors of every word of texts, from all layers of an ELMo.

    Args:
        num_chars: the longest word, in characters.
        texts: words between blanks, without marks of their ends.
        state: behind the texts of an earlier call, of as many; each then goes on where its own one ended, as
            the authors' code always does. All texts are then read in one batch.
        progress: called with how many texts are done, and how many there are.

    Raises:
        UserError: a text has no word.
    """
    sentences = [text.split() for text in texts]
    size, found, states = len(texts) if state is not None else batch_size, [], []
    counter = Counter(progress, len(texts))
    with prediction.scope(next(iter(model.parameters())).device):
        for first in range(0, len(texts), max(size, 1)):
            inputs, lengths = CharacterProcessor(num_chars).encode(sentences[first : first + size])
            layers, after = model.layer_representations(inputs, state, lengths)
            stacked = torch.stack(layers, dim=2)  # (B, T, L + 1, 2 N)
            found += [rows[:length] for rows, length in zip(stacked, lengths.tolist(), strict=True)]
            states.append(after)
            counter.add(len(lengths))
    return Embedded(found, map_state(lambda *parts: torch.cat(parts), *states) if states else None)


def cut_note(processor: Any, texts: Sequence[Text]) -> str:
    """How many of the texts are longer than the net reads, in words; empty where none is."""
    num_cut = processor.encode_counted(texts, blank=True)[2]
    if not num_cut:
        return ""
    most = processor.max_tokens
    return f"{num_cut} of {len(texts)} were longer than {most} tokens, the net's limit, and were cut"

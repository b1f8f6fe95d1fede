"""What some tasks can be asked for when a run predicts, and the defaults. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """What some tasks can be asked for.

    Attributes:
        length: language models: how many tokens to generate.
        temperature: language models: 0 takes the most probable token each time, 1 samples as the model
            believes.
        top_k: language models: sample from so many of the most probable tokens; 0 for all.
        top_p: language models: sample from the fewest tokens that have this probability together; 1 for all.
        samples: language models: how many continuations of each prompt.
        seed: language models and new images: fixes what is sampled.
        beam: language models, translations and captions: the width of the beam search; 1 is greedy search.
        n_best: language models, translations and captions: how many texts to print for each input, with their
            scores.
        alpha: translations and captions: the length penalty of a beam search, 0 for none.
        unfinished: translations and captions: what becomes of texts that a beam search cuts at the greatest
            length: compared with finished ones by score, or put last.
        alignments: translations and captions: a page to write, which shows the attention weights with which
            each token was generated. The net must have an attention, as rnnsearch, luong-attention, gnmt and
            show-attend-and-tell have.
        out: a file to write: a table of the predictions (.csv, .jsonl) with a row for each input.
            Autoencoders: a page (.html) with the images, their reconstructions, and new ones. Encoders that
            embed texts: a NumPy file (.npy) of float32 with a row for each text.
    """

    length: int = 200
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    samples: int = 1
    seed: int = 0
    beam: int = 1
    n_best: int = 1
    alpha: float = 0.6
    unfinished: Literal["compared", "last"] = "compared"
    alignments: Path | None = None
    out: Path | None = None

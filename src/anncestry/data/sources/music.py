"""Polyphonic music: which of 88 keys are down in the next frame."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from anncestry.data.dataset import Dataset, Examples, Processor
from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.plain import PlainProcessor, stack_padded
from anncestry.data.readers.files import check_memory, existing_file
from anncestry.errors import UserError
from anncestry.protocols import IGNORED
from anncestry.signature import Signature

KEYS = ("traindata", "validdata", "testdata")


def load_music(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``music:PATH``: a MATLAB file of Boulanger-Lewandowski et al., 1206.6392, with its own split."""
    path = existing_file(argument)
    pieces = [[torch.from_numpy(piece) for piece in part] for part in read_pieces(path)]
    width = pieces[0][0].shape[1]
    steps = sum(len(part) * max(map(len, part)) for part in pieces)
    check_memory(8 * steps * width, "music", str(path), "It is read into memory as float32, padded.")
    splits = []
    for part in pieces:
        inputs, lengths = stack_padded([piece[:-1] for piece in part], 0.0)
        targets, _ = stack_padded([piece[1:] for piece in part], float(IGNORED))
        splits.append(Examples(inputs, targets, lengths))
    longest = max(split.inputs.shape[1] for split in splits)
    plain = PlainProcessor("frames of zeros and ones", width)
    sizes = " / ".join(f"{len(part)} ({sum(map(len, part)):,} frames)" for part in pieces)
    return Dataset(
        name=f"music:{path}",
        options=asdict(options),
        signature=Signature("next-frame", "series", (longest, width), width),
        processor=expect(processor or plain, PlainProcessor, f"music:{path}"),
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        source=path,
        notes=(f"the file's own split: {sizes} pieces for training, validation, test",),
    )


def read_pieces(path: Path) -> list[list[np.ndarray]]:
    """The pieces (T, 88) float32 of the three parts. The format holds arrays alone, no code.

    Raises:
        UserError: it is no such file, or holds something else than frames of zeros and ones.
    """
    from scipy.io import loadmat

    try:
        found = loadmat(path, variable_names=KEYS)
    except Exception as error:  # whatever a damaged file provokes
        raise UserError("file", str(path), f"is no MATLAB file of frames ({error})") from None
    missing = [key for key in KEYS if key not in found]
    if missing:
        raise UserError("file", str(path), f"must hold {', '.join(KEYS)}; it lacks {', '.join(missing)}")
    parts = [[np.asarray(piece, np.float32) for piece in np.ravel(found[key])] for key in KEYS]
    for key, part in zip(KEYS, parts, strict=True):
        for number, piece in enumerate(part, 1):
            fits = piece.ndim == 2 and piece.shape[0] >= 2 and piece.shape[1] == parts[0][0].shape[1]
            if not fits or not np.isin(piece, (0, 1)).all():
                rule = f"piece {number} of {key} must be 2 or more frames of zeros and ones: {piece.shape}"
                raise UserError("file", str(path), rule)
    if not all(parts):
        raise UserError("file", str(path), "must hold at least one piece in each part")
    return parts

"""Polyphonic music: which of 88 keys are down in the next frame."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from anncestry.data.options import DataOptions
from anncestry.data.processors.common import expect
from anncestry.data.processors.plain import PlainProcessor, stack_padded
from anncestry.data.readers.matlab import read_matlab
from anncestry.data.splits.dataset import Dataset, Examples, Processor, Whole
from anncestry.errors import UserError
from anncestry.protocols import IGNORED
from anncestry.signature import Signature
from anncestry.user_files import check_memory, existing_file

KEYS = ("traindata", "validdata", "testdata")


def load_music(argument: str, options: DataOptions, seed: int, processor: Processor | None = None) -> Dataset:
    """``music:PATH``: a MATLAB file of Boulanger-Lewandowski et al., 1206.6392, with its own split."""
    path = existing_file(argument)
    parts = read_pieces(path)
    missing = [key for key in KEYS if key not in parts]
    if missing:
        raise UserError("file", str(path), f"must hold {', '.join(KEYS)}; it lacks {', '.join(missing)}")
    pieces = [parts[key] for key in KEYS]
    width = pieces[0][0].shape[1]
    splits = _examples(pieces, path)
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


def read_music(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All pieces of ``music:PATH``, whichever of the three parts it has."""
    path = existing_file(argument)
    reader = expect(processor, PlainProcessor, f"music:{path}")
    parts = read_pieces(path)
    pieces, missing = list(parts.values()), [key for key in KEYS if key not in parts]
    width = pieces[0][0].shape[1]
    if width != reader.width:
        raise UserError("data", f"music:{path}", f"has {width} keys; the model reads {reader.width}")
    return Whole(tuple(_examples(pieces, path)), (f"it has no {', '.join(missing)}",) if missing else ())


def _examples(parts: list[list[np.ndarray]], path: Path) -> list[Examples]:
    """Each frame with the next one as its target."""
    steps = sum(len(part) * max(map(len, part)) for part in parts)
    check_memory(
        8 * steps * parts[0][0].shape[1], "music", str(path), "It is read into memory as float32, padded."
    )
    splits = []
    for part in parts:
        pieces = [torch.from_numpy(piece) for piece in part]
        inputs, lengths = stack_padded([piece[:-1] for piece in pieces], 0.0)
        targets, _ = stack_padded([piece[1:] for piece in pieces], float(IGNORED))
        splits.append(Examples(inputs, targets, lengths))
    return splits


def read_pieces(path: Path) -> dict[str, list[np.ndarray]]:
    """The pieces (T, 88) float32 of the parts that a file has. The format holds arrays alone, no code.

    Raises:
        UserError: it is no such file, or holds something else than frames of zeros and ones.
    """
    found = read_matlab(path, KEYS)
    parts: dict[str, list[np.ndarray]] = {}
    width = None
    for key in KEYS:
        if key not in found:
            continue
        parts[key] = []
        for number, piece in enumerate(found[key], 1):
            rule = f"piece {number} of {key} must be 2 or more frames of zeros and ones"
            if piece.ndim != 2:
                raise UserError("file", str(path), f"{rule}, (frames, keys)")
            width = width or piece.shape[1]
            if piece.shape[0] < 2 or piece.shape[1] != width or not width or not np.isin(piece, (0, 1)).all():
                raise UserError("file", str(path), f"{rule} with {width} keys; its shape is {piece.shape}")
            parts[key].append(np.asarray(piece, np.float32))
        if not parts[key]:
            raise UserError("file", str(path), f"must hold at least one piece in {key}")
    if not parts:
        raise UserError("file", str(path), f"must hold some of {', '.join(KEYS)}")
    return parts

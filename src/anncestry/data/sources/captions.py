"""Images with captions: a folder of them, and small scenes that are made of handwritten digits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anncestry.data.options import DataOptions
from anncestry.data.processors.captions import CaptionProcessor
from anncestry.data.processors.common import expect
from anncestry.data.processors.image import ImageProcessor
from anncestry.data.processors.translation import encode_targets
from anncestry.data.readers.archives import is_archive, read_archives
from anncestry.data.readers.captions import read_caption_file
from anncestry.data.readers.images import is_image, read_images
from anncestry.data.splits.dataset import Dataset, Processor, Whole
from anncestry.data.splits.holdout import cut_in_order, generator, stratified_split
from anncestry.data.splits.seq2seq import Pairs, Sequences
from anncestry.errors import UserError, require
from anncestry.signature import Signature
from anncestry.tokenizers.vocabulary import Vocabulary
from anncestry.user_files import existing_folder, list_folder

IMAGE_FOLDERS = ("", "images", "Images")
IMAGE_SIZE, MIN_WORD_COUNT = 64, 2
SHARES = (0.8, 0.9)
"""Where the training images end, and where the test images begin, in the order of their names."""
Captions = list[tuple[str, ...]]


def load_captions(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``captions:DIR``: a file of ``image,caption`` lines, and beside it the images or an archive of them."""
    folder = existing_folder(argument)
    side = options.image_size or IMAGE_SIZE
    size, channels = (side, side), 3
    if processor is not None:
        images = expect(processor, CaptionProcessor, f"captions:{folder}").images
        size, channels = (images.height, images.width), images.channels
    pixels, captions, notes = _read_all(folder, size, channels, options.skip_bad)
    if len(pixels) < 3:
        rule = f"needs at least 3 images with captions; has {len(pixels)}"
        raise UserError("captions", str(folder), rule)
    parts = [(pixels[rows], captions[rows]) for rows in cut_in_order(len(pixels), SHARES)]
    notes.insert(0, "split in the order of the images' names")
    return _dataset(parts, options, processor, MIN_WORD_COUNT, f"captions:{folder}", folder, notes)


def read_captions(argument: str, options: DataOptions, processor: Processor) -> Whole:
    """All images of ``captions:DIR`` with their captions."""
    folder = existing_folder(argument)
    reader = expect(processor, CaptionProcessor, f"captions:{folder}")
    size = reader.images.height, reader.images.width
    pixels, captions, notes = _read_all(folder, size, reader.images.channels, options.skip_bad)
    require(len(pixels) > 0, "captions", str(folder), "needs an image that has a caption")
    return Whole((_examples(pixels, captions, reader, options.batch_tokens),), tuple(notes))


def _read_all(
    folder: Path, size: tuple[int, int], channels: int, skip_bad: bool
) -> tuple[np.ndarray, Captions, list[str]]:
    """Pixels (N, C, H, W), the captions of each image, in the order of the images' names, and notes."""
    files = _find_images(folder)
    captions, not_there, notes = read_caption_file(folder, files)
    names = sorted(captions)
    for what, lost in (
        ("captions are of images that are not there", not_there),
        ("images have no caption", [name for name in files if name not in captions]),
    ):
        if lost:
            shown = ", ".join(sorted(lost)[:5]) + (", ..." if len(lost) > 5 else "")
            notes.append(f"left out: {len(lost)} {what}: {shown}")
    read = read_images([files[name] for name in names], size, channels, skip_bad)
    if read.bad:
        shown = ", ".join(names[position] for position in read.bad[:50]) + (
            ", ..." if len(read.bad) > 50 else ""
        )
        notes.append(f"left out {len(read.bad)} unreadable images: {shown}")
    kept = [captions[name] for position, name in enumerate(names) if position not in set(read.bad)]
    return read.pixels, kept, [*notes, *read.notes]


def _find_images(folder: Path) -> dict[str, Any]:
    """The image files by name, in the folder or in its archives."""
    for below in IMAGE_FOLDERS:
        found = {path.name: path for path in list_folder(folder / below) if is_image(path)}
        if found:
            return found
    archives = [path for path in list_folder(folder) if is_archive(path)]
    if not archives:
        raise UserError("captions", str(folder), "must hold images, or an archive of them", IMAGE_FOLDERS[1:])
    found, waiting = {}, [read_archives(archives)]
    while waiting:
        for entry in waiting.pop().iterdir():
            if entry.is_dir():
                waiting.append(entry)
            elif is_image(entry):
                found[entry.name] = entry
    return found


def _dataset(
    parts: Sequence[tuple[np.ndarray, Captions]],
    options: DataOptions,
    given: Processor | None,
    min_count: int,
    name: str,
    source: Path | None,
    notes: Sequence[str],
) -> Dataset:
    """Pixels (N, C, H, W) uint8 with captions, for training, validation and test."""
    if given is None:
        level: Any = options.level or "word"  # one of the source's own levels
        fewest = options.min_count or (min_count if level != "char" else 1)
        texts = [text for captions in parts[0][1] for text in captions]
        target = Vocabulary.learn(texts, level, options.vocab_size, fewest, options.lowercase)
        given = CaptionProcessor(_image_processor(_scaled(parts[0][0])), target)
    processor = expect(given, CaptionProcessor, name)
    splits = [_examples(*part, processor, options.batch_tokens) for part in parts]
    lengths = splits[0].targets.lengths
    images = processor.images
    signature = Signature(
        "captioning",
        "image",
        (images.channels, images.height, images.width),
        len(processor.target),
        target_len=-(-int(lengths.sum()) // len(lengths)),
    )
    sizes = " / ".join(f"{split.num_sources:,}" for split in splits)
    rows = " / ".join(f"{len(split):,}" for split in splits)
    return Dataset(
        name=name,
        options=asdict(options),
        signature=signature,
        processor=processor,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        source=source,
        notes=(f"{sizes} images with {rows} captions for training, validation, test", *notes),
    )


def _scaled(pixels: np.ndarray) -> torch.Tensor:
    return torch.tensor(pixels, dtype=torch.float32).div_(255)


def _examples(
    pixels: np.ndarray, captions: Captions, processor: CaptionProcessor, batch_tokens: int | None
) -> Pairs:
    """Images (N, C, H, W) with the captions of each, as a model reads them."""
    targets = encode_targets(processor.target, [text for texts in captions for text in texts])
    counts = torch.tensor([len(texts) for texts in captions])
    return Pairs(
        processor.images.standardise(_scaled(pixels)),
        Sequences.of(targets),
        torch.arange(len(captions)).repeat_interleave(counts),
        tuple(captions),
        batch_tokens,
    )


def _image_processor(images: torch.Tensor) -> ImageProcessor:
    """The processor of training images (N, C, H, W) in [0, 1]."""
    deviation, mean = torch.std_mean(images, dim=(0, 2, 3), correction=0)
    deviation[deviation < 1e-6] = 1  # a channel of one colour
    _, channels, height, width = images.shape
    return ImageProcessor(channels, height, width, tuple(mean.tolist()), tuple(deviation.tolist()), ())


# ---- scenes -----------------------------------------------------------------------------------------

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SCENE_SIZE, DIGIT_SIZE = 24, 8
SCENES = (4000, 500, 500)
LAYOUTS = ("one", "above", "beside", "row", "column")


def load_scenes(
    argument: str, options: DataOptions, seed: int, processor: Processor | None = None
) -> Dataset:
    """``scenes``: one to three of scikit-learn's handwritten digits on (1, 24, 24), with captions.

    No handwritten digit of one part is in another one.
    """
    from sklearn import datasets

    pixels, labels = datasets.load_digits(return_X_y=True)
    digits = np.rint(pixels.reshape(-1, DIGIT_SIZE, DIGIT_SIZE) * (255 / 16)).astype(np.uint8)
    random = generator(seed)
    parts = []
    for rows, count in zip(stratified_split(labels, random), SCENES, strict=True):
        scenes = [_scene(digits[rows], labels[rows], random) for _ in range(count)]
        parts.append((np.stack([image for image, _ in scenes])[:, None], [texts for _, texts in scenes]))
    notes = [f"generated with seed {seed} from 1,797 handwritten digits; none is in two parts"]
    return _dataset(parts, options, processor, 1, "scenes", None, notes)


def _scene(
    digits: np.ndarray, labels: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, tuple[str, ...]]:
    """An image (H, W) and the captions that fit it."""
    layout = LAYOUTS[random.integers(len(LAYOUTS))]
    count = {"one": 1, "above": 2, "beside": 2, "row": 3, "column": 3}[layout]
    chosen = random.integers(len(digits), size=count)
    along = np.linspace(0, SCENE_SIZE - DIGIT_SIZE, 2 * count + 1).astype(int)[1::2] if count < 3 else None
    along = np.arange(count) * DIGIT_SIZE if along is None else along + random.integers(-2, 3)
    across = (SCENE_SIZE - DIGIT_SIZE) // 2 + random.integers(-4, 5)
    image = np.zeros((SCENE_SIZE, SCENE_SIZE), np.uint8)
    for number, position in zip(chosen, along, strict=True):
        top, left = (position, across) if layout in ("above", "column") else (across, position)
        image[top : top + DIGIT_SIZE, left : left + DIGIT_SIZE] = digits[number]
    return image, captions_of(layout, labels[chosen].tolist())


def captions_of(layout: str, numbers: Sequence[int]) -> tuple[str, ...]:
    """All captions of a scene: its digits from left to right, or from top to bottom."""
    named = [_one(number) for number in numbers]
    if layout == "one":
        return (named[0], f"there is {named[0]}", f"the digit {NUMBERS[numbers[0]]}")
    if layout == "above":
        first, second = named
        texts = (f"{first} above {second}", f"{second} below {first}", f"there is {first} above {second}")
    elif layout == "beside":
        first, second = named
        texts = (
            f"{first} to the left of {second}",
            f"{second} to the right of {first}",
            f"there is {first} to the left of {second}",
        )
    else:
        counts = Counter(numbers)
        groups = [_one(n) if times == 1 else f"{NUMBERS[times]} {_many(n)}" for n, times in counts.items()]
        order = "left to right" if layout == "row" else "top to bottom"
        texts = (f"{_listed(groups)} in a {layout}", f"{_listed(named)} from {order}")
    return tuple(dict.fromkeys(texts))


def _one(number: int) -> str:
    return f"{'an' if number == 8 else 'a'} {NUMBERS[number]}"


def _many(number: int) -> str:
    return NUMBERS[number] + ("es" if number == 6 else "s")


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

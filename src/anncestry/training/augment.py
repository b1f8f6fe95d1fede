"""New images out of old ones, a batch at a time: shifted, mirrored, with a piece cut out."""

import torch

from anncestry.arrays import Float, Tensor
from anncestry.training.settings import AUGMENTATIONS

SHIFT = 4  # pixels, of which the images of CIFAR are moved in either direction


def augment(
    images: Float[Tensor, "B C H W"], kinds: tuple[str, ...], random: torch.Generator
) -> Float[Tensor, "B C H W"]:
    """A new batch; what comes in from outside, or is cut out, is 0: the mean of standardised pixels.

    - ``shift``: up to 4 pixels along each axis (Lin et al., 1312.4400; Lee et al., 1409.5185: a border of
      4 and a random crop).
    - ``flip``: mirrored from left to right, every second image.
    - ``cutout``: a square half as wide as the image, anywhere with its centre (DeVries & Taylor,
      1708.04552).

    Args:
        kinds: which of `AUGMENTATIONS`.
        random: decides for each image; the same generator state gives the same batch.
    """
    assert set(kinds) <= set(AUGMENTATIONS)
    B, _, H, W = images.shape
    rows = torch.arange(H).expand(B, H)
    columns = torch.arange(W).expand(B, W)
    if "flip" in kinds:
        mirrored = torch.rand(B, 1, generator=random) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    if "shift" in kinds:
        by = torch.randint(-SHIFT, SHIFT + 1, (2, B, 1), generator=random)
        rows, columns = rows + by[0] + SHIFT, columns + by[1] + SHIFT
        images = torch.nn.functional.pad(images, (SHIFT,) * 4)
    if "flip" in kinds or "shift" in kinds:
        # One look-up with the channels last: both moves at once, in the layout that convolutions like.
        pick = (torch.arange(B).view(B, 1, 1), rows.unsqueeze(2), columns.unsqueeze(1))
        images = images.permute(0, 2, 3, 1)[tuple(index.to(images.device) for index in pick)]
        images = images.permute(0, 3, 1, 2)
    if "cutout" in kinds:
        inside = [
            (torch.arange(side) - torch.randint(side, (B, 1), generator=random)).abs() <= side // 4
            for side in (H, W)
        ]
        hole = inside[0].unsqueeze(2) & inside[1].unsqueeze(1)
        images = images.masked_fill(hole.unsqueeze(1).to(images.device), 0.0)
    return images

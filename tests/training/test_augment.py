"""New images out of old ones: what may move, what may not, and that a seed decides it all."""

import pytest
import torch

from anncestry.data import load_data
from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.training.augment import SHIFT, augment
from anncestry.training.fit import fit
from anncestry.training.settings import AUGMENTATIONS, TrainingSettings


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_shift_is_a_crop_of_the_padded_image():
    images = torch.randn(64, 3, 9, 7)
    moved = augment(images, ("shift",), seeded())
    padded = torch.nn.functional.pad(images, (SHIFT,) * 4)
    found = set()
    for image, ground in zip(moved, padded, strict=True):
        places = [
            (y, x)
            for y in range(2 * SHIFT + 1)
            for x in range(2 * SHIFT + 1)
            if torch.equal(image, ground[:, y : y + 9, x : x + 7])
        ]
        assert len(places) == 1
        found.update(places)
    assert len(found) > 30  # of the 81 places


def test_flip_mirrors_about_half():
    images = torch.randn(200, 1, 5, 6)
    flipped = augment(images, ("flip",), seeded())
    mirrored = [torch.equal(new, old.flip(2)) for new, old in zip(flipped, images, strict=True)]
    same = [torch.equal(new, old) for new, old in zip(flipped, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 70 < sum(mirrored) < 130


def test_flip_and_shift_together_are_one_after_the_other():
    images = torch.randn(32, 2, 8, 8)
    both = augment(images, ("shift", "flip"), seeded(3))
    flipped = augment(images, ("flip",), seeded(3))
    padded = torch.nn.functional.pad(flipped, (SHIFT,) * 4)
    for image, ground in zip(both, padded, strict=True):
        windows = ground.unfold(1, 8, 1).unfold(2, 8, 1)  # (C, 9, 9, 8, 8)
        assert (windows == image[:, None, None]).all(dim=(0, 3, 4)).any()


def test_cutout_clears_one_square():
    images = torch.ones(100, 3, 32, 32)
    holes = augment(images, ("cutout",), seeded()) == 0
    assert (holes == holes[:, :1]).all()  # all channels alike
    sizes = holes[:, 0].sum((1, 2))
    assert sizes.max() == 17 * 17
    assert sizes.min() >= 9 * 9  # a corner
    rows, columns = holes[:, 0].any(2).sum(1), holes[:, 0].any(1).sum(1)
    assert torch.equal(sizes, rows * columns)


@pytest.mark.parametrize("kinds", [(kind,) for kind in AUGMENTATIONS] + [AUGMENTATIONS])
def test_the_generator_decides(kinds):
    images = torch.randn(16, 3, 12, 12)
    before = images.clone()
    one, two, other = (augment(images, kinds, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert one.shape == images.shape
    assert torch.equal(images, before)


def test_training_with_it_can_be_repeated():
    dataset = load_data("digits")

    def trained(augmentation):
        torch.manual_seed(0)
        model = create("cnn", signature=dataset.signature, width=4)
        fit(model, dataset, TrainingSettings(max_steps=5, augment=augmentation))
        return torch.cat([p.flatten() for p in model.parameters()])

    assert torch.equal(trained("shift,flip"), trained("shift, flip"))
    assert not torch.equal(trained("shift,flip"), trained(""))


def test_what_is_not_known_or_has_no_image_is_refused():
    with pytest.raises(UserError, match=r"augment: got 'blur'.*shift, flip, cutout"):
        TrainingSettings(augment="flip,blur")
    dataset = load_data("toy2d:moons")
    with pytest.raises(UserError, match=r"augment: .*images"):
        fit(
            create("mlp", signature=dataset.signature), dataset, TrainingSettings(max_steps=1, augment="flip")
        )


def test_nesterov_needs_momentum():
    with pytest.raises(UserError, match="nesterov"):
        TrainingSettings(nesterov=True)
    assert TrainingSettings(optimizer="sgd", nesterov=True).nesterov

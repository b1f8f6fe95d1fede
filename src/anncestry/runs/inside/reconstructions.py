"""Images, how an autoencoder reconstructs them, and new ones, as one page."""

from collections.abc import Sequence
from typing import Any

import torch

from anncestry.amounts import check_seed
from anncestry.data.processors.given import Given
from anncestry.report.inside.generated import Pictures, generated_page
from anncestry.report.page import Page
from anncestry.runs.folder import RunFolder
from anncestry.runs.prediction import outputs

SHOWN, SAMPLED = 48, 24  # of those given, and new images


@torch.no_grad()
def reconstruction_page(run: RunFolder, inputs: Sequence[Given], seed: int = 0) -> Page:
    """The images with their reconstructions, and samples where the net can make new images.

    Args:
        run: an autoencoder.
        inputs: images, or files or folders of them.
        seed: fixes the new images.

    Raises:
        UserError: an image cannot be read; the seed is out of range.
    """
    check_seed(seed)
    processor: Any = run.processor
    model: Any = run.model
    given = torch.cat([processor.read(source)[1] for source in inputs])
    images = given[:SHOWN]
    reconstructed = outputs(run, images)[:, : run.signature.output_size].view_as(images)
    rows = [processor.pixels(values).numpy() for values in (images, reconstructed)]
    about = "Above, the image that was given; below it, what is reconstructed from its code."
    parts = [Pictures(title="Reconstructed", about=about, rows=rows)]
    if hasattr(model, "sample"):
        new = model.sample(SAMPLED, torch.Generator().manual_seed(seed))
        about = f"Decoded from random codes (seed {seed}); nobody has seen them before."
        parts.append(Pictures(title="New images", about=about, rows=[processor.pixels(new).numpy()]))
    name = run.architecture.name
    facts = [
        f"Every image became {run.config['model']['code_size']} numbers, and was reconstructed from them.",
        f"{name} ({run.architecture.year}), {run.source}.",
    ]
    if len(given) > len(images):
        facts.append(f"{len(images)} of {len(given)} images are shown.")
    return Page(generated_page(f"{name}: {run.folder.name}", facts, parts), tuple(facts))

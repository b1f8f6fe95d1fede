"""Write the weights of a run under the names of PyTorch, Keras, or Hugging Face."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True)
class Arguments:
    """Which run, in whose names, to which file."""

    run: tyro.conf.Positional[Path]
    """A run folder."""
    out: Path
    """The new file; of `marian`, `huggingface` and `elmo` a new folder."""
    to: Literal["torch", "keras", "marian", "huggingface", "elmo"] = "torch"
    """`torch`: safetensors with torch.nn's names (recurrent nets, Transformers) or torchvision's; `keras`:
    npz with Keras's names and gate order (recurrent nets); `marian`: a folder for Hugging Face's
    MarianMTModel (Transformers with the normalisation behind): weights, config, vocab.json; no .spm;
    `huggingface`: a folder for the class of transformers that has the run's architecture and task (language
    models of gpt and gpt2; encoders: bert, roberta, camembert, albert, distilbert, electra, for any task):
    weights, config, and the tokenizer where the run has one; of an encoder that embeds texts also for
    sentence-transformers; `elmo`: a folder as ELMo's authors keep it: options.json and
    lm_weights.hdf5, the language models alone."""


def run(arguments: Arguments) -> int:
    """Convert and write."""
    import io

    import numpy as np

    from anncestry.checkpoints.converters.torch_transformer import to_torch_transformer
    from anncestry.checkpoints.importing import export_weights
    from anncestry.checkpoints.store import write_bytes, write_tensors
    from anncestry.errors import UserError
    from anncestry.runs import Run

    if arguments.out.exists():
        raise UserError("--out", str(arguments.out), "exists already")
    trained = Run(arguments.run)
    if arguments.to == "marian":
        return _marian(trained, arguments.out)
    if arguments.to == "elmo":
        return _elmo(trained, arguments.out)
    if arguments.to == "huggingface":
        return _hugging_face(trained, arguments.out)
    if arguments.to == "torch" and trained.architecture.id == "transformer":
        write_tensors(arguments.out, *to_torch_transformer(trained.model.state_dict(), trained.model.config))
        print(arguments.out)
        return 0
    weights = export_weights(trained.model.state_dict(), arguments.to)
    if arguments.to == "torch":
        write_tensors(arguments.out, weights)  # pyright: ignore[reportArgumentType]
    else:
        archive = io.BytesIO()
        np.savez(archive, **weights)  # pyright: ignore[reportArgumentType]
        write_bytes(arguments.out, archive.getvalue())
    print(arguments.out)
    return 0


def _marian(trained, folder: Path) -> int:
    """Write the folder; what is not quite the same there goes to standard error."""
    import sys

    import safetensors.torch

    from anncestry.checkpoints.converters.marian import to_marian
    from anncestry.checkpoints.store import write_bytes
    from anncestry.errors import UserError
    from anncestry.runs import make_folder, write_json

    if trained.architecture.id != "transformer":
        raise UserError(
            "--to", "marian", f"holds Transformers; this run is not one: {trained.architecture.name}"
        )
    processor = trained.processor
    sides = (processor.source.tokens, processor.target.tokens)
    made = to_marian(trained.model.state_dict(), trained.model.config, sides)
    make_folder(folder)
    weights = safetensors.torch.save(made.tensors, {"format": "pt"})
    write_bytes(folder / "model.safetensors", weights)
    for name, numbers in made.vocabularies.items():
        write_json(folder / name, numbers)
    write_json(folder / "config.json", made.config)
    for note in made.notes:
        print(note, file=sys.stderr)
    print(folder)
    return 0


def _elmo(trained, folder: Path) -> int:
    """Write the two files of the language models."""
    from anncestry.checkpoints.converters.elmo import OPTIONS, WEIGHTS, elmo_bytes, to_elmo
    from anncestry.checkpoints.store import write_bytes
    from anncestry.errors import UserError
    from anncestry.runs import make_folder, write_json

    if trained.architecture.id != "elmo":
        raise UserError(
            "--to", "elmo", f"holds runs of elmo; this run is another: {trained.architecture.name}"
        )
    options, arrays = to_elmo(trained.model.state_dict(), trained.model.config)
    make_folder(folder)
    write_bytes(folder / WEIGHTS, elmo_bytes(arrays))
    write_json(folder / OPTIONS, options)
    print(folder)
    return 0


def _hugging_face(trained, folder: Path) -> int:
    """Write the folder, with the tokenizer where texts are read with one of theirs; what is not quite the
    same there goes to standard error."""
    import sys

    import safetensors.torch

    from anncestry.checkpoints.exporting import to_hugging_face
    from anncestry.checkpoints.store import write_bytes
    from anncestry.data.tokenizer import write_tokenizer
    from anncestry.runs import make_folder, write_json

    processor = trained.processor if (trained.folder / "processor.json").is_file() else None
    classes = getattr(processor, "classes", None) or getattr(processor, "tags", None) or ()
    weights, longest = trained.model.state_dict(), getattr(processor, "max_tokens", 0)
    made = to_hugging_face(trained.architecture.id, weights, trained.model.config, classes, longest)
    tokenizer = getattr(processor, "tokenizer", None)
    for place, part in {"": made, **made.folders}.items():
        make_folder(folder / place)
        weights = safetensors.torch.save(part.tensors, {"format": "pt"})
        write_bytes(folder / place / "model.safetensors", weights)
        for name, content in {"config.json": part.config, **part.files}.items():
            make_folder((folder / place / name).parent)
            write_json(folder / place / name, content)
        if tokenizer is not None:
            write_tokenizer(tokenizer, folder / place)
    mean, scale = getattr(processor, "mean", 0.0), getattr(processor, "scale", 1.0)
    notes = made.notes
    if trained.signature.task == "regression" and (mean, scale) != (0.0, 1.0):
        notes += (f"its answers there are (value - {mean:g}) / {scale:g}",)
    for note in notes:
        print(note, file=sys.stderr)
    print(folder)
    return 0

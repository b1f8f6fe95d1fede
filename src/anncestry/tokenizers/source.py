"""Which tokenizer reads texts: that of a run, that of a folder of files, or one learnt from the texts.

A run that is fine-tuned reads a task as it read what it was pre-trained on (`DataOptions.tokenizer`).
"""

from pathlib import Path

from anncestry.errors import UserError
from anncestry.stored import read_object
from anncestry.tokenizers.files import read_tokenizer
from anncestry.tokenizers.tokenizer import Tokenizer
from anncestry.user_files import existing_folder


def tokenizer_of(path: str | Path) -> Tokenizer:
    """The tokenizer of a run folder, or of a folder with the files of one.

    Raises:
        UserError: there is no such folder, it holds no tokenizer, or the run reads texts in another way.
    """
    folder = existing_folder(str(path))
    described = folder / "processor.json"
    if not described.is_file():
        return read_tokenizer(folder)
    fields = read_object(described)
    if not isinstance(fields.get("tokenizer"), dict):
        rule = f"is a run without a tokenizer: it reads {fields.get('kind', 'data')} in its own way"
        hint = "Give a run that was trained on pieces of words, or a folder with the files of a tokenizer."
        raise UserError("tokenizer", str(folder), rule, hint=hint)
    try:
        return Tokenizer.from_json(fields["tokenizer"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError("file", str(described), f"describes no tokenizer ({error})") from error


def num_positions_of(path: str | Path) -> int | None:
    """The longest text that the model beside a tokenizer can read; None where no model says so."""
    config = existing_folder(str(path)) / "config.json"
    model = read_object(config).get("model") if config.is_file() else None
    found = model.get("num_positions") if isinstance(model, dict) else None
    return found if isinstance(found, int) and found > 0 else None


def for_a_task(tokenizer: Tokenizer) -> Tokenizer:
    """The same, able to put special tokens round texts.

    A language model knows none. GPT got a start, a delimiter and an extract token when it was fine-tuned, as
    new words behind all others (Radford et al., 2018, section 3.3).
    """
    if tokenizer.template != "none":
        return tokenizer
    return tokenizer.with_special("gpt", begin="<start>", separator="<delimiter>", end="<extract>")

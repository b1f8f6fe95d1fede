"""Make a folder of ours from weights that another program trained: PyTorch, Keras, CTranslate2, Marian."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from anncestry.cli.overrides import Overrides


@dataclass(frozen=True)
class Arguments:
    """From which file or folder, to which folder."""

    source: tyro.conf.Positional[Path]
    """Safetensors of a module with one torch.nn.RNN, LSTM or GRU, or of torchvision; a Keras .weights.h5, .h5
    or .keras. Transformers: a folder of CTranslate2 (model.bin) or of Hugging Face's Marian (without its .spm
    texts are pieces of vocab.json with blanks between them); a checkpoint of tensor2tensor; safetensors of a
    module with a torch.nn.Transformer, src_embed, tgt_embed and generator. GPT and GPT-2: a folder of Hugging
    Face's; OpenAI's checkpoint of GPT-2 for TensorFlow, or its folder of GPT's params_shapes.json. ELMo:
    a folder with its options.json and HDF5 weights, or one of the two. BERT: a folder of Hugging Face's, for
    any task; its authors' bert_model.ckpt with bert_config.json and vocab.txt. A folder of
    sentence-transformers, for vectors of texts, or a cross-encoder's. RoBERTa, CamemBERT, ALBERT, DistilBERT,
    ELECTRA, XLM, FlauBERT, XLNet, MobileBERT and BART: folders of Hugging Face's, in one file or in shards;
    of ELECTRA the discriminator's, with the generator's in a folder `generator` in it."""
    folder: tyro.conf.Positional[Path]
    """The new folder, for `anncestry show FOLDER` and `anncestry.load(FOLDER).model`; where the source says
    how texts are read, also for `anncestry predict FOLDER "a text"`."""
    architecture: str | None = None
    """The id of what it must be; default: found from the weights."""
    set: Overrides = ()
    """A field of the config that weights do not say, as in `--set num_heads=4`. Repeatable."""


def run(arguments: Arguments) -> int:
    """Convert, and say what was found; what was assumed goes to standard error."""
    from anncestry.checkpoints.importing import import_weights
    from anncestry.cli.overrides import parse_overrides
    from anncestry.runs.imported import with_reader, write_import
    from anncestry.timeline import find

    found = with_reader(import_weights(arguments.source, arguments.architecture))
    given = parse_overrides(arguments.set, find(found.architecture).config_class())
    found = found._replace(config={**found.config, **given})
    made = write_import(arguments.folder, found, arguments.source)
    parameters = sum(tensor.numel() for tensor in found.tensors.values())
    for note in found.notes:
        if note.partition("=")[0] not in given:
            print(note.replace("(set ", "(--set "), file=sys.stderr)  # as the shell spells it
    print(f"{made.architecture.name}, {parameters:,} parameters, in {arguments.folder}")
    return 0

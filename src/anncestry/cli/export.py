"""Write a run under the names of another program, whole, for that program to read."""

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
    """The new file; of `marian`, `huggingface`, `elmo` and `onnx` a new folder, or an empty one."""
    to: Literal["torch", "keras", "marian", "huggingface", "elmo", "onnx"] = "torch"
    """`torch`: safetensors with torch.nn's names (rnn, lstm, stacked-lstm, gru, bilstm, brnn, transformer) or
    torchvision's (alexnet, vgg, resnet, densenet).
    `keras`: as the file ends, a model (.keras), its weights (.weights.h5) or arrays with Keras's names (.npz)
    (the same recurrent nets; mlp, but for .npz).
    `marian`: a folder for MarianMTModel of Hugging Face (transformer, with the normalisation behind):
    weights, config, vocab.json, and source.spm and target.spm where SentencePiece's pieces cut the texts.
    `huggingface`: a folder for the class of transformers that has the run's architecture and task: weights,
    config, and the tokenizer where the run has one (gpt, gpt2, bart, bert, roberta, camembert, albert,
    distilbert, electra, xlm, flaubert, xlnet, mobilebert; spanbert, structbert and sentence-bert as a BERT,
    and what is lost is reported); of an encoder that embeds texts also for sentence-transformers.
    `elmo`: a folder as ELMo's authors keep it, options.json and lm_weights.hdf5 (elmo: the language models
    alone).
    `onnx`: a folder with model.onnx (one forward pass, batches and sequences of any size, compared with
    onnxruntime before it is kept), preprocessing.json, and example.py, which runs without this program (every
    architecture)."""
    int8: bool = False
    """onnx: weights of matrix products as 8-bit integers; how far that moves the outputs is reported."""


def run(arguments: Arguments) -> int:
    """Convert and write; what is not quite the same there goes to standard error."""
    import sys

    from anncestry.runs.run import Run

    options = {"int8": True} if arguments.int8 else {}
    for note in Run(arguments.run).export(arguments.to, arguments.out, **options):
        print(note, file=sys.stderr)
    print(arguments.out)
    return 0

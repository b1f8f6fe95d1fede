"""Recognising and reading foreign files opens each of them once."""

import builtins
import collections
import importlib.util
import io
import json
from pathlib import Path

import h5py
import pytest
import safetensors
import torch
import transformers
from safetensors.torch import save_file

from anncestry.checkpoints.exporting import to_hugging_face
from anncestry.checkpoints.importing import import_weights
from anncestry.models.create import create

SIZES = {"vocab_size": 23, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
CONFIG = transformers.BertConfig(**SIZES, intermediate_size=24, max_position_embeddings=12, num_labels=3)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return transformers.BertForSequenceClassification(CONFIG).eval()


@pytest.fixture
def folder(model, tmp_path):
    model.save_pretrained(tmp_path / "theirs", max_shard_size="5kB")
    return tmp_path / "theirs"


# ---- a file is opened once ------------------------------------------------------------------------------


def kinds_of_files():
    """One small real example of every kind of foreign files, of those that the fuzzer damages."""
    path = Path(__file__).resolve().parents[1] / "fuzz" / "kinds.py"
    spec = importlib.util.spec_from_file_location("kinds", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {name: kind.make for name, kind in module.KINDS.items() if "_use_import" in kind.use.__qualname__}
    return found | {"sentence-transformers": sentence_transformers, "electra": electra}


def write(folder, exported):
    folder.mkdir(exist_ok=True)
    for name, value in {"config.json": exported.config, **exported.files}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(value))
    save_file(exported.tensors, folder / "model.safetensors")
    for name, inner in exported.folders.items():
        write(folder / name, inner)


TINY = {"input_size": 12, "output_size": 12, "hidden_size": 8, "num_layers": 1, "num_heads": 2}


def sentence_transformers(folder):
    model = create("bert", **TINY, task="embedding", pooling="mean")
    write(folder, to_hugging_face("bert", model.state_dict(), model.config))


def electra(folder):
    model = create("electra", **TINY, task="masked-lm", generator_divisor=2)
    write(folder, to_hugging_face("electra", model.state_dict(), model.config))


KINDS = kinds_of_files()


@pytest.fixture
def opened(monkeypatch):
    """How often each file is opened, by whichever library."""
    count = collections.Counter()

    def counted(opening):
        def call(path, *arguments, **options):
            if isinstance(path, str | Path):
                count[Path(path).resolve()] += 1
            return opening(path, *arguments, **options)

        return call

    for owner, name in ((builtins, "open"), (io, "open"), (safetensors, "safe_open")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))

    class File(h5py.File):
        def __init__(self, name, *arguments, **options):
            if isinstance(name, str | Path):
                count[Path(name).resolve()] += 1
            super().__init__(name, *arguments, **options)

    monkeypatch.setattr(h5py, "File", File)
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_opened_once(tmp_path, opened, kind):
    KINDS[kind](tmp_path)
    files = [path.resolve() for path in tmp_path.rglob("*") if path.is_file()]
    single = len(files) == 1 and files[0].suffix != ".npy"
    opened.clear()
    import_weights(files[0] if single else tmp_path)
    again = {path.name: opened[path] for path in files if opened[path] > 1}
    assert not again
    assert sum(opened[path] for path in files) > 0

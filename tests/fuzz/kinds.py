"""One small real example of every kind of file that is read, and what reads it."""

import io
import json
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from anncestry.checkpoints.converters.hugging_face.marian import to_marian
from anncestry.checkpoints.exporting import keras_arrays, to_hugging_face
from anncestry.checkpoints.importing import import_weights
from anncestry.data import DataOptions, load_data
from anncestry.models.create import create
from anncestry.runs.imported import with_reader, write_import
from anncestry.runs.run import Run
from anncestry.training.settings import TrainingSettings
from anncestry.training.train import train

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"


class Kind(NamedTuple):
    """Attributes:
    make: writes the example into an empty folder.
    use: reads the folder; ``out`` is where it may write.
    """

    make: Callable[[Path], None]
    use: Callable[[Path, Path], None]


# Runs


def _table(folder: Path) -> None:
    rows = "".join(f"{i % 7},{i % 5},{'pq'[i % 2]}\n" for i in range(40))
    (folder / "t.csv").write_text("a,b,y\n" + rows)


def _table_run(folder: Path) -> None:
    _table(folder)
    _briefly("mlp", f"csv:{folder / 't.csv'}", folder, width=4)


def _text_run(folder: Path) -> None:
    (folder / "t.txt").write_text("to be or not to be, that is the question. " * 20)
    _briefly("lstm", f"text:{folder / 't.txt'}", folder, width=4)


def _sentences_run(folder: Path) -> None:
    (folder / "t.txt").write_text(
        "".join(f"{'good' if i % 2 else 'bad'} {i % 3}\t{i % 2}\n" for i in range(40))
    )
    _briefly("lstm", f"sentences:{folder / 't.txt'}", folder, width=4)


def _briefly(name: str, data: str, folder: Path, width: int) -> None:
    settings = TrainingSettings(max_steps=1, batch_size=8, accelerator="cpu", evaluations=1)
    run, _ = train(name, data, out=folder / "run", settings=settings, width=width)
    for path in (run.folder / "checkpoints", run.folder / "README.md"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in run.folder.glob("metrics.*"):
        path.unlink()


def _use_run(given: str) -> Callable[[Path, Path], None]:
    def use(folder: Path, out: Path) -> None:
        run = Run(folder / "run")
        run.scores()
        run.predict(given)

    return use


def _use_text(folder: Path, out: Path) -> None:
    run = Run(folder / "run")
    run.scores()
    prompt = run.processor.encode_prompt("to be") if hasattr(run.processor, "encode_prompt") else None
    run.outputs(torch.zeros(1, 4, dtype=torch.int64) if prompt is None else prompt[None])


# Networks of others


def _hugging_face(name: str, **config) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        model = create(name, **config)
        exported = to_hugging_face(name, model.state_dict(), model.config)
        (folder / "config.json").write_text(json.dumps(exported.config))
        save_file(
            {n: t.contiguous().clone() for n, t in exported.tensors.items()}, folder / "model.safetensors"
        )

    return make


def _marian(folder: Path) -> None:
    words = ("<pad>", "<unk>", "<begin>", "<end>", *(f"w{n}" for n in range(8)))
    model = create("transformer", **_NET, output_size=12, positions="concatenated")
    exported = to_marian(model.state_dict(), model.config, (words, words))
    (folder / "config.json").write_text(json.dumps(exported.config))
    for name, value in exported.files.items():
        (folder / name).write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    save_file({n: t.contiguous().clone() for n, t in exported.tensors.items()}, folder / "model.safetensors")


def _torch_rnn(folder: Path) -> None:
    save_file(torch.nn.LSTM(3, 4).state_dict(), folder / "m.safetensors")


def _resnet(folder: Path) -> None:
    model = create(
        "resnet", blocks=(1,), channels=2, bottleneck=False, input_shape=(3, 32, 32), output_size=2
    )
    save_file(model.state_dict(), folder / "model.safetensors")
    published = {"input_size": [3, 32, 32], "mean": [0.5, 0.5, 0.5]}
    said = {"architecture": "resnet18", "num_classes": 2, "pretrained_cfg": published}
    (folder / "config.json").write_text(json.dumps(said))


def _shards(folder: Path) -> None:
    _torch_rnn(folder)
    (folder / "m.safetensors").rename(folder / "model-1.safetensors")
    names = list(torch.nn.LSTM(3, 4).state_dict())
    placed = {"weight_map": dict.fromkeys(names, "model-1.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(placed))


def _recurrent_arrays() -> dict[str, np.ndarray]:
    model = create("lstm", input_size=3, hidden_size=4, output_size=2)
    return keras_arrays(model.state_dict(), model.config)


def _keras_config() -> dict:
    lstm = {"class_name": "LSTM", "config": {"name": "lstm", "units": 4, "activation": "tanh"}}
    dense = {"class_name": "Dense", "config": {"name": "dense", "units": 2, "activation": "softmax"}}
    return {"class_name": "Sequential", "config": {"name": "s", "layers": [lstm, dense]}}


def _keras_hdf5(folder: Path) -> None:
    with h5py.File(folder / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(_keras_config())
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [b"lstm", b"dense"]
        for layer in ("lstm", "dense"):
            group = root.create_group(layer)
            arrays = {n: a for n, a in _recurrent_arrays().items() if n.startswith(f"{layer}/")}
            group.attrs["weight_names"] = [f"{name}:0".encode() for name in arrays]
            for name, array in arrays.items():
                group[f"{name}:0"] = array


def _keras_archive(folder: Path) -> None:
    store = io.BytesIO()
    with h5py.File(store, "w") as file:
        for name, array in _recurrent_arrays().items():
            layer, part = name.split("/")
            number = {"kernel": 0, "recurrent_kernel": 1, "bias": 2 if layer == "lstm" else 1}[part]
            file[f"layers/{layer}/{'cell/' if layer == 'lstm' else ''}vars/{number}"] = array
    with zipfile.ZipFile(folder / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(_keras_config()))
        archive.writestr("model.weights.h5", store.getvalue())


def _npz(folder: Path) -> None:
    np.savez(folder / "m.npz", **_recurrent_arrays())


def _original_gpt(folder: Path) -> None:
    width, words, places = 4, 9, 6
    shapes = [[places, width], [words, width]]
    shapes += [[1, width, 3 * width], [3 * width], [1, width, width], [width], [width], [width]]
    shapes += [[1, width, 4 * width], [4 * width], [1, 4 * width, width], [width], [width], [width]]
    (folder / "params_shapes.json").write_text(json.dumps(shapes))
    count = sum(int(np.prod(shape)) for shape in shapes)
    np.save(folder / "params_0.npy", np.random.default_rng(0).normal(size=count).astype(np.float32))


def _copied(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for path in (FIXTURES / name).iterdir():
            if path.is_file() and path.stat().st_size < 2_000_000:
                shutil.copyfile(path, folder / path.name)

    return make


def _use_import(name: str = "") -> Callable[[Path, Path], None]:
    def use(folder: Path, out: Path) -> None:
        write_import(out, with_reader(import_weights(folder / name)), folder / name)

    return use


# Data


def _written(**files: str | bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name, text in files.items():
            octets = text.encode() if isinstance(text, str) else text
            (folder / name.replace("__", ".")).write_bytes(octets)

    return make


def _use_data(name: str, **options) -> Callable[[Path, Path], None]:
    def use(folder: Path, out: Path) -> None:
        data = load_data(name.replace("@", str(folder)), DataOptions(**options))
        data.train.num_batches(4)

    return use


def _picture(number: int) -> bytes:
    store = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(store, "PNG")
    return store.getvalue()


def _pictures(folder: Path) -> None:
    for kind in ("cat", "dog"):
        (folder / kind).mkdir()
        for number in range(6):
            (folder / kind / f"{number}.png").write_bytes(_picture(number))


def _tar(folder: Path) -> None:
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        for name, octets in {f"{k}/{n}.png": _picture(n) for k in ("cat", "dog") for n in range(6)}.items():
            info = tarfile.TarInfo(name)
            info.size = len(octets)
            tar.addfile(info, io.BytesIO(octets))


def _captions(folder: Path) -> None:
    lines = ["image,caption"] + [f"{n}.png,a picture of number {n % 3}" for n in range(12)]
    (folder / "captions.txt").write_text("\n".join(lines) + "\n")
    for n in range(12):
        (folder / f"{n}.png").write_bytes(_picture(n))


def _idx(folder: Path) -> None:
    for part, count in (("train", 20), ("t10k", 10)):
        pixels = np.random.default_rng(count).integers(0, 255, count * 16, dtype=np.uint8)
        head = struct.pack(">IIII", 0x803, count, 4, 4)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        labels = bytes(i % 2 for i in range(count))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + labels)


def _cifar(folder: Path) -> None:
    random = np.random.default_rng(0)
    for name in [f"data_batch_{n}.bin" for n in range(1, 6)] + ["test_batch.bin"]:
        rows = random.integers(0, 255, (4, 3073), dtype=np.uint8)
        rows[:, 0] = [0, 1, 0, 1]
        (folder / name).write_bytes(rows.tobytes())


def _squad(folder: Path) -> None:
    asked = [{"id": str(n), "question": "What is red?", "answers": [{"text": "house", "answer_start": 4}]}
             for n in range(6)]  # fmt: skip
    text = "The house is red and the door is blue. "
    pages = [{"title": str(n), "paragraphs": [{"context": text * (n + 1), "qas": asked}]} for n in range(9)]
    (folder / "q.json").write_text(json.dumps({"version": "1.1", "data": pages}))


_WORDS = "the cat sat on the mat and the dog lay on the rug\n" * 30
_TREE = "1\tThe\tthe\tDET\tDT\t_\t2\tdet\t_\t_\n2\tcat\tcat\tNOUN\tNN\t_\t0\troot\t_\t_\n\n"
_LINES = [
    json.dumps({"text": f"text {n} is {'good' if n % 2 else 'bad'}", "label": n % 2}) for n in range(30)
]
_SERIES = "t,x\n" + "".join(f"{n},{n * 7 % 11}.5\n" for n in range(80))
_PARALLEL = "".join(f"one {n % 5} two\n" for n in range(40))
_NET = {"input_size": 12, "hidden_size": 4, "num_layers": 1, "num_heads": 2}
_SEQ = {**_NET, "output_size": 12, "num_positions": 8}

KINDS: dict[str, Kind] = {
    "run of a table": Kind(_table_run, _use_run("1,2")),
    "run of a text": Kind(_text_run, _use_text),
    "run of sentences": Kind(_sentences_run, _use_run("good 1")),
    "bert": Kind(_hugging_face("bert", **_NET, task="classification", output_size=2), _use_import()),
    "albert": Kind(_hugging_face("albert", **_SEQ, embed_dim=2, task="masked-lm"), _use_import()),
    "gpt2": Kind(_hugging_face("gpt2", **_SEQ, seq_len=8, task="language-model"), _use_import()),
    "bart": Kind(_hugging_face("bart", **_SEQ, seq_len=8, target_len=8), _use_import()),
    "xlnet": Kind(_hugging_face("xlnet", **_NET, task="classification", output_size=2), _use_import()),
    "marian": Kind(_marian, _use_import()),
    "torch rnn": Kind(_torch_rnn, _use_import("m.safetensors")),
    "shards": Kind(_shards, _use_import()),
    "resnet of timm": Kind(_resnet, _use_import()),
    "keras hdf5": Kind(_keras_hdf5, _use_import("m.h5")),
    "keras archive": Kind(_keras_archive, _use_import("m.keras")),
    "npz": Kind(_npz, _use_import("m.npz")),
    "original gpt": Kind(_original_gpt, _use_import()),
    "csv": Kind(_table, _use_data("csv:@/t.csv")),
    "csv of a series": Kind(_written(t__csv=_SERIES), _use_data("csv:@/t.csv", task="forecasting", window=4)),
    "csv of texts": Kind(
        _written(t__csv="text,label\n" + "".join(f'"a, {n}",{n % 2}\n' for n in range(30))),
        _use_data("csv:@/t.csv", text="text", level="wordpiece", vocab_size=60),
    ),
    "jsonl": Kind(
        _written(t__jsonl="\n".join(_LINES) + "\n"),
        _use_data("jsonl:@/t.jsonl", level="wordpiece", vocab_size=60),
    ),
    "text": Kind(_written(t__txt=_WORDS), _use_data("text:@/t.txt", window=8)),
    "sentences": Kind(
        _written(t__txt="".join(f"it is {n % 3}\t{n % 2}\n" for n in range(30))),
        _use_data("sentences:@/t.txt"),
    ),
    "conllu": Kind(_written(t__conllu=_TREE * 20), _use_data("conllu:@/t.conllu")),
    "parallel": Kind(_written(a__txt=_PARALLEL, b__txt=_PARALLEL), _use_data("parallel:@/a.txt,@/b.txt")),
    "squad": Kind(_squad, _use_data("squad:@/q.json", level="wordpiece", vocab_size=60, max_tokens=40)),
    "images": Kind(_pictures, _use_data("images:@")),
    "tar of images": Kind(_tar, _use_data("images:@")),
    "captions": Kind(_captions, _use_data("captions:@", image_size=8, min_count=1)),
    "idx": Kind(_idx, _use_data("idx:@")),
    "cifar": Kind(_cifar, _use_data("cifar:@")),
}  # fmt: skip

if FIXTURES.is_dir():
    KINDS |= {
        "bert of tensorflow": Kind(_copied("bert-tf-tiny"), _use_import()),
        "gpt2 of tensorflow": Kind(_copied("gpt2-tf-toy"), _use_import()),
        "embedder": Kind(_copied("tiny-embedder"), _use_import()),
        "elmo": Kind(_copied("elmo"), _use_import()),
        "ctranslate2": Kind(_copied("transformer-aren/v2/aren-transliteration-i8"), _use_import()),
    }

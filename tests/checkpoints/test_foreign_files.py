"""What an import opens: shards, wrappers' names, pickles and their advice, and what nobody recognises."""

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
from safetensors.torch import load_file, save_file

from anncestry.checkpoints.exporting import to_hugging_face
from anncestry.checkpoints.importing import import_weights
from anncestry.checkpoints.weights import open_weights
from anncestry.cli.main import main
from anncestry.errors import UserError
from anncestry.fields import Fields
from anncestry.models.create import create
from anncestry.runs.run import load

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


def check(model, source, out):
    assert main(["import", str(source), str(out)]) == 0
    tokens = torch.randint(1, 23, (3, 7), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted, found = model(tokens).logits, load(out).model(tokens)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_shards_are_read(model, folder, tmp_path):
    assert len(list(folder.glob("*.safetensors"))) > 2
    check(model, folder, tmp_path / "run")
    check(model, folder / "model.safetensors.index.json", tmp_path / "named")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path, index: next(path.glob("*-00002-*")).unlink(), "is a shard that is missing"),
        (lambda path, index: index.update({"bert.odd": min(index.values())}), "must name tensors.*bert.odd"),
        (lambda path, index: index.update(dict.fromkeys(index, "../out.safetensors")), "lies outside"),
        (lambda path, index: index.update(dict.fromkeys(index, "/etc/hosts")), "lies outside"),
        (lambda path, index: index.update(dict.fromkeys(index, 3)), "must name a file for each"),
        (lambda path, index: index.clear(), "must name a file for each"),
        (lambda path, index: next(path.glob("*-00001-*")).write_bytes(b"\x80\x02x"), "never loaded"),
        (lambda path, index: index.pop("classifier.bias"), None),  # the shard has it all the same
    ],
)
def test_shards_that_do_not_fit(folder, change, message):
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    change(folder, index["weight_map"])
    path.write_text(json.dumps(index))
    if message is None:
        assert import_weights(folder).config["task"] == "classification"
        return
    with pytest.raises(UserError, match=message):
        import_weights(folder)


@pytest.mark.parametrize("wrapper", ["module.{}", "_orig_mod.{}", "model.{}", "model._orig_mod.module.{}"])
def test_names_lose_what_wrappers_put_before_all(model, folder, tmp_path, wrapper):
    for shard in [*folder.glob("*.safetensors"), *folder.glob("*.index.json")]:
        shard.unlink()
    save_file({wrapper.format(n): t for n, t in model.state_dict().items()}, folder / "model.safetensors")
    check(model, folder, tmp_path / "run")


def test_a_file_that_is_named_is_the_one_that_is_read(model, tmp_path):
    model.save_pretrained(tmp_path)
    other = {name: tensor + 1 for name, tensor in load_file(tmp_path / "model.safetensors").items()}
    save_file(other, tmp_path / "other.safetensors")
    found = import_weights(tmp_path / "other.safetensors").tensors["head.bias"]
    assert torch.equal(found, model.classifier.bias + 1)


@pytest.mark.parametrize("how", ["one", "shards", "state_dict"])
def test_the_advice_on_a_pickle_works_for_tied_weights(tmp_path, how):
    model = transformers.BertForMaskedLM(CONFIG)
    model.config.save_pretrained(tmp_path)
    state = model.state_dict()
    names = list(state)
    if how == "shards":
        torch.save({n: state[n] for n in names[:9]}, tmp_path / "pytorch_model-00001-of-00002.bin")
        torch.save({n: state[n] for n in names[9:]}, tmp_path / "pytorch_model-00002-of-00002.bin")
        (tmp_path / "pytorch_model.bin.index.json").write_text('{"weight_map": {}}')
    else:
        torch.save({"state_dict": state, "epoch": 3} if how == "state_dict" else state,
                   tmp_path / "pytorch_model.bin")  # fmt: skip
    with pytest.raises(UserError, match="never loaded") as told:
        import_weights(tmp_path)
    hint = str(told.value.hint)
    command = hint[hint.index('-c "') + 4 : hint.rindex('"')]
    exec(command, {})  # in this process: another one takes seconds to start
    assert import_weights(tmp_path).config["task"] == "masked-lm"


@pytest.mark.parametrize("config", [transformers.T5Config(), transformers.DebertaV2Config()])
@pytest.mark.parametrize("weights", ["tensors", "pickle", "none"])
def test_a_type_that_is_not_known_is_named_with_those_that_are(tmp_path, config, weights):
    config.save_pretrained(tmp_path)
    if weights == "tensors":
        save_file({"encoder.block.0.weight": torch.ones(2, 2)}, tmp_path / "model.safetensors")
    if weights == "pickle":
        (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match=f"model_type: got '{config.model_type}'.*bert, roberta.*gpt2"):
        import_weights(tmp_path)


def test_tensors_are_read_one_at_a_time(model, tmp_path):
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(4)}, tmp_path / "x.safetensors")
    weights = open_weights(tmp_path / "x.safetensors")
    assert list(weights) == ["a", "b"]
    assert weights.shape("a") == (2, 3)
    assert "a" in weights
    assert torch.equal(weights["b"], torch.zeros(4))


def test_a_folder_without_weights_says_what_it_has(tmp_path):
    save_file({"a": torch.ones(1)}, tmp_path / "ema.safetensors")
    (tmp_path / "tf_model.h5").write_bytes(b"")
    with pytest.raises(UserError, match=r"unless it is named: ema.safetensors, tf_model.h5"):
        import_weights(tmp_path)


def test_fields_know_what_nobody_asked_for():
    fields = Fields({"a": 1, "b": None, "c": [1], "d": "x" * 99}, "some.json", idle=("d",))
    assert fields.size("a") == 1
    assert fields.get("b", 2) is None
    assert fields.notes() == ("some.json says what is not known here and was not heeded: c=[1]",)
    assert "c" in fields
    assert fields.notes() == ()
    with pytest.raises(UserError, match="must be true or false"):
        fields.flag("a", True)


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

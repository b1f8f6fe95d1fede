"""Tensors of foreign files: shards, wrappers' names, pickles and the advice on them."""

import json

import pytest
import torch
import transformers
from safetensors.torch import save_file

from anncestry.checkpoints.importing import import_weights
from anncestry.checkpoints.weights import open_weights
from anncestry.cli.main import main
from anncestry.errors import UserError
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
    with pytest.raises(UserError, match=r"only where it is named: ema.safetensors, tf_model.h5"):
        import_weights(tmp_path)

"""BERT's files: its authors' checkpoint, folders of every kind, what is wrong with bad ones, and runs."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from anncestry.checkpoints import foreign_files
from anncestry.checkpoints.converters import bert as converter
from anncestry.checkpoints.converters.bert import to_bert
from anncestry.checkpoints.converters.encoder_names import TextFacts, bert_names, fitted, foreign
from anncestry.checkpoints.importing import import_weights
from anncestry.cli.main import main
from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.protocols import IGNORED
from anncestry.runs.imported import write_import
from anncestry.runs.run import load

FIXTURE = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "bert-tf-tiny"
real = pytest.mark.skipif(not FIXTURE.is_dir(), reason="needs the checkpoint in ../shared/fixtures")
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "paris", "is", "the", "capital", "of", "france", ".")
V, D = len(WORDS), 8
SIZES = {
    "input_size": V, "output_size": V, "hidden_size": D, "num_layers": 2, "num_heads": 2, "num_positions": 16,
    "seq_len": 16, "separator": 3,
}  # fmt: skip


def model_of(**changes):
    model = create("bert", **{**SIZES, **changes}).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def saved(folder, model=None, tensors=None, config=None, words=WORDS, classes=()):
    """A folder of Hugging Face's, with changes."""
    made = to_bert((model or model_of()).state_dict(), (model or model_of()).config, TextFacts(classes))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(made.tensors if tensors is None else tensors(made.tensors), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(made.config | (config or {})))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
    return folder


def same(found, model):
    wanted = model.state_dict()
    assert found.tensors.keys() == wanted.keys()
    assert all(torch.equal(found.tensors[name], wanted[name]) for name in wanted)


# ---- the authors' files ---------------------------------------------------------------------------------


@real
@pytest.mark.parametrize("gelu", ["gelu_erf", "gelu_tanh"])
def test_the_authors_checkpoint(tmp_path, gelu):
    expected = json.loads((FIXTURE / "expected_forward.json").read_text())
    wanted = expected[gelu]
    found = import_weights(FIXTURE)
    assert found.config["num_relations"] == 2
    assert any("activation=gelu is assumed" in note for note in found.notes)
    if gelu == "gelu_tanh":
        found = found._replace(config={**found.config, "activation": "gelu-tanh"})
    run = write_import(tmp_path / "run", found, FIXTURE)
    model = run.model
    assert model.config.separator == 3
    tokens = torch.tensor([expected["input_ids"]])
    lengths = torch.tensor([sum(expected["input_mask"])])
    inside = slice(int(lengths))
    targets = torch.full_like(tokens, IGNORED)
    targets[:, 1:] = 0
    visible = torch.tensor(expected["input_mask"]).bool()[None, None, None]
    with torch.no_grad():
        x = model.embeddings(tokens)  # segments are told by the separators
        layers = [x := block(x, visible) for block in model.blocks]
        output = model(tokens, lengths, targets)
        pooled = model.pooler(model.encode(tokens, lengths))
        words = model(tokens, lengths)

    def close(found, wanted):
        torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-6, rtol=1e-5)

    first, *others = wanted["encoder_layers"]
    close(model.embeddings(tokens)[0, inside].detach(), first[inside])
    for found_layer, layer in zip(layers, others, strict=True):
        close(found_layer[0, inside], layer[inside])
    close(pooled[0], wanted["pooled_output"])
    close(words[0, inside], wanted["mlm_logits"][inside])
    close(output.logits[: int(lengths) - 1], wanted["mlm_logits"][1 : int(lengths)])
    close(output.relation[0], wanted["nsp_logits"])


@real
def test_every_way_to_name_it():
    found = [import_weights(FIXTURE / name) for name in ("bert_model.ckpt", "bert_model.ckpt.index")]
    assert all(other.tensors.keys() == found[0].tensors.keys() for other in found)
    assert len(found[0].tensors) == 46 - 2 * 2 * 2  # of two layers, q, k and v in one


def bundled(monkeypatch, arrays):
    """Let every checkpoint of TensorFlow hold these."""
    found = SimpleNamespace(
        listed=arrays, index=Path("x.index"), read=lambda names: {name: arrays[name] for name in names}
    )
    monkeypatch.setattr(foreign_files, "open_bundle", lambda path: found)


def test_what_the_authors_fine_tune(tmp_path, monkeypatch):
    """Names of classes' and questions' weights; what training keeps is passed over."""
    (tmp_path / "bert_model.ckpt.index").touch()
    (tmp_path / "bert_config.json").write_text(json.dumps(to_bert({}, model_of().config).config))
    heads = {
        "classification": ("output_weights", "output_bias", 3),
        "span": ("cls/squad/output_weights", "cls/squad/output_bias", 2),
    }
    for task, (weight, bias, count) in heads.items():
        model = model_of(task=task, output_size=count)
        arrays = {}
        for name, tensor in to_bert(model.state_dict(), model.config).tensors.items():
            if not name.startswith("bert."):
                arrays[weight if name.endswith("weight") else bias] = tensor.numpy()
                continue
            module, _, part = name.replace(".layer.", ".layer_").replace(".", "/").rpartition("/")
            part = {"weight": "kernel"}.get(part, part)
            if module.endswith("LayerNorm"):
                part = {"kernel": "gamma", "bias": "beta"}[part]
            named = module if module.endswith("_embeddings") else f"{module}/{part}"
            arrays[named] = tensor.t().numpy() if part == "kernel" and named != module else tensor.numpy()
        if task == "span":
            arrays["bert/pooler/dense/kernel"] = np.zeros((D, D), np.float32)
            arrays["bert/pooler/dense/bias"] = np.zeros(D, np.float32)
        more = {f"{name}/{part}": array for name, array in arrays.items() for part in ("adam_m", "adam_v")}
        more["global_step"] = np.array(7)
        bundled(monkeypatch, {**arrays, **more})
        found = import_weights(tmp_path)
        assert found.config["task"] == task
        same(found, model)
        assert any("pooler was left out" in note for note in found.notes) == (task == "span")
    bundled(monkeypatch, dict.fromkeys([converter._TF_LAYER, "bert/x/odd"]))
    with pytest.raises(UserError, match=r"no such tensors.*bert/x/odd"):
        import_weights(tmp_path)


# ---- folders of Hugging Face's --------------------------------------------------------------------------


def test_the_table_of_names_both_ways():
    model = model_of(task="tagging", output_size=3)
    names = bert_names("other.", {"classifier": "head"})
    theirs = foreign(model.state_dict(), names)
    assert "other.encoder.layer.1.attention.self.key.bias" in theirs
    assert theirs["classifier.weight"].data_ptr() != model.head.weight.data_ptr()
    config = {**SIZES, "task": "tagging", "output_size": 3}
    found = fitted("bert", config, theirs, names, "checkpoint")
    assert all(torch.equal(found[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("prefix", ["bert.", ""])
def test_old_names_buffers_and_copies(tmp_path, prefix):
    def old(tensors):
        parts = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        renamed = {}
        for name, tensor in tensors.items():
            for new, before in parts.items():
                name = name.replace(new, before)
            renamed[name.replace("bert.", prefix)] = tensor
        renamed[f"{prefix}embeddings.position_ids"] = torch.arange(16)[None]
        renamed["cls.predictions.decoder.weight"] = renamed[
            f"{prefix}embeddings.word_embeddings.weight"
        ].clone()
        renamed["cls.predictions.decoder.bias"] = renamed["cls.predictions.bias"].clone()
        return renamed

    model = model_of()
    same(import_weights(saved(tmp_path, model, old)), model)


def test_names_of_classes_make_what_reads_texts(tmp_path):
    classes = {"classification": ("bad", "good", "odd"), "tagging": ("O", "NAME", "PLACE")}
    for task, names in classes.items():
        folder = saved(tmp_path / task, model_of(task=task, output_size=3), classes=names)
        run = write_import(tmp_path / f"{task}-run", import_weights(folder), folder)
        assert (getattr(run.processor, "classes", ()) or run.processor.tags) == names
        assert run.processor.max_tokens == 16
    run = load(tmp_path / "classification-run")
    alone, together = (run.predict(text)[0] for text in ("paris is france", "paris is\tfrance"))
    assert alone["probabilities"] != together["probabilities"]
    tokens = torch.tensor([[2, 5, 6, 3, 10, 3]])
    segments = torch.tensor([[0, 0, 0, 0, 1, 1]])
    with torch.no_grad():
        wanted = run.model(tokens, segments=segments)[0].softmax(-1)
    assert list(together["probabilities"].values()) == pytest.approx(wanted.tolist(), abs=1e-6)
    with pytest.raises(UserError, match="two texts with a tab"):
        run.predict("paris\tis\tfrance")
    folder = saved(tmp_path / "value", model_of(task="regression", output_size=1), classes=("likeness",))
    run = write_import(tmp_path / "value-run", import_weights(folder), folder)
    assert list(run.predict("paris is france")[0]) == ["input", "likeness"]


def test_keys_that_are_not_known_are_reported(tmp_path):
    found = import_weights(saved(tmp_path, config={"one_more_trick": True, "model_type": "bert"}))
    assert any("one_more_trick" in note for note in found.notes)
    assert not import_weights(saved(tmp_path)).notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_act": "mish"}, "unknown hidden_act"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type.*another network"),
        ({"is_decoder": True}, "is_decoder.*another network"),
        ({"vocab_size": "many"}, "vocab_size must be a whole number"),
        ({"num_attention_heads": 3}, "multiple of `num_heads`"),
        ({"layer_norm_eps": "tiny"}, "layer_norm_eps must be a number"),
        ({"architectures": ["BertForMultipleChoice"]}, "chooses between texts"),
        ({"id2label": {"0": "a"}}, "each of 3 classes"),
        ({"id2label": {"0": "a", "1": "a", "2": "b"}}, "two classes alike"),
    ],
)
def test_configs_of_other_networks(tmp_path, change, message):
    folder = saved(tmp_path, model_of(task="classification", output_size=3), config=change)
    with pytest.raises(UserError, match=message):
        import_weights(folder)


def test_tensors_that_do_not_fit_are_reported_together(tmp_path):
    def broken(tensors):
        tensors["bert.encoder.layer.1.output.dense.weight"] = torch.zeros(D, D)
        del tensors["bert.encoder.layer.0.attention.self.key.bias"], tensors["bert.embeddings.LayerNorm.bias"]
        return tensors | {"bert.encoder.layer.0.adapter.weight": torch.zeros(2)}

    with pytest.raises(UserError) as caught:
        import_weights(saved(tmp_path, tensors=broken))
    for part in (
        "missing: bert.embeddings.LayerNorm.bias, bert.encoder.layer.0.attention.self.key.bias",
        "unknown: bert.encoder.layer.0.adapter.weight",
        "wrong shape: bert.encoder.layer.1.output.dense.weight (8, 8) for (8, 32)",
    ):  # fmt: skip
        assert part in str(caught.value)


def test_a_readout_of_its_own_is_refused(tmp_path):
    def untied(tensors):
        return tensors | {"cls.predictions.decoder.weight": torch.zeros(V, D)}

    with pytest.raises(UserError, match=r"differs from bert\.embeddings\.word_embeddings\.weight"):
        import_weights(saved(tmp_path, tensors=untied))


def test_bad_files(tmp_path):
    folder = saved(tmp_path / "a")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(UserError, match="pickle"):
        import_weights(folder)
    folder = saved(tmp_path / "b")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cut short"):
        import_weights(folder)
    (saved(tmp_path / "c") / "config.json").write_text("[1")
    with pytest.raises(UserError, match="JSON"):
        import_weights(tmp_path / "c")
    with pytest.raises(UserError, match="holds a BERT"):
        import_weights(saved(tmp_path / "d"), "gpt2")


def test_a_vocabulary_with_more_words_than_rows_is_reported(tmp_path):
    folder = saved(tmp_path / "theirs", words=(*WORDS, "more"))
    with pytest.raises(UserError, match=f"theirs.*has {V + 1} tokens.*has {V} rows"):
        write_import(tmp_path / "run", import_weights(folder), folder)
    assert not (tmp_path / "run").exists()


def test_rows_that_no_word_has_are_never_asked_for(tmp_path, capsys):
    """Tables are padded to a multiple of 8, or of 64."""
    folder = saved(tmp_path / "theirs", words=WORDS[:-1])
    assert main(["import", str(folder), str(tmp_path / "run")]) == 0
    run = load(tmp_path / "run")
    assert run.model.config.input_size == V
    scores = torch.zeros(1, V)
    scores[0, -1] = 9.0  # of the row that has no word
    (row,) = run.processor.decode(scores)
    assert len(row["words"]) == 5
    assert main(["predict", str(tmp_path / "run"), "the [MASK]"]) == 0
    capsys.readouterr()


def test_without_a_vocabulary_the_run_takes_tokens(tmp_path, capsys):
    folder = saved(tmp_path / "theirs")
    (folder / "vocab.txt").unlink()
    assert main(["import", str(folder), str(tmp_path / "run")]) == 0
    assert "takes tokens" in capsys.readouterr().err
    assert load(tmp_path / "run").model(torch.tensor([[2, 5, 3]])).shape == (1, 3, V)


# ---- what runs do ---------------------------------------------------------------------------------------


def exported(run, folder):
    assert main(["export", str(run), "--to", "huggingface", "--out", str(folder)]) == 0
    return folder


def test_masked_tokens_from_the_command_line(tmp_path, capsys):
    folder = saved(tmp_path / "theirs", model_of(num_relations=2))
    assert main(["import", str(folder), str(tmp_path / "run")]) == 0
    capsys.readouterr()
    text = "Paris is the [MASK] of [MASK]."
    assert main(["predict", str(tmp_path / "run"), text]) == 0
    first, *masks = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{text}\tparis is the ")
    assert [line.split(":")[0].strip() for line in masks] == ["mask 1", "mask 2"]
    assert main(["predict", "--json", str(tmp_path / "run"), text]) == 0
    row = json.loads(capsys.readouterr().out)
    run = load(tmp_path / "run")
    tokens = torch.tensor([[2, 5, 6, 7, 4, 9, 4, 11, 3]])
    with torch.no_grad():
        wanted = run.model(tokens)[0].softmax(-1)
    for place, words in zip((4, 6), row["masks"], strict=True):
        chances, best = wanted[place].topk(5)
        assert [word for word, _ in words] == [WORDS[token] for token in best]
        assert [chance for _, chance in words] == pytest.approx(chances.tolist(), abs=1e-6)
    assert main(["predict", str(tmp_path / "run"), "Paris is."]) == 2
    assert "[MASK]" in capsys.readouterr().err

    back = exported(tmp_path / "run", tmp_path / "back")
    wanted, found = load_file(folder / "model.safetensors"), load_file(back / "model.safetensors")
    assert wanted.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def test_what_cannot_be_exported():
    for field, changes in (("embed_dim", {"embed_dim": 4}), ("num_relations", {"num_relations": 3})):
        model = model_of(**changes)
        with pytest.raises(UserError, match=field):
            to_bert(model.state_dict(), model.config)

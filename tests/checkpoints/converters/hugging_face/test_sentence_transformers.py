"""Folders of sentence-transformers: our vectors, and those of the client."""

import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer import modules

from anncestry.checkpoints.converters.bert import to_bert
from anncestry.checkpoints.converters.encoder_names import TextFacts
from anncestry.checkpoints.importing import import_weights
from anncestry.cli.main import main
from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.runs.imported import write_import
from anncestry.runs.run import load

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "film", "was", "good", "bad", "a", "##s", ":"]
TEXTS = ["the film was good", "bad", "a film was bad : the films", "The Film"]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
         "vocab_size": len(WORDS), "max_position_embeddings": 40}  # fmt: skip


def body(folder, kind=transformers.BertModel, lower=True, **more):
    torch.manual_seed(0)
    model = kind(transformers.BertConfig(**SIZES, **more)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    vocab = {word: place for place, word in enumerate(WORDS)}
    transformers.BertTokenizer(vocab=vocab, do_lower_case=lower).save_pretrained(folder)
    return str(folder)


def made(tmp_path, *above, max_tokens=None, lower=True, **options):
    reads = modules.Transformer(body(tmp_path / "body", lower=lower), max_seq_length=max_tokens)
    peer = SentenceTransformer(modules=[reads, *above], device="cpu", **options)
    peer.save(str(tmp_path / "theirs"))
    return tmp_path / "theirs"


def check(folder):
    """Every text alone, and all in one padded batch."""
    run = write_import(folder.parent / "run", import_weights(folder), folder)
    peer = SentenceTransformer(str(folder), device="cpu")
    for texts in [*([text] for text in TEXTS), TEXTS]:
        wanted = peer.encode(texts)
        found = [row["vector"] for row in run.predict(texts)]
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    return run


@pytest.mark.parametrize("mode", modules.Pooling.POOLING_MODES)
def test_every_pooling(tmp_path, mode):
    check(made(tmp_path, modules.Pooling(16, pooling_mode=mode)))


def test_prompts_lengths_dense_and_unit_length(tmp_path):
    above = [modules.Pooling(16), modules.Dense(16, 5), modules.Normalize()]
    prompts = {"query": "the film : ", "passage": "a "}
    folder = made(tmp_path, *above, max_tokens=6, prompts=prompts, default_prompt_name="query")
    run = check(folder)
    assert run.processor.max_tokens == 6
    assert run.processor.prompt == "the film : "
    notes = " ".join(run.config["training"]["notes"])
    assert "prompt='the film : ' is put before every text" in notes
    assert "passage='a '" in notes


def test_a_dense_without_bias_through_another_function(tmp_path):
    dense = modules.Dense(16, 7, bias=False, activation_function=torch.nn.Identity())
    check(made(tmp_path, modules.Pooling(16, pooling_mode="cls"), dense))


@pytest.mark.parametrize("settings", [{"max_seq_length": 5}, {"max_seq_length": 7, "do_lower_case": True}])
def test_the_files_of_earlier_versions(tmp_path, settings):
    """Their settings say how long texts are, and that they are brought to lower case."""
    folder = made(tmp_path, modules.Pooling(16), lower=False, max_tokens=6)
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    flags = {"word_embedding_dimension": 16, "pooling_mode_cls_token": False,
             "pooling_mode_mean_sqrt_len_tokens": True}  # fmt: skip
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(flags))
    listed = json.loads((folder / "modules.json").read_text())
    for module in listed:
        module["type"] = "sentence_transformers.models." + module["type"].rpartition(".")[2]
    (folder / "modules.json").write_text(json.dumps(listed))
    assert check(folder).processor.max_tokens == settings["max_seq_length"]


def concatenated(path):
    said = {"embedding_dimension": 16, "pooling_mode": ["cls", "mean"]}
    (path / "1_Pooling" / "config.json").write_text(json.dumps(said))


def another(path):
    listed = json.loads((path / "modules.json").read_text())
    listed[-1]["type"] = "sentence_transformers.models.CNN"
    (path / "modules.json").write_text(json.dumps(listed))


def residual(path):
    file = path / "2_Dense" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"use_residual": True}))


def odd(path):
    file = path / "2_Dense" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"temperature": 3}))


def wide(path):
    save_file({"linear.weight": torch.ones(5, 9)}, path / "2_Dense" / "model.safetensors")


def unnamed(path):
    file = path / "config_sentence_transformers.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"default_prompt_name": "none"}))


REFUSED = [
    (concatenated, r"\['cls', 'mean'\]; must pool vectors in one known way"),
    (another, r"'Pooling', 'CNN'\]; must be made of"),
    (residual, "use_residual makes another network"),
    (odd, "temperature=3.*says what is not known of a Dense"),
    (wide, r"must hold linear.weight of \(5, 16\)"),
    (unnamed, "default_prompt_name must be one of the prompts"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_is_not_computed_is_refused_by_name(tmp_path, change, message):
    folder = made(tmp_path, modules.Pooling(16), modules.Dense(16, 5))
    change(folder)
    with pytest.raises(UserError, match=message):
        import_weights(folder)


@pytest.mark.parametrize("count", [1, 3])
def test_cross_encoders(tmp_path, count):
    kind = transformers.BertForSequenceClassification
    peer = CrossEncoder(body(tmp_path / "body", kind, num_labels=count), device="cpu")
    peer.save(str(tmp_path / "theirs"))
    run = write_import(tmp_path / "run", import_weights(tmp_path / "theirs"), tmp_path / "theirs")
    pairs = [("the film", "was good"), ("bad", "a film was bad : the films")]
    wanted = peer.predict(pairs, activation_fn=None if count == 1 else torch.nn.Softmax(-1))
    rows = run.predict(pairs)
    found = [[row["LABEL_0"]] if count == 1 else list(row["probabilities"].values()) for row in rows]
    np.testing.assert_allclose(np.array(found).reshape(wanted.shape), wanted, atol=1e-5)


TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "paris", "is", "the", "capital", "of", "france", ".")
D = 8


def encoder(**changes):
    sizes = {
        "input_size": len(TOKENS),
        "hidden_size": D,
        "num_layers": 2,
        "num_heads": 2,
        "num_positions": 16,
    }
    model = create("bert", **sizes, seq_len=16, separator=3, **changes).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def saved(folder, model):
    """The folder of transformers that a model goes out to."""
    made = to_bert(model.state_dict(), model.config, TextFacts(()))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(made.tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(made.config))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in TOKENS))
    return folder


# ---- what runs do ---------------------------------------------------------------------------------------


def exported(run, folder):
    assert main(["export", str(run), "--to", "huggingface", "--out", str(folder)]) == 0
    return folder


def sentences(folder, pooling="mean", normalize=True, inner="", longest=7, **changes):
    """A folder of sentence-transformers."""
    model = encoder(task="embedding", output_size=D, pooling="pooler")
    saved(folder / inner, model)
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalize else [])]
    paths = [inner, "1_Pooling", "2_Normalize"]
    listed = [
        {"type": f"sentence_transformers.models.{k}", "path": p} for k, p in zip(kinds, paths, strict=False)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    modes = {"mean": "pooling_mode_mean_tokens", "first": "pooling_mode_cls_token"}
    said = {name: mode == pooling for mode, name in modes.items()} | {"pooling_mode_max_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(said | changes))
    (folder / inner / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": longest}))
    return model


@pytest.mark.parametrize("inner", ["", "0_Transformer"])
@pytest.mark.parametrize(("pooling", "normalize"), [("mean", True), ("first", False)])
def test_vectors_of_texts(tmp_path, capsys, pooling, normalize, inner):
    model = sentences(tmp_path / "theirs", pooling, normalize, inner)
    assert main(["import", str(tmp_path / "theirs"), str(tmp_path / "run")]) == 0
    run = load(tmp_path / "run")
    assert run.model.pooler is None
    texts = [
        "Paris",
        "the capital of France is Paris.",
        "is",
        "Paris is the capital of France, is the capital",
    ]
    rows = [[2, 5, 3], [2, 7, 8, 9, 10, 6, 3], [2, 6, 3], [2, 5, 6, 7, 8, 9, 3]]  # at most 7 tokens
    with torch.no_grad():
        whole = [model.encode(torch.tensor([row]))[0] for row in rows]
    wanted = torch.stack([x.mean(0) if pooling == "mean" else x[0] for x in whole])
    wanted = torch.nn.functional.normalize(wanted, dim=-1) if normalize else wanted
    found = run.embed(texts)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert run.embed([]).shape == (0, D)
    found_rows = run.predict(texts[0])
    assert found_rows[0]["vector"] == pytest.approx(wanted[0].tolist(), abs=1e-5)

    lines = tmp_path / "texts.txt"
    lines.write_text("\n".join(texts) + "\n")
    out = tmp_path / "vectors.npy"
    assert main(["predict", str(tmp_path / "run"), str(lines), "--out", str(out)]) == 0
    array = np.load(out, allow_pickle=False)
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, wanted, atol=1e-5)
    assert "2 of 4 were longer than 7 tokens, the net's limit, and were cut" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "run"), str(lines), "--out", str(tmp_path / "vectors.csv")]) == 2
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "run"), texts[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vector"] == pytest.approx(wanted[0].tolist(), abs=1e-5)
    assert main(["predict", str(tmp_path / "run"), texts[0]]) == 0
    assert capsys.readouterr().out.startswith(f"Paris\t{D} numbers, length ")

    again = import_weights(exported(tmp_path / "run", tmp_path / "back"))
    for name in ("pooling", "unit_length"):
        assert again.config[name] == getattr(run.model.config, name)
    assert again.reader["max_tokens"] == 7
    wanted = run.model.state_dict()
    assert again.tensors.keys() == wanted.keys()
    assert all(torch.equal(again.tensors[name], wanted[name]) for name in wanted)


def test_a_body_with_a_pooler_gives_what_it_pools(tmp_path, capsys):
    model = encoder(task="embedding", output_size=D, pooling="pooler")
    folder = saved(tmp_path / "theirs", model)
    assert main(["import", str(folder), str(tmp_path / "run")]) == 0
    assert "pooling=pooler is assumed" in capsys.readouterr().err
    with torch.no_grad():
        wanted = model(torch.tensor([[2, 5, 6, 3]]))
    torch.testing.assert_close(load(tmp_path / "run").embed(["paris is"]), wanted, atol=1e-6, rtol=1e-5)
    assert main(["import", str(folder), str(tmp_path / "mean"), "--set", "pooling=mean"]) == 0
    assert "pooling" not in capsys.readouterr().err
    with torch.no_grad():
        wanted = model.encode(torch.tensor([[2, 5, 6, 3]])).mean(1)
    torch.testing.assert_close(load(tmp_path / "mean").embed(["paris is"]), wanted, atol=1e-6, rtol=1e-5)


def test_poolings_that_are_not_known(tmp_path):
    sentences(tmp_path / "a", pooling_mode_max_tokens=True)
    with pytest.raises(UserError, match="one known way"):
        import_weights(tmp_path / "a")
    sentences(tmp_path / "b")
    listed = json.loads((tmp_path / "b" / "modules.json").read_text())
    listed[2]["type"] = "sentence_transformers.models.CNN"
    (tmp_path / "b" / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(UserError, match="CNN"):
        import_weights(tmp_path / "b")
    (tmp_path / "b" / "modules.json").write_text('{"type": 1}')
    with pytest.raises(UserError, match=r"modules.json.*list of parts"):
        import_weights(tmp_path / "b")
    listed[2]["type"] = "sentence_transformers.models.Normalize"
    listed[1]["path"] = "../a/1_Pooling"
    (tmp_path / "b" / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(UserError, match="outside"):
        import_weights(tmp_path / "b")


def test_only_encoders_without_a_head_embed(tmp_path):
    folder = saved(tmp_path / "theirs", encoder(output_size=len(TOKENS)))
    run = write_import(tmp_path / "run", import_weights(folder), folder)
    with pytest.raises(UserError, match="its task is masked-lm"):
        run.embed(["paris"])

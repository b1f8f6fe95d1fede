"""Folders of sentence-transformers: our vectors, and those of the client."""

import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer import modules

from anncestry.checkpoints.importing import import_weights
from anncestry.errors import UserError
from anncestry.runs.imported import write_import

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
    (concatenated, r"\['cls', 'mean'\]; must bring vectors together in one known way"),
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

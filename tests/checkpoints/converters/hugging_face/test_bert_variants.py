"""Hugging Face's RoBERTa, CamemBERT, ALBERT, DistilBERT and ELECTRA, in and out: the same numbers."""

import json
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from anncestry.checkpoints.converters.hugging_face.bert_variants import to_bert_variant
from anncestry.checkpoints.importing import import_weights
from anncestry.cli.main import main
from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.runs.run import load

V, D, P, B, T = 23, 16, 12, 3, 7
LENGTHS = torch.tensor([7, 4, 1])
_USUAL = {
    "hidden_size": D, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 30,
    "max_position_embeddings": P + 2,
}  # fmt: skip
_SIZES = {
    "Roberta": {**_USUAL, "type_vocab_size": 1, "layer_norm_eps": 1e-5},
    "Camembert": {**_USUAL, "type_vocab_size": 1, "layer_norm_eps": 1e-5},
    "XLMRoberta": {**_USUAL, "type_vocab_size": 1},
    "Albert": {**_USUAL, "embedding_size": 6},
    "DistilBert": {
        "dim": D, "n_layers": 3, "n_heads": 4, "hidden_dim": 30, "max_position_embeddings": P,
    },
    "Electra": {**_USUAL, "embedding_size": 6},
}  # fmt: skip
KINDS = {
    "RobertaForMaskedLM": "roberta", "RobertaForSequenceClassification": "roberta", "RobertaModel": "roberta",
    "RobertaForTokenClassification": "roberta", "RobertaForQuestionAnswering": "roberta",
    "CamembertForMaskedLM": "camembert", "XLMRobertaForMaskedLM": "roberta",
    "AlbertForPreTraining": "albert", "AlbertForMaskedLM": "albert", "AlbertModel": "albert",
    "AlbertForSequenceClassification": "albert", "AlbertForTokenClassification": "albert",
    "DistilBertForMaskedLM": "distilbert", "DistilBertForSequenceClassification": "distilbert",
    "DistilBertForTokenClassification": "distilbert", "DistilBertForQuestionAnswering": "distilbert",
    "DistilBertModel": "distilbert",
    "ElectraForMaskedLM": "bert", "ElectraForSequenceClassification": "electra", "ElectraModel": "electra",
}  # fmt: skip
NAMES = {
    "AlbertForPreTraining": "prediction_logits", "RobertaModel": "pooler_output",
    "AlbertModel": "pooler_output", "DistilBertModel": "last_hidden_state",
    "ElectraModel": "last_hidden_state",
}  # fmt: skip


def tiny(kind, **changes):
    """A random model of theirs with sharp scores."""
    torch.manual_seed(0)
    name = next(name for name in _SIZES if kind.startswith(name))
    config = getattr(transformers, f"{name}Config")(**{"vocab_size": V, **_SIZES[name], **changes})
    made = getattr(transformers, kind)(config).eval()
    for name, parameter in made.named_parameters():
        torch.nn.init.normal_(parameter, 0.3 if "bias" in name or "orm" in name else 0.0, 0.3)
    return made


def theirs_of(model, name="logits"):
    tokens = text()
    visible = (torch.arange(T) < LENGTHS[:, None]).long()
    with torch.no_grad():
        outputs = model(input_ids=tokens, attention_mask=visible)
    if name == "logits" and not hasattr(outputs, "logits"):
        return outputs.start_logits
    return outputs[name]


def text():
    """Without filler, which RoBERTa's tell by its number."""
    return torch.randint(3, V, (B, T), generator=torch.Generator().manual_seed(1))


def ours_of(found) -> Any:
    model = create(found.architecture, **found.config).eval()
    model.load_state_dict(found.tensors)
    return model


def loaded(kind, folder, made):
    """What transformers makes of our export."""
    folder.mkdir()
    save_file(made.tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(made.config))
    model, told = getattr(transformers, kind).from_pretrained(folder, output_loading_info=True)
    assert not any(told[what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys")), told
    return model.eval()


def close(found, wanted):
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def inside(x):
    """The places that are no padding, where there are places."""
    return x[torch.arange(T) < LENGTHS[:, None]] if x.ndim > 1 and x.shape[1] == T else x


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_the_way_back(tmp_path, kind):
    theirs = tiny(kind, num_labels=3 if "Classification" in kind else 2)
    theirs.save_pretrained(tmp_path / "theirs")
    found = import_weights(tmp_path / "theirs")
    assert found.architecture == KINDS[kind]
    ours, name = ours_of(found), NAMES.get(kind, "logits")
    with torch.no_grad():
        outputs = ours.encode(text(), LENGTHS) if name == "last_hidden_state" else ours(text(), LENGTHS)
    outputs = outputs[..., 0] if found.config["task"] == "span" else outputs
    wanted = theirs_of(theirs, name)
    close(inside(outputs), inside(wanted))
    if kind == "ElectraForMaskedLM":  # a BERT with small tables has no other file
        return
    made = to_bert_variant(found.architecture, ours.state_dict(), ours.config)
    back = "RobertaForMaskedLM" if kind.startswith("XLM") else kind
    assert made.config["architectures"] == [back]
    close(inside(theirs_of(loaded(back, tmp_path / "back", made), name)), inside(wanted))


@pytest.mark.parametrize("pad", [0, 2])
def test_positions_begin_behind_the_filler_whatever_its_number(tmp_path, pad):
    theirs = tiny("RobertaForMaskedLM", pad_token_id=pad, max_position_embeddings=P + pad + 1)
    theirs.save_pretrained(tmp_path)
    found = import_weights(tmp_path)
    assert found.config["num_positions"] == P
    with torch.no_grad():
        close(inside(ours_of(found)(text(), LENGTHS)), inside(theirs_of(theirs)))


def test_the_order_of_two_texts(tmp_path):
    theirs = tiny("AlbertForPreTraining")
    theirs.save_pretrained(tmp_path)
    ours = ours_of(import_weights(tmp_path))
    assert len(ours.blocks) == 1
    targets = torch.zeros(B, T, dtype=torch.long)
    with torch.no_grad():
        output = ours(text(), LENGTHS, targets)
    close(output.relation, theirs_of(theirs, "sop_logits"))


@pytest.mark.parametrize("embed_dim", [6, D, D // 2])
def test_electra_in_two_folders(tmp_path, embed_dim):
    """Both nets come in, and go out again, through the command line."""
    theirs = tiny("ElectraForPreTraining", embedding_size=embed_dim, intermediate_size=30)
    small = {"hidden_size": D // 2, "num_attention_heads": 2, "intermediate_size": 2 * D}
    generator = tiny("ElectraForMaskedLM", embedding_size=embed_dim, **small)
    generator.electra.embeddings.load_state_dict(theirs.electra.embeddings.state_dict())
    theirs.save_pretrained(tmp_path / "theirs")
    generator.save_pretrained(tmp_path / "theirs" / "generator")
    assert main(["import", str(tmp_path / "theirs"), str(tmp_path / "run")]) == 0
    run: Any = load(tmp_path / "run")
    assert (run.architecture.id, run.model.config.generator_divisor) == ("electra", 2)
    with torch.no_grad():
        close(inside(run.model(text(), LENGTHS)), inside(theirs_of(generator)))
        close(inside(run.model.replaced(text(), LENGTHS)), inside(theirs_of(theirs)))
    assert main(["export", str(tmp_path / "run"), "--to", "huggingface", "--out", str(tmp_path / "out")]) == 0
    for folder, kind, first in (("", "PreTraining", theirs), ("generator", "MaskedLM", generator)):
        kind = getattr(transformers, f"ElectraFor{kind}")
        model, told = kind.from_pretrained(tmp_path / "out" / folder, output_loading_info=True)
        assert not any(told[what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys"))
        close(inside(theirs_of(model.eval())), inside(theirs_of(first)))


def test_a_discriminator_alone_embeds(tmp_path):
    theirs: Any = tiny("ElectraForPreTraining")
    theirs.save_pretrained(tmp_path)
    found = import_weights(tmp_path)
    assert (found.architecture, found.config["task"]) == ("electra", "embedding")
    assert any("replaced-token detection was left out" in note for note in found.notes)
    with torch.no_grad():
        wanted = theirs.electra(text()).last_hidden_state
        close(ours_of(found).encode(text()), wanted)


def test_a_pooler_that_is_not_asked_is_left_out(tmp_path):
    """Published files of RoBERTa have one beside the masked tokens' layer."""
    theirs = tiny("RobertaForMaskedLM")
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors |= {"roberta.pooler.dense.weight": torch.ones(D, D), "roberta.pooler.dense.bias": torch.ones(D)}
    tensors["roberta.embeddings.position_ids"] = torch.arange(P + 2)[None]
    save_file(tensors, tmp_path / "model.safetensors")
    found = import_weights(tmp_path)
    assert any("the pooler was left out" in note for note in found.notes)
    with torch.no_grad():
        close(inside(ours_of(found)(text(), LENGTHS)), inside(theirs_of(theirs)))


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("AlbertForMaskedLM", {"num_hidden_groups": 3}, "num_hidden_groups makes another network"),
        ("AlbertForMaskedLM", {"embedding_size": D}, "as wide as the layers make another network"),
        ("RobertaForMaskedLM", {"hidden_act": "relu"}, "relu.*the head has gelu"),
    ],
)
def test_other_networks_are_refused(tmp_path, kind, changes, message):
    tiny(kind, **changes).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=message):
        import_weights(tmp_path)


def test_a_generator_of_other_tables_is_refused(tmp_path):
    theirs = tiny("ElectraForPreTraining")
    theirs.save_pretrained(tmp_path)
    small = {"hidden_size": D // 2, "num_attention_heads": 2, "intermediate_size": 2 * D}
    generator = tiny("ElectraForMaskedLM", **small)
    generator.electra.embeddings.load_state_dict(theirs.electra.embeddings.state_dict())
    with torch.no_grad():
        generator.electra.embeddings.position_embeddings.weight[0] += 1
    generator.save_pretrained(tmp_path / "generator")
    with pytest.raises(UserError, match=r"position_embeddings\.weight.*in ours the two are one"):
        import_weights(tmp_path)


@pytest.mark.parametrize(
    ("architecture", "changes", "message"),
    [
        ("albert", {"embed_dim": D}, "embed_dim: got 16; must be another than hidden_size"),
        ("distilbert", {"num_segments": 2}, "num_segments: got 2.*Choices: 0"),
        ("roberta", {"activation": "relu"}, "activation: got 'relu'.*Choices: gelu"),
    ],
)
def test_what_does_not_go_out(architecture, changes, message):
    sizes = {"input_size": V, "output_size": V, "hidden_size": D, "num_layers": 1, "num_heads": 4}
    model = create(architecture, **{**sizes, **changes})
    with pytest.raises(UserError, match=message):
        to_bert_variant(architecture, model.state_dict(), model.config)

"""BERT of Hugging Face and of its authors, in and out: the same vectors and the same scores."""

import json

import pytest
import torch
import transformers
from safetensors.torch import save_file

from anncestry.checkpoints.converters.bert import to_bert
from anncestry.checkpoints.importing import import_weights
from anncestry.models.create import create

V, B, T = 23, 3, 7
SIZES = {
    "vocab_size": V, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 24, "max_position_embeddings": 12, "type_vocab_size": 2,
}  # fmt: skip
LENGTHS = torch.tensor([7, 3, 5])


def tiny(kind="BertModel", **changes):
    """A random model of theirs, none of whose numbers is 0 or 1 by habit."""
    torch.manual_seed(0)
    model = getattr(transformers, kind)(transformers.BertConfig(**{**SIZES, **changes})).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def examples():
    """Tokens, those of segment 1, and which are no padding."""
    torch.manual_seed(1)
    tokens = torch.randint(1, V, (B, T))
    segments = (torch.arange(T) > 2).long().expand(B, T)
    return tokens, segments, (torch.arange(T) < LENGTHS[:, None]).long()


def theirs_of(model, **more):
    tokens, segments, visible = examples()
    with torch.no_grad():
        return model(input_ids=tokens, token_type_ids=segments, attention_mask=visible, **more)


def ours_of(found):
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
    """The places that are no padding."""
    return x[torch.arange(T) < LENGTHS[:, None]]


KINDS = {
    "BertModel": ("embedding", "pooler_output"),
    "BertForPreTraining": ("masked-lm", "prediction_logits"),
    "BertForMaskedLM": ("masked-lm", "logits"),
    "BertForNextSentencePrediction": ("classification", "logits"),
    "BertForSequenceClassification": ("classification", "logits"),
    "BertForTokenClassification": ("tagging", "logits"),
    "BertForQuestionAnswering": ("span", "start_logits"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_the_way_back(tmp_path, kind):
    task, name = KINDS[kind]
    theirs = tiny(kind, num_labels=3 if "Classification" in kind else 2)
    theirs.save_pretrained(tmp_path / "theirs")
    found = import_weights(tmp_path / "theirs")
    assert (found.architecture, found.config["task"]) == ("bert", task)
    ours = ours_of(found)
    tokens, segments, _ = examples()
    wanted = theirs_of(theirs)[name]
    with torch.no_grad():
        outputs = ours(tokens, LENGTHS, segments=segments)
    outputs = outputs[..., 0] if task == "span" else outputs
    cut = inside if outputs.ndim > 1 and outputs.shape[1] == T else lambda x: x
    close(cut(outputs), cut(wanted))

    back = loaded(to_bert(ours.state_dict(), ours.config).config["architectures"][0], tmp_path / "back",
                  to_bert(ours.state_dict(), ours.config))  # fmt: skip
    name = "logits" if kind == "BertForNextSentencePrediction" else name
    close(cut(theirs_of(back)[name]), cut(wanted))


def test_vectors_of_all_layers(tmp_path):
    theirs = tiny(hidden_act="gelu_new", layer_norm_eps=1e-6)
    theirs.save_pretrained(tmp_path)
    ours = ours_of(import_weights(tmp_path))
    tokens, segments, visible = examples()
    wanted = theirs_of(theirs, output_hidden_states=True).hidden_states
    with torch.no_grad():
        x = ours.embeddings(tokens, segments)
        close(x, wanted[0])
        for block, layer in zip(ours.blocks, wanted[1:], strict=True):
            x = block(x, visible.bool()[:, None, None])
            close(inside(x), inside(layer))


def test_the_second_text(tmp_path):
    theirs = tiny("BertForPreTraining", hidden_act="relu")
    theirs.save_pretrained(tmp_path)
    ours = ours_of(import_weights(tmp_path))
    assert ours.config.num_relations == 2
    tokens, segments, _ = examples()
    targets = torch.zeros_like(tokens)
    with torch.no_grad():
        output = ours(tokens, LENGTHS, targets, segments)
    wanted = theirs_of(theirs)
    close(output.relation, wanted.seq_relationship_logits)
    places = inside(torch.arange(B * T).view(B, T))
    rows = output.logits.view(B, T - 1, V)  # the first place asks for the relation
    wanted = wanted.prediction_logits[:, 1:]
    kept = torch.isin(torch.arange(B * T).view(B, T)[:, 1:], places)
    close(rows[kept], wanted[kept])

"""Hugging Face's XLM, FlauBERT, XLNet and MobileBERT, in and out: the same scores."""

import json

import pytest
import torch
import transformers
from safetensors.torch import save_file

from anncestry.checkpoints.exporting import to_hugging_face
from anncestry.checkpoints.importing import import_weights
from anncestry.errors import UserError
from anncestry.models.create import create
from anncestry.protocols import IGNORED

V, D, T = 23, 16, 7
TOKENS = torch.randint(5, V, (3, T), generator=torch.Generator().manual_seed(1))
LENGTHS = torch.tensor([7, 4, 6])
VISIBLE = (torch.arange(T) < LENGTHS[:, None]).long()
XLM = {"vocab_size": V, "emb_dim": D, "n_layers": 2, "n_heads": 4, "max_position_embeddings": 12,
       "layer_norm_eps": 1e-12}  # fmt: skip
FAMILIES = {
    "XLM": {**XLM, "use_lang_emb": False},
    "Flaubert": XLM,
    "XLNet": {"vocab_size": V, "d_model": D, "n_layer": 2, "n_head": 4, "d_inner": 24, "mem_len": None},
    "MobileBert": {
        "vocab_size": V, "hidden_size": D, "intra_bottleneck_size": 8, "embedding_size": 6,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
        "max_position_embeddings": 12, "num_feedforward_networks": 3, "classifier_activation": False,
    },
}  # fmt: skip
WORDS = {"XLM": "WithLMHeadModel", "Flaubert": "WithLMHeadModel", "XLNet": "LMHeadModel"}
ENDINGS = ("words", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "Model")
CLASSES = [(family, ending) for family in FAMILIES for ending in ENDINGS]
CLASSES.remove(("XLNet", "words"))  # has targets of its own: test_two_streams


def tiny(family, ending, **changes):
    """A random model of theirs, with no bias at zero."""
    torch.manual_seed(0)
    if ending == "words":
        ending = WORDS.get(family, "ForMaskedLM")
    if ending == "ForQuestionAnswering" and family != "MobileBert":
        ending += "Simple"
    labels = 2 if "Question" in ending else 3
    config = getattr(transformers, f"{family}Config")(**{**FAMILIES[family], "num_labels": labels, **changes})
    model = getattr(transformers, f"{family}{ending}")(config).eval()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, std=0.3)
        if "norm" in name.lower() and name.endswith("weight"):
            torch.nn.init.normal_(parameter, 1.0, 0.2)
    if family == "MobileBert":  # padding is at zero there, as beyond the last place
        torch.nn.init.zeros_(model.get_input_embeddings().weight[0])
    return model


def ours_of(folder):
    found = import_weights(folder)
    model = create(found.architecture, **found.config).eval()
    model.load_state_dict(found.tensors)
    return found, model


def written(found, model, folder):
    made = to_hugging_face(found.architecture, model.state_dict(), model.config)
    folder.mkdir()
    save_file(made.tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(made.config))
    return folder


def reloaded(kind, folder):
    again, info = kind.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"], info
    assert not info["unexpected_keys"]
    return again.eval()


def scores_of(theirs, rows):
    """What theirs say of one row without padding."""
    with torch.no_grad():
        made = theirs(rows)
    if "start_logits" in made:
        return torch.stack([made["start_logits"], made["end_logits"]], -1)
    return made["logits"] if "logits" in made else made["last_hidden_state"].mean(1)


@pytest.mark.parametrize(("family", "ending"), CLASSES)
def test_logits_and_the_way_back(tmp_path, family, ending):
    theirs = tiny(family, ending)
    theirs.save_pretrained(tmp_path / "theirs")
    found, model = ours_of(tmp_path / "theirs")
    tokens = TOKENS.masked_fill(VISIBLE == 0, 0) if family == "MobileBert" else TOKENS
    if family == "XLNet":
        model = create("xlnet", **{**found.config, "separator": -1}).eval()
        model.load_state_dict({n: t for n, t in found.tensors.items() if "segment" not in n})
    with torch.no_grad():
        outputs = model(tokens, lengths=LENGTHS)
    back = reloaded(type(theirs), written(found, model, tmp_path / "back"))
    for row, length in enumerate(LENGTHS.tolist()):
        ours = outputs[row : row + 1]
        ours = ours[:, :length] if ours.dim() == 3 else ours
        for peer in (theirs, back):
            wanted = scores_of(peer, tokens[row : row + 1, :length])
            torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)
    again, model_again = ours_of(tmp_path / "back")
    assert {**again.config, "separator": 0} == {**found.config, "separator": 0}
    if family != "XLNet":
        with torch.no_grad():
            assert torch.equal(model_again(tokens, lengths=LENGTHS), outputs)


def test_two_streams(tmp_path):
    """XLNet's words, by their masks of an order and their map of targets; with texts told apart."""
    theirs = tiny("XLNet", "words")
    theirs.save_pretrained(tmp_path / "theirs")
    found, model = ours_of(tmp_path / "theirs")
    tokens = TOKENS.clone()
    tokens[:, 2] = tokens[:, 5] = model.config.separator
    segments = torch.tensor([0, 0, 0, 1, 1, 1, 2]).expand(3, -1)
    places = torch.tensor([[1, 3, 4], [0, 1, 6], [6, 4, 0]])  # in the order of prediction
    turn = torch.full((3, T), 9.0)
    turn.scatter_(1, places, torch.arange(3.0).expand(3, -1))
    predicted = torch.zeros(3, T, dtype=torch.bool).scatter_(1, places, True)
    hidden = predicted[:, None] & ~((turn[:, None] < turn[:, :, None]) & predicted[:, None])
    hidden = hidden | (predicted[:, None] & ~predicted[:, :, None])
    mapping = torch.nn.functional.one_hot(places, T).float()

    def wanted(peer):
        with torch.no_grad():
            return peer(
                tokens, perm_mask=hidden.float(), target_mapping=mapping, token_type_ids=segments
            ).logits

    with torch.no_grad():
        said = model.words(model.two_streams(tokens, predicted, turn))
        ours = said[torch.arange(3)[:, None], places]
        torch.testing.assert_close(ours, wanted(theirs), atol=1e-5, rtol=1e-5)
        targets = torch.where(predicted, tokens, IGNORED)
        in_reading_order = model(tokens, targets=targets)
        again = model.two_streams(tokens, predicted, torch.arange(T).expand(3, -1))
        torch.testing.assert_close(in_reading_order, model.words(again[predicted]))
    back = reloaded(type(theirs), written(found, model, tmp_path / "back"))
    torch.testing.assert_close(wanted(back), ours, atol=1e-5, rtol=1e-5)


def test_texts_distinguished_and_a_memory(tmp_path):
    theirs = tiny("XLNet", "Model")
    theirs.save_pretrained(tmp_path / "theirs")
    _, model = ours_of(tmp_path / "theirs")
    segments = torch.tensor([0, 0, 1, 1, 1, 2, 2]).expand(3, -1)
    with torch.no_grad():
        first = theirs(TOKENS[:, :4], use_mems=True)
        wanted = theirs(TOKENS, mems=first.mems, token_type_ids=segments).last_hidden_state
        _, memory = model.remember(TOKENS[:, :4], segments=torch.zeros(3, 4, dtype=torch.long))
        found, _ = model.remember(TOKENS, memory, segments=segments)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_languages(tmp_path):
    languages = {
        "n_langs": 2,
        "use_lang_emb": True,
        "id2lang": {0: "en", 1: "fr"},
        "lang2id": {"en": 0, "fr": 1},
    }
    theirs = tiny("XLM", "words", **languages)
    theirs.save_pretrained(tmp_path / "theirs")
    found, model = ours_of(tmp_path / "theirs")
    assert found.config["languages"] == ("en", "fr")
    langs = torch.tensor([0, 0, 0, 1, 1, 1, 1]).expand(3, -1)
    back = reloaded(type(theirs), written(found, model, tmp_path / "back"))
    with torch.no_grad():
        for given in (langs, None):
            ours = model(TOKENS, segments=given)
            for peer in (theirs, back):
                wanted = peer(TOKENS, langs=given).logits
                torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)


def test_flaubert_normalises_first(tmp_path):
    """Their class cannot run this net in the version at hand, so its own parts are put together here."""
    theirs = tiny("Flaubert", "words", pre_norm=True, layerdrop=0.2)
    theirs.save_pretrained(tmp_path / "theirs")
    found, model = ours_of(tmp_path / "theirs")
    assert (found.config["norm"], found.config["layer_drop"]) == ("pre", 0.2)
    body, mask = theirs.transformer, torch.ones(3, T)
    with torch.no_grad():
        x = body.layer_norm_emb(body.embeddings(TOKENS) + body.position_embeddings(torch.arange(T)))
        for layer in range(2):
            x = x + body.attentions[layer](body.layer_norm1[layer](x), mask)[0]
            x = x + body.ffns[layer](body.layer_norm2[layer](x))
        wanted = theirs.pred_layer.proj(x)
        torch.testing.assert_close(model(TOKENS), wanted, atol=1e-5, rtol=1e-5)


def test_mobilebert_asks_what_follows(tmp_path):
    theirs = tiny("MobileBert", "ForPreTraining")
    theirs.save_pretrained(tmp_path / "theirs")
    found, model = ours_of(tmp_path / "theirs")
    targets = torch.full_like(TOKENS, IGNORED)
    targets[:, 2] = 1
    back = reloaded(type(theirs), written(found, model, tmp_path / "back"))
    with torch.no_grad():
        output = model(TOKENS, targets=targets)
        for peer in (theirs, back):
            made = peer(TOKENS)
            torch.testing.assert_close(output.logits, made.prediction_logits[:, 2], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(output.relation, made.seq_relationship_logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("family", "changes", "message"),
    [
        ("XLM", {"causal": True}, "causal makes another network"),
        ("XLNet", {"attn_type": "uni"}, "attn_type makes another network"),
        ("MobileBert", {"normalization_type": "layer_norm"}, "normalization_type makes another network"),
        ("XLM", {"emb_dim": 20}, "wrong shape: .*embeddings.weight"),
    ],
)
def test_what_does_not_come_in(tmp_path, family, changes, message):
    tiny(family, "Model").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(UserError, match=message):
        import_weights(tmp_path)

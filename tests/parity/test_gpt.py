"""Hugging Face's GPT and GPT-2, in and out: the same scores, and the same tokens."""

import json
import sys

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from anncestry.checkpoints.converters.gpt import to_gpt
from anncestry.checkpoints.importing import import_weights
from anncestry.cli.main import main
from anncestry.decoding import sample
from anncestry.errors import UserError
from anncestry.fields import Fields
from anncestry.models.create import create
from anncestry.models.gpt import MultipleChoice
from anncestry.runs.imported import write_import
from anncestry.runs.run import load

V, D, P, B, T = 23, 20, 16, 3, 7
KINDS = {
    "gpt": ("gpt", {}),
    "gpt-relu": ("gpt", {"afn": "relu", "layer_norm_epsilon": 1e-3}),
    "gpt2": ("gpt2", {}),
    "gpt2-other": ("gpt2", {"activation_function": "gelu", "n_inner": 30, "layer_norm_epsilon": 1e-3}),
    "gpt2-untied": ("gpt2", {"tie_word_embeddings": False, "activation_function": "silu"}),
}
MODELS = {
    "gpt": (transformers.OpenAIGPTConfig, transformers.OpenAIGPTLMHeadModel),
    "gpt2": (transformers.GPT2Config, transformers.GPT2LMHeadModel),
}


def tiny(kind, model=None, **changes):
    """A random model with sharp scores."""
    torch.manual_seed(0)
    config, usual = MODELS[kind]
    sizes = {"vocab_size": V, "n_positions": P, "n_embd": D, "n_layer": 3, "n_head": 5}
    ends = {"bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0}
    made = (model or usual)(config(**{**sizes, **ends, **changes})).eval()
    for name, parameter in made.named_parameters():
        torch.nn.init.normal_(parameter, 0.3 if "bias" in name or "ln_" in name else 0.0, 0.3)
    return made


def tokens(rows=B, length=T):
    return torch.randint(V, (rows, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", KINDS)
def test_scores_tokens_and_the_way_back(tmp_path, name):
    kind, changes = KINDS[name]
    theirs = tiny(kind, **changes)
    theirs.save_pretrained(tmp_path / "theirs")
    assert main(["import", str(tmp_path / "theirs"), str(tmp_path / "run")]) == 0
    run = load(tmp_path / "run")
    assert run.architecture.id == kind
    assert run.model.config.tie_embeddings is not (name == "gpt2-untied")
    text = tokens()
    with torch.no_grad():
        wanted, found = theirs(text).logits, run.model(text)[0]
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    made = theirs.generate(text[:1], max_new_tokens=P - T, do_sample=False)[0, T:]
    assert [token for (token,) in sample(run.model, text[0], P - T, 0.0)] == made.tolist()

    assert main(["export", str(tmp_path / "run"), "--to", "huggingface", "--out", str(tmp_path / "out")]) == 0
    again, info = MODELS[kind][1].from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(text).logits, wanted, atol=1e-6, rtol=1e-6)
    assert main(["import", str(tmp_path / "out"), str(tmp_path / "again")]) == 0
    with torch.no_grad():
        assert torch.equal(load(tmp_path / "again").model(text)[0], found)


@pytest.mark.parametrize("kind", MODELS)
def test_a_net_of_ours_goes_out(tmp_path, kind):
    model = create(
        kind, input_size=V, output_size=V, hidden_size=D, num_layers=2, num_heads=4, num_positions=P,
        seq_len=P, tie_embeddings=kind == "gpt",
    ).eval()  # fmt: skip
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    made = to_gpt(kind, model.state_dict(), model.config)
    save_file(made.tensors, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(made.config))
    theirs = MODELS[kind][1].from_pretrained(tmp_path).eval()
    with torch.no_grad():
        found, wanted = theirs(tokens()).logits, model(tokens())[0]
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_multiple_choice():
    """OpenAIGPTDoubleHeadsModel reads the state at the last token of every answer."""
    theirs = tiny("gpt", transformers.OpenAIGPTDoubleHeadsModel, num_labels=1, summary_first_dropout=0.0)
    decoder = create(
        "gpt", input_size=V, output_size=V, hidden_size=D, num_layers=3, num_heads=5, num_positions=P,
        seq_len=P,
    )  # fmt: skip
    ours = MultipleChoice(decoder).eval()  # pyright: ignore[reportArgumentType]
    state, head = theirs.state_dict(), "multiple_choice_head.summary."
    ours.answer.linear.load_state_dict({name: state[head + name] for name in ("weight", "bias")})
    decoder.load_state_dict(_converted(theirs))
    texts, lengths = tokens(6).view(2, 3, T), torch.tensor([[7, 5, 6], [3, 7, 1]])
    with torch.no_grad():
        wanted = theirs(texts, mc_token_ids=lengths - 1).mc_logits
        torch.testing.assert_close(ours(texts, lengths), wanted, atol=1e-5, rtol=1e-5)


def _converted(theirs):
    from anncestry.checkpoints.converters.gpt import _imported

    found = {n.removeprefix("transformer."): t for n, t in theirs.state_dict().items()}
    made = _imported(
        "gpt", found, Fields(theirs.config.to_dict(), "test"), "test", __import__("pathlib").Path("nowhere")
    )
    assert any("multiple_choice_head was left out" in note for note in made.notes)
    return made.tensors


@pytest.mark.parametrize("kind", MODELS)
def test_classes(tmp_path, kind):
    """The head of theirs has no bias; where a text ends they tell by the filler."""
    module = sys.modules[MODELS[kind][1].__module__]
    name = "OpenAIGPTForSequenceClassification" if kind == "gpt" else "GPT2ForSequenceClassification"
    theirs = tiny(kind, getattr(module, name), num_labels=4)
    theirs.save_pretrained(tmp_path / "theirs")
    found = import_weights(tmp_path / "theirs")
    run = write_import(tmp_path / "run", found, tmp_path / "theirs")
    assert run.signature.task == "classification"
    text, lengths = tokens().clamp(min=1), torch.tensor([7, 4, 2])
    text = text.masked_fill(torch.arange(T) >= lengths[:, None], 0)
    with torch.no_grad():
        wanted = theirs(text).logits
        torch.testing.assert_close(run.model(text, lengths=lengths)[0], wanted, atol=1e-5, rtol=1e-5)


def test_older_files_hold_masks_and_the_tied_table(tmp_path):
    theirs = tiny("gpt2")
    theirs.save_pretrained(tmp_path)
    new = import_weights(tmp_path)
    tensors = {
        n.removeprefix("transformer."): t for n, t in load_file(tmp_path / "model.safetensors").items()
    }
    tensors |= {f"h.{layer}.attn.bias": torch.ones(1, 1, P, P).tril() for layer in range(3)}
    tensors |= {f"h.{layer}.attn.masked_bias": torch.tensor(-1e4) for layer in range(3)}
    tensors["lm_head.weight"] = tensors["wte.weight"].clone()
    save_file(tensors, tmp_path / "model.safetensors")
    old = import_weights(tmp_path)
    assert old.config == new.config
    assert old.tensors.keys() == new.tensors.keys()
    assert all(torch.equal(old.tensors[name], tensor) for name, tensor in new.tensors.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx.*another network"),
        ({"scale_attn_weights": False}, "scale_attn_weights.*another network"),
        ({"activation_function": "mish"}, "got 'mish'; is an unknown activation_function"),
    ],
)
def test_other_networks_are_refused(tmp_path, changes, message):
    tiny("gpt2").save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(UserError, match=message):
        import_weights(tmp_path)


def test_what_is_not_there_is_said(tmp_path):
    tiny("gpt2").save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"architecture: got 'gpt'.*holds a GPT-2"):
        import_weights(tmp_path, "gpt")
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({**tensors, "transformer.h.0.extra": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"h\.0\.extra.*gpt2 has no such tensors"):
        import_weights(tmp_path)
    del tensors["transformer.wpe.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"missing: positions\.embedding\.weight"):
        import_weights(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="pickle"):
        import_weights(tmp_path)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("gpt", {"activation": "gelu"}, "activation: got 'gelu'.*Choices:.*gelu-tanh"),
        ("gpt", {"inner_size": 30}, "inner_size: got 30"),
    ],
)
def test_what_does_not_go_out(kind, changes, message):
    sizes = {"input_size": V, "output_size": V, "hidden_size": D, "num_layers": 1, "num_heads": 4}
    model = create(kind, **{**sizes, **changes})
    with pytest.raises(UserError, match=message):
        to_gpt(kind, model.state_dict(), model.config)

"""Hugging Face's MarianMTModel, in and out: the same scores, and the same tokens from the same searches."""

import json
import struct

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from anncestry.checkpoints.converters.hugging_face.marian import to_marian
from anncestry.checkpoints.importing import import_weights
from anncestry.cli.main import main
from anncestry.decoding import Search
from anncestry.errors import UserError
from anncestry.inference.generation import generate
from anncestry.layers.attention.positions import sinusoids
from anncestry.models.create import create
from anncestry.runs.imported import write_import
from anncestry.runs.run import load

V, W, D, B, S, T = 15, 17, 16, 4, 6, 7
NAMES = ["</s>", "<unk>", *(f"▁w{i}" for i in range(V - 3))]


def tiny(seed=0, **changes):
    """A random model whose searches end: sharp scores, and an end that is likely enough."""
    torch.manual_seed(seed)
    sizes = {
        "vocab_size": V,
        "d_model": D,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "max_position_embeddings": 32,
    }
    sizes |= {f"{side}_attention_heads": 4 for side in ("encoder", "decoder")}
    sizes |= {f"{side}_ffn_dim": 24 for side in ("encoder", "decoder")}
    special = {"pad_token_id": V - 1, "decoder_start_token_id": V - 1, "eos_token_id": 0}
    usual = {
        "activation_function": "swish",
        "scale_embedding": True,
        "init_std": 0.3,
        "forced_eos_token_id": None,
    }
    model = transformers.MarianMTModel(
        transformers.MarianConfig(**{**sizes, **special, **usual, **changes})
    ).eval()
    torch.nn.init.normal_(model.final_logits_bias, std=0.5)
    for name, parameter in model.named_parameters():
        if "bias" in name or "norm" in name:
            torch.nn.init.normal_(parameter, 0.5, 0.3)
    return model


def saved(model, folder, **vocabularies):
    model.save_pretrained(folder)
    for name, words in ({"vocab": [*NAMES, "<pad>"]} | vocabularies).items():
        numbers = {word: number for number, word in enumerate(words)}
        (folder / f"{name}.json").write_text(json.dumps(numbers, ensure_ascii=False))
    return folder


def examples(size=V - 1):
    """Sources and targets by their rows; filler is the last row."""
    torch.manual_seed(3)
    lengths = torch.tensor([6, 3, 5, 4])
    source = torch.randint(2, V - 1, (B, S))
    source[torch.arange(B), lengths - 1] = 0
    return source, torch.randint(2, size, (B, T)), lengths


def moved(rows, words):
    """Rows of theirs as tokens of ours, by name."""
    return rows.clone().apply_(
        lambda row: {"</s>": 3, "<unk>": 1, "<pad>": 0}.get(words[row], 0) or at(words, row)
    )


def at(words, row):
    return 4 + [word for word in words if word not in ("</s>", "<unk>", "<pad>")].index(words[row])


@pytest.mark.parametrize("side", ["encoder", "decoder"])
@pytest.mark.parametrize("count", [0, 3])
def test_other_layers_than_the_weights_have_are_refused(tmp_path, side, count):
    saved(tiny(**({f"{side}_layers": 0} if count == 0 else {})), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {f"{side}_layers": count}))
    with pytest.raises(UserError, match=f"got {count}; {side}_layers must be"):
        import_weights(tmp_path)


KINDS = {
    "all": {},
    "separate": {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": W},
    "untied": {
        "tie_word_embeddings": False,
        "share_encoder_decoder_embeddings": False,
        "activation_function": "gelu",
    },
    "unscaled": {"scale_embedding": False, "activation_function": "relu"},
}
TARGETS = ["</s>", "<unk>", *(f"▁v{i}" for i in range(V - 3)), "<pad>", "▁x", "▁y"]


@pytest.mark.parametrize("kind", KINDS)
def test_logits_and_the_way_back(tmp_path, capsys, kind):
    theirs = tiny(**KINDS[kind])
    targets = TARGETS if kind == "separate" else [*NAMES, "<pad>"]
    more = {"target_vocab": TARGETS} if kind == "separate" else {}
    folder = saved(theirs, tmp_path / "theirs", **more)
    assert main(["import", str(folder), str(tmp_path / "run")]) == 0
    run = load(tmp_path / "run")
    assert run.model.config.tie == {"separate": "output", "untied": "none"}.get(kind, "all")
    source, answer, lengths = examples()
    visible = (torch.arange(S) < lengths[:, None]).long()
    before = torch.cat([torch.full((B, 1), V - 1), answer[:, :-1]], 1)
    ours = moved(source, [*NAMES, "<pad>"]), moved(answer, targets)
    with torch.no_grad():
        wanted = theirs(input_ids=source, attention_mask=visible, decoder_input_ids=before).logits
        found = run.model(*ours, lengths)
    order = [
        3 if w == "</s>" else 1 if w == "<unk>" else 0 if w == "<pad>" else at(targets, r)
        for r, w in enumerate(targets)
    ]
    torch.testing.assert_close(found[:, :, order], wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        found.log_softmax(-1)[:, :, order], wanted.log_softmax(-1), atol=1e-5, rtol=1e-5
    )

    assert main(["export", str(tmp_path / "run"), "--to", "marian", "--out", str(tmp_path / "back")]) == 0
    assert "sixth" not in capsys.readouterr().err
    again, info = transformers.MarianMTModel.from_pretrained(tmp_path / "back", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    wanted = wanted if kind != "separate" else found
    if kind == "separate":  # which keep our numbers: the filler has one number on both sides
        source, before = ours[0], torch.cat([torch.full((B, 1), 2), ours[1][:, :-1]], 1)
    with torch.no_grad():
        back = again.eval()(input_ids=source, attention_mask=visible, decoder_input_ids=before).logits
    torch.testing.assert_close(back, wanted, atol=1e-5, rtol=1e-5)
    if kind != "separate":
        assert (tmp_path / "back" / "vocab.json").read_bytes().split() == json.dumps(
            {word: number for number, word in enumerate([*NAMES, "<pad>"])}, ensure_ascii=False, indent=1
        ).encode().split()
    assert main(["import", str(tmp_path / "back"), str(tmp_path / "again")]) == 0
    with torch.no_grad():
        assert torch.equal(load(tmp_path / "again").model(*ours, lengths), found)


@pytest.fixture(scope="module")
def half_trained(tmp_path_factory):
    """A model that has begun to copy its source: texts end, and several are about as likely."""
    model = tiny(7, encoder_layers=1, init_std=0.1, dropout=0.0).train()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    random = torch.Generator().manual_seed(0)
    for _ in range(120):
        source = torch.randint(2, V - 1, (32, S), generator=random)
        lengths = torch.randint(2, S + 1, (32,), generator=random)
        source[torch.arange(32), lengths - 1] = 0
        visible = torch.arange(S) < lengths[:, None]
        loss = model(source, visible.long(), labels=source.masked_fill(~visible, -100)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    folder = tmp_path_factory.mktemp("marian")
    path = saved(model.eval(), folder / "theirs")
    return model, write_import(folder / "run", import_weights(path), path)


@pytest.mark.parametrize(("beam", "alpha"), [(1, 0.0), (4, 0.0), (4, 0.6), (4, 1.0)])
def test_searches(half_trained, beam, alpha):
    theirs, run = half_trained
    source, _, lengths = examples()
    visible = (torch.arange(S) < lengths[:, None]).long()
    made = theirs.generate(
        source, attention_mask=visible, num_beams=beam, length_penalty=alpha, max_new_tokens=20,
        early_stopping="never" if beam > 1 else False, bad_words_ids=[[V - 1]], do_sample=False,
        return_dict_in_generate=True, output_scores=True,
    )  # fmt: skip
    search = Search(beam=beam, length_penalty="average", alpha=alpha, max_length=20)
    found = generate(run.model, moved(source, [*NAMES, "<pad>"]), lengths, search)
    for row, (best, *_) in zip(made.sequences[:, 1:], found, strict=True):
        assert best.finished
        wanted = row[: (row == 0).nonzero()[0, 0]]
        assert list(best.tokens) == moved(wanted, [*NAMES, "<pad>"]).tolist()
    if beam > 1:
        scores = torch.tensor([best.score for best, *_ in found])
        torch.testing.assert_close(scores, made.sequences_scores, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "close"),
    [
        ({"positions": "concatenated", "norm_eps": 1e-5, "attention_bias": True, "output_bias": True}, 1e-5),
        ({"tie": "none", "activation": "gelu"}, 1e-3),
        ({"decoder_layers": 1, "scale_embeddings": False, "norm_eps": 1e-5}, 1e-5),
    ],
)
def test_a_run_of_ours_goes_out(tmp_path, settings, close):
    """Interleaved sinusoids too, which they do not have; and another eps, but for small differences."""
    torch.manual_seed(0)
    model = create(
        "transformer", input_size=V, output_size=W, hidden_size=D, num_layers=2, num_heads=4, **settings
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.eval()
    sides = tuple(("<pad>", "<unk>", "<begin>", "<end>", *(f"{side}{i}" for i in range(size - 4)))
                  for side, size in (("a", V), ("b", W)))  # fmt: skip
    made = to_marian(model.state_dict(), model.config, sides)
    assert bool(made.notes) == (model.config.norm_eps != 1e-5)
    save_file(made.tensors, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(made.config))
    theirs = transformers.MarianMTModel.from_pretrained(tmp_path).eval()
    source, lengths = torch.randint(4, V, (B, S)), torch.tensor([6, 3, 5, 4])
    targets = torch.randint(4, W, (B, T))
    before = torch.cat([torch.full((B, 1), 2), targets[:, :-1]], 1)
    visible = (torch.arange(S) < lengths[:, None]).long()
    with torch.no_grad():
        wanted = model(source, targets, lengths)
        found = theirs(input_ids=source, attention_mask=visible, decoder_input_ids=before).logits
    torch.testing.assert_close(found, wanted, atol=close, rtol=close)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "pre"}, "norm: got 'pre'.*Choices: post"),
        ({"positions": "tensor2tensor"}, "positions.*Choices: concatenated"),
        ({"head_size": 3}, "head_size: got 3"),
        ({"norm_eps": 1e-3}, "norm_eps: got 0.001"),
    ],
)
def test_what_does_not_go_out(settings, message):
    model = create(
        "transformer", input_size=V, output_size=W, hidden_size=D, num_layers=1, num_heads=4, **settings
    )
    with pytest.raises(UserError, match=message):
        to_marian(model.state_dict(), model.config, ((), ()))


def test_older_files_hold_every_copy(tmp_path):
    """They store tied tables under all names, and the sinusoids."""
    folder = saved(tiny(), tmp_path / "theirs")
    new = import_weights(folder)
    tensors = load_file(folder / "model.safetensors")
    table = tensors["model.shared.weight"]
    names = ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight")
    tensors |= {name: table.clone() for name in names}
    for side in ("encoder", "decoder"):
        tensors[f"model.{side}.embed_positions.weight"] = sinusoids(32, D, "concatenated")
    save_file(tensors, folder / "model.safetensors")
    old = import_weights(folder)
    assert old.config == {**new.config, "first_position": 0}
    assert old.tensors.keys() == new.tensors.keys()
    assert all(torch.equal(old.tensors[name], tensor) for name, tensor in new.tensors.items())


def test_only_transformers_go_out(tmp_path, capsys):
    state = torch.nn.LSTM(2, 3).state_dict()
    save_file(state, tmp_path / "lstm.safetensors")
    assert main(["import", str(tmp_path / "lstm.safetensors"), str(tmp_path / "run")]) == 0
    assert main(["export", str(tmp_path / "run"), "--to", "marian", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "holds runs of transformer; this run is lstm" in told
    assert "Choices: torch, keras" in told
    assert not (tmp_path / "out").exists()


def wire(number, value):
    """A field of a protocol buffer: bytes or a float."""
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    return bytes([number << 3 | 2, len(value)]) + value


def test_texts_cut_by_sentencepiece(tmp_path, capsys):
    """One model for each side; a piece that vocab.json lacks is unknown, a language is a token."""
    folder = saved(tiny(), tmp_path / "theirs", vocab=[*NAMES[:-2], ">>de<<", "c", "<pad>"])
    unknown = wire(1, wire(1, b"<unk>") + wire(2, 0.0) + b"\x18\x02")
    for side, more in (("source", ["c", "d"]), ("target", [])):
        pieces = [*NAMES[2:-2], *more, "▁"]
        data = [wire(1, wire(1, piece.encode()) + wire(2, -1.0 - i)) for i, piece in enumerate(pieces)]
        (folder / f"{side}.spm").write_bytes(b"".join([unknown, *data]))
    assert main(["import", str(folder), str(tmp_path / "run")]) == 0
    run = load(tmp_path / "run")
    (given,) = run.processor.read_each(">>de<< w3 w1cd")
    assert [run.processor.source.tokens[token] for token in given.value] == [
        ">>de<<", "▁w3", "▁w1", "c", "<unk>", "<end>",
    ]  # fmt: skip
    assert run.processor.target.decode([5, 4, 3, 7]) == "w1 w0"
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "run"), "w3 w1"]) == 0
    assert capsys.readouterr().out.strip()


def test_what_does_not_come_in(tmp_path, capsys):
    folder = saved(tiny(), tmp_path / "theirs")
    config = json.loads((folder / "config.json").read_text())
    for changes, message in (
        ({"normalize_before": True}, "normalize_before.*make another Transformer"),
        ({"activation_function": "mish"}, "'mish'; is an unknown activation_function"),
        ({"eos_token_id": 99}, "must be among the 15 of vocab.json"),
        ({"decoder_ffn_dim": 25}, "ffn_dim must be given, and be the same"),
    ):
        (folder / "config.json").write_text(json.dumps(config | changes))
        with pytest.raises(UserError, match=message):
            import_weights(folder)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.json").write_text(
        json.dumps({name: number for number, name in enumerate(NAMES)} | {"x": 14, "y": 15})
    )
    with pytest.raises(UserError, match="rows; the vocabulary has 16 words"):
        import_weights(folder)
    (folder / "vocab.json").write_text(json.dumps({"a": 0, "b": 0}))
    with pytest.raises(UserError, match="each with a number of its own"):
        import_weights(folder)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-9])
    assert main(["import", str(folder), str(tmp_path / "run")]) == 2
    assert "cut short or damaged" in capsys.readouterr().err
    (folder / "model.safetensors").unlink()
    torch.save(tiny().state_dict(), folder / "pytorch_model.bin")
    assert main(["import", str(folder), str(tmp_path / "run")]) == 2
    assert "never loaded" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
